# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** find, with one batch and two steps, blocks that get no gradient and a class token that is cut off; and you can say what such checks, and short runs, do *not* tell you.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 30 minutes, and five for the second visit |
# | Time to run | at the quick budget {{notebook_seconds("07_pitfalls_initialization"):about}} on two cores of a recent server CPU, {{notebook_seconds("07_pitfalls_initialization", "float32"):about}} on one core of an older one |
# | Package modules | `experiments/`, `variants.py` |
#
# One of these two lines is a mistake:
#
# ```python
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96))
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96) * 0.02)
# ```
#
# Both run, both train, and neither gives a warning. After three passes over CIFAR-10 the model with the second line is right for {{runs("position_init", "N(0, 0.02)").mean:.1%}} of the test images, and the one with the first for {{runs("position_init", "N(0, 1)").mean:.1%}}. Could you have known before the first step? This notebook looks for signs, in the weights, in the positions and in the class token, and then measures what each sign was worth.
# {{assert below(runs("position_init", "N(0, 1)"), runs("position_init", "N(0, 0.02)"))}}
#
# Two models appear:
#
# | | the small model | the CIFAR-10 model |
# |---|---|---|
# | what we do with it | look at its start and train it, here, while you wait | trained for hours before, and recorded: notebook 05's recipe `cpu` |
# | blocks, tokens T, width D | 2, 17, 64 | {{recorded("weight_init", "Xavier")[0].run.model.depth:d}}, 65, {{recorded("weight_init", "Xavier")[0].run.model.embed_dim:d}} |
# | training images, passes | 2,000 drawn shapes, 5 | {{records("experiments_cifar10_full")[0].trained_on:,}} of CIFAR-10, {{recorded("weight_init", "Xavier")[0].run.training.epochs:d}} |
# | images to a batch, steps | 50, 200 | {{recorded("weight_init", "Xavier")[0].run.training.batch_size:d}}, {{3 * (records("experiments_cifar10_full")[0].trained_on // recorded("weight_init", "Xavier")[0].run.training.batch_size):,}} |
# | learning rate at its highest | 0.01 | {{runs("weight_init", "Xavier").learning_rate:g}} |
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3 for r in recorded("weight_init", "Xavier"))}}
#
# Tables and curves are computed while you wait, and show the small model. Costs in points, with ±, are the CIFAR-10 model's.

# %%
import contextlib
import copy
import io
import math

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, get_total_norm

from vit_minimal import TrainingConfig, attention_maps, diagrams, load_dataset, pick_budget, plots
from vit_minimal.augment import normalize
from vit_minimal.experiments import (
    as_table,
    make_model,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
)
from vit_minimal.forest import show_forest, show_then_and_now
from vit_minimal.records import read_records
from vit_minimal.training import make_optimizers, make_scheduler

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:2_000]), dataset.train_labels[:2_000]

# %% [markdown]
# ## Before the first step
#
# A model that knows nothing about ten classes should give each of them 10 %. Its loss is then −ln 0.1 = ln 10 ≈ 2.303. That is the cheapest test there is: one batch, no training. It is not enough, as you will see, so we look at more:
#
# - The **length of the gradient** in the first and in the last block. Does any reach them? (Muon and AdamW take steps of about the same length whatever the size of the gradient. So look for zeros first: a small gradient is not yet a slow start.)
# - The **largest attention weight** in block 1, averaged over heads and tokens. A token that spreads its attention evenly over T tokens gives each of them 1/T, so that is the least it can be. Near 100 % each token attends to almost one token alone. The softmax is then called *saturated*.
# - How much the class token **differs between images** when it reaches the head: the standard deviation over images, averaged over its D numbers. After the last norm a token's numbers have size 1, so this lies between 0 and about 1. What does not differ cannot tell a cat from a dog. In our models a common start gives 0.5 or more, and we take anything below 0.05 as a warning.
#
# `at_the_start` takes a model and a batch. Your own model will do if it has timm's names: `forward_features`, which gives all tokens after the last norm, `blocks` and `head`.


# %%
def at_the_start(model, images, labels):
    """Loss, gradient of the first and of the last block, difference between images."""
    model.zero_grad()
    read = model.forward_features(images)[:, 0]  # what the head reads: (B, D)
    loss = cross_entropy(model.head(read), labels)
    loss.backward()
    first, last = (
        get_total_norm([p.grad for p in model.blocks[i].parameters()]).item() for i in (0, -1)
    )
    return loss.item(), first, last, read.std(dim=0).mean().item()


# %% [markdown]
# Our models come from an experiment. `plan` lists its runs by the name of a setting and a factor for the learning rate, and `make_model` builds the model of a run. N(0, 0.02) stands for normal numbers of mean 0 and standard deviation 0.02.

# %%
BASE = plan("class_token_init", "quick", seed=0)["N(0, 0.02)", 1]


def with_changes(start=None, variant="VisionTransformer"):
    """The base run with other starting values, or another kind of model."""
    return BASE | {"start": start or {}, "variant": variant}


def show_starts(starts):
    print(f"{'':18}  loss  gradient in the     largest   difference")
    print(f"{'':18}       1st     last block   weight   between images")
    for name, start in starts.items():
        model = make_model(with_changes(start))
        loss, first, last, differs = at_the_start(model, images[:100], labels[:100])
        largest = attention_maps(model, images[:100])[0].amax(dim=-1).mean()
        print(f"{name:18}{loss:6.3f}{first:8.3f}{last:8.3f}{largest:12.0%}{differs:12.4f}")


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
    "PyTorch's default": weights("kaiming_uniform_", math.sqrt(5)),  # nn.Linear draws its weight so
    "N(0, 1)": weights("normal_", 0, 1),
    "all zero": weights("zeros_"),
    "head zero": {"head.weight": ("zeros_",)},
    "second zero": {"blocks.*.attn.proj.weight": ("zeros_",), "blocks.*.fc2.weight": ("zeros_",)},
}
show_starts(WEIGHTS)

# %% [markdown]
# Read it row by row.
#
# - **N(0, 0.02)** begins near ln 10. It is this package's choice, and the size that BERT and timm use, who draw from a *truncated* normal distribution. Each of the 17 tokens gets about 1/17 ≈ 6 % of the attention, so the model starts as an averaging machine. Its first and last block get gradients of about the same size.
# - **Xavier** and **PyTorch's default** draw larger numbers: with our widths, 64 and 128 in the MLP, their standard deviations lie between 0.05 and 0.16. They begin farther above ln 10, with longer gradients. But the class token differs *more* between images.
# - **N(0, 1)** is confidently wrong: the loss is many times ln 10. Attention in block 1 is saturated, and the gradient of the first block is ten times that of the last.
# - **All zero** begins at ln 10 exactly, which looks perfect. But no block gets a gradient, and the class token is the same for all images.
# - **Head zero** begins at ln 10 as well, and its blocks have no gradient either. (The first ViT started [that way](https://github.com/google-research/vision_transformer): head and class token zero, Xavier in the blocks.)
# - **Second zero** is a common start too. In each block only the matrices that write into the residual stream are zero: the output of attention, and fc2. Its blocks get gradients, but the class token is the same for all images.
#
# Which of the last three can learn? The gradients condemn all zero and head zero, the last column condemns all zero and second zero. So we take two steps, and look at the gradient of the blocks' matrices in each:


# %%
def two_steps(model, images, labels):
    """The length of the gradient of all matrices of the blocks, in the first step and the second."""
    model, lengths = copy.deepcopy(model), []
    matrices = [p for p in model.blocks.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        lengths.append(get_total_norm([p.grad for p in matrices]).item())
        optimizer.step()
    return lengths


for name in ("N(0, 0.02)", "all zero", "head zero", "second zero"):
    model = make_model(with_changes(WEIGHTS[name]))
    one, two = two_steps(model, images[:100], labels[:100])
    print(f"{name:12} step 1: {one:.4f}   step 2: {two:.4f}")

# %% [markdown]
# **Two steps tell the dead start from the others.** After one step the head that was zero is no longer zero, and the gradient reaches the blocks. The matrices that are all zero get none, and never will. They stand in pairs, one behind the other:
#
# ```
# y = W₂ h      h = f(W₁ x)      f(0) = 0
#
# gradient of W₂ = (gradient of y) · hᵀ                  = 0, because W₁ = 0 makes h = 0
# gradient of W₁ = (f′ times W₂ᵀ · gradient of y) · xᵀ   = 0, because W₂ = 0
# ```
#
# Each block has two such pairs: values and output, fc1 and fc2. (Queries and keys act through the values, so they get no gradient either.) What still moves is the same for every image: the biases behind the pairs, and the class token. So the head can only learn how frequent the classes are. In "second zero" only one matrix of each pair is zero, and the pair comes alive.
#
# Now we train for 100 steps, in the way of the experiments: Muon for the matrices of the blocks, AdamW for the rest, 20 steps of warm-up.


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


curves = {name: first_steps(with_changes(start)) for name, start in WEIGHTS.items()}
above = curves.pop("N(0, 1)")  # the picture
guessing = ("ln 10", math.log(10))
plots.show_lines(range(10, 101, 10), curves, "steps", "loss", "starts of the weights", guessing)
print(f"N(0, 1) falls from {above[0]:.1f} to {above[-1]:.1f}")

# %% [markdown]
# For 30 steps all that began at or near ln 10 look alike, the zeros too. Then all but the zeros fall, the zero head and "second zero" some steps later than N(0, 0.02). To call a start dead after 30 steps would have been wrong. The larger weights are ahead from step 20 on. N(0, 1) lies far above the picture at first: after 100 steps it is about where the others began. (We left it at that, and did not train it on CIFAR-10.)
#
# ### What is left of it at the end
#
# A slow start may be made good later. That is a question for an **experiment**: settings that differ from a base in one thing each, trained with several seeds, judged on test images.
# {{assert all(len(of.accuracies) >= 3 for name in ("weight_init", "class_token_init", "register_init",
# "class_token_init_rates", "position_init", "position_untrained",
# "class_token_cut", "class_token_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# `run_experiment` writes a record after each run. So it can be stopped and continued, and what is on record is not repeated. On the command line it is `python -m vit_minimal.experiments weight_init`.


# %%
def quietly(name, settings, seeds=3):
    """Run an experiment without a line for each run; at the full budget all of its settings."""
    settings = settings if pick_budget() == "quick" else None
    with contextlib.redirect_stdout(io.StringIO()):
        return run_experiment(name, seeds=seeds, dataset=dataset, settings=settings)


print(as_table(quietly("weight_init", ["N(0, 0.02)", "Xavier"])))  # takes half a minute

# %% [markdown]
# The interval is one of 95 % over seeds (Student's t: with three seeds it is 2.5 standard deviations to each side). The second column compares seed by seed, so that whatever a seed does to both alike would cancel. With three seeds only large effects show. This one is large: Xavier wins by a wide margin. Does the short run predict the long one? Here is the same on **CIFAR-10**, as the difference from N(0, 0.02):

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting


def show_effects(name, title, without=()):
    """By how much each setting of an experiment is ahead of its first, as a forest plot."""
    measured, effects = summarize(name, "full", cifar10, spread), {}
    base, *others = [setting for setting in measured if setting not in without]
    for setting in others:
        of = measured[setting]
        ahead, width = 100 * of.difference, 100 * of.difference_width
        group = (
            "no measurable effect" if abs(ahead) <= width else "ahead" if ahead > 0 else "behind"
        )
        effects[setting] = (group, "points", ahead, width)
    groups = ("behind", "ahead", "no measurable effect")
    title = f"CIFAR-10: {title},\nagainst {base} ({100 * measured[base].mean:.1f} %)"
    show_forest(effects, "difference in accuracy, in points", title, groups)


show_effects("weight_init", "starts of the weights", without=["all zero"])

# %% [markdown]
# **The order reverses.** Xavier ends {{-runs("weight_init", "Xavier").difference:.1p}} points *behind* N(0, 0.02), and PyTorch's default {{-runs("weight_init", "PyTorch's default").difference:.1p}}. Now look back at these three rows in the table of the start:
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "PyTorch's default"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
#
# - **Loss and gradients** were worse for the larger starts, and worst for Xavier. That is the order on CIFAR-10, and the short run disagreed.
# - **The difference between images** was better for the larger starts. That agrees with the short run, and CIFAR-10 disagreed.
#
# So each sign was right about one training and wrong about the other. With three starts, either may be luck. What turns the order round we did not measure: the trainings differ in every row of the table at the top. The learning rate is a suspect. All starts share one, which was found with N(0, 0.02) and may suit it best. So the figure says what happens if you change the start *and nothing else*.
# {{assert len({of.learning_rate for of in experiment("weight_init").values()}) == 1}}
#
# All zero, which the figure leaves out, is right for {{runs("weight_init", "all zero").mean:.1%}} with every seed, which is guessing, as predicted. The zeroed head has no measurable effect.
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert not differs(runs("weight_init", "head zero"))}}
#
# <details><summary>How the numbers on CIFAR-10 are made: seeds, intervals, precision</summary>
#
# Three seeds tell little of how much they vary: those of PyTorch's default happen to lie within {{max(runs("weight_init", "PyTorch's default").accuracies) - min(runs("weight_init", "PyTorch's default").accuracies):.1p}} points, those of the zeroed head within {{max(runs("weight_init", "head zero").accuracies) - min(runs("weight_init", "head zero").accuracies):.1p}}. So wherever this course shows CIFAR-10 at this budget, the intervals come from one **pooled spread**: the standard deviation of a run about its setting's mean, taken over all settings on record that work. It is {{spread().deviation:.2p}} points, with {{spread().degrees:d}} degrees of freedom. Two things are assumed: that runs are independent, and that all settings that work vary alike ([notebook 10](10_claims_put_to_the_test.ipynb) tests the second). A setting that fails, such as all zero, keeps the interval of its own seeds.
#
# The base has {{len(runs("weight_init", "N(0, 0.02)").accuracies):d}} seeds on record, and the other settings have three. So a difference from the base is known to ± {{gain(runs("weight_init", "Xavier")).width:.1p}} points, and a difference of three seeds to three to ± {{gain(runs("register_init", "N(0, 10)")).width:.1p}}. "No measurable effect" means that this interval reaches 0.
# {{assert all(len(of.accuracies) == 3 for name in ("weight_init", "class_token_init", "position_init", "position_untrained", "class_token_cut")
# for setting, of in experiment(name).items() if setting not in ("N(0, 0.02)", "learned", "class token"))}}
#
# These models were trained in bfloat16. The exception are the positions: only the base and "zeros, frozen" were trained in bfloat16, and all other positions in float32. What that alone changes was not measured. The runs of 14 passes, further down, are in bfloat16 again.
# {{assert all(r.precision == "bfloat16" for name in ("weight_init", "class_token_init", "register_init",
# "class_token_cut", "class_token_untrained")
# for setting in experiment(name) for r in recorded(name, setting))}}
# {{assert all(r.precision == ("bfloat16" if name in ("N(0, 0.02)", "zeros, frozen") else "float32")
# for name in experiment("position_init") for r in recorded("position_init", name))}}
# {{assert all(r.precision == ("bfloat16" if name in ("learned", "none") else "float32")
# for name in experiment("position_untrained") for r in recorded("position_untrained", name))}}
# {{assert all(r.precision == "bfloat16" for name, setting in (("class_token_init", "N(0, 10)"),
# ("position_init", "N(0, 1)")) for r in recorded(name, setting, budget="long"))}}
#
# </details>
#
# That was the whole cycle: look at the start, train briefly, train to the end. **Two steps found the start that cannot learn. No sign ranked those that can in both trainings.**
#
# ## Positions
#
# Now to the line from the beginning, with the weights as they were. Position embeddings are added to *every* token before the first block. The third row is `torch.randn`:

# %%
POSITIONS = {
    "zeros": {"pos_embed.weight": ("zeros_",)},
    "N(0, 0.02)": {},
    "N(0, 1)": {"pos_embed.weight": ("normal_", 0, 1)},
    "N(0, 10)": {"pos_embed.weight": ("normal_", 0, 10)},
}
show_starts(POSITIONS)

# %% [markdown]
# The loss says nothing: all begin near ln 10. But look at the last column. With `torch.randn` the class token differs almost 70 times less between images than with N(0, 0.02), and with N(0, 10) next to nothing is left. The gradients shrink as well. Why?
#
# The numbers of a patch are about 0.3 in size (their root mean square). A position from N(0, 1) has size 1, and it is the same for every image. Then comes a norm, which divides the sum of both by *its* size. We measure what a patch token shares with the same patch of other images, which is mostly its position, and by how much it differs:


# %%
@torch.no_grad()
def shared_and_own(tokens):
    """The sizes of what tokens (B, …, D) of several images share, and of what differs."""
    shared = tokens.mean(dim=0)
    return [part.square().mean().sqrt().item() for part in (shared, tokens - shared)]


def into_the_blocks(model):
    return model.pos_embed(model.cls_token(model.patch_embed(images[:100])))


diagrams.norm_divides(
    {
        f"a patch, positions from {name}": shared_and_own(
            into_the_blocks(make_model(with_changes(POSITIONS[name])))[:, 1:]
        )
        for name in ("N(0, 0.02)", "N(0, 1)", "N(0, 10)")
    },
    "What the first norm leaves of the difference between two images",
    of="patch",
)

# %% [markdown]
# What differs is of the same size in all three rows. At the top the norm keeps nearly all of it. At the bottom the two images end up almost on one spot: the patch **drowns** in its position, before any layer has read it. (The sizes are measured. That the two images differ in opposite directions is a choice of the drawing.)
#
# Does it matter at the end? First the short run:

# %%
print(as_table(quietly("position_init", ["N(0, 0.02)", "N(0, 1)"], seeds=5)))

# %% [markdown]
# (The first row holds the three runs that you have seen above, and two more.) In the run saved here `torch.randn` is behind by about five points, and five seeds are enough to show it. On **CIFAR-10** it costs more:
#
# - **Large positions** cost {{loss(runs("position_init", "N(0, 1)")):±.1p}} points at N(0, 1), which is `torch.randn`, and {{loss(runs("position_init", "N(0, 10)")):±.1p}} at N(0, 10). That is the order of the last column.
# {{assert below(runs("position_init", "N(0, 10)"), runs("position_init", "N(0, 1)"))}}
# - **Zeros** have no measurable effect. The last column did set them apart from N(0, 0.02), so its order was right for the large positions only.
# {{assert not differs(runs("position_init", "zeros"))}}
# - **Frozen** positions, which are never trained, are another matter. Positions that stay zero, which is a model without any, cost {{loss(runs("position_init", "zeros, frozen")):±.1p}} points (notebook 02 shows two images that such a model cannot tell apart). Positions that stay *as they were drawn*, N(0, 0.02), cost {{loss(runs("position_init", "N(0, 0.02), frozen")):±.1p}}. Do positions have to learn, or were these merely too small? The second visit has a control.
# {{assert below(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros"))}}
#
# ## The class token
#
# The class token is one vector, so it can start as zeros, as small or large random numbers, or as a constant.


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
show_starts(CLASS_TOKENS)

# %% [markdown]
# Again only the gradients and the last column show anything. A class token from N(0, 10) differs between images two hundred times less than one from N(0, 0.02). It drowns too, but in another place:
#
# 1. In a pre-norm block the class token is normalised before attention reads it. Its length does not matter there, and the softmax does not saturate (6 % in each row).
# 2. But the residual stream carries it at full length. The 64 numbers that were drawn from N(0, 10) have a size of about 9, and what the blocks *add* is small beside that.
# 3. The last norm divides the sum by its size. What differs between images is divided with it.
#
# Here are the class tokens just before that norm. Orange is what those of all images share, and purple is by how much they differ:

# %%
diagrams.norm_divides(
    {
        f"class token from {name}": shared_and_own(
            model.blocks(into_the_blocks(model))[:, 0]  # just before the last norm
        )
        for name in ("N(0, 0.02)", "N(0, 10)")
        for model in [make_model(with_changes(CLASS_TOKENS[name]))]
    },
    "What the last norm leaves of the difference between two images",
)

# %% [markdown]
# In this untrained model, a large class token drowns what it gathers. (Large positions do this as well, because the class token gets a position too.)
#
# **All 1** is as good as zeros, number for number. LayerNorm subtracts the mean, so the same number added to all D entries of a token is invisible to every block and to the head. We can check that, up to rounding:

# %% tags=["nbval-check-output"]
zeros, ones = (make_model(with_changes(CLASS_TOKENS[name])) for name in ("zeros", "all 1"))
torch.testing.assert_close(ones(images[:100]), zeros(images[:100]), atol=1e-4, rtol=0)
print("a class token of ones and one of zeros: the same answers")

# %% [markdown]
# ### Does the drowning matter at the end?
#
# Again the short run comes first:

# %%
print(as_table(quietly("class_token_init", ["N(0, 0.02)", "N(0, 10)"], seeds=5)))

# %% [markdown]
# In the run saved here the large start is more than ten points behind. (The first row is once more the same five runs.) And on **CIFAR-10**?
#
# - **N(0, 10)** costs {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} points. Three times the learning rate does not bring them back, as the second visit shows.
# {{assert below(runs("class_token_init", "N(0, 10)"), runs("class_token_init", "N(0, 0.02)"))}}
# - **N(0, 1)** lies {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} points below the base, at the limit of what so few seeds can show. Yet in the last column it was 20 times smaller. So a start that looks bad may be made good by three passes.
# {{assert 0 < -runs("class_token_init", "N(0, 1)").difference and largest(gain(runs("class_token_init", "N(0, 1)"))) < 0.03}}
# - **Zeros and ones** have no measurable effect.
# {{assert not any(differs(runs("class_token_init", name)) for name in ("zeros", "all 1"))}}
#
# Is it the drowning that costs the points? If so, **a large token that the head does not read should do no harm**. A register is such a token (notebook 02): patches may attend to it, and the head ignores it. So we gave the model one register, small or large, and let the head read the mean of the patches. On CIFAR-10 the large one costs {{loss(runs("register_init", "N(0, 10)")):±.1p}} points against the small one: no measurable effect. That agrees with the drowning and does not prove it, because the register's model differs from the class token's in a second thing, the mean that its head reads.
# {{assert not differs(runs("register_init", "N(0, 10)"))}}
#
# ### "Treat it like any other token"
#
# The class token must take part in attention and be trained like the rest, the advice goes. Code can cut it off in four ways without raising an error:
#
# - It is **left out** of the optimizer: a list of parameters forgot it. It stays as it was drawn, or in one word, it is *frozen*.
# - It is **detached**: a `.detach()` or `torch.no_grad()` just before the head stops the gradient there.
# - It is **alone**: a mask lets it attend to itself only.
# - It is **unseen**: a mask keeps the patches from attending to it.
#
# A purple arrow leads from a token to one that attends to it. What is missing is crossed out:

# %% tags=["hide-input"]
diagrams.cut_class_token()

# %% [markdown]
# Each has a check of a few lines (written for the names of this course's model). It asks how the tokens are connected, whatever the start. So it gives a copy of the model random weights first. With the start "second zero" any class token is the same for all images, and that is harmless.


# %% tags=["nbval-check-output"]
def check_class_token(model, optimizers):
    """How a class token is cut off, found out with one backward pass on a copy of the model."""
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    findings = [] if id(model.cls_token.weight) in held else ["it is not trained"]
    model = copy.deepcopy(model).requires_grad_()  # in the copy nothing is frozen
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.zero_grad()
    model(images[:8]).square().sum().backward()
    if model.blocks[0].attn.qkv.weight.grad is None:
        findings.append("no gradient passes from the head to the blocks")
    before = model.forward_features(images[:8])
    if before[:, 0].std(dim=0).max() < 1e-6:
        findings.append("it is the same for every image")
    model.cls_token.weight.data += torch.randn_like(model.cls_token.weight)
    if torch.allclose(model.forward_features(images[:8])[:, 1:], before[:, 1:]):
        findings.append("no patch attends to it")
    return findings or ["nothing"]


CUT = {
    "as it should be": BASE,
    "second zero": with_changes(WEIGHTS["second zero"]),
    "left out": BASE | {"frozen": ["cls_token.weight"]},
    "detached": with_changes(variant="CutClassToken"),
    "alone": with_changes(variant="BlindClassToken"),
    "unseen": with_changes(variant="UnseenClassToken"),
}
for name, run in CUT.items():
    model = make_model(run)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizers = [torch.optim.AdamW(trained)]
    print(f"{name:16} wrong: {', '.join(check_class_token(model, optimizers))}")

# %% [markdown]
# And what do they cost on CIFAR-10?
#
# | the class token is | accuracy |
# |---|---|
# | as it should be | {{runs("class_token_cut", "class token"):±.1%}} |
# | detached before the head | {{runs("class_token_cut", "detached before the head"):±.1%}} |
# | alone: it attends to itself only | {{runs("class_token_cut", "sees itself alone").mean:.1%}} with every seed |
# | unseen by the patches | {{runs("class_token_cut", "unseen by the patches"):±.1%}} |
# | left out, N(0, 0.02) for ever | {{runs("class_token_init", "N(0, 0.02), frozen"):±.1%}} |
# | left out, zero for ever | {{runs("class_token_init", "zeros, frozen"):±.1%}} |
#
# **Alone**, it guesses. **Detached**, it has what a head makes of random blocks. The others are a surprise, given the advice: being **unseen** or **left out** has no measurable effect.{{assert all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}}{{assert not differs(runs("class_token_cut", "unseen by the patches"))}}
# {{assert not any(differs(runs("class_token_init", name)) for name in ("N(0, 0.02), frozen", "zeros, frozen"))}}
# {{assert below(runs("class_token_cut", "detached before the head"), runs("class_token_cut", "unseen by the patches"))}}
#
# But is a class token that was left out really untrained? What enters the first block is the class token *plus its position embedding*, and that is trained in its place. A fair test takes that position away:
#
# | a class token without a position | accuracy |
# |---|---|
# | trained | {{runs("class_token_untrained", "no position"):±.1%}} |
# | never trained | {{runs("class_token_untrained", "no position, frozen"):±.1%}} |
# | zero for ever | {{runs("class_token_untrained", "no position, frozen at zero"):±.1%}} |
#
# They do not differ by more than their intervals allow. So this remains of the advice, for this model and three passes: the class token must **attend** to the patches, and the gradient must **come back** from it. Training the token itself, and letting patches attend to it, have no measurable effect.
# {{assert not any(differs(of) for of in experiment("class_token_untrained").values())}}
#
# How can a fixed vector do? A likely reason, which we did not test: what reads it is trained. In block 1 its query is W_q · norm(token) + bias, and matrix, norm and bias all learn. Even a token of zeros gets a query, from the biases.
#
# ## How much was the look worth?
#
# Here are the starts of weights, positions and class token in one picture, apart from those that are all zero or frozen. The horizontal axis is the last column of our tables, this time for the CIFAR-10 model before its first step. (It sees 100 drawn shapes here, because this notebook must run without a download.) The vertical axis is what the start cost:

# %% tags=["hide-input"]
KINDS = {
    "weights": ("weight_init", {"Xavier": "Xavier", "PyTorch's default": "PyTorch's"}),
    "positions": ("position_init", {"N(0, 1)": "N(0, 1)", "N(0, 10)": "N(0, 10)"}),
    "class token": ("class_token_init", {"N(0, 1)": "N(0, 1)", "N(0, 10)": "N(0, 10)"}),
}
_, axis = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
said = []
for index, (kind, (experiment, words)) in enumerate(KINDS.items()):
    style = plots.curve_style(index) | {"linestyle": "none"}
    for setting, of in summarize(experiment, "full", cifar10, spread).items():
        run = plan(experiment, "full", seed=0)[setting, 1]
        if run["frozen"] or setting == "all zero":
            continue
        _, _, _, differs = at_the_start(make_model(run), images[:100], labels[:100])
        cost, width = -100 * of.difference, 100 * of.difference_width
        axis.errorbar(differs, cost, width, capsize=3, **style)
        if setting in words:
            at = {"textcoords": "offset points", "xytext": (-8, 6), "ha": "right"}
            axis.annotate(words[setting], (differs, cost), **at, color=style["color"])
            said.append(f"{kind} {setting}: {differs:.1g}, {cost:.1f} points")
    axis.plot([], [], label=kind, **style)
axis.annotate("N(0, 0.02), zeros, ones, head zero", (1, -2.3), ha="right", fontsize=9)
axis.axhline(0, color="gray", linewidth=1, zorder=0)
axis.axvline(0.05, color="gray", linestyle=":", linewidth=1, zorder=0)
axis.set(xscale="log", xlim=(1.5e-5, 1.5), ylim=(-3.5, 24))
axis.set(xlabel="difference between images before the first step", ylabel="cost in points")
axis.set_title("CIFAR-10: how starts look, and what they cost")
axis.legend(loc="upper right")
plots.show("marks for starts; N(0, 0.02), zeros and ones lie at the lower right", "", said)

# %% [markdown]
# If the look were a forecast, the marks would lie on one falling line.
#
# - **Left of the dotted line**, below 0.05, three of four starts cost seven points or more, so it is a good warning. (Four are thin evidence, and we drew the line after we had seen them.) Among the large positions, and among the large class tokens, a smaller difference goes with a larger cost. But the two do not lie on one line: the class token from N(0, 10) looks worse than positions from N(0, 1), and costs less.
# - **At the right edge** the look says nothing. Xavier and PyTorch's default look as healthy as the starts that cost nothing.
# {{assert below(runs("position_init", "N(0, 1)"), runs("class_token_init", "N(0, 10)"))}}
# {{assert all(loss(runs(name, setting)).mean > 0.07 for name, setting in (("position_init", "N(0, 1)"),
# ("position_init", "N(0, 10)"), ("class_token_init", "N(0, 10)")))}}
#
# ## Does longer training heal it?
#
# Three passes are short, and a slow start may only need more time. So some of these models were trained again from the beginning, for {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes. The rise and fall of the learning rate is stretched over them, and everything else is unchanged. The base then has {{runs("class_token_init", "N(0, 0.02)", budget="long").mean:.1%}} of the test images right. The brackets say how many seeds were trained for so long:

# %% tags=["hide-input"]
longer = read_records("../data/results/experiments_cifar10_long.json")
STARTS = {
    "class token from N(0, 10)": ("class_token_init", "N(0, 10)"),
    "class token left out": ("class_token_init", "N(0, 0.02), frozen"),
    "class token zero for ever": ("class_token_init", "zeros, frozen"),
    "positions from N(0, 1)": ("position_init", "N(0, 1)"),
    "positions from N(0, 10)": ("position_init", "N(0, 10)"),
    "positions never trained": ("position_init", "N(0, 0.02), frozen"),
    "no positions": ("position_init", "zeros, frozen"),
    "weights by Xavier": ("weight_init", "Xavier"),
    "weights by PyTorch's default": ("weight_init", "PyTorch's default"),
}


def effect_at(budget, records, experiment, setting):
    """By how much a start is ahead of its base, in points, its interval, and of how many seeds."""
    of = summarize(experiment, budget, records, pooled_spread(records)).get(setting)
    if of is None:
        return None, 0
    return (100 * of.difference, 100 * of.difference_width), len(of.accuracies)


then_and_now = {}
for name, of in STARTS.items():
    now, seeds = effect_at("long", longer, *of)
    if seeds:
        then, _ = effect_at("full", cifar10, *of)
        count = "1 seed" if seeds == 1 else f"{seeds} seeds"
        then_and_now[f"{name} ({count})"] = then, now
show_then_and_now(
    then_and_now,
    "3 passes",
    "14 passes",
    "difference from N(0, 0.02), in points",
    "CIFAR-10: what a start costs, then and later",
)

# %% [markdown]
# **Some of it heals.** The class token from N(0, 10) was {{-runs("class_token_init", "N(0, 10)").difference:.1p}} points behind after three passes, and {{loss(runs("class_token_init", "N(0, 10)", budget="long")):±.1p}} after 14. Positions from N(0, 1) were {{-runs("position_init", "N(0, 1)").difference:.1p}} points behind, and are still {{loss(runs("position_init", "N(0, 1)", budget="long")):±.1p}}. So part of what a bad start costs is time. Of these two, `torch.randn` for the positions stays the dearer.
# {{assert -runs("class_token_init", "N(0, 10)", budget="long").difference < 0.5 * -runs("class_token_init", "N(0, 10)").difference}}
# {{assert 0 < -runs("position_init", "N(0, 1)", budget="long").difference < 0.8 * -runs("position_init", "N(0, 1)").difference}}
# {{assert below(runs("position_init", "N(0, 1)", budget="long"), runs("class_token_init", "N(0, 10)", budget="long"))}}

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
# Solution: Class token and positions have three axes, the kernel four. Whoever asks for 2 and 1 forgets them, and no error says so: the class token stays as it was drawn. (On CIFAR-10 that had no measurable effect for the class token, and it cost {{-runs("position_init", "N(0, 0.02), frozen").difference:.1p}} points for the positions: notebook 07.)


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
# ## All pitfalls in one table
#
# | pitfall | before the first step (the small model) | cost in points (the CIFAR-10 model, three passes, one learning rate) |
# |---|---|---|
# | all weights zero | no gradient in the blocks in two steps | all: it guesses |
# | Xavier in place of N(0, 0.02) | no clear sign: a loss of 3.3, but more difference between images | {{loss(runs("weight_init", "Xavier")):±.1p}} |
# | PyTorch's default in its place | no clear sign: a loss of 2.6, but more difference | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} |
# | **positions from N(0, 1), `torch.randn`** | **68 times less difference between images** | **{{loss(runs("position_init", "N(0, 1)")):±.1p}}** |
# | positions from N(0, 10) | next to none | {{loss(runs("position_init", "N(0, 10)")):±.1p}} |
# | positions never trained, N(0, 0.02) | they are not in the optimizer | {{loss(runs("position_init", "N(0, 0.02), frozen")):±.1p}} |
# | class token from N(0, 1) | 20 times less difference between images | {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} |
# | class token from N(0, 10) | two hundred times less | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} |
# | class token alone | the check names it | all: it guesses |
# | class token detached | the check names it | {{loss(runs("class_token_cut", "detached before the head")):±.1p}} |
# | class token left out, or unseen | the check names it | no measurable effect (± {{gain(runs("class_token_cut", "unseen by the patches")).width:.1p}}) |
#
# **Could you have known?** The line from the beginning is the bold row. Its loss was near ln 10, as it should be. The last column warned you. But it was no forecast: 20 times less, for the class token, cost little or nothing.
#
# **What to do in your own model:** start class token and positions at zero or N(0, 0.02), and positions never at `torch.randn`. Start the weights at N(0, 0.02) if your model is about as wide as ours, and try three learning rates for each start that you compare: ours were compared at one. Before you train, run `at_the_start`, `two_steps` and `check_class_token` on one batch.
#
# ## Recap
#
# - **Before you train** look at the loss (ln of the number of classes), at the gradient of the blocks in two steps, and at how much differs between images where the head reads. Two steps find blocks that get no gradient. A difference below 0.05 is a warning, unless the second matrices are zero on purpose. A healthy look is no promise: some weights had it and cost points.
# - A **short run** on another task may mislead. It had large positions and a large class token right, and the weights wrong. After 200 steps on drawn shapes Xavier was far ahead, and after three passes over CIFAR-10 it was {{-runs("weight_init", "Xavier").difference:.1p}} points behind.
# - **Large positions** drown the patches, and cost {{-runs("position_init", "N(0, 1)").difference:.1p}} points at N(0, 1). A **large class token** drowns what it gathers, and cost {{-runs("class_token_init", "N(0, 10)").difference:.1p}} at N(0, 10). After 14 passes a part of both had healed.
# - The class token must attend to the patches, and pass gradients back. In this model, after three passes, it had no measurable effect whether patches attended to it, or whether it was trained.
#
# ## Questions
#
# <details><summary>A model starts with a loss of 2.303 on ten classes. Is its initialisation right?</summary>
#
# It may be. A model of zeros starts there as well, and it never learns. Take two steps, and see whether the matrices of the blocks get a gradient in one of them. Then see whether what the head reads differs between images.
# </details>
#
# <details><summary>Why does a class token of ones do no harm, when one of N(0, 10) does?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. N(0, 10) has a standard deviation of 10 over its entries, and the last norm divides by it whatever the token has gathered. That this is what costs the points is likely, and not proved.
# </details>
#
# <details><summary>Somebody shows that start A beats start B at a learning rate of 0.001. What would you ask for?</summary>
#
# The same at other learning rates, each start judged at its best on validation images, with several seeds. A start that only scales the signal may want another learning rate. And the same on *your* task: here the order of two starts was not the same on drawn shapes and on CIFAR-10.
# </details>
#
# **Try it yourself:** [exercises 07](exercises/07_pitfalls_initialization.ipynb), with checks that say what is wrong.
#
# **Next:** [08 · the size of a patch](08_pitfalls_patch_size.ipynb).
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.** Each of these sections needs only the part above, so you can take them in any order.
#
# ### Would longer steps make up for a large class token?
#
# The last norm also makes each step smaller: the same change of a weight changes the answer less, because it is divided as well. So perhaps the large class token only needs longer steps. We tried both starts at three times the learning rate, on CIFAR-10:
#
# | class token from | at the usual rate | at three times the rate |
# |---|---|---|
# | N(0, 0.02) | {{runs("class_token_init", "N(0, 0.02)"):±.1%}} | {{runs("class_token_init_rates", "N(0, 0.02)", rate=3):±.1%}} |
# | N(0, 10) | {{runs("class_token_init", "N(0, 10)"):±.1%}} | {{runs("class_token_init_rates", "N(0, 10)", rate=3):±.1%}} |
#
# Longer steps did not help: N(0, 10) gained nothing, and N(0, 0.02) lost. On validation images both do best at the usual rate, so the distance stays {{-runs("class_token_init_rates", "N(0, 10)").difference:.1p}} points. This comparison, then, was *not* one of learning rates in disguise, as far as two rates for the whole model can show. (A higher rate for the class token alone was not tried, nor other rates for the starts of the weights.) What exactly costs these points is still open.
# {{assert below(runs("class_token_init_rates", "N(0, 0.02)", rate=3),
# runs("class_token_init", "N(0, 0.02)"))}}
# {{assert runs("class_token_init_rates", "N(0, 10)", rate=3).mean
# < runs("class_token_init", "N(0, 10)").mean}}
# {{assert all(of.learning_rate == runs("class_token_init", "N(0, 0.02)").learning_rate
# for of in experiment("class_token_init_rates").values())}}
#
# ### Positions that are not trained
#
# Positions that stayed as they were drawn, N(0, 0.02), were hardly better than none ({{distance(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros, frozen")):±.1p}}).
# {{assert 0.005 < distance(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros, frozen")).mean < 0.015}}
# Must positions learn, or was 0.02 too little beside the patches, whose numbers are about 0.3 in size? A control, with positions that are larger and not trained either: random ones of the patches' size, and the sines and cosines of notebook 02, which are of size 0.7 and alike for neighbours (the class token has none then).

# %% tags=["hide-input"]
show_effects("position_untrained", "positions that are not trained")

# %% [markdown]
# **Size was a part of it.** Of the {{loss(runs("position_untrained", "none")).mean:.1p}} points that a model without positions is behind, random positions of the patches' size make good {{(runs("position_untrained", "N(0, 0.3), frozen").mean - runs("position_untrained", "none").mean) / loss(runs("position_untrained", "none")).mean:.0%}}, and the sines and cosines {{(runs("position_untrained", "sines and cosines").mean - runs("position_untrained", "none").mean) / loss(runs("position_untrained", "none")).mean:.0%}}, without any training.
# {{assert all(below(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", name))
# and below(runs("position_untrained", name), runs("position_untrained", "learned"))
# for name in ("N(0, 0.3), frozen", "sines and cosines"))}}
# So positions are of use untrained, where they are large enough to be noticed, and learning them gives the rest. (We did not try other sizes.)
#
# ### Norms and warm-up
#
# These two are about how the *training* starts. In our models, which are trained with Muon, post-norm ended about five points behind pre-norm, and warm-up had no measurable effect with either. Card 14 of [notebook 10](10_claims_put_to_the_test.ipynb) has the figures, and says for which models warm-up was meant.
# {{assert all(0.04 < distance(runs("warmup_and_norm", f"pre-norm, {warmup}, Muon"),
# runs("warmup_and_norm", f"post-norm, {warmup}, Muon")).mean < 0.06 for warmup in ("warm-up", "none"))}}
# {{assert not any(differs(distance(runs("warmup_and_norm", f"{norm}, warm-up, Muon"),
# runs("warmup_and_norm", f"{norm}, none, Muon"))) for norm in ("pre-norm", "post-norm"))}}
