# %% [markdown]
# # 10 · Claims, put to the test
#
# **After this notebook you can** say which of the sentences that are commonly said about the class token and Vision Transformers were true here, by how much, and how far the test reaches.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 04; 06 to 09 for how each experiment is made |
# | Time to read | about 30 minutes |
# | Time to run | at the quick budget a minute on two cores of a recent server CPU (with instructions for bfloat16), three to four on one core of an older one; on a T4 not measured yet |
# | Package modules | none of its own: `data/results/` and the experiments behind it |
#
# Each sentence below stands, in some form, in papers, lectures or tutorials. Next to it is what we measured. A sentence **holds**, **holds in part** or **does not hold** *for what was tested*, and each section says what that was and was not. ± is a 95 % interval over three seeds, unless it says otherwise; accuracies are on test images. "Class known" is what a linear classifier gets right from that token. Read the table as a list of contents: each row is explained in its section.
#
# | | claim | measured | verdict | record |
# |---|---|---|---|---|
# | 1 | It summarises the whole image | class 89.5 %; colours 43 % of their variance (untrained model 60 %); a needle's place 9 to 13 % (guessing 1.6 %) | holds in part | [contents](../data/results/class_token_contents.json), [journey](../data/results/class_token_journey.json) |
# | 2 | It gathers from all patches, layer by layer | class known after block 0 to 6: 10, 35, 54, 63, 74, 83, 90 %; joining before the last block: 70.2 ± 1.2 %, from the first: 69.1 ± 0.2 % | holds in part | [journey](../data/results/class_token_journey.json), [experiments](../data/results/experiments_cifar10_full.json) |
# | 3 | After the last layer it holds what is needed to classify | class known from it 89.5 %, from the mean of the patches 84.1 % | holds | [journey](../data/results/class_token_journey.json) |
# | 4 | The class token's attention shows where the model looks | needle highest in 90 to 100 %; right with 16 of 64 patches made noise: at random 84.2 %, those of highest attention 75.2 %, by gradients 62.1 % | holds in part | [needle](../data/results/needle10.json), [journey](../data/results/class_token_journey.json) |
# | 5 | Without it, the model only understands single patches | mean of patches 70.8 ± 1.0 %; if no patch sees another 64.2 ± 0.6 %; class token 69.1 ± 0.2 % | does not hold | [experiments](../data/results/experiments_cifar10_full.json) |
# | 6 | A class token classifies better than the mean of the patches | class token 69.1 ± 0.2 %; mean of patches 70.8 ± 0.7 %; attention pooling 71.3 ± 1.6 % | does not hold | [experiments](../data/results/experiments_cifar10_full.json) |
# | 7 | Registers help | without 69.1 ± 0.2 %, with four 68.9 ± 1.2 % | does not hold | [experiments](../data/results/experiments_cifar10_full.json) |
# | 8 | It is like BERT's [CLS], and like GPT | all tokens see all 69.1 ± 0.2 %; under GPT's mask: class token first 10.0 ± 0.0 %, last 69.5 ± 1.7 % | holds in part | [experiments](../data/results/experiments_cifar10_full.json) |
# | 9 | CNNs struggle with long-range dependencies, ViTs do not | 4,000 images: CNN seeing 15 pixels 49.9 ± 1.5 %, 47 pixels 100.0 ± 0.0 %; ViT 100.0 ± 0.2 % with Muon, 48.5 ± 2.2 % with AdamW | holds in part | [corners](../data/results/far_corners.json) |
# | 10 | ViTs need more data than CNNs | 1,000 images: ViT 44.4 ± 0.7 %, CNN 54.9 ± 2.0 %; 7,000 images: ViT 62.1 ± 0.9 %, CNN 67.9 ± 0.9 %; 45,000 images: ViT 64.1 ± 1.6 %, CNN 68.9 ± 1.2 % | holds | [images](../data/results/training_images.json) |
# | 11 | Its initialisation decides | zeros, ones, N(0, 0.02), N(0, 1): 68.2 to 69.1 %; N(0, 10): 61.3 ± 1.8 % | holds in part | [experiments](../data/results/experiments_cifar10_full.json) |
# | 12 | It must be updated by attention like any other token | as it should be 69.1 ± 0.2 %; without a position and never trained 69.3 ± 1.2 %, always zero 69.6 ± 2.0 %; unseen by the patches 69.0 ± 0.8 %; seeing only itself 10.0 ± 0.0 % | holds in part | [experiments](../data/results/experiments_cifar10_full.json) |
# | 13 | Position embeddings matter | with 69.1 ± 0.2 %, without 60.6 ± 2.0 % | holds | [experiments](../data/results/experiments_cifar10_full.json) |
# | 14 | Training needs a warm-up | pre-norm 69.1 ± 0.2 % with, 69.2 ± 0.8 % without; post-norm 64.4 ± 1.4 % with, 64.1 ± 1.6 % without | does not hold | [experiments](../data/results/experiments_cifar10_full.json) |
# | 15 | Small patches are noisy | noise of 32 at test time: P = 4 from 69.1 to 40.4 ± 5.9 %, P = 8 from 58.3 to 54.8 ± 1.0 %; trained with it: 60.2 ± 1.5 % and 54.6 ± 0.7 % | holds in part | [patches](../data/results/patch_size.json) |
# | 16 | Large patches miss detail | a needle of 4 × 4: P = 4 100 %, P = 8 11 %, and after 11 times the passes 54, 99, 100 % (three seeds) | holds in part | [patches](../data/results/patch_size.json), [experiments](../data/results/experiments_cifar10_full.json) |
#
# All CIFAR-10 figures but those of the shipped model come from small models (300,000 parameters, four blocks) after three passes over 45,000 images, unless the section says otherwise. That is one corner of a large field. Where a large model after long training is known to differ, the section says so.

# %%
from vit_minimal import (
    Dataset,
    TrainingConfig,
    ViTConfig,
    corners2,
    evaluate,
    fit,
    load_dataset,
    plots,
    seed_everything,
)
from vit_minimal.experiments import as_table, mean_and_width, run_experiment, summarize
from vit_minimal.runtime import read_records
from vit_minimal.variants import ConvNet

dataset = load_dataset()


def records(name):
    return read_records(f"../data/results/{name}.json")


cifar10 = records("experiments_cifar10_full")


def show_record(experiment, title, names=None):
    """The table and the figure of an experiment on CIFAR-10; `names` renames what is shown."""
    measured = summarize(experiment, "full", cifar10)
    if names:
        measured = {new: measured[name] for name, new in names.items()}
    print(as_table(measured))
    plots.show_summaries(measured, f"CIFAR-10: {title}")


# %% [markdown]
# ## What the class token holds
#
# ### 1. "It summarises the whole image"
#
# A summary of what? The shipped model's class token was trained for one question, the class. We ask it others. A linear regression reads the mean colours of sixteen regions of the image from it, after each block, and the same from the mean of the patch tokens. 0 % means: no better than the mean of all images.

# %%
(contents,) = records("class_token_contents")
(journey,) = records("class_token_journey")
colours = {
    "class token": contents["colours"]["trained"]["class_token"],
    "mean of patches": contents["colours"]["trained"]["patch_mean"],
    "class token, untrained model": contents["colours"]["untrained"]["class_token"],
}
plots.show_lines(
    range(7),
    {name: [100 * share for share in shares] for name, shares in colours.items()},
    "blocks passed",
    "variance of colours explained in %",
    "colours of sixteen regions",
    size=(7.0, 3.2),
)
plots.show_lines(
    range(7),
    {
        name: [100 * right for right in journey["probes"][kind]["mean"]]
        for kind, name in (("class_token", "class token"), ("patch_mean", "mean of patches"))
    },
    "blocks passed",
    "classes right in %",
    "the class, by a linear classifier",
)

# %% [markdown]
# The class can be read better after every block, in the end in 89.5 % of the images. The colours can be read best after block 2, 71 % of their variance, and worse after each block from there on. After the last it is 43 %: less than from the class token of a model that was never trained, 60 %. The mean of the patches loses some as well.
#
# And places? In Needle-10 all there is to do is to find one patch of 64. Small models do it without a mistake. Yet a linear classifier tells from their class token *which* patch it was in 15 to 19 % of the images after the first block and in only 9 to 13 % after the last (guessing: 1.6 %).
#
# **Holds in part.** The class token gathers from many parts of the image and then lets go of what the label does not ask for. *Limits:* linear readers, which may miss what a deeper one would find; models trained for classes alone. A class token that is trained otherwise, such as by self-supervision, may keep other things.
#
# ### 2. "It gathers from all patches, layer by layer"
#
# The second figure says so: a classifier on the class token is right in 9.7 % of the images before the first block, and in 35, 54, 63, 74, 83 and 90 % after the six. But one on the mean of the patches gets better as well, from 27 to 84 %: they gather from each other at the same time. So the class token may have got little by little what it could also have got at once. Two tests of that:
#
# - **Blind in one layer.** If the shipped model's class token may not read the patches in one of the layers 1 to 3, that costs at most 1.0 points; in layer 4, 5, 6 it costs 3.5, 6.1 and 38.4 (notebook 06).
# - **There in one layer only.** Trained from the start with a class token that joins the patches before the *last* block, a model reaches 70.2 ± 1.2 % (with one from the first block on: 69.1 ± 0.2 %).
#
# **Holds in part.** In the shipped model the class can be read better after each layer, and what it reads in the last ones counts most. It need not be so: to be there for the last layer alone was enough. *Limits:* a model of six blocks and one of four; whether it reads *all* patches was not tested.
#
# ### 3. "After the last layer it holds what is needed to classify"
#
# A linear classifier on the class token after the last block is right in 89.5 % of 5,000 images; the model's own head in 90.2 %. The mean of the patch tokens gives 84.1 %, a single patch token 69 to 75 %, depending on its place.
#
# **Holds.** It holds by training, not by nature: the loss is computed from the class token alone, so whatever is needed has to get there. (Even one patch token gives about 69 % or more: so much of the image does each of them hold by then.) *Limits:* one model.
#
# ### 4. "The class token's attention shows where the model looks"
#
# Notebook 06 has the experiment: in Needle-10 one patch of 64 decides. How often is it the one with the highest score?

# %%
(needles,) = records("needle10")
pointing = {}
for method in needles["runs"][0]["trained"]["pointing"]:
    for state in ("untrained", "trained"):
        values = [100 * run[state]["pointing"][method] for run in needles["runs"]]
        pointing[f"{method}, {state}"] = values
plots.show_dots(pointing, "highest score on the needle in %", "where the model looks")

# %% [markdown]
# After training, attention, rollout and gradients point at the needle in 90 to 100 % of the images. Before training they do not. (One untrained model happens to prefer the needle, by rollout in 28 % of the images and by layer 1 in 20 %.)
#
# But two things that notebook 06 found should make one careful. First, in these same models layer 2 looks at the needle too, and without layer 2's look not one answer changes: looking is not needing. Second, on CIFAR-10 one can take away the patches that a method marks highest and see what is lost. With 16 of 64 patches turned to noise at random, the shipped model is right in 84.2 %. Where they are those that the last layer attends to most it is 75.2 %, by rollout 77.1 %, by gradients 62.1 %. So attention does mark patches that matter: on CIFAR-10 less well than gradients do, on the needle better (layer 2 in two models of three).
#
# **Holds in part.** *Limits:* two tasks. On the question in general see [Jain and Wallace 2019](https://arxiv.org/abs/1902.10186), who study recurrent models of text.
#
# ## Without it
#
# ### 5. "Without it, the model only understands single patches"
#
# A model that understands single patches is easy to build: forbid the tokens to see each other. Here it is next to one whose patches do see each other and which has no class token either. Both give the mean of the patches to the head.

# %%
single = run_experiment("single_patches", dataset=dataset)
print(as_table(single))
plots.show_summaries(single, "drawn shapes")

# %%
show_record("single_patches", "patches that see each other or not")

# %% [markdown]
# Two things come out.
#
# **Without a class token the model understands more than single patches.** The mean of patches that see each other reaches 70.8 %; if no patch sees another it is 64.2 %. What mixes the patches is attention, with a class token or without.
#
# **Single patches are worth a lot.** 64 % of CIFAR-10 without one look from patch to patch: a surprise, so we repeated it (three seeds, all within half a point) and tested the mask (a change to one patch reaches no other token). It is not new: [BagNet](https://arxiv.org/abs/1904.00760) reads ImageNet from small patches that are pooled without regard to order. (Our patches also know where they are.) On the drawn shapes single patches are worth less, 37 %, sixteen points below the mean with attention (on CIFAR-10 it is seven). A likely reason: 8 × 8 pixels do not show what a shape is.
#
# **Does not hold.** *Limits:* one patch size each, short training.
#
# ### 6. "A class token classifies better than the mean of the patches"
#
# The comparison of notebook 09, each at its own learning rate:

# %%
show_record("pooling", "what the head reads, each at its best rate")

# %% [markdown]
# Each has the learning rate that was best on validation images: half, once and twice the base's were tried with the first seed (and four times with the mean, to which twice was best), and the other seeds run at the best. The mean of the patches is 1.7 ± 0.6 points ahead of the class token, attention pooling 2.2 ± 1.4.
#
# **Does not hold.** *Limits:* one small model. In the ViT paper's own comparison, on large data, the two came out alike at their own rates ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Appendix D.3); a later recipe for the same model prefers the mean ([Beyer et al. 2022](https://arxiv.org/abs/2205.01580)).
#
# ### 7. "Registers help"
#
# Four registers, the last line above: no difference that three seeds could show, at the best of three learning rates.
#
# **Does not hold here**, as far as accuracy goes. *Limits:* that is not what registers are for. They were proposed for large models after long training, against tokens of very large norm that spoil attention maps ([Darcet et al. 2023](https://arxiv.org/abs/2309.16588)). We did not look for such tokens.
#
# ## Its kin
#
# ### 8. "It is like BERT's [CLS], and like GPT"
#
# In BERT a [CLS] token stands first and every token sees every other. In GPT a token sees itself and those before it. We put a class token under GPT's mask, first and last:

# %%
show_record("causal_mask", "who sees whom")

# %% [markdown]
# - **All tokens see all**, as in BERT: the ordinary model.
# - **First, under GPT's mask**, a class token sees only itself. It is the same for every image, so the model must guess.
# - **Last, under GPT's mask**, it sees all patches, while each patch sees only those before it. That cost nothing that three seeds could show.
#
# So a class token needs to see the patches. Whether the patches all see each other mattered less than we expected: with all of them 69.1 %, with about half 69.5 %. (With none it did matter: read by their mean, 64.2 instead of 70.8 %, claim 5.)
#
# **Holds in part.** The ViT paper took it from BERT: a learned token, put first, read at the end, all see all ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)). GPT's mask has no use for it in front. Fine-tuned to classify, the [first GPT](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf) got a token at the *end* of the text, which a linear head reads: that is our third line. *Limits:* the likeness is one of structure. BERT's was trained on text with other tasks; nothing here speaks of what *it* holds.
#
# ## Far apart
#
# ### 9. "CNNs struggle with long-range dependencies, ViTs do not"
#
# Corners-2 is drawn to test this. Everything is grey but for two tiles of 4 × 4 in opposite corners, each warm or cool. The question is whether they agree. Neither corner alone says anything.

# %%
images, labels = corners2(5_000, 0)
names = ("differ", "agree")
corners = Dataset(images[:4_000], labels[:4_000], images[4_000:], labels[4_000:], names, "corners2")
some = [i for label in (0, 1) for i in (labels == label).nonzero().flatten().tolist()[:4]]
plots.show_images(images[some], [names[labels[i]] for i in some], columns=8)

# %% [markdown]
# Two small CNNs. In the first, what the last convolution computes at a place depends on 15 × 15 pixels, so no place sees both corners; the mean over places comes after. In the second it is 47 × 47. Six runs of four passes each:


# %%
def train_cnn(strides, seed):
    """The accuracy in % of a CNN on Corners-2."""
    seed_everything(seed)
    model = ConvNet(ViTConfig(num_classes=2), strides=strides)
    config = TrainingConfig(
        epochs=4, batch_size=50, learning_rate=1e-3, label_smoothing=0.0, flip=False, crop_padding=0,
        seed=seed,
    )  # fmt: skip
    fit(model, corners, config)
    return 100 * evaluate(model, corners.test_images, corners.test_labels)


# %%
kinds = {"CNN that sees 15 pixels": (2, 2, 1), "CNN that sees 47 pixels": (2, 2, 2, 1, 1)}
found = {name: [train_cnn(strides, seed) for seed in range(3)] for name, strides in kinds.items()}


# %%
def show_groups(groups, x_label, title, dashed=None):
    """Dots for the seeds of each group, with their interval."""
    widths = {name: mean_and_width(values)[1] for name, values in groups.items()}
    plots.show_dots(groups, x_label, title, dashed, widths=widths)


show_groups(found, "right in %", "Corners-2: 4,000 images, 4 passes", ("guessing", 50))

# %% [markdown]
# The record has the same with a ViT, and with more images. Each model at the best of three learning rates:

# %%
far = records("far_corners")
for count in (4_000, 20_000):
    rows = [row for row in far if row["trained_on"] == count]
    show_groups(
        {row["model"]: [100 * right for right in row["accuracies"]] for row in rows},
        "right in %",
        f"Corners-2: {count:,} images, {rows[0]['training']['epochs']} passes",
        ("guessing", 50),
    )

# %% [markdown]
# - The CNN that sees 15 pixels guesses, with 4,000 images and with 20,000. It cannot do it: the mean over places adds up what is known of each corner, and the head that reads the sum is linear. Let a warm corner add w to the score and a cool one c: images that agree have 2w or 2c, images that differ w + c, which lies between. No threshold parts the middle from both ends; the best one is right in three cases of four, and the loss is lowest for a score that tells nothing, which is where training leads.
# - The CNN that sees 47 pixels has it right after one pass or two.
# - The ViT, all of whose tokens see all others from the first block on, took four to six passes over 4,000 images to be right in 95 %, and six to nine for all. (With Muon as well one rate of the three, 0.003, failed with the seed that tried it.) With AdamW, which is what most people train ViTs with, it did not get there at 0.001, 0.003 or 0.01, nor with five times the images. There all three seeds end at exactly the same accuracy, as a model does that gives one answer to every image: a training that failed, more likely than a distance that is too large.
#
# **Holds in part.** What counts is how far a model can see, and a CNN can see as far as one likes. Seeing everything is not the same as finding it: here the CNN was the faster learner. *Limits:* one task with no other detail in the picture; small models, of which the CNN that sees 47 pixels has twice the ViT's parameters at fewer FLOPs; one distance, 28 pixels across and 28 down. That ViTs use far-apart places earlier in the network than CNNs do is another matter ([Raghu et al. 2021](https://arxiv.org/abs/2108.08810)).
#
# ### 10. "ViTs need more data than CNNs"
#
# CIFAR-10 with fewer and fewer of its images, the same number of steps each, a CNN of about as many FLOPs (14 % more), each model at the best of three learning rates (chosen on validation images with one seed):

# %% tags=["nbval-check-output"]
counts = (1_000, 7_000, 45_000)
lines, widths = {}, {}
for row in records("training_images"):
    mean, width = mean_and_width([100 * right for right in row["accuracies"]])
    lines.setdefault(row["model"], []).append(mean)
    widths.setdefault(row["model"], []).append(width)
    print(f"{row['trained_on']:6,} images, {row['model']}: {mean:.1f} ± {width:.1f} %")

# %%
plots.show_lines(
    counts, lines, "training images", "accuracy in %", "CIFAR-10", log="x", widths=widths
)

# %% [markdown]
# The CNN is ahead everywhere: by 10.5 points with 1,000 images, by 5.8 with 7,000 and by 4.7 with 45,000. So from 1,000 to 7,000 images the ViT gained more; from there on three seeds hardly tell. At our largest number it has not caught up.
#
# **Holds.** It is what the ViT paper reports at a far larger scale, where the ViT then overtakes with about a hundred million images ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Section 4.3). *Limits:* 700 steps for each model, so what we call few images is few images *and* many passes; a CNN with 188,000 parameters and AdamW beside a ViT with 311,000 and Muon; with 7,000 and 45,000 images the CNN chose the highest rate tried, so it may be better still.
#
# ## How it starts and how it is trained
#
# ### 11. "Its initialisation decides"

# %%
show_record("class_token_init", "starts of the class token")

# %% [markdown]
# Zeros, ones, N(0, 0.02), even a class token that is frozen (its position embedding still learns; claim 12 has it without): no difference that three seeds could show. N(0, 10) costs 7.8 points; notebook 07 shows why.
#
# **Holds in part**: a start can do harm if it is much too large. Among the usual ones it decides nothing. *Limits:* three passes; one learning rate, and three times that one for two of the starts.
#
# ### 12. "It must be updated by attention like any other token"

# %%
show_record("class_token_untrained", "class tokens that are not trained")

# %% [markdown]
# It must **see** the patches. If it does not, it is the same for every image: 10.0 %, line two of the table of claim 8. It must **pass gradients back**: detached before the head, so that the blocks get none, it ends at 27.7 % (notebook 07). But the patches need not see *it*: 69.0 %. And it need not be **trained**: without a position embedding, which would be trained in its place, it reaches 69.3 % as it was drawn and 69.6 % as zeros. What reads it is trained. Nor need it be there in every block (claim 2).
#
# **Holds in part.** Attention must reach it, once at least; "like any other token" it need not be treated. *Limits:* one small model, three passes.
#
# ### 13. "Position embeddings matter"

# %%
POSITIONS = {"N(0, 0.02)": "with positions", "zeros, frozen": "without"}
show_record("position_init", "positions", POSITIONS)

# %% [markdown]
# Without positions the model does not know where a patch was, only which patches there are. It reaches 60.6 % where one with positions has 69.1 %. Positions that are not trained lie between, at 64.7 to 65.6 %, if they are of a size that can be noticed (notebook 07).
#
# **Holds on CIFAR-10**, by 8.5 points. That is less than one might expect of a model for which the patches might come in any order: much of CIFAR-10 can be told without putting patches together (claim 5, where each patch did know its place). On the drawn shapes of notebook 07, with patches of 8 × 8, no difference was to be seen, with wide intervals. *Limits:* one model; where the *order* is the question, as in notebook 02's pair of images, nothing works without.
#
# ### 14. "Training needs a warm-up"
#
# The experiment is in notebook 07: pre-norm reaches 69.1 % with warm-up and 69.2 % without, post-norm 64.4 % and 64.1 %.
#
# **Does not hold here**, with either norm. *Limits:* four blocks, Muon, one learning rate. The need for warm-up was reported for deeper post-norm models with Adam ([Xiong et al. 2020](https://arxiv.org/abs/2002.04745)); that we did not try.
#
# ## Patches
#
# ### 15. "Small patches are noisy"
#
# Notebook 08 adds noise to the test images. At a standard deviation of 32 (of 255) the model with P = 4 falls from 69.1 to 40.4 %, the one with P = 8 only from 58.3 to 54.8 %. But then both are trained on images with such noise, and P = 4 leads again: 60.2 against 54.6 %.
#
# **Holds in part**: models with small patches were the more easily disturbed by noise that they had not met. Not all of it went away by training on noise: P = 4 ends 9 points below its clean figure, P = 8 four. *Limits:* one kind of noise; at twice the noise it was trained with, P = 4 is behind again.
#
# ### 16. "Large patches miss detail"
#
# Notebook 08 hides the answer in a tile of 4 × 4 pixels. With P = 4 it is found in all images, with P = 8 after the same training in none beyond guessing. After 11 times the passes three seeds find it in 54, 99 and 100 % with P = 8. And on CIFAR-10 P = 8 was 10.8 points behind P = 4 at equal passes, but 2.4 points ahead with four times the passes, for the same FLOPs; P = 16 was 19.6 behind, and 1.5 with twelve times the passes.
#
# **Holds in part.** The detail need not be lost as long as D ≥ 3·P² (and here enough was kept where D was a third of that). It is harder to find. *Limits:* for P = 16 we stopped before it was found, if it can be.
#
# ## What this table is not
#
# A law. Most rows rest on small models, short training and one data set of small photographs, and each names its limits. Three seeds separate differences of one or two points, seldom smaller ones: "no difference that three seeds could show" is not "no difference". The intervals cover seeds, not the choice of the 10,000 test images. And of many comparisons at 95 % one or two will look real by chance. What would move a verdict is another experiment. Every record names the command that made it, and most of these commands take minutes with one setting changed. If yours comes out the other way, that is worth knowing.
#
# ## Questions
#
# <details><summary>Somebody trains with a class token and with the mean of the patches, at one learning rate and with one seed, and finds the mean 1.5 points better. What would you ask?</summary>
#
# How the learning rate was found, and for which of the two. What two runs of the *same* setting differ by. And whether the images it was judged by are the ones that anything was chosen by.
# </details>
#
# <details><summary>The last layer's attention lies on the dog's head. May you say that the model knows the dog by its head?</summary>
#
# Not yet. In claim 4 a layer looked at what it did not need. Take the head away, or make it noise, and see whether the answer changes; then take away as much of something else.
# </details>
#
# <details><summary>Under GPT's mask a class token in front knows nothing of the image, in four blocks or in forty. Why do more blocks not help?</summary>
#
# In every block it sees itself alone, and it started the same for all images. What the patches know cannot reach it, whatever they learn.
# </details>
#
# <details><summary>A model whose patches never see each other gets 64 % on CIFAR-10. What does that say about a model of yours that gets 66 %?</summary>
#
# That its attention may be doing little. An accuracy means something beside what simpler models reach.
# </details>
#
# **Try it yourself:** [exercises 10](exercises/10_claims_put_to_the_test.ipynb), with checks that say what is wrong.
#
# **This was the last notebook of the course.** If you have read them in order, you have built all of the model, trained it, looked inside, and doubted it. Back to [00 · Start here](00_start_here.ipynb).

# %% [markdown] tags=["exercise-only"]
# # Exercises 10 · Claims, put to the test
#
# They go with notebook [10](../10_claims_put_to_the_test.ipynb). If you start here: two settings are compared by training each with several seeds. A mean over seeds has an interval: with n seeds and standard deviation s, the mean ± t·s/√n, where t depends on n (4.30 for three seeds, at 95 %).

# %% tags=["exercise-only"]
import math
import statistics

from vit_minimal.checks import check

# %% [markdown] tags=["exercise:interval"]
# The mean of some values, and half the width of its interval: t times the standard error, which is the standard deviation (with n − 1) divided by √n. Give both, in this order.
#
# Hint: `statistics.stdev` divides by n − 1, `statistics.pstdev` by n.
#
# Hint: The more seeds, the narrower: by √n.


# %% tags=["exercise-only", "exercise:interval"]
def interval(values, t):
    """The mean of some values and half the width of its interval."""
    # solution
    # | return ...  # your code
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))
    # end of solution


# %% [markdown] tags=["exercise:paired_difference"]
# Two settings were run with the same seeds: `first[i]` and `second[i]` had seed i. Give the mean of the difference second − first, and half the width of its interval. Whatever a seed does to both alike should cancel. Your solution of 10.1 is `interval`.
#
# Hint: Subtract seed by seed first. What is left is one list of numbers.
#
# Hint: Then it is exercise 10.1.


# %% tags=["exercise-only", "exercise:paired_difference"]
def paired_difference(first, second, t):
    """Of second − first, seed by seed: the mean and half the width of its interval."""
    # solution
    # | return ...  # your code
    return interval([b - a for a, b in zip(first, second, strict=True)], t)
    # end of solution


# %% [markdown] tags=["exercise:receptive_field"]
# Claims about CNNs hang on how far one sees. One number that comes out of stacked convolutions depends on a square of pixels. How many along its side? With one layer of kernel k, k. A further layer adds k − 1 steps, and a step is as wide as the product of all strides *before* it. Give the number of pixels, for a list of kernel sizes and a list of strides, first layer first.
#
# Hint: Two layers of kernel 3 and stride 1: 1 + 2 + 2 = 5.
#
# Hint: Keep two numbers while you walk through the layers: what is seen so far, and how wide a step is. The first begins at 1, the second at 1.


# %% tags=["exercise-only", "exercise:receptive_field"]
def receptive_field(kernel_sizes, strides):
    """How many pixels along a side an output of stacked convolutions depends on."""
    # solution
    # | return ...  # your code
    field, step = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field
    # end of solution


# %% [markdown] tags=["exercise:what_to_say"]
# *Conclude.* With three seeds each, setting B was better than A by +0.9 ± 1.8 points (95 %). What may be said?
#
# - a: A and B are equally good.
# - b: B is better.
# - c: Three seeds do not separate the difference from none; it is hardly larger than 3 points.
# - d: Nothing at all.
#
# Hint: From where to where does the interval reach?
#
# Hint: Which differences lie in it, and which do not?
#
# Solution: **c**. The interval runs from −0.9 to +2.7. It holds 0, and it also holds 2; it does not hold 5.

# %% tags=["exercise-only", "exercise:what_to_say"]
# solution
# | what_to_say = ...  # "a", "b", "c" or "d"
what_to_say = "c"
# end of solution

# %% [markdown] tags=["exercise:control"]
# *Conclude.* On clean test images models with small patches are ahead of models with large ones; when noise is added to the test images they fall behind. Two explanations: (1) small patches cannot be read through noise; (2) models with small patches could, but never saw noise in training. Which further experiment tells them apart?
#
# - a: The same with ten seeds.
# - b: Train all models on noisy images, and test them with noise.
# - c: Train all models for twice as long.
# - d: Test with more and with less noise.
#
# Hint: What would you expect to see if (1) is true? And if (2) is?
#
# Hint: Look for an experiment for which (1) and (2) foretell *different* results.
#
# Solution: **b**. If (1) is true the small patches stay behind, if (2) is, they need not. (Notebook 08 did it: trained with noise, the small patches led again, though they still paid more for it than the large ones.)

# %% tags=["exercise-only", "exercise:control"]
# solution
# | control = ...  # "a", "b", "c" or "d"
control = "b"
# end of solution
