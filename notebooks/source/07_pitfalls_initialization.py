# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** look at a model before its first step and find the starts that cannot learn, test in a minute whether a starting value matters much, and say when a comparison of starts is really one of learning rates.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 35 minutes |
# | Time to run | at the quick budget {{notebook_seconds("07_pitfalls_initialization"):about}} on two cores of a recent server CPU (with instructions for bfloat16), {{notebook_seconds("07_pitfalls_initialization", "float32"):about}} on one core of an older one; on a T4 not measured yet |
# | Package modules | `experiments/`, `variants.py` |
#
# "Initialise the class token properly" stands in many articles; what happens otherwise does not. Here it is tried, with three seeds, on drawn shapes while you wait. CIFAR-10 runs that took hours stand beside it.

# %%
import copy
import math

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, get_total_norm

from vit_minimal import TrainingConfig, attention_maps, load_dataset, pick_budget, plots
from vit_minimal.augment import normalize
from vit_minimal.experiments import (
    as_table,
    make_model,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
)
from vit_minimal.records import read_records
from vit_minimal.training import make_optimizers, make_scheduler

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:2_000]), dataset.train_labels[:2_000]

# %% [markdown]
# ## Before the first step
#
# A model that knows nothing about ten classes should give each of them 10 %. Its loss is then −ln 0.1 = ln 10 ≈ 2.303. That is the cheapest test there is: one batch, no training. It is not enough, as you will see, so we look at more:
#
# - the **length of the gradient** in the first and in the last block: do both get a signal, and of a like size?
# - the **largest attention weight**, averaged over heads and tokens, in layer 1: 1/T is an average over all tokens, 100 % a saturated softmax that looks at one token alone;
# - how much the class token **differs between images** when it reaches the head: the standard deviation over images, averaged over its D numbers. What does not differ cannot tell a cat from a dog.
#
# `plan(name, budget, seed)` gives all that fixes each run of an experiment of the package but for the data, by setting and factor of the learning rate, and `make_model` builds the model of a run. Our base is the model that the experiments use at the quick budget: patches of 8 × 8, so T = 17, D = 64, two blocks, two heads. In the tables it gets six blocks, to see what depth does. N(0, 0.02) stands for normal numbers of mean 0 and standard deviation 0.02.

# %%
BASE = plan("class_token_init", "quick", seed=0)["N(0, 0.02)", 1]


def with_changes(start=None, variant="VisionTransformer", **model):
    """The base run with other starting values, or other settings of the model."""
    model = BASE["model"] | model
    return BASE | {"start": start or {}, "variant": variant, "model": model}


def at_the_start(run):
    """Five figures of a model that has not taken a step."""
    model = make_model(run)
    read = model.forward_features(images[:100])[:, 0]  # what the head reads: (B, D)
    loss = cross_entropy(model.head(read), labels[:100])
    loss.backward()
    first, last = (
        get_total_norm([p.grad for p in model.blocks[i].parameters()]).item() for i in (0, -1)
    )
    largest = attention_maps(model, images[:100])[0].amax(dim=-1).mean().item()
    return loss.item(), first, last, largest, read.std(dim=0).mean().item()


def show_starts(runs):
    print(f"{'':18}  loss   gradient in the     largest   difference")
    print(f"{'':18}        1st     last block   weight   between images")
    for name, run in runs.items():
        loss, first, last, largest, differs = at_the_start(run)
        print(f"{name:18}{loss:6.3f}{first:9.4f}{last:9.4f}{largest:11.0%}{differs:12.4f}")


# %% [markdown]
# ### Weights
#
# First the weights: all matrices of the blocks and of the head. (Their biases start at zero throughout. The projection of the patches keeps PyTorch's start, its bias too.)


# %%
def weights(*how):
    """All matrices of the blocks and of the head from one function of torch.nn.init."""
    return {"blocks.*.weight": how, "head.weight": how}


WEIGHTS = {
    "N(0, 0.02)": {},
    "Xavier": weights("xavier_uniform_"),
    "PyTorch's default": weights("kaiming_uniform_", math.sqrt(5)),  # what nn.Linear does
    "N(0, 1)": weights("normal_", 0, 1),
    "all zero": weights("zeros_"),
    "head zero": {"head.weight": ("zeros_",)},
}
show_starts({name: with_changes(start, depth=6) for name, start in WEIGHTS.items()})

# %% [markdown]
# Read it row by row.
#
# - **N(0, 0.02)**, the choice of BERT, timm and this package, begins near ln 10. Attention is uniform: each of the 17 tokens gets about 1/17 ≈ 6 %. The model starts as an averaging machine, and all blocks get gradients of a like size.
# - **Xavier** and **PyTorch's default** draw larger numbers: at D = 64 their standard deviations lie between 0.05 and 0.16. They begin above ln 10 with more gradient in the first block than in the last.
# - **N(0, 1)** is confidently wrong: the loss is many times ln 10. Attention in layer 1 is *saturated*, nearly all weight lies on one token, and the gradient of the first block is more than a hundred times that of the last.
# - **All zero** begins at ln 10 exactly, which looks perfect. But no block gets a gradient here, and its matrices never will: in each block two zero matrices follow each other (values and output, fc1 and fc2), and the gradient of each is a product with the other. Only the biases after them will move, and these are the same for every image. So the head can only learn how frequent the classes are.
# - **Head zero** begins at ln 10 as well, and its blocks have no gradient either, *at this step*. But the class token differs between images. The head can learn from that; then it is no longer zero, and the gradient reaches the blocks. (The first ViT started [that way](https://github.com/google-research/vision_transformer): head and class token zero, Xavier in the blocks.)
#
# So neither the loss nor the gradient of the first step tells the last two apart. Here the last column does. (It is no proof by itself. If only the *second* matrix of each pair is zero, which is a common start, the class token is the same for all images too, but the second matrices get a gradient at once.)
#
# Train for 100 steps to see, as the experiments do: two blocks from here on, Muon for the matrices of the blocks, AdamW for the rest, 20 steps of warm-up.


# %%
def first_steps(run, steps=100):
    """The loss in the first steps, averaged over ten at a time."""
    model, config = make_model(run), TrainingConfig(**run["training"])
    optimizers = make_optimizers(model, config)
    schedulers = [make_scheduler(o, config, total_steps=200) for o in optimizers]
    losses = []
    for step in range(steps):
        batch = torch.arange(50 * step, 50 * step + 50) % len(images)
        loss = cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        clip_grad_norm_(model.parameters(), config.clip_norm)
        for part in (*optimizers, *schedulers):
            part.step()
        model.zero_grad()
        losses.append(loss.item())
    return torch.tensor(losses).view(-1, 10).mean(dim=1)


def show_first_steps(runs, title):
    curves = {name: first_steps(run) for name, run in runs.items()}
    guessing = ("ln 10", math.log(10))
    plots.show_lines(range(10, 101, 10), curves, "steps", "loss", title, guessing)


chosen = ("N(0, 0.02)", "Xavier", "PyTorch's default", "all zero", "head zero")
show_first_steps({name: with_changes(WEIGHTS[name]) for name in chosen}, "starts of the weights")

# %% [markdown]
# For 30 steps N(0, 0.02), the zero head and the zeros look alike. Then N(0, 0.02) falls, the zero head some steps later, the zeros never. To call a start dead after 30 steps would have been wrong. The larger weights are ahead from step 20 on. (N(0, 1) was not trained here: with six blocks its first loss was 16, far above this picture.)
#
# ### What is left of it at the end
#
# A slow start may be made good later. That is a question for an **experiment**: settings that differ from a base in one thing each, trained with several seeds, judged on test images.
# {{assert all(len(of.accuracies) == 3 for name in ("weight_init", "class_token_init", "register_init",
# "class_token_init_rates", "position_init", "position_untrained", "warmup_and_norm",
# "class_token_cut", "class_token_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# `run_experiment` writes a record after each run. So it can be stopped and continued, and what is on record is not repeated. On the command line it is `python -m vit_minimal.experiments weight_init`.

# %%
quick = pick_budget() == "quick"
weight_settings = ["N(0, 0.02)", "Xavier"] if quick else None  # None: all
weight_init = run_experiment("weight_init", dataset=dataset, settings=weight_settings)


# %%
print(as_table(weight_init))
plots.show_summaries(weight_init, "starts of the weights")

# %% [markdown]
# The interval is one of 95 % over seeds (Student's t: with three seeds it is 2.5 standard deviations to each side). The second column compares seed by seed, so that whatever a seed does to both alike would cancel. With three seeds only large effects show.
#
# Xavier's larger weights win here by a wide margin, and **the table did not foretell it**: Xavier begins with too high a loss and uneven gradients, and learns faster. Nor does this experiment settle it: 200 steps, two blocks, one learning rate for both. The same on **CIFAR-10**, with the model of notebook 05's recipe `cpu` and three passes over {{records("experiments_cifar10_full")[0].trained_on:,}} training images:
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3 for r in recorded("weight_init", "Xavier"))}}

# %%
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting
measured = summarize("weight_init", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: starts of the weights")

# %% [markdown]
# First a word on these intervals. Three seeds tell little of how much they vary: those of the base happen to lie within {{max(runs("weight_init", "N(0, 0.02)").accuracies) - min(runs("weight_init", "N(0, 0.02)").accuracies):.1p}} points, those of the zeroed head within {{max(runs("weight_init", "head zero").accuracies) - min(runs("weight_init", "head zero").accuracies):.1p}}. So wherever this notebook shows CIFAR-10, the intervals come from one **pooled spread**: the standard deviation of a run about its setting's mean, taken over all settings on record that work. It is {{spread().deviation:.2p}} points, with {{spread().degrees:d}} degrees of freedom. That takes for granted that all settings vary alike, and Bartlett's test finds nothing against it (p = {{equal_variances():.2f}}). A difference of three seeds to three is then known to ± {{runs("weight_init", "head zero").difference_width:.1p}} points.{{assert equal_variances() > 0.2}}
#
# **The order turns round.** Xavier ends {{-runs("weight_init", "Xavier").difference:.1p}} points *behind* N(0, 0.02), and PyTorch's default {{-runs("weight_init", "PyTorch's default").difference:.1p}}.
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "N(0, 0.02)"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
# All zero guesses, as foretold; any effect of the zeroed head is below {{largest(gain(runs("weight_init", "head zero"))):.1p}} points.
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert not differs(runs("weight_init", "head zero"))}}
#
# It is not that the larger weights learned the training images by heart: in the third pass their loss on these is higher as well, {{mean(r.train_loss[2]
# for r in recorded("weight_init", "Xavier")):.2f}} and {{mean(r.train_loss[2]
# for r in recorded("weight_init", "PyTorch's default")):.2f}} against {{mean(r.train_loss[2]
# for r in recorded("weight_init", "N(0, 0.02)")):.2f}}. Nor did they begin badly: in the first pass the three were level, at {{mean(r.train_loss[0]
# for r in recorded("weight_init", "PyTorch's default")):.2f}} to {{mean(r.train_loss[0]
# for r in recorded("weight_init", "N(0, 0.02)")):.2f}} (means of three seeds).
# {{assert overlap([r.train_loss[0] for r in recorded("weight_init", "PyTorch's default")],
# [r.train_loss[0] for r in recorded("weight_init", "N(0, 0.02)")])}}
# {{assert overlap([r.train_loss[0] for r in recorded("weight_init", "Xavier")],
# [r.train_loss[0] for r in recorded("weight_init", "N(0, 0.02)")])}}
# They began well and went on worse, with each of three seeds.
# {{assert max(r.train_loss[2] for r in recorded("weight_init", "N(0, 0.02)"))
# < min(r.train_loss[2] for r in recorded("weight_init", "PyTorch's default"))}}
# {{assert max(r.train_loss[2] for r in recorded("weight_init", "N(0, 0.02)"))
# < min(r.train_loss[2] for r in recorded("weight_init", "Xavier"))}}
# We have no explanation that we have tested. One candidate is the learning rate, which the recipe found with N(0, 0.02). So the figures of the first step find broken starts and do not rank working ones; and neither did 200 steps of a smaller model on other images.
#
# ## The class token
#
# Now to the class token itself, with the weights as they were. It is one vector, so it can start as zeros, as small or large random numbers, or as a constant.


# %%
def class_token(*how):
    return {"cls_token.weight": how}


CLASS_TOKENS = {
    "zeros": class_token("zeros_"),
    "N(0, 0.02)": {},
    "N(0, 1)": class_token("normal_", 0, 1),
    "N(0, 10)": class_token("normal_", 0, 10),
    "all 1": class_token("ones_"),
}
show_starts({name: with_changes(start, depth=6) for name, start in CLASS_TOKENS.items()})

# %% [markdown]
# The loss says nothing: all begin near ln 10. But look at the last column. A class token from N(0, 10) differs between images more than a hundred times less than one from N(0, 0.02), and the gradients of the first and the last block have shrunk by a like factor. Why?
#
# 1. In a pre-norm block the class token is normalised before attention reads it. Its length does not matter there, and the softmax does not saturate (6 % in each row).
# 2. But the residual stream carries it at full length. What the blocks *add* is small beside a vector whose entries are around 10.
# 3. The last norm divides by that 10. What differs between images is divided with it.
#
# So a large class token drowns what it gathers. Its size after each block shows it:


# %%
@torch.no_grad()
def sizes(run):
    """The class token's size (root mean square) before the first block and after each."""
    model = make_model(run)
    x = model.pos_embed(model.cls_token(model.patch_embed(images[:100])))
    tokens = [x[:, 0]]
    for block in model.blocks:
        x = block(x)
        tokens.append(x[:, 0])
    return [token.square().mean().sqrt() for token in tokens]


plots.show_lines(
    range(7),
    {
        name: sizes(with_changes(CLASS_TOKENS[name], depth=6))
        for name in ("zeros", "N(0, 0.02)", "N(0, 1)", "N(0, 10)")
    },
    "blocks passed",
    "size of the class token",
    log="y",
)

# %% [markdown]
# Six blocks bring a small token from 0.02 or 0.03 to about 0.07. What they add does not show on a token of N(0, 1) or N(0, 10). (At 0 blocks the position has been added already, so zeros do not begin at zero.)
#
# **All 1** is as good as zeros, figure by figure. LayerNorm subtracts the mean, so the same number added to all D entries of a token is invisible to every block and to the head. We can check that, up to rounding:

# %% tags=["nbval-check-output"]
zeros, ones = (make_model(with_changes(CLASS_TOKENS[name], depth=6)) for name in ("zeros", "all 1"))
torch.testing.assert_close(ones(images[:100]), zeros(images[:100]), atol=1e-4, rtol=0)
print("a class token of ones and one of zeros: the same answers")

# %% [markdown]
# Does it matter at the end?

# %%
class_settings = ["N(0, 0.02)", "zeros", "N(0, 1)", "N(0, 10)"]
class_token_init = run_experiment(
    "class_token_init", dataset=dataset, settings=class_settings if quick else None
)

# %%
print(as_table(class_token_init))
plots.show_summaries(class_token_init, "starts of the class token")

# %% [markdown]
# The same experiment on **CIFAR-10**. Three settings are added: a constant, and two class tokens that are never trained but stay as they were drawn, one of them as zeros.

# %%
measured = summarize("class_token_init", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: starts of the class token")

# %% [markdown]
# The picture is the same and clearer. N(0, 10) loses {{-runs("class_token_init", "N(0, 10)").difference:.1p}} points.
# {{assert below(runs("class_token_init", "N(0, 10)"), runs("class_token_init", "N(0, 0.02)"))}}
# Between zeros, ones, N(0, 0.02), and even the class tokens that are never trained, any effect is below {{max(largest(gain(runs("class_token_init", name))) for name in
# ("zeros", "all 1", "N(0, 0.02), frozen", "zeros, frozen")):.1p}} points.
# {{assert not any(differs(runs("class_token_init", name)) for name in
# ("zeros", "all 1", "N(0, 0.02), frozen", "zeros, frozen"))}}
# (Zeros and ones are the same model up to rounding. Training makes something of rounding: seed by seed the two differ by up to {{max(abs(zeros - ones) for zeros, ones in
# zip(runs("class_token_init", "zeros").accuracies, runs("class_token_init", "all 1").accuracies)):.1p}} points.) N(0, 1) is on the border: {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} points below the base, so it may have cost nothing, or {{largest(gain(runs("class_token_init", "N(0, 1)"))):.1p}} points. In the six-block model above it began with 16 times less gradient: most of a start that looks bad may be made good later.
# {{assert not differs(runs("class_token_init", "N(0, 1)"))}}
#
# A model whose class token is zeros for ever is as good as any? That asks for a second look. What enters the first block is the class token *plus its position embedding*, and that is trained: the model has a class token all the same, under another name. We shall come back to that.
#
# ### Two controls
#
# An explanation that fits is not yet one that is true. If a large class token does harm *because the head reads it*, two things follow.
#
# **A large token that the head does not read does no harm.** A register is such a token: patches may look at it, the head ignores it. We let the head read the mean of the patches and give the model one register, small or large:

# %%
register_init = run_experiment("register_init", dataset=dataset)
print(as_table(register_init))
plots.show_summaries(register_init, "starts of a token that the head does not read")

# %% [markdown]
# **A higher learning rate makes up for some of it.** Muon and AdamW take steps of about the same length whatever the size of the gradient, so the small gradient is not itself the harm. The harm is that the same step changes the answer a hundred times less, because the last norm divides it. Nor does the large token shrink: in 200 steps of at most 0.01 its entries can move by about 1, or by 2 with the position that is added to it, not by 10. Longer steps should help with both, and the small class token should have no use for them. Each start is tried at the base's learning rate and at three times that; which one counts is decided on validation images:

# %%
rates = run_experiment("class_token_init_rates", dataset=dataset)
print(as_table(rates))
plots.show_summaries(rates, "each start at its better learning rate")
print({name: f"learning rate {of.learning_rate:g}" for name, of in rates.items()})

# %% [markdown]
# In the run saved here the first control agrees with the explanation. For the register, the start makes no difference that three seeds could tell from none; for the class token it made one. The second does not decide. Both starts choose the higher rate and gain from it, and about two thirds of the distance between them remains.
#
# **On CIFAR-10** the first control holds: with a register from N(0, 10) the model reaches {{runs("register_init", "N(0, 10)").mean:.1%}}, with one from N(0, 0.02) {{runs("register_init", "N(0, 0.02)").mean:.1%}}. Any effect is below {{largest(gain(runs("register_init", "N(0, 10)"))):.1p}} points.
# {{assert not differs(runs("register_init", "N(0, 10)"))}}
# **The second fails.** At three times the rate N(0, 0.02) does worse, with {{runs("class_token_init_rates", "N(0, 0.02)", rate=3).mean:.1%}}, and N(0, 10) gains nothing, with {{runs("class_token_init_rates", "N(0, 10)", rate=3).mean:.1%}}; so both choose the base's rate and the distance stays {{-runs("class_token_init_rates", "N(0, 10)").difference:.1p}} points.
# {{assert below(runs("class_token_init_rates", "N(0, 0.02)", rate=3),
# runs("class_token_init", "N(0, 0.02)"))}}
# {{assert runs("class_token_init_rates", "N(0, 10)", rate=3).mean
# < runs("class_token_init", "N(0, 10)").mean}}
# {{assert all(of.learning_rate == runs("class_token_init", "N(0, 0.02)").learning_rate
# for of in experiment("class_token_init_rates").values())}}
# A surprise, and we have no explanation that we have tested. So a higher rate makes up for a part of it at most, and in these short runs only. What is left is the advice: who compares starts at a single learning rate may measure the rate as well, so try several, and then say which way it went.
#
# ## Positions
#
# Position embeddings are added to *every* token, and most of them are read by nobody but attention. The same table:

# %%
POSITIONS = {
    "zeros": {"pos_embed.weight": ("zeros_",)},
    "N(0, 0.02)": {},
    "N(0, 1)": {"pos_embed.weight": ("normal_", 0, 1)},
    "N(0, 10)": {"pos_embed.weight": ("normal_", 0, 10)},
}
show_starts({name: with_changes(start, depth=6) for name, start in POSITIONS.items()})

# %% [markdown]
# Large positions are worse than a large class token: the *patches* drown in them as well, before anybody has read them. N(0, 10) leaves a difference of 0.0001 between images, where a large class token had left 0.005. At the end, next to positions that stay zero, which is a model without any:

# %%
position_settings = ["N(0, 0.02)", "N(0, 10)", "zeros, frozen"]
position_init = run_experiment(
    "position_init", dataset=dataset, settings=position_settings if quick else None
)

# %%
print(as_table(position_init))
plots.show_summaries(position_init, "starts of the positions")

# %% [markdown]
# Large positions do great harm, as the last column foretold. A model *without* positions, on the other hand, cannot be told from one with them here, but the interval is wide. On **CIFAR-10**, with patches of 4 × 4, it can:

# %%
measured = summarize("position_init", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: starts of the positions")

# %% [markdown]
# (The first line and the last were trained on a machine that multiplies in bfloat16, the others in float32.)
# {{assert all(r.precision == ("bfloat16" if name in ("N(0, 0.02)", "zeros, frozen") else "float32")
# for name in experiment("position_init") for r in recorded("position_init", name))}}
#
# - **Large positions** cost {{-runs("position_init", "N(0, 1)").difference:.1p}} points at N(0, 1) and {{-runs("position_init", "N(0, 10)").difference:.1p}} at N(0, 10).
# {{assert below(runs("position_init", "N(0, 10)"), runs("position_init", "N(0, 1)"))}}
# {{assert below(runs("position_init", "N(0, 1)"), runs("position_init", "N(0, 0.02)"))}}
# A class token from N(0, 1) had cost {{largest(gain(runs("class_token_init", "N(0, 1)"))):.1p}} points at most: it is one token of 65.
# {{assert not differs(runs("class_token_init", "N(0, 1)"))}}
# - **Zeros, ones and N(0, 0.02)** are alike, as it was with the class token: any effect is below {{max(largest(gain(runs("position_init", name))) for name in ("zeros", "all 1")):.1p}} points.
# {{assert not differs(runs("position_init", "zeros")) and not differs(runs("position_init", "all 1"))}}
# They are all trained, and a constant is invisible here too: with each seed zeros and ones reach the same accuracy.
# {{assert runs("position_init", "zeros").accuracies == runs("position_init", "all 1").accuracies}}
# - **Never trained** is another matter. Positions that stay zero, which is a model without any, cost {{-runs("position_init", "zeros, frozen").difference:.1p}} points ([notebook 10](10_claims_put_to_the_test.ipynb), claim 13; notebook 02 shows two images that such a model cannot tell apart). And positions that stay *as they were drawn*, each place with a vector of its own, are about one point better: they cost {{-runs("position_init", "N(0, 0.02), frozen").difference:.1p}}.
# {{assert below(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros"))}}
# {{assert 0.005 < distance(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros, frozen")).mean < 0.015}}
# A class token that is never trained cost {{largest(gain(runs("class_token_init", "N(0, 0.02), frozen"))):.1p}} points at most (above, and at the end of this notebook).
# {{assert not differs(runs("class_token_init", "N(0, 0.02), frozen"))}}
# {{assert not differs(runs("class_token_untrained", "no position, frozen"))}}
# Is it that positions have to learn? Or were these merely too small? 0.02 is little beside the patches, whose numbers are about 0.3 in size. A control, with positions that are larger and not trained either: random ones of the patches' size, and the sines and cosines of notebook 02, which are of size 0.7 and alike for neighbours (the class token has none then).

# %%
measured = summarize("position_untrained", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: positions that are not trained")

# %% [markdown]
# (Learned and none in bfloat16, the others in float32.)
# {{assert all(r.precision == ("bfloat16" if name in ("learned", "none") else "float32")
# for name in experiment("position_untrained") for r in recorded("position_untrained", name))}}
# **Size was a part of it.** Random positions of the patches' size reach {{runs("position_untrained", "N(0, 0.3), frozen").mean:.1%}}, the sines and cosines {{runs("position_untrained", "sines and cosines").mean:.1%}}: about half the way from none, {{runs("position_untrained", "none").mean:.1%}}, to learned, {{runs("position_untrained", "learned").mean:.1%}}.
# {{assert all(below(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", name))
# and below(runs("position_untrained", name), runs("position_untrained", "learned"))
# for name in ("N(0, 0.3), frozen", "sines and cosines"))}}
# {{assert all(0.4 < (runs("position_untrained", name).mean - runs("position_untrained", "none").mean)
# / (runs("position_untrained", "learned").mean - runs("position_untrained", "none").mean) < 0.65
# for name in ("N(0, 0.3), frozen", "sines and cosines"))}}
# So positions are of use untrained, where they are large enough to be noticed, and training them gives as much again. (There are other sizes, which we did not try. The recipe `quick` of notebook 00 has sines and cosines, so that its short training need not find out what lies beside what.)
#
# ## Norms and warm-up
#
# ViT normalises *before* each layer (pre-norm), the Transformer of 2017 *after* each addition (post-norm). With post-norm every sum is normalised; on the way back, each norm divides the gradient by the size of what it normalised. Here are the gradients of each of six blocks at the first step, with Xavier weights:


# %%
def gradients(**model):
    """The length of the gradient in each block, at the first step."""
    model = make_model(with_changes(WEIGHTS["Xavier"], depth=6, **model))
    cross_entropy(model(images[:100]), labels[:100]).backward()
    return [get_total_norm([p.grad for p in block.parameters()]) for block in model.blocks]


plots.show_lines(
    range(1, 7),
    {"pre-norm": gradients(), "post-norm": gradients(norm_first=False)},
    "block",
    "length of the gradient",
    "first step",
    from_zero=True,
)

# %% [markdown]
# In both kinds the first block gets about two to three times the gradient of the last. So this figure does not show why post-norm should need warm-up. Only training can.
#
# **Warm-up** lets the learning rate climb over the first steps (here a tenth of all). The reason given for it is that the first steps mislead: an optimizer that averages over steps has nothing to average yet, and a large step may lead to where no way leads back. Post-norm is said to need it and pre-norm not ([Xiong et al. 2020](https://arxiv.org/abs/2002.04745)). On CIFAR-10, all four combinations, with Muon at the same learning rate of {{runs("warmup_and_norm", "post-norm, none, Muon").learning_rate:g}}:
# {{assert len({of.learning_rate for of in experiment("warmup_and_norm").values()}) == 1}}

# %%
measured = summarize("warmup_and_norm", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: norms and warm-up")

# %% [markdown]
# Post-norm ends {{runs("warmup_and_norm", "pre-norm, warm-up, Muon").mean
# - runs("warmup_and_norm", "post-norm, warm-up, Muon").mean:.1p}} points behind pre-norm where both have warm-up, and {{runs("warmup_and_norm", "pre-norm, none, Muon").mean
# - runs("warmup_and_norm", "post-norm, none, Muon").mean:.1p}} where neither has.
# {{assert all(below(runs("warmup_and_norm", f"post-norm, {warmup}, Muon"),
# runs("warmup_and_norm", f"pre-norm, {warmup}, Muon")) for warmup in ("warm-up", "none"))}}
# Any effect of warm-up itself is below {{max(largest(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"),
# runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm")):.1p}} points, with either norm: four blocks and this learning rate do not need it.
# {{assert not any(differs(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"),
# runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm"))}}
# The trouble that warm-up is meant to cure was reported for deeper models trained with Adam; about those this table says nothing. And one learning rate served all four, so a part of post-norm's distance may be the rate's.
#
# ## "Treat it like any other token"
#
# The class token must take part in attention and be trained like the rest, the advice goes. It can be cut off in four ways, each of them easily done by mistake:
#
# - it is **left out of the optimizer**: a list of parameters forgot it;
# - it is **detached**: a `.detach()` or `torch.no_grad()` too many, just before the head;
# - a mask makes it **blind**: it sees itself alone;
# - a mask makes it **unseen**: the patches do not see it.
#
# None of them raises an error. Each has a check of a few lines, which needs no training:


# %% tags=["nbval-check-output"]
def check_class_token(model, optimizers):
    """What is wrong with a class token, found out with one backward pass on a copy."""
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    findings = [] if id(model.cls_token.weight) in held else ["it is not trained"]
    model, x = copy.deepcopy(model).requires_grad_(), images[:8]
    model.zero_grad()
    model(x).square().sum().backward()
    if model.blocks[0].attn.qkv.weight.grad is None:
        findings.append("no gradient passes from the head to the blocks")
    before = model.forward_features(x)
    if before[:, 0].std(dim=0).max() < 1e-6:
        findings.append("it is the same for every image")
    model.cls_token.weight.data += torch.randn_like(model.cls_token.weight)
    if torch.allclose(model.forward_features(x)[:, 1:], before[:, 1:]):
        findings.append("no patch sees it")
    return findings or ["nothing"]


CUT = {
    "as it should be": BASE,
    "left out": BASE | {"frozen": ["cls_token.weight"]},
    "detached": with_changes(variant="CutClassToken"),
    "blind": with_changes(variant="BlindClassToken"),
    "unseen": with_changes(variant="UnseenClassToken"),
}
for name, run in CUT.items():
    model = make_model(run)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizers = [torch.optim.AdamW(trained)]
    print(f"{name:16} wrong: {', '.join(check_class_token(model, optimizers))}")

# %% [markdown]
# And what do they cost? The first hundred steps tell:

# %%
show_first_steps(CUT, "a class token cut off")

# %% [markdown]
# A blind class token cannot learn to tell images apart. A detached one trains the head alone, on what random blocks give, and shows no progress in these steps. Left out and unseen follow the model as it should be. That is a surprise, given the advice; but it is one seed and a hundred steps, and a class token that is left out is not quite untrained: its position embedding, which is added to it, is trained in its place.
#
# So here they are on CIFAR-10, to the end. First the cuts:

# %%
measured = summarize("class_token_cut", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: a class token cut off")

# %% [markdown]
# Blind, it guesses: {{runs("class_token_cut", "sees itself alone").mean:.1%}} with every seed.
# {{assert all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}}
# Detached, it has {{runs("class_token_cut", "detached before the head").mean:.1%}}, which is what a head makes of random blocks in three passes. **Unseen by the patches** it loses {{largest(gain(runs("class_token_cut", "unseen by the patches"))):.1p}} points at most.
# {{assert not differs(runs("class_token_cut", "unseen by the patches"))}}
# So the patches do not need the class token: what it gives them back is not used here, or not missed.
#
# Then the class token that is left out of the optimizer. It has no position embedding in any of the three settings, so that nothing is trained in its place: it is trained, or stays as it was drawn, or stays zero.

# %%
measured = summarize("class_token_untrained", "full", cifar10, spread)
print(as_table(measured))
plots.show_summaries(measured, "CIFAR-10: class tokens that are not trained")

# %% [markdown] tags=["exercise-only"]
# # Exercises 07 · Pitfalls: how a model starts
#
# They go with notebook [07](../07_pitfalls_initialization.ipynb). If you start here: before its first step a model should give each class the same share, its blocks should get gradients of a like size, and what the head reads should differ between images. These three can be measured on one batch.

# %% tags=["exercise-only"]
import torch
from torch.nn.utils import get_total_norm

from checks import check
from checks.initialization import spread_at

# %% [markdown] tags=["exercise:start_loss"]
# *Predict.* A new model for **100** classes starts well. What is its loss before the first step?
#
# Hint: Each class gets 1/100.
#
# Hint: The loss is minus the natural logarithm of what the right class got.
#
# Solution: ln 100 ≈ 4.605. Write the number for your classes down before you start a training.

# %% tags=["exercise-only", "exercise:start_loss"]
# solution
# | start_loss = ...
start_loss = -torch.tensor(1 / 100).log().item()
# end of solution

# %% [markdown] tags=["exercise:gradient_by_block"]
# Which block gets a signal? Send the gradient of a loss back through the model and give, for each block of `model.blocks`, the length of its gradient: all gradients of the block's parameters written as one long vector, and the length of that.
#
# Hint: `loss.backward()` fills `p.grad` of every parameter p; `block.parameters()` are those of one block.
#
# Hint: The squared length of a long vector is the sum of the squared lengths of its parts. `get_total_norm([…])` does it.


# %% tags=["exercise-only", "exercise:gradient_by_block"]
def gradient_by_block(model, loss):
    """The length of the gradient in each block: a list of L numbers."""
    # solution
    # | return ...  # your code
    loss.backward()
    return [get_total_norm([p.grad for p in block.parameters()]).item() for block in model.blocks]
    # end of solution


# %% [markdown] tags=["exercise:spread_between_images"]
# Does the class token differ between images? Take the standard deviation (`torch.std`) over the images of each of its D numbers, and give the mean of these: one number. `tokens` are (B, T, D).
#
# Hint: Which tokens are the class tokens of all images?
#
# Hint: `std(dim=0)` runs over the first axis, `mean()` over what is left, `item()` makes a number of it.


# %% tags=["exercise-only", "exercise:spread_between_images"]
def spread_between_images(tokens):
    """By how much the class token differs between images, from tokens (B, T, D)."""
    # solution
    # | return ...  # your code
    return tokens[:, 0].std(dim=0).mean().item()
    # end of solution


# %% [markdown] tags=["exercise:parameter_groups"]
# *Find the bug.* An optimizer gets its parameters in two groups: those that weight decay shrinks, and those that it spares. Maps should shrink, which are the matrices and the kernel of the patch embedding (its shape is (D, C, P, P)). Spared are biases, norms, and the vectors that are put in or added: class token, registers, positions. All must be trained. In the code below some are in no group at all. Which? Repair it.
#
# Hint: Print name and `ndim` of each parameter of a `VisionTransformer`. Which number of axes does nobody ask for?
#
# Hint: A rule that leaves nobody out: one condition for shrinking, and *else* the other group. Names begin with `cls_token`, `reg_token`, `pos_embed`.
#
# Solution: Class token and positions have three axes, the kernel four. Whoever asks for 2 and 1 forgets them, and no error says so: the class token stays as it was drawn.


# %% tags=["exercise-only", "exercise:parameter_groups"]
def parameter_groups(model, weight_decay):
    """Groups for an optimizer: a list of dictionaries with `params` and `weight_decay`."""
    shrinking, spared = [], []
    for name, parameter in model.named_parameters():
        # solution
        # | if parameter.ndim == 2:
        # |     shrinking.append(parameter)
        # | elif parameter.ndim == 1:
        # |     spared.append(parameter)
        if parameter.ndim < 2 or name.startswith(("cls_token", "reg_token", "pos_embed")):
            spared.append(parameter)
        else:
            shrinking.append(parameter)
        # end of solution
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


# %% [markdown] tags=["exercise:drowning_std"]
# *Measure and conclude.* A class token that starts large drowns what it gathers: it differs less between images when the head reads it. `spread_at(std)` gives this difference for an untrained model of six blocks whose class token is drawn with the standard deviation `std`. Find a `std` at which it has fallen to about a tenth of what it is at 0.02 (anything from 5 % to 20 % will do).
#
# Hint: Try powers of ten first: 0.1, 1, 10, each divided by `spread_at(0.02)`.
#
# Hint: Between 0.1 and 1 the share falls from two fifths to a twentieth.
#
# Solution: About 0.5. Notebook 07 shows why: the last norm divides the sum of the token and all it has gathered by a size that is nearly all the token's own. (It does not say that training ends badly: see the table of notebook 07.)

# %% tags=["exercise-only", "exercise:drowning_std"]
print(spread_at(0.1) / spread_at(0.02))

# solution
# | drowning_std = ...
drowning_std = 0.5
# end of solution

# %% [markdown]
# Any effect is below {{max(largest(gain(runs("class_token_untrained", name))) for name in
# ("no position, frozen", "no position, frozen at zero")):.1p}} points.
# {{assert not any(differs(of) for of in experiment("class_token_untrained").values())}}
# (With the position embedding it was the same, above.)
#
# So of "treat it like any other token" this is left: it must **see** the patches, and the gradient must **come back** from it. It need not be trained itself. A fixed small vector will do, because what reads it is trained: in block 1 its query is W_q · norm(token) + bias, and matrix, norm and bias all learn. Even a token of zeros gets a query from the biases.
#
# ## Recap
#
# - **Before the first step** look at the loss (ln of the number of classes), at the gradient of each block, and at how much differs between images where the head reads. Each misses something that another sees. Together they find broken starts; they do not rank working ones. Nor did 200 steps on drawn shapes, with a smaller model and a higher learning rate: Xavier was far ahead there, and far behind after three passes over CIFAR-10.
# - A **large class token**, N(0, 10), began with a hundred times less difference between images where the head reads, since the last norm divides by a size that is nearly all the token's, and it ended {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} points behind on CIFAR-10. Whether the first is the cause of the second is open: a control with a token that the head does not read agreed, one with a higher learning rate did not. A constant class token is invisible. Between zeros and N(0, 0.02) any effect is below {{largest(gain(runs("class_token_init", "zeros"))):.1p}} points.
# - In short runs on drawn shapes a part of its loss went away at a **higher learning rate**, on CIFAR-10 none of it. Compare starts each at its own best rate, chosen on validation images, with several seeds.
# - **Large positions** cost {{-runs("position_init", "N(0, 1)").difference:.1p}} points at N(0, 1) and {{-runs("position_init", "N(0, 10)").difference:.1p}} at N(0, 10). Small random ones that stay as they are were worth about a point more than none, larger fixed ones, random or sines and cosines, about half of what trained ones give.
# - The class token must see, and pass back gradients. It need not be seen, and it need not be trained.
#
# **What to do:** class token and positions zeros or N(0, 0.02), weights N(0, 0.02), three learning rates, and the checks above on one batch before the first step.
#
# ## Questions
#
# <details><summary>A model starts with a loss of 2.303 on ten classes. Is its initialisation right?</summary>
#
# It may be. A model of zeros starts there as well, and it never learns. See also which blocks get a gradient in the first two steps, and whether what the head reads differs between images.
# </details>
#
# <details><summary>Why does a class token of ones do no harm, when one of N(0, 10) does?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. N(0, 10) has a standard deviation of 10 over its entries, by which the last norm divides.
# </details>
#
# <details><summary>Somebody shows that start A beats start B at a learning rate of 0.001. What would you ask for?</summary>
#
# The same at other learning rates, each start judged at its best on validation images, with several seeds. A start that only scales the signal may want another learning rate.
# </details>
#
# **Try it yourself:** [exercises 07](exercises/07_pitfalls_initialization.ipynb), with checks that say what is wrong.
#
# **Next:** [08 · the size of a patch](08_pitfalls_patch_size.ipynb).
