# %% [markdown]
# # 14 · More claims, to look up
#
# **After this notebook you can** ask three questions of any sentence about Vision Transformers, judge one alone, and look up the others.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05, where 05 defines *better*, *worse*, *alike* and *not settled*, and the [four verdicts](10_claims_put_to_the_test.ipynb) of 10 |
# | Time to read | about 20 minutes, without the folds |
# | Time to run | about {{notebook_seconds("14_more_claims"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `variants.py`, and `data/results/` |
#
# [Some say](https://www.vizuaranewsletter.com/p/why-do-we-need-transformers-for-vision) that *CNNs struggle with long-range dependencies, ViTs do not*. So we trained both to compare two far corners of an image. One result surprised us, and we had a fine new sentence ready for it. Then a single control took away its support. In a few minutes you will run it yourself.
#
# Three questions would have warned us. Ask them of any sentence, before you believe it:
#
# > 1. Compared with what?
# > 2. What do the words mean?
# > 3. In which setting?
#
# You try each question on one sentence, and guess before you see the result. Then you judge a fourth sentence alone. Eight more are <a href="#look-up">folded</a>, to look up when you meet them. The numbers, such as 9, come from our list of {{numbered_sections("10_claims_put_to_the_test") + numbered_sections("14_more_claims"):d}} sentences; the six that are not here are in notebook 10. We chose all thresholds after the measurements, so distrust a verdict that passes one narrowly.

# %%
import contextlib
import io
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import torch

from vit_minimal import (
    RECIPES,
    Dataset,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    corners2,
    diagrams,
    evaluate,
    fit,
    plots,
    seed_everything,
)
from vit_minimal.experiments import mean_and_width
from vit_minimal.records import read_records
from vit_minimal.training import predict
from vit_minimal.variants import CausalClassTokenFirst, CausalClassTokenLast, ConvNet

# %% [markdown]
# ## First question: compared with what?
#
# A result alone says little. It needs a control or a rival beside it.
#
# ### 9. "CNNs struggle with long-range dependencies, ViTs do not"
#
# **The harm:** someone replaces a CNN, and need not.
#
# **Tested:** an image has two coloured tiles of 4 × 4 pixels, each warm (more red than blue) or cool. Do they agree? Whoever always gives one answer is right for about half of the images, so chance level is 50 %. *What counts:* a model *struggles* if, after training, it gets less than 60 % of 1,000 new images right. (Luck seldom adds more than three points to chance level.)
#
# - **The task:** the tiles lie *apart*, in opposite corners. We call it *Corners-2*, for two corners and two answers.
# - **The control:** the same tiles lie *side by side*. If a model fails here too, its failure says nothing about the distance.


# %% tags=["nbval-check-output"]
def two_tiles(near):
    learned, new = (corners2(n, seed, near) for n, seed in ((4_000, 0), (1_000, 1)))
    return Dataset(*learned, *new, ("differ", "agree"), "corners2")


apart, side_by_side = two_tiles(near=False), two_tiles(near=True)
print(f"the tiles agree in {apart.train_labels.sum():,} of 4,000 images")

# %% tags=["hide-input"]
_, panels = plt.subplots(2, 3, figsize=(6.4, 4.7), layout="constrained")
red, _, blue = apart.train_images[:, :, :4, :4].float().mean(dim=(2, 3)).unbind(dim=1)
warm, agree = red > blue, apart.train_labels == 1  # of the upper left tile
examples = {"both warm": agree & warm, "both cool": agree & ~warm, "they differ": ~agree}
for column, (answer, chosen) in zip(panels.T, examples.items(), strict=True):
    shown = chosen.nonzero()[0, 0]
    for panel, task, words in zip(
        column, (apart, side_by_side), ("apart", "side by side"), strict=True
    ):
        panel.imshow(plots.as_picture(task.train_images[shown]))
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        if task is apart:
            panel.set_title(answer)
        if answer == "both warm":
            panel.set_ylabel(words, fontsize=12)
plots.show(
    "pictures of grey tiles; two coloured tiles lie in opposite corners in the upper row, and side "
    "by side in the lower one; they are both warm, both cool, or they differ",
    "Corners-2",
)

# %% [markdown]
# How far does a CNN look? The square of pixels on which one number of its last layer depends is its *receptive field*. If this has a side of 15, we say that the CNN *sees 15 pixels*:

# %% tags=["hide-input"]
diagrams.windows(apart.train_images[shown], (15, 47), "What one number of a CNN can depend on")

# %% [markdown]
# Each orange frame is the receptive field at one place. On the left, no frame of this size holds both coloured tiles, wherever it lies. On the right, the middle frame holds the whole image, as in most CNNs in use. It reaches beyond the edges, where there are only zeros.
#
# We train one CNN of each kind, and a ViT with two blocks, D = 64 and P = 4.

# %%
two_blocks = ViTConfig(
    patch_size=4, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=2
)
vit = partial(VisionTransformer, two_blocks)
cnn_15 = partial(ConvNet, two_blocks, strides=(2, 2, 1))
cnn_47 = partial(ConvNet, two_blocks, strides=(2, 2, 2, 1, 1))


# %%
def train(name, make, task, optimizer="adamw", rate=1e-3, epochs=10, seed=0):
    """Train a new model, print its accuracy in %, and return its loss after each epoch."""
    seed_everything(seed)
    model, config = make(), TrainingConfig(
        epochs=epochs, batch_size=50, learning_rate=rate, optimizer=optimizer, seed=seed,
        label_smoothing=0.0, flip=False, crop_padding=0,
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):  # what it would print after each epoch
        history = fit(model, task, config)
    trained = 100 * evaluate(model, task.train_images, task.train_labels)
    new = 100 * evaluate(model, task.test_images, task.test_labels)
    print(f"{name + ':':15} training images {trained:3.0f} %, new ones {new:3.0f} %")
    return history.train_loss


# %% [markdown]
# **Your guess:** the tiles lie apart. Which of these four classify more than 60 % of the new images correctly?

# %%
for name, make, optimizer in (
    ("CNN, 15 pixels", cnn_15, "adamw"),
    ("CNN, 47 pixels", cnn_47, "adamw"),
    ("ViT, Muon", vit, "muon"),
    ("ViT, AdamW", vit, "adamw"),
):
    train(name, make, apart, optimizer)

# %% [markdown]
# In the run saved here, two models learn the task. Two stay at chance level on new images, though one of these learned many training images by heart. Is it the distance that defeats them? Guess again, before the control tells:

# %%
for name, make in (("CNN, 15 pixels", cnn_15), ("ViT, AdamW", vit)):
    train(name, make, side_by_side)

# %% [markdown]
# For the CNN, the distance is the reason: side by side, it learns the task. The ViT with AdamW fails there too, so its failure is no evidence about distance. *ViTs trained with AdamW struggle with long range*, our fine new sentence, has lost its support.
#
# **What did defeat the ViT with AdamW?** We had two suspects. Perhaps it does not see the tiles. Or we trained it badly, too fast or too briefly. So we lower the learning rate to 0.0003, and ask it about one tile only: is the upper left one warm? Then we ask about both, with all else the same:
#
# <details><summary>Why not 0.001 for longer?</summary>
#
# At 0.001 the ViT learned by heart: after 60 epochs with seed 0, it got 80 % of the training images of tiles apart right, and 51 % of the new ones. With the tiles side by side, it learned by heart too (one seed).
#
# </details>


# %%
def is_warm(images):
    """Has the upper left tile more red than blue?"""
    red, _, blue = images[:, :, :4, :4].float().mean(dim=(2, 3)).unbind(dim=1)
    return (red > blue).long()


one_tile = replace(
    apart, train_labels=is_warm(apart.train_images), test_labels=is_warm(apart.test_images)
)
losses = {"one tile": train("ViT, one tile", vit, one_tile, rate=3e-4)}
losses["two tiles"] = train("ViT, two tiles", vit, apart, rate=3e-4)

# %% [markdown]
# It sees the tile well, and cannot *compare* two. Or not yet? We give it 60 epochs in place of ten:

# %%
losses["two tiles, 60 epochs"] = train("ViT, 60 epochs", vit, apart, rate=3e-4, epochs=60)

# %% tags=["hide-input"]
_, axis = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
for index, (label, of_epochs) in enumerate(losses.items()):
    style = plots.curve_style(index) | {"marker": None}
    axis.plot(range(1, len(of_epochs) + 1), of_epochs, label=label, **style)
axis.axhline(0.693, color="black", linestyle=":", linewidth=1, label="chance level")
axis.set(xlabel="epochs", ylabel="loss", title="Corners-2: ViT, AdamW, rate 0.0003")
axis.grid(alpha=0.3)
axis.legend()
plots.show(
    "the loss for one tile falls at once; for two tiles it stays at chance level for all of ten "
    "epochs, and for some thirty of 60, and then falls to zero within a few",
    "two tasks for one ViT",
)

# %% [markdown]
# It learns the task, so as a general sentence our new one is false. For some thirty epochs, the loss hardly leaves that of a model that always answers fifty-fifty (ln 2, or 0.693), and then it falls to zero within a few. So it was neither the distance nor its eyesight that defeated this ViT, but how we trained it: it needed a smaller rate *and* more epochs. In each of four tries of 60 epochs, apart and side by side, with seeds 0 and 1, it got all images right.
#
# <details><summary>Why so late?</summary>
#
# One tile says nothing about the answer, because a warm tile agrees with its partner as often as not. (Programmers know *differ* as *XOR*.) So a model that begins to look at one tile gains nothing by it; only both together pay. [Barak et al. 2022](https://arxiv.org/abs/2207.08799) study such tasks and find hidden progress while the loss is flat. Why the CNN and the ViT with Muon need only ten epochs, we do not know.
#
# </details>
#
# **Result:** you ran one seed. Our record has three, each model at the best of at least three learning rates, for ten epochs. It agrees in all the cases that you ran at 0.001. It adds one that you did not run: *side by side*, the ViT with Muon learned with two seeds, and stayed at chance level with one.
#
# <details><summary>The record: accuracy on the test images</summary>
#
# | model, optimizer | apart | side by side |
# |---|---|---|
# | CNN that sees 15 pixels, AdamW | {{mean(corners("CNN that sees 15 pixels, AdamW").accuracies):.1%}} | {{mean(corners("CNN that sees 15 pixels, AdamW", near=True).accuracies):.1%}} |
# | CNN that sees 47 pixels, AdamW | {{mean(corners("CNN that sees 47 pixels, AdamW").accuracies):.1%}} | not tried |
# | ViT, Muon | {{mean(corners("ViT, Muon").accuracies):.1%}} | {{corners("ViT, Muon", near=True).accuracies[0]:.1%}} in two seeds, {{min(corners("ViT, Muon", near=True).accuracies):.1%}} in one |
# | ViT, AdamW | {{mean(corners("ViT, AdamW").accuracies):.1%}} | {{mean(corners("ViT, AdamW", near=True).accuracies):.1%}} |
#
# Apart, the ViT with Muon stays at chance level at a rate of 0.003. Side by side, this rate looked best with seed 0, so all three seeds had it, and one of them stayed at chance level. (At 0.001 it learned side by side too, with one seed.)
#
# </details>
#
# {{assert
# all(overlap(corners("CNN that sees 15 pixels, AdamW", count).accuracies, [0.5, 0.5, 0.5]) for count in (4_000, 20_000)) and min(corners("CNN that sees 15 pixels, AdamW", near=True).accuracies) > 0.9}}{{assert
# min(corners("CNN that sees 47 pixels, AdamW").accuracies + corners("ViT, Muon").accuracies) > 0.99 and [right > 0.99 for right in corners("ViT, Muon", near=True).accuracies] == [True, True, False]}}{{assert
# max(max(row.validation_by_rate.values()) for row in records("far_corners") if row.model == "ViT, AdamW") < 0.6 and all(max(row.accuracies) < 0.53 for row in records("far_corners") if row.model == "ViT, AdamW")}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *CNNs struggle*: sees 15 of 32 pixels, which is unusual | **holds**: *side by side* it learns, *apart* it does not |
# | *CNNs struggle*: sees 47 pixels, the whole image | **does not hold**: it learns |
# | *ViTs do not*: Muon, 10 epochs | **holds**: *apart*, it learns with each of three seeds |
# | *ViTs do not*: AdamW, 10 epochs | **not settled**: *apart* it fails, but *side by side* too |
# | *ViTs do not*: AdamW, 60 epochs at 0.0003 | **holds**: *apart*, it learns with both seeds that we tried |
#
# *Limits:* one task, two distances, models of unlike depth. Each tile is exactly one patch of the ViT; tiles off its grid were not tried. No CNN had Muon, so to rank CNNs against ViTs would not be fair.{{assert corners("ViT, Muon", near=True).learning_rate == 0.003 and corners("ViT, Muon", near=True).validation_by_rate["0.001"] > 0.99}}{{assert corners("ViT, Muon").validation_by_rate["0.003"] < 0.6 and min(corners("ViT, Muon").validation_by_rate[rate] for rate in ("0.001", "0.01")) > 0.99 and len(corners("ViT, Muon").validation_by_rate) == 3 and len(corners("ViT, AdamW").validation_by_rate) == len(corners("ViT, AdamW", near=True).validation_by_rate) == 5}}
#
# **So in your model:** before you replace a CNN, compute how far it sees (exercise 14.1). Before you blame a distance, or anything else, try the same task without it.
#
# <details><summary>Why can 15 pixels not do it? A proof</summary>
#
# No square of 15 × 15 pixels holds both corners, so each number of the last layer depends on one corner at most. (When the CNN is judged, its batch norm has fixed numbers, so it mixes no places.) After the last layer, the CNN only takes sums.
#
# Now take one picture and colour its corners in all four ways. (We treat *warm* as one colour, and *cool* as one.) Call the logit of *agree* minus that of *differ* the CNN's score. It is a sum of two parts, one for each corner. The answer is right if the score is above zero where the tiles agree, and below zero where they differ. Look for the cell that is wrong:
#
# | | lower right warm: +1 | lower right cool: −4 |
# |---|---|---|
# | **upper left warm: +3** | 4 (they agree) | −1 (they differ) |
# | **upper left cool: −2** | −1 (they differ) | −6 (they agree) |
#
# *It cannot have all four right.* The two scores where the tiles agree have the sum 4 − 6 = −2, and the two where they differ have the sum −1 − 1 = −2. Whatever the parts are, the two sums are equal, because each of them holds all four parts once. But to be right four times, the first sum would have to be above zero and the second below. So three of four, 75 %, are the most.
#
# *Training does not even lead to these 75 %.* It lowers the cross-entropy. As a function of the four parts this loss is convex: it has a single valley, so wherever its slope is zero it is lowest. Set all parts to zero. Each part stands in one cell that agrees, which pulls it up, and in one that differs, which pulls it down just as hard. So the slope is zero there, and the lowest loss on average belongs to a score of zero, which is chance level. (In training, batch norm does mix: it takes the mean and spread of a batch. We treat them as fixed, which is roughly so, as one image hardly moves them. The CNN may still learn its training images by heart, because each of these pictures appears with only one of the four colourings.)
#
# </details>
#
# ## Second question: what do the words mean?
#
# In the last sentence, *struggle* was easy to pin down. Other words are vague, and a sentence with them can be tested only after one has said what they are to mean.
#
# ### 1. "The class token summarises the whole image"
#
# **Said** since [BERT](https://arxiv.org/abs/1810.04805), whose final class token stands for a whole text. **The harm:** someone searches photographs by this vector alone, and misses colours that the patches hold.
#
# **Tested:** two parts hide in the sentence. *It summarises* can mean that the class can be read from the token. *The whole image* can mean that the mean colours of sixteen regions can be read from it. The class has a test of its own, in sentence 3 below. For the colours, a linear regression reads the class token of the **shipped model**, which has six blocks and was trained for {{record("cifar10_cpu_long").training.epochs:d}} epochs on CIFAR-10.
#
# The rival is the mean over all patches before block 1, a summary without class token or attention. We count the share of the variance that is explained: a perfect reading has 100 %, and whoever always answers with the mean colours of all images has 0 %. *What counts:* five points above or below the rival. The cell shows our record; nothing is trained.
#
# **Your guess:** after which block does the class token tell most about the colours: after 1, 2, 5 or the last? And does it ever beat the rival?


# %%
def records(name):
    return read_records(f"../data/results/{name}.json")


(contents,) = records("class_token_contents")
trained, untrained = (contents["colours"][state] for state in ("trained", "untrained"))
print(f"the rival explains {100 * trained['patch_mean'][0]:.1f} % of the variance")
for block in (1, 2, 5, 6):
    print(f"the class token after block {block}: {100 * trained['class_token'][block]:.1f} %")

# %% tags=["hide-input"]
curves = {
    "mean of patches": trained["patch_mean"],
    "class token": trained["class_token"],
    "class token, untrained model": untrained["class_token"],
}
_, axis = plt.subplots(figsize=(5.2, 3.5), layout="constrained")
plots.show_lines(
    range(7), {name: [100 * share for share in curve] for name, curve in curves.items()},
    "after block (0: before block 1)", "variance explained in %",
    "Colours of sixteen regions,\nread from the shipped model",
    dashed=("rival: patches before block 1", 100 * trained["patch_mean"][0]), axis=axis,
)  # fmt: skip
plots.show(f"variance explained after each block, for {', '.join(curves)}", "Colours of regions")

# %% [markdown]
# **Result:** the class token starts at 0 %, as it is the same for every image. It tells most after block 2, and after the last block less than the rival. In an untrained model it stays near the rival from block 1 on. So training changes it twice: the early blocks tell more colour, and the last one less, {{colours("trained", "class_token", -1):.1%}} where the untrained has {{colours("untrained", "class_token", -1):.1%}}.
#
# The *words* decide: at the end, the same vector holds the class and has lost much of the colour. But ask the first question too. A harder rival, the mean of the patches after the *same* block, always tells more: against it, *the whole image* would hold after no block.{{assert
# colours("trained", "class_token", -1) < colours("trained", "patch_mean", 0) - 0.05 and colours("trained", "patch_mean", 0) < min(colours("trained", "class_token", b) for b in range(1, 5)) - 0.08 and 0.05 < colours("trained", "class_token", 5) - colours("trained", "patch_mean", 0) < 0.07}}{{assert all(colours("trained", "patch_mean", b) > colours("trained", "class_token", b) for b in range(7)) and max(range(7), key=lambda b: colours("trained", "class_token", b)) == 2 and max(range(7), key=lambda b: colours("trained", "patch_mean", b)) == 1 and all(abs(colours("untrained", "class_token", b) - colours("trained", "patch_mean", 0)) < 0.02 for b in range(1, 7))}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it summarises*, after the last block | **holds**: a linear classifier reads the class from it for {{probe("class_token", -1):±.1%}} of the images (sentence 3, below) |
# | *the whole image*, after blocks 1 to 5 | **holds**: {{min(colours("trained", "class_token", b) for b in range(1, 6)):.1%}} to {{max(colours("trained", "class_token", b) for b in range(1, 6)):.1%}}, more than five points above the rival's {{colours("trained", "patch_mean", 0):.1%}}, after block 5 only just |
# | *the whole image*, after the last block | **does not hold**: {{colours("trained", "class_token", -1):.1%}}, so the rival tells more |
#
# *Limits:* one model, a linear reader, no interval. The regions may be told only by the kind of scene: sky above, grass below.
#
# **So in your model:** for more than the class, read the patches after an early block.
#
# ## Third question: in which setting?
#
# Even with plain words, a sentence can be true of one model and false of the next.
#
# ### 8. "The class token works under GPT's mask as well"
#
# **Said** in effect by [iLLaMA](https://arxiv.org/abs/2404.06773), a ViT with GPT's mask that puts the class token last. **The harm:** someone adds the mask to a ViT and changes nothing else.
#
# In a ViT, every token attends to every token. GPT learns to predict the next word, so no token may attend to those that come after it. Such attention is called **causal**. Here are three settings with four patches. A purple cell says that the token of the row attends to the token of the column:

# %% tags=["hide-input"]
see = torch.ones(5, 5)
first, last = ["class", *"1234"], [*"1234", "class"]
kinds = {
    "no mask": (see, first),
    "class first": (see.tril(), first),
    "class last": (see.tril(), last),
}
figure, panels = plt.subplots(1, 3, figsize=(5.7, 2.6), layout="constrained")
for panel, (title, (mask, names)) in zip(panels, kinds.items(), strict=True):
    plots.show_matrix(
        mask, names, names, title, numbers=False, axis=panel, colours="Purples", limit=1.5
    )
    panel.tick_params(axis="x", rotation=90)
figure.supxlabel("attended to", fontsize=10)
figure.supylabel("attends", fontsize=10)
plots.show(
    "purple where a token attends to another; a class token in first place attends to itself alone",
    "three settings",
    list(kinds),
)

# %% [markdown]
# **Your guess:** three untrained ViTs look at a black image and at a white one. In which settings do the logits of the two images differ?

# %%
black, white = torch.zeros(3, 32, 32), torch.full((3, 32, 32), 255)
two_images = torch.stack([black, white]).byte()
for setting, kind in (
    ("no mask", VisionTransformer),
    ("class first", CausalClassTokenFirst),
    ("class last", CausalClassTokenLast),
):
    seed_everything(0)
    logits = predict(kind(RECIPES["cpu"].model), two_images)
    print(f"{setting + ':':12} largest difference {(logits[0] - logits[1]).abs().max():.3g}")

# %% [markdown]
# With the class token first, the logits are exactly the same. Look at its row in the middle picture: it attends to itself alone, so nothing of the image reaches it. No training can change that, and no error says why. Under such a mask, only the *last* token attends to everything. The rule is: **read a token that has attended to everything**.
#
# <details><summary>Where do BERT and GPT put it?</summary>
#
# GPT reads the last token to continue a text. The first GPT even put an extra learned token there ([Radford et al. 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf), Figure 1): a class token that stands last. Like a ViT, BERT has no such mask. Both BERT and the ViT read the first token, which is only a convention.
#
# </details>
#
# **Tested:** *as well* could mean *also*, or *equally well*. We test *also*: does a model with this mask learn at all? So the rival is chance level, 10 %, and not the model without a mask. The **small model**, four blocks, trains for three epochs on CIFAR-10 with Muon. *What counts:* ten points above chance level.
#
# **Result:** accuracy on the test images, the mean of three seeds:
#
# | no mask | class token first | class token last |
# |---|---|---|
# | {{runs("causal_mask", "all tokens see all").mean:.1%}} | {{runs("causal_mask", "causal, class token first").mean:.1%}} | {{runs("causal_mask", "causal, class token last").mean:.1%}} |
#
# {{assert
# all(right == 0.1 for right in runs("causal_mask", "causal, class token first").accuracies)}}{{assert
# not differs(runs("causal_mask", "causal, class token last")) and interval(gain(runs("causal_mask", "causal, class token last")))[1] > 0.01}}
#
# **Holds in part:**
#
# | part of the sentence | what the test says |
# |---|---|
# | *it works*, in the last place | **holds**: it learns. Against no mask it is *not settled* ({{gain(runs("causal_mask", "causal, class token last")):+±.1p}} points; ± is half of a 95 % interval, over seeds unless we say otherwise) |
# | *it works*, with the class token first, as in ViTs | **does not hold**, by construction: it is the same for every image |
#
# *Limits:* one model, trained with Muon; images, not text.
#
# **So in your model:** put the class token where it can attend to the patches. Give the model two different images, and check that its logits differ. That takes a second.
#
# ## Your turn: one sentence to judge alone
#
# Ask all three questions, then choose. The sentence *holds* if all its parts are true. It *holds in part* if some are, and it *does not hold* if none is and at least one is false. Otherwise it is *not settled*, for example where the comparison is not fair.
#
# ### 10. "ViTs need more data than CNNs"
#
# **Said** since the [ViT paper](https://arxiv.org/abs/2010.11929), whose ViTs overtake CNNs with about a hundred million images. **The harm:** someone with few images rules out a pretrained ViT too.
#
# **Tested:** we read *need more* as: with fewer images, a CNN is further ahead. A ViT of four blocks, trained with Muon, and a CNN, trained with AdamW, learn from 1,000, 7,000 or 45,000 images of CIFAR-10. Each makes about 700 steps, at the best of at least three learning rates, with three seeds. *What counts:* from 1,000 to 45,000 images, the lead of the CNN shrinks by more than its ±.

# %% tags=["hide-input"]
few_images = records("training_images")
counts = sorted({row["trained_on"] for row in few_images})


def show_few_images(axis, models, longer=False):
    """The accuracies of models over the number of images, after about 700 steps or 2,100."""
    right, widths = {}, {}
    for model in models:
        rows = [row for row in few_images if row["model"] == model]
        of = {row["trained_on"]: row for row in rows if (row["steps"] > 1_000) == longer}
        points = [[100 * share for share in of[count]["accuracies"]] for count in sorted(of)]
        right[model], widths[model] = zip(*map(mean_and_width, points), strict=True)
    title = f"CIFAR-10, about {'2,100' if longer else '700'} steps"
    y_label = "accuracy in % (band: 95 %)"
    places = [counts.index(count) for count in sorted(of)]
    plots.show_lines(places, right, "training images", y_label, title, widths=widths, axis=axis)
    axis.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])


_, axis = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
show_few_images(axis, ("CNN, AdamW", "ViT, Muon"))
plots.show("the CNN leads at each number of images, by less and less", "10: a CNN and a ViT")

# %% [markdown]
# **Result:** the CNN leads by {{seed_by_seed(few_images("CNN, AdamW", 1_000), few_images("ViT, Muon", 1_000)):±.1p}} points with 1,000 images, and by {{seed_by_seed(few_images("CNN, AdamW", 45_000), few_images("ViT, Muon", 45_000)):±.1p}} with 45,000. So its lead does shrink by more than its ±. (These ± are of the differences seed by seed, so they are not those of the bands.){{assert
# all(interval(cnn_lead(count, "Muon"))[0] > 0 for count in (1_000, 7_000, 45_000)) and differs(seed_by_seed(cnn_lead(1_000, "Muon"), cnn_lead(45_000, "Muon")))}}
#
# **Your verdict:** does the sentence hold? Which question would you ask first?
#
# Ours was *compared with what?* The two have different optimizers, which could make the difference too. (Muon takes only matrices, and a CNN has few.)
#
# So we gave AdamW to the ViT as well. And *in which setting?* Three times as many steps tell whether the length of the training matters. **Guess:** does the lead still shrink?

# %% tags=["hide-input"]
_, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
for axis, longer in zip(axes, (False, True), strict=True):
    show_few_images(axis, ("CNN, AdamW", "ViT, AdamW"), longer)
    axis.label_outer()
plots.show(
    "the CNN leads at each number of images; the two curves part the more images there are",
    "10: a CNN and a ViT, both with AdamW",
)

# %% [markdown]
# **Result:** the lead of the CNN over the ViT, in points:
#
# | optimizer of the ViT, steps | 1,000 images | 7,000 | 45,000 |
# |---|---|---|---|
# | Muon, about 700 | {{seed_by_seed(few_images("CNN, AdamW", 1_000), few_images("ViT, Muon", 1_000)):±.1p}} | {{seed_by_seed(few_images("CNN, AdamW", 7_000), few_images("ViT, Muon", 7_000)):±.1p}} | {{seed_by_seed(few_images("CNN, AdamW", 45_000), few_images("ViT, Muon", 45_000)):±.1p}} |
# | AdamW, about 700 | {{seed_by_seed(few_images("CNN, AdamW", 1_000), few_images("ViT, AdamW", 1_000)):±.1p}} | {{seed_by_seed(few_images("CNN, AdamW", 7_000), few_images("ViT, AdamW", 7_000)):±.1p}} | {{seed_by_seed(few_images("CNN, AdamW", 45_000), few_images("ViT, AdamW", 45_000)):±.1p}} |
# | AdamW, about 2,100 | {{seed_by_seed(few_images("CNN, AdamW", 1_000, True), few_images("ViT, AdamW", 1_000, True)):±.1p}} | not tried | {{seed_by_seed(few_images("CNN, AdamW", 45_000, True), few_images("ViT, AdamW", 45_000, True)):±.1p}} |
#
# **With AdamW for both, the lead does not shrink.** After 2,100 steps, it even grows with the images, by {{seed_by_seed(cnn_lead(45_000, longer=True), cnn_lead(1_000, longer=True)):±.1p}} points; after 700, that is not settled. So what shrank it in our first test was the other optimizer.{{assert
# differs(seed_by_seed(cnn_lead(45_000, longer=True), cnn_lead(1_000, longer=True))) and mean(cnn_lead(45_000, longer=True)) > mean(cnn_lead(1_000, longer=True))}}{{assert
# not differs(seed_by_seed(cnn_lead(45_000), cnn_lead(1_000))) and mean(cnn_lead(45_000)) > mean(cnn_lead(1_000))}}
#
# **Your verdict now?** Here is one more hint. With 1,000 images, three times the steps change the ViT by {{distance(few_images("ViT, AdamW", 1_000, True), few_images("ViT, AdamW", 1_000)):+±.1p}} points and the CNN by {{distance(few_images("CNN, AdamW", 1_000, True), few_images("CNN, AdamW", 1_000)):+±.1p}}. With 45,000, they change the ViT by {{distance(few_images("ViT, AdamW", 45_000, True), few_images("ViT, AdamW", 45_000)):+±.1p}} and the CNN by {{distance(few_images("CNN, AdamW", 45_000, True), few_images("CNN, AdamW", 45_000)):+±.1p}}.
#
# <details><summary>Our verdict</summary>
#
# **Not settled**, although with one optimizer our result points the opposite way. Look at the hint: with 1,000 images, more steps gain next to nothing, and with 45,000 both gain a lot. So equal steps compare trainings that are at their end with others that are not. With 45,000 images, the ViT may lack *steps* and not data. To train both with one optimizer to their plateau, at each number of images, would settle it for these two models on CIFAR-10, though not for all ViTs and CNNs.
#
# *Limits:* one data set, two models. For 2,100 steps, we tried only two learning rates, the best for 700 and a third of it; for the ViT with 1,000 images, the lower one was the better. The CNN costs {{records("training_images")[1].flops / records("training_images")[0].flops - 1:.0%}} more FLOPs and has {{round(records("training_images")[1].parameters, -3):,}} parameters, the ViT {{round(records("training_images")[0].parameters, -3):,}}.{{assert records("training_images")[1].model == "CNN, AdamW" and records("training_images")[0].model == "ViT, Muon"}}
#
# **So in your model:** with few images, try a small CNN, and a pretrained ViT too ([notebook 12](12_fine_tuning.ipynb)).
#
# </details>
#
# ## What to remember
#
# A number answers the question that it was measured for, against the rival that it was measured against, in the setting in which it was measured. So ask all three questions before you repeat it, or believe it.
#
# **Try it yourself:** [exercises 14](exercises/14_more_claims.ipynb)
#
# <a id="look-up" name="look-up"></a>
#
# ## All twelve, to look up
#
# Here are the verdicts, sorted by the question that decides. What you have not seen yet has a fold below.
#
# | the sentence | where | verdict |
# |---|---|---|
# | **Compared with what?** | | |
# | 9. CNNs struggle with long-range dependencies, ViTs do not. | above | **holds in part** |
# | 4. The class token's attention shows where the model looks. | fold | **holds in part** |
# | 10. ViTs need more data than CNNs. | above | **not settled** |
# | **What do the words mean?** | | |
# | 1. The class token summarises the whole image. | above | **holds in part** |
# | 3. After the last layer it holds what is needed to classify. | fold | **holds** |
# | 14. Training needs a warm-up. | fold | **does not hold** |
# | 17. ViTs are only good when pretrained. | fold | **does not hold** |
# | 18. Fine-tune with a small learning rate. | fold | **holds in part** |
# | **In which setting?** | | |
# | 8. The class token works under GPT's mask as well. | above | **holds in part** |
# | 7. Registers help. | fold | **not settled** |
# | 13. Position embeddings matter. | fold | **holds** |
# | 15. Small patches are noisy. | fold | **holds in part** |
#
# Where a fold does not say *what counts*, the rule of [notebook 05](05_training_on_cifar10.ipynb) decides.
#
# <details><summary><b>4.</b> The class token's attention shows where the model looks</summary>
#
# **Result:** in the shipped model, noise on the 16 patches that the last block's map marks costs {{deleted("attention of the last block", "loss beyond another image's", 16):±.1p}} points (over test images) more than noise on the patches that another image's map marks.
#
# Models of two blocks solve Needle-10, where one patch holds the answer, and their last block's map marks it. But if the class token may attend to no patch in the last block, only {{seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]):±.1p}} points are lost, because block 1 has brought it the answer already. So the map marks the right patch, but the answer does not come through this attention.{{assert
# interval(deleted("attention of the last block", "loss beyond another image's", 16))[0] > 0.01}}{{assert
# interval(seed_by_seed([run.trained.accuracy for run in record("needle10").runs], [run.trained.accuracy_without[1] for run in record("needle10").runs]))[1] < 0.01 and min(run.trained.accuracy - run.trained.accuracy_without[0] for run in record("needle10").runs) > 0.3}}{{assert
# all(share > 10 * record("needle10").chance for run in record("needle10").runs for share in run.trained.share)}}
#
# **Holds in part.** The part that holds: the shipped model's answer depends on the marked patches. The part that does not: the answer of the models of two blocks does not depend on the last block's attention.
#
# *Limits:* the two halves are of different models and tasks. Noise may do harm beyond what it hides.
#
# *Measured in* [notebook 06](06_inside_the_class_token.ipynb). *Said* in tutorials, such as [this one](https://karanalytics.github.io/AIHandsOnBook/chapters/llm-foundations/attention-image-analysis).
#
# </details>
#
# <details><summary><b>3.</b> After the last layer it holds what is needed to classify</summary>
#
# **Result:** that it *holds what is needed* is true by construction, as the head of the shipped model reads nothing else. So we test the words *after the last layer*. A new linear classifier that reads the class token after the last block reaches {{probe("class_token", -1):±.1%}}; one block earlier, it is {{distance(probe("class_token", -1), probe("class_token", -2)):±.1p}} points worse (± over test images). **Holds.**{{assert
# interval(distance(probe("class_token", -1), probe("class_token", -2)))[0] > 0.01}}
#
# *Limits:* one model. The classifier learned from one half of the test images and was judged on the other.
#
# *Measured in* [notebook 06](06_inside_the_class_token.ipynb). *Said* in the [ViT paper](https://arxiv.org/abs/2010.11929).
#
# </details>
#
# <details><summary><b>14.</b> Training needs a warm-up</summary>
#
# **Said** of Transformers in general. [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) find it true of post-norm, and not of pre-norm. **The harm:** someone whose training fails looks for the fault in the warm-up.
#
# **Tested:** with a warm-up, the learning rate climbs for the first tenth of the steps. We read *needs* as: without one, training ends far behind. Four blocks trained for three epochs, twelve blocks for one, with pre-norm or post-norm ([notebook 04](04_vision_transformer.ipynb)). *What counts:* ten points.
#
# **Result:** points gained by a warm-up; "base rate" is the learning rate that the course uses with this optimizer.
#
# | blocks, optimizer | runs with and without | pre-norm | post-norm |
# |---|---|---|---|
# | 4, Muon, base rate | three or more each | {{distance(runs("warmup_and_norm", "pre-norm, warm-up, Muon"), runs("warmup_and_norm", "pre-norm, none, Muon")):+±.1p}} | {{distance(runs("warmup_and_norm", "post-norm, warm-up, Muon"), runs("warmup_and_norm", "post-norm, none, Muon")):+±.1p}} |
# | 4, AdamW, base rate | {{len(reached("warmup_and_norm", "pre-norm, none, AdamW")):d}} each with pre-norm, {{len(reached("warmup_and_norm", "post-norm, none, AdamW")):d}} with post-norm | +{{warm_up_gain("warmup_and_norm", "pre-norm", 1):.1p}} | +{{warm_up_gain("warmup_and_norm", "post-norm", 1):.1p}} |
# | 4, AdamW, a third of that rate | one each | +{{warm_up_gain("warmup_and_norm", "pre-norm", 0.3):.1p}} | +{{warm_up_gain("warmup_and_norm", "post-norm", 0.3):.1p}} |
# | 12, AdamW, base rate | one each | +{{warm_up_gain("warmup_and_norm_deep", "pre-norm", 1):.1p}} | +{{warm_up_gain("warmup_and_norm_deep", "post-norm", 1):.1p}} |
#
# {{assert
# not any(differs(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"), runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm"))}}{{assert
# all(0 < warm_up_gain("warmup_and_norm", norm, rate) < 0.06 for norm in ("pre-norm", "post-norm") for rate in (0.3, 1)) and all(warm_up_gain("warmup_and_norm", "pre-norm", rate) > warm_up_gain("warmup_and_norm", "post-norm", rate) for rate in (0.3, 1))}}{{assert
# 0.07 < warm_up_gain("warmup_and_norm_deep", "pre-norm", 1) < 0.1 and warm_up_gain("warmup_and_norm_deep", "post-norm", 1) > 0.2}}{{assert
# all(len(reached("warmup_and_norm_deep", f"{norm}, {how}, AdamW")) == 1 for norm in ("pre-norm", "post-norm") for how in ("none", "warm-up"))}}
#
# **Does not hold:** *needs* allows no exception, and Muon with four blocks is one. The other cases are open:
#
# | part of the sentence | what the test says |
# |---|---|
# | *training needs it*, with Muon and four blocks | **does not hold**: without one it does not end ten points behind |
# | *training needs it*, with AdamW and four blocks | **not settled**: every pair came out ahead with it, by less than ten points, one by only {{warm_up_gain("warmup_and_norm", "post-norm", 1):.1p}}, in few runs |
# | *training needs it*, with AdamW, twelve blocks and pre-norm | **not settled**: it gained, but less than ten points, in one run against one |
# | *training needs it*, with AdamW, twelve blocks and post-norm | **not settled**: it gained more than ten points, but in one run against one |
#
# *Limits:* one length of warm-up; one epoch for the deep models, which may catch up later.
#
# **So in your model:** with AdamW, keep a short one. If a training fails without one, look for other faults too.
#
# </details>
#
# <details><summary><b>17.</b> ViTs are only good when pretrained</summary>
#
# **Said** of the first ViTs, until [DeiT](https://arxiv.org/abs/2012.12877) did without. **The harm:** someone whose images fit no pretrained weights gives up on ViTs.
#
# **Tested:** *only* allows no exception, so one good ViT decides. *What counts:* 85 % of CIFAR-10's test images.
#
# **Result:** the shipped model, which began with random weights, reaches {{record("cifar10_cpu_long").accuracy:.1%}} (one run).{{assert record("cifar10_cpu_long").accuracy > 0.85}} **Does not hold.** If 90 % were the threshold, our run would miss it, but the 95.7 % that [vitookit](https://github.com/erow/vitookit) reports would pass. (We did not repeat it.)
#
# *Limits:* one data set of small images. Our ViTs of four blocks come only as far as the threshold: after 60 epochs, {{recorded("pooling", "class token", budget="longest")[0].accuracy:.1%}} with a class token and {{recorded("pooling", "mean of patches", budget="longest")[0].accuracy:.1%}} with the mean of the patches (one seed each).{{assert all(len(of) == 1 and abs(of[0].accuracy - 0.85) < 0.02 for of in (recorded("pooling", name, budget="longest") for name in ("class token", "mean of patches")))}} That pretraining *helps* is another sentence ([notebook 12](12_fine_tuning.ipynb)).
#
# **So in your model:** if no weights fit, train from scratch, for long enough.
#
# </details>
#
# <details><summary><b>18.</b> Fine-tune with a small learning rate</summary>
#
# **Result:** the shipped model gets a new head and learns Shapes-10, its new task, in 60 steps. There, a rate of 0.001 is {{seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 1e-2)):±.1p}} points better than 0.01, but also {{seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 3e-4)):±.1p}} better than 0.0003. Of CIFAR-10, its old task, less is left with each larger rate from 0.0003 to 0.01.{{assert
# below(kept("fine-tuned", 1e-3, "cifar10"), kept("fine-tuned", 3e-4, "cifar10")) and differs(seed_by_seed(kept("fine-tuned", 3e-4, "cifar10"), kept("fine-tuned", 1e-3, "cifar10")))}}{{assert
# below(kept("fine-tuned", 3e-4), kept("fine-tuned", 1e-3)) and differs(seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 3e-4)))}}{{assert
# interval(seed_by_seed(kept("fine-tuned", 1e-3), kept("fine-tuned", 1e-2)))[0] > 0.01 and below(kept("fine-tuned", 1e-2, "cifar10"), kept("fine-tuned", 3e-3, "cifar10")) and below(kept("fine-tuned", 3e-3, "cifar10"), kept("fine-tuned", 1e-3, "cifar10"))}}
#
# **Holds in part.** The part that holds: for the old task, the smaller the rate, the more is left. The part that does not: for the new task, 0.0003 is worse than 0.001.
#
# *Limits:* one model, three seeds, and equal steps, so the smaller rates have also learned less. [Keras's guide](https://keras.io/guides/transfer_learning/) means another case, which we did not test: train the head first, then all at 0.00001. [Kumar et al. 2022](https://arxiv.org/abs/2202.10054) tested it: to train the head first helps on images unlike those of the fine-tuning.
#
# *Measured in* [notebook 12](12_fine_tuning.ipynb). *Said* in many guides.
#
# </details>
#
# <details><summary><b>7.</b> Registers help</summary>
#
# **Result:** four *registers*, learned tokens that the head never reads, change the accuracy of the small model by {{gain(runs("pooling", "class token, 4 registers")):+±.1p}} points, at the best of three learning rates each. So in this model the two are *alike*, but the sentence is about large models with a few patch tokens of very large norm. **Not settled:** one of these, trained with registers and without, would settle it.{{assert all(len(runs("pooling", name).at_rates) == 3 for name in ("class token", "class token, 4 registers"))}}{{assert
# all(abs(end) < 0.01 for end in interval(gain(runs("pooling", "class token, 4 registers"))))}}
#
# *Limits:* the small model was not searched for such tokens, and no attention maps were compared.
#
# *Measured in* [notebook 06](06_inside_the_class_token.ipynb), which also looks for such tokens in the shipped model. *Said* by a title: *Vision Transformers Need Registers* ([Darcet et al. 2024](https://arxiv.org/abs/2309.16588)).
#
# </details>
#
# <details><summary><b>13.</b> Position embeddings matter</summary>
#
# **Result:** what positions gain over none in a model of four blocks, in points:
#
# | learned, 3 epochs | learned, 14 epochs | sines and cosines, 3 epochs |
# |---|---|---|
# | {{distance(runs("position_init", "N(0, 0.02)"), runs("position_init", "zeros, frozen")):+±.1p}} | {{loss(runs("position_untrained", "none", budget="long")):+±.1p}} | {{distance(runs("position_untrained", "sines and cosines"), runs("position_untrained", "none")):+±.1p}} |
#
# **Holds** for the two ways that we tried.{{assert -runs("position_init", "zeros, frozen").difference > corrected()}}{{assert
# interval(distance(runs("position_untrained", "sines and cosines"), runs("position_untrained", "none")))[0] > 0.01}}{{assert
# interval(loss(runs("position_untrained", "none", budget="long")))[0] > 0}}
#
# *Limits:* one model, one data set. Positions that start much too large do harm.{{assert
# differs(distance(runs("position_init", "N(0, 1)"), runs("position_init", "zeros, frozen"))) and distance(runs("position_init", "N(0, 1)"), runs("position_init", "zeros, frozen")).mean < 0}}
#
# *Measured in* notebooks [02](02_class_token.ipynb) and [07](07_pitfalls_initialization.ipynb). *Said* in the [ViT paper](https://arxiv.org/abs/2010.11929).
#
# </details>
#
# <details><summary><b>15.</b> Small patches are noisy</summary>
#
# **Result:** which patch size is better for the small model? A noise is given by its standard deviation, on pixel values up to 255.
#
# | trained on | P = 4 is better at a noise of | P = 8 is better at a noise of |
# |---|---|---|
# | clean images | 0, 8 and 16 | 32 and 64 |
# | images with a noise of 32 | 0, 8, 16 and 32 | 64 |
#
# Trained with noise, P = 4 leads by {{seed_by_seed(under_noise(4, 32, True), under_noise(8, 32, True)):±.1p}} points at 32, and P = 8 by {{seed_by_seed(under_noise(8, 64, True), under_noise(4, 64, True)):±.1p}} at 64.{{assert
# all(interval(seed_by_seed(under_noise(4, d), under_noise(8, d)))[0] > 0 for d in (0, 8, 16)) and all(interval(seed_by_seed(under_noise(8, d), under_noise(4, d)))[0] > 0 for d in (32, 64))}}{{assert
# all(interval(seed_by_seed(under_noise(4, d, True), under_noise(8, d, True)))[0] > 0 for d in (0, 8, 16, 32)) and interval(seed_by_seed(under_noise(8, 64, True), under_noise(4, 64, True)))[0] > 0}}
#
# **Holds in part.** The part that holds: strong noise that was not met in training hurts small patches more. The part that does not: under weak noise, or noise that was met in training, they are better.
#
# *Limits:* one kind of noise, one strength of it in training, and three seeds.
#
# *Measured in* [notebook 16](16_detail_and_noise.ipynb). *Said* in talk about patch sizes; in print we found only one study ([Kim et al. 2025](https://arxiv.org/abs/2509.20939)), in which larger first kernels resist noise better.
#
# </details>
#
# ## For a second visit
#
# <details><summary><b>Measure a sentence again:</b> its record, and a command that makes part of it again</summary>
#
# The commands are for a terminal (in a cell, put `!` in front). A star needs CIFAR-10; the others run on drawn shapes if it is not there, and then find other numbers.
#
# | sentence | record | command |
# |---|---|---|
# | 1* | [contents](../data/results/class_token_contents.json) | `python benchmarks/class_token_contents.py --seeds 1` |
# | 3* | [journey](../data/results/class_token_journey.json) | `python benchmarks/class_token_journey.py` |
# | 4 | [deletions](../data/results/deletions.json), [needle](../data/results/needle10.json) | `python benchmarks/needle.py --seeds 1` |
# | 7 | [experiments](../data/results/experiments_cifar10_full.json) | `python -m vit_minimal.experiments pooling --seeds 1 --settings "class token" "class token, 4 registers"` |
# | 8 | [experiments](../data/results/experiments_cifar10_full.json) | `python -m vit_minimal.experiments causal_mask --seeds 1` |
# | 9 | [corners](../data/results/far_corners.json) | `python benchmarks/cnn_and_vit.py corners --near --seeds 1` |
# | 10* | [images](../data/results/training_images.json) | `python benchmarks/cnn_and_vit.py images --seeds 1 --counts 1000` |
# | 13 | [experiments](../data/results/experiments_cifar10_full.json), [14 epochs](../data/results/experiments_cifar10_long.json) | `python -m vit_minimal.experiments position_init --seeds 1 --settings "N(0, 0.02)" "zeros, frozen"` |
# | 14 | [experiments](../data/results/experiments_cifar10_full.json) | `python -m vit_minimal.experiments warmup_and_norm --seeds 1 --rates 1 --settings "post-norm, warm-up, AdamW" "post-norm, none, AdamW"` |
# | 15* | [patches](../data/results/patch_size.json) | `python benchmarks/patch_size.py noise --seeds 1` |
# | 17* ({{record("cifar10_cpu_long").seconds:time}} on two cores) | [shipped model](../data/results/cifar10_cpu_long.json), [60 epochs](../data/results/experiments_cifar10_longest.json) | `python -m vit_minimal.training --recipe cpu-long --dataset cifar10` |
# | 18* | [few labels](../data/results/fine_tuning.json) | `python benchmarks/fine_tuning.py --seeds 1 --counts 10 --methods fine-tuned` |
#
# </details>
#
# **Where do the intervals come from?** For the small model, from the spread between runs that differ in their seed alone, pooled over all settings on record ([notebook 10](10_claims_put_to_the_test.ipynb)). Models with AdamW or twelve blocks may vary more, so they get none without three runs of their own (sentence 14). For sentences 4 (Needle-10), 10, 15 and 18, the differences of three seeds give the ±.

# %% [markdown] tags=["exercise-only"]
# # Exercises 14 · More claims, to look up
#
# They go with notebook [14](../14_more_claims.ipynb). If you start here: a convolution slides a small square, its *kernel*, over the image, and its *stride* is how far it moves at a time.

# %% tags=["exercise-only"]
import math

from checks import check

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
# Hint: Look for an experiment for which (1) and (2) predict *different* results.
#
# Solution: **b**. If (1) is true the small patches stay behind, if (2) is, they need not. (Notebook 16 did it: trained with noise, the small patches led again, though they still paid more for it than the large ones.)

# %% tags=["exercise-only", "exercise:control"]
# solution
# | control = ...  # "a", "b", "c" or "d"
control = "b"
# end of solution
