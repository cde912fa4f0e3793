# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** find, with one batch and two steps, blocks that get no gradient, and you can say what such checks, and short runs, do *not* tell you.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 35 minutes, with a place to stop halfway, and ten more for the second visit |
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
# Both run, both train, and neither gives a warning. After three passes over CIFAR-10 the model with the second line is right for {{runs("position_init", "N(0, 0.02)").mean:.1%}} of the test images, and the one with the first for {{runs("position_init", "N(0, 1)").mean:.1%}}. Could you have known before the first step? This notebook looks for signs in the positions, the class token and the weights, and measures what each sign was worth.
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
# Tables and figures of measurements say which model they show: *small* or *CIFAR-10*.

# %%
import copy
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
from vit_minimal.forest import show_then_and_now
from vit_minimal.records import read_records
from vit_minimal.training import make_optimizers, make_scheduler

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:2_000]), dataset.train_labels[:2_000]

# %% [markdown]
# ## Before the first step
#
# Can you see a bad start before you train? Our models come from an experiment. `plan` lists its runs by the name of a setting and a factor for the learning rate, and `make_model` builds the model of a run. N(0, 0.02) stands for normal numbers of mean 0 and standard deviation 0.02, so `torch.randn` is N(0, 1).

# %%
BASE = plan("class_token_init", "quick", seed=0)["N(0, 0.02)", 1]


def with_changes(start):
    """The base run with other starting values."""
    return BASE | {"start": start}


POSITIONS = {
    "zeros": {"pos_embed.weight": ("zeros_",)},
    "N(0, 0.02)": {},  # nothing is changed: this is how the package draws them
    "N(0, 1)": {"pos_embed.weight": ("normal_", 0, 1)},
    "N(0, 10)": {"pos_embed.weight": ("normal_", 0, 10)},
}

# %% [markdown]
# We give twelve images to an untrained model, and look at what its head receives: the class token after the last norm. The picture has a row for each image, positive numbers in purple and negative ones in orange. The upper half is the model with the good line, the lower half the one with `torch.randn`:

# %% tags=["hide-input"]
_, halves = plt.subplots(2, 1, figsize=(6.4, 3.8), layout="constrained")
for half, name in zip(halves, ("N(0, 0.02)", "N(0, 1)"), strict=True):
    with torch.no_grad():
        read = make_model(with_changes(POSITIONS[name])).forward_features(images[:12])[:, 0]
    title = f"small, untrained: positions from {name}"
    plots.show_matrix(
        read, [], [], title, numbers=False, axis=half, signed=True, limit=2.5, y_label="12 images"
    )
halves[1].set_xlabel("the D = 64 numbers of the class token that the head receives")
plots.show(
    "two times 12 rows of 64 coloured cells: above, the rows differ; below, all rows are alike"
)

# %% [markdown]
# Below, all twelve images look almost the same to the head, so it can hardly tell one class from another. Above, each image has a row of its own. That difference can be measured. We call it the *spread between images*, or *spread* for short: the standard deviation of each column, averaged over the D columns. After the last norm a token's numbers have size 1, so the spread lies between 0 and about 1. We take a spread below 0.05 as a warning, and shall see what it is worth.
#
# Two more signs come for free:
#
# - The **loss**. A model that knows nothing about ten classes should give each of them 10 %. Its loss is then −ln 0.1 = ln 10 ≈ 2.303.
# - The **gradient** of the matrices in the first block, as one length. Look only for a zero: Muon and AdamW take steps of about the same length whatever its size.
#
# `at_the_start` takes a model and a batch. Your own model will do if it has timm's names: `forward_features`, which gives all tokens after the last norm, `blocks` and `head`. Its head must read the class token, as in timm's models with `global_pool="token"`.


# %%
def length(parameters):
    """The length of all their gradients as one vector; a missing gradient counts as 0."""
    return get_total_norm([p.grad for p in parameters if p.grad is not None]).item()


def matrices(block):
    return [parameter for parameter in block.parameters() if parameter.ndim > 1]


def at_the_start(model, images, labels):
    """The loss, the gradient of the first block's matrices, the spread between images."""
    model.zero_grad()
    read = model.forward_features(images)[:, 0]  # what the head reads: (B, D)
    loss = cross_entropy(model.head(read), labels)
    loss.backward()
    return loss.item(), length(matrices(model.blocks[0])), read.std(dim=0).mean().item()


def show_starts(starts):
    print("small               loss  gradient   spread")
    for name, start in starts.items():
        model = make_model(with_changes(start))
        loss, gradient, spread = at_the_start(model, images[:100], labels[:100])
        print(f"{name:18}{loss:6.3f}{gradient:10.3f}{spread:9.4f}")


show_starts(POSITIONS)

# %% [markdown]
# The loss says nothing, and no gradient is zero. But with `torch.randn` the spread is 68 times smaller than with N(0, 0.02), and with N(0, 10) next to nothing is left. **So yes: the spread sees the line with `torch.randn` before the first step.**
#
# ### Where does the difference go?
#
# What makes the spread so small? Position embeddings are added to *every* token before the first block, to the patches and to the class token. So we give `torch.randn` to the position of the class token alone, to those of the patches alone, and to all. In the figure, orange is what the class tokens of all images share just before the last norm, and purple is by how much they differ:


# %%
def with_randn(slots):
    """The base model, in which some positions come from torch.randn."""
    model, large = (make_model(with_changes(POSITIONS[name])) for name in ("N(0, 0.02)", "N(0, 1)"))
    model.pos_embed.weight.data[:, slots] = large.pos_embed.weight.data[:, slots]
    return model


@torch.no_grad()
def before_the_last_norm(model):
    """The sizes of what the class tokens of several images share, and of what differs."""
    tokens = model.blocks(model.pos_embed(model.cls_token(model.patch_embed(images[:100]))))[:, 0]
    shared = tokens.mean(dim=0)
    return [part.square().mean().sqrt().item() for part in (shared, tokens - shared)]


SLOTS = {
    "the base": slice(0),  # no position is replaced
    "torch.randn for the class token's position": slice(1),  # it is token 0
    "torch.randn for the patches' positions": slice(1, None),
    "torch.randn for all positions": slice(None),
}
models = {name: with_randn(slots) for name, slots in SLOTS.items()}
spreads = {name: at_the_start(of, images[:100], labels[:100])[-1] for name, of in models.items()}
print(f"{'small':42} spread  times smaller")
for name, spread in spreads.items():
    print(f"{name:42}{spread:7.4f}{spreads['the base'] / spread:15.1f}")
models.pop("torch.randn for all positions")
diagrams.norm_divides(
    {f"small: {name}": before_the_last_norm(model) for name, model in models.items()},
    "what the last norm leaves of the difference between two images",
)

# %% [markdown]
# - **Middle: the position of the class token.** What differs is about as large as at the top. But all images now share a part of size 0.9, and the last norm divides by that. The spread is 20.7 times smaller.
# - **Bottom: the positions of the patches.** What all share is about as large as at the top. Now it is the difference that is smaller. The first norm did that: it divides each patch by a size that is now mostly its position's. The patches *drown* in their positions, and the spread is 3.1 times smaller. (The second visit has the numbers.)
#
# Multiplied, the two factors are nearly 68. (The sizes are measured. That two images differ in opposite directions is a choice of the drawing.)
#
# **So two norms make the spread small: the first one where the patches' positions are large, and the last one where the class token's is.**
#
# ### Does it matter at the end?
#
# Training may make a slow start good. That is a question for an *experiment*: settings that differ from a base in one thing each, trained with several seeds, judged on test images. First the small model, here and now:
# {{assert all(len(of.accuracies) >= 3 for name in ("weight_init", "class_token_init", "register_init",
# "class_token_init_rates", "position_init", "patch_position_init", "position_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}


# %%
def short_run(name, settings, seeds=5):
    """Train settings of an experiment (at the full budget: all, for hours), and print a table."""
    quick = pick_budget() == "quick"
    settings = settings if quick else None
    measured = run_experiment(name, None, seeds, dataset, settings=settings, verbose=not quick)
    print("small, trained for 200 steps" if quick else "at the full budget")
    print(as_table(measured))


short_run("position_init", ["N(0, 0.02)", "N(0, 1)"])  # takes half a minute

# %% [markdown]
# The intervals are of 95 %, over seeds, and the second column compares seed by seed. In the run saved here `torch.randn` is about five points behind. Does the CIFAR-10 model agree? (The second visit tells how its intervals are made. "No measurable effect" means that the interval of the difference reaches 0.)
#
# | CIFAR-10: positions from | accuracy | cost in points |
# |---|---|---|
# | N(0, 0.02) | {{runs("position_init", "N(0, 0.02)"):±.1%}} | |
# | zeros | {{runs("position_init", "zeros"):±.1%}} | no measurable effect |
# | N(0, 1) | {{runs("position_init", "N(0, 1)"):±.1%}} | {{loss(runs("position_init", "N(0, 1)")):±.1p}} |
# | N(0, 10) | {{runs("position_init", "N(0, 10)"):±.1%}} | {{loss(runs("position_init", "N(0, 10)")):±.1p}} |
# {{assert not differs(runs("position_init", "zeros"))}}
# {{assert below(runs("position_init", "N(0, 10)"), runs("position_init", "N(0, 1)"))}}
#
# **It does: both large starts cost points, and the one with less spread costs more.** Is the small spread the *reason*? To find out, we look at another token that can start too large.
#
# ## The class token
#
# Does a class token that starts too large do the same harm? It can start as zeros, as small or large random numbers, or as a constant.


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
# Again the loss says nothing, and the spread falls: by a factor of 20 with N(0, 1), and of two hundred with N(0, 10). N(0, 1) does what `torch.randn` did in the class token's *position*, and it must, because the two are added before the first block. The residual stream carries the sum at full length to the last norm, as in the middle row of the figure. In this untrained model, a large class token *drowns* what it gathers.
#
# **All 1** is as good as zeros, number for number. LayerNorm subtracts the mean, so the same number added to all D entries of a token is invisible to every block and to the head. We can check that, up to rounding:

# %% tags=["nbval-check-output"]
zeros, ones = (make_model(with_changes(CLASS_TOKENS[name])) for name in ("zeros", "all 1"))
torch.testing.assert_close(ones(images[:100]), zeros(images[:100]), atol=1e-4, rtol=0)
print("a class token of ones and one of zeros: the same answers")

# %% [markdown]
# What does the drowning cost? The answer comes from CIFAR-10:
#
# | CIFAR-10: class token from | accuracy | cost in points |
# |---|---|---|
# | N(0, 0.02) | {{runs("class_token_init", "N(0, 0.02)"):±.1%}} | |
# | zeros | {{runs("class_token_init", "zeros"):±.1%}} | no measurable effect |
# | all 1 | {{runs("class_token_init", "all 1"):±.1%}} | no measurable effect |
# | N(0, 1) | {{runs("class_token_init", "N(0, 1)"):±.1%}} | {{loss(runs("class_token_init", "N(0, 1)")):±.1p}}, no measurable effect |
# | N(0, 10) | {{runs("class_token_init", "N(0, 10)"):±.1%}} | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} |
# {{assert below(runs("class_token_init", "N(0, 10)"), runs("class_token_init", "N(0, 0.02)"))}}
# {{assert not any(differs(runs("class_token_init", name)) for name in ("zeros", "all 1", "N(0, 1)"))}}
#
# **N(0, 10) costs points. N(0, 1) is the surprise:** its spread was 20 times smaller, and after three passes we cannot measure a cost.
#
# ### So what is wrong with `torch.randn`?
#
# Now we can solve the case from the beginning. Which one costs the points: the large position of the class token, or those of the patches? For the class token we have an answer already: at the start, its position from N(0, 1) does what a class token from N(0, 1) does, and that one has been trained. For the patches, we train a model whose class token has no position at all, and give `torch.randn` to its patches.
#
# So far the spread was the small model's. Here is that of the CIFAR-10 model, before its first step. (It sees 100 drawn shapes, because this notebook must run without a download.)


# %%
def cifar10_spread(experiment, setting):
    """The spread of the CIFAR-10 model before its first step."""
    model = make_model(plan(experiment, "full", seed=0)[setting, 1])
    return at_the_start(model, images[:100], labels[:100])[-1]


CASES = {
    "the class token": "class_token_init",
    "the patches' positions": "patch_position_init",
    "all positions": "position_init",
}
print("CIFAR-10 model          N(0, 0.02)  N(0, 1)")
for name, experiment in CASES.items():
    small, large = (cifar10_spread(experiment, setting) for setting in ("N(0, 0.02)", "N(0, 1)"))
    print(f"{name:23}{small:11.3f}{large:9.3f}")

# %% [markdown]
# Beside it stands what the start cost. In brackets is the base of each comparison:
#
# | CIFAR-10: what comes from N(0, 1) | spread | accuracy | cost in points |
# |---|---|---|---|
# | the class token | 0.042 (0.644) | {{runs("class_token_init", "N(0, 1)").mean:.1%}} ({{runs("class_token_init", "N(0, 0.02)").mean:.1%}}) | {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} |
# | the positions of the patches | 0.386 (0.741) | {{runs("patch_position_init", "N(0, 1)").mean:.1%}} ({{runs("patch_position_init", "N(0, 0.02)").mean:.1%}}) | **{{loss(runs("patch_position_init", "N(0, 1)")):±.1p}}** |
# | all positions, as in `torch.randn` | 0.013 (0.644) | {{runs("position_init", "N(0, 1)").mean:.1%}} ({{runs("position_init", "N(0, 0.02)").mean:.1%}}) | {{loss(runs("position_init", "N(0, 1)")):±.1p}} |
#
# The patches' positions alone cost as much as all positions together. In fact a model without any positions loses less, {{loss(runs("position_untrained", "none")):±.1p}} points: at this learning rate `torch.randn` is worse than no position embeddings at all. And now look at the spreads. Our warning goes off below 0.05. It goes off for the class token, which cost at most one and a half points. For the patches' positions, which cost about ten, it stays silent. With `torch.randn` for all positions it does go off, but mostly because of the class token. That was luck.{{assert runs("position_untrained", "none").mean > runs("position_init", "N(0, 1)").mean}}{{assert largest(loss(runs("class_token_init", "N(0, 1)"))) < 0.016}}
# {{assert not differs(distance(gain(runs("patch_position_init", "N(0, 1)")), gain(runs("position_init", "N(0, 1)"))))}}
# {{assert below(runs("patch_position_init", "N(0, 1)"), runs("patch_position_init", "N(0, 0.02)"))}}
#
# Why does the one matter and not the other? Our guess is this. A large class token hides what it has *gathered*, and only from the last norm. A large position hides the content of its patch from the *first* norm on, from every block and every other token. No experiment here tests that.
#
# All this was at one learning rate, the base's. With each start at its own best rate, the distance is {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 3)[0]:.1p}} points and no longer {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 1)[0]:.1p}}. (This is of one seed; the table is in the second visit.)
#
# **So it is the patches: `torch.randn` costs points because their positions are too large, and the spread did not tell us so.** This is a good place to stop. What follows asks the same of the weights.
#
# ## Weights: three zeros
#
# Can a start look perfect, and the model still not learn? We turn to the weights: all matrices of the blocks and of the head. (Their biases start at zero throughout, and the projection of the patches keeps PyTorch's start.) Beside N(0, 0.02), this package's choice, stand three starts with zeros:
#
# - **All zero.**
# - **Head zero.** The first ViT [started](https://github.com/google-research/vision_transformer) so, with a zero class token, and with Xavier's weights in the blocks.
# - **Second zero**, another common start. In each block only the matrices that write into the residual stream are zero: the output of attention, and fc2.


# %%
def weights(*how):
    """All matrices of the blocks and of the head from one function of torch.nn.init."""
    return {"blocks.*.weight": how, "head.weight": how}


WEIGHTS = {
    "N(0, 0.02)": {},  # nothing is changed
    "all zero": weights("zeros_"),
    "head zero": {"head.weight": ("zeros_",)},
    "second zero": {"blocks.*.attn.proj.weight": ("zeros_",), "blocks.*.fc2.weight": ("zeros_",)},
}
show_starts(WEIGHTS)

# %% [markdown]
# All three begin at ln 10 or next to it, which looks perfect. But all zero has no gradient and no spread, head zero has no gradient, and second zero has no spread, because its blocks write nothing into the class token yet. Which of them can learn? We take two steps, and print the gradient of the block that gets the least:


# %%
def two_steps(model, images, labels):
    """The gradient of the block that gets the least, in the first step and in the second."""
    model, lengths = copy.deepcopy(model), []
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        lengths.append(min(length(matrices(block)) for block in model.blocks))
        optimizer.step()
    return lengths


print("small")
for name, start in WEIGHTS.items():
    model = make_model(with_changes(start))
    one, two = two_steps(model, images[:100], labels[:100])
    print(f"{name:12} step 1: {one:.4f}   step 2: {two:.4f}")

# %% [markdown]
# Two steps tell the dead start from the others. After one step the head that was zero is no longer zero, and the gradient reaches the blocks. If all matrices are zero, those of the blocks get no gradient, and never will. They stand in pairs, one behind the other:
#
# ```
# y = W₂ h      h = f(W₁ x)      f(0) = 0
#
# gradient of W₂ = (gradient of y) · hᵀ                  = 0, because W₁ = 0 makes h = 0
# gradient of W₁ = (f′ times W₂ᵀ · gradient of y) · xᵀ   = 0, because W₂ = 0
# ```
#
# Each block has two such pairs: values and output, fc1 and fc2. Queries and keys act through the values, so they get no gradient either. What can still move is the same for every image, so the head can only learn how frequent the classes are. In "second zero" only one matrix of each pair is zero, and the pair comes alive.
#
# Does CIFAR-10 agree? After three passes N(0, 0.02) is right for {{runs("weight_init", "N(0, 0.02)"):±.1%}} of the test images, head zero for {{runs("weight_init", "head zero"):±.1%}} and second zero for {{runs("weight_init", "second zero"):±.1%}}, which is no measurable effect. All zero is right for {{runs("weight_init", "all zero").mean:.1%}} with every seed: it only guesses. **So yes, a start can look perfect and not learn. The gradients of two steps find it; the first loss does not.**
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert not any(differs(runs("weight_init", name)) for name in ("head zero", "second zero"))}}
#
# ## Weights: four random starts
#
# How large should random weights be, and where does 0.02 come from? The paper of the first GPT (Radford et al. 2018) found N(0, 0.02) "sufficient", since the model uses LayerNorm throughout. BERT and timm's ViTs use the same size, with the tails cut off. What does it do? A linear layer adds up D products. If its inputs have size 1 and its weights come from N(0, s), its outputs have the size s·√D. Only s = 1/√D keeps the size, and Xavier draws about that. It is 0.036 at GPT's width D = 768, and 0.10 at our CIFAR-10 model's D = 96. So 0.02 shrinks what goes through a layer, and it shrinks it more in a narrower model: to a good half at D = 768, and to a fifth at D = 96. One line checks both:

# %%
{D: (torch.randn(1_000, D) @ (0.02 * torch.randn(D, D))).std() for D in (96, 768)}

# %% [markdown]
# Xavier, PyTorch's default and N(0, 1) draw larger numbers. Before the first step they look so:

# %%
RANDOM = {
    "PyTorch's default": weights("kaiming_uniform_", math.sqrt(5)),  # nn.Linear draws its weight so
    "Xavier": weights("xavier_uniform_"),
    "N(0, 1)": weights("normal_", 0, 1),
}
show_starts({"N(0, 0.02)": {}} | RANDOM)

# %% [markdown]
# PyTorch's default and Xavier have standard deviations from 0.05 to 0.16 in the small model. The larger the weights, the farther is the loss above ln 10: the model is sure of answers that it only guesses.
#
# ### The first hundred steps
#
# How do they go on? We train each for 100 steps, in the way of the experiments: Muon for the matrices of the blocks, AdamW for the rest, 20 steps of warm-up. Besides loss and gradient we record the largest attention weight in block 1, averaged over heads and tokens. A token that spreads its attention evenly over 17 tokens has 1/17 ≈ 6 %. All zero comes along, to see when its loss gives it away.


# %%
def first_steps(run, steps=100):
    """Loss, gradient and largest attention weight of block 1, each averaged over five steps."""
    model, config = make_model(run), TrainingConfig(**run["training"])
    optimizers = make_optimizers(model, config)
    schedulers = [make_scheduler(o, config, total_steps=200) for o in optimizers]
    signs = []
    for step in range(steps):
        largest = attention_maps(model, images[:20])[0].amax(dim=-1).mean()
        batch = torch.arange(50 * step, 50 * step + 50) % len(images)
        loss = cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        signs.append((loss.item(), length(matrices(model.blocks[0])), largest.item()))
        clip_grad_norm_(model.parameters(), config.clip_norm)
        for part in (*optimizers, *schedulers):
            part.step()
        model.zero_grad()
    return torch.tensor(signs).view(-1, 5, 3).mean(dim=1).T  # three rows


# %% tags=["hide-input"]
def show_courses(courses, title):
    """A row of panels for each start, with the course of N(0, 0.02) in grey behind it."""
    _, panels = plt.subplots(
        len(courses), 3, figsize=(6.8, 1.2 + 1.15 * len(courses)), sharex=True, sharey="col"
    )
    said = []
    for row, (name, course) in zip(panels, courses.items(), strict=True):
        for panel, usual, sign in zip(row, USUAL, course, strict=True):
            panel.plot(range(5, 101, 5), usual.clamp(min=0.01), color="0.65", linewidth=1.5)
            style = {"color": plots.curve_style(1)["color"], "linewidth": 2}
            panel.plot(range(5, 101, 5), sign.clamp(min=0.01), **style)
        row[0].axhline(math.log(10), color="black", linestyle=":", linewidth=0.8)
        words = name if "(" in name else name.replace(" ", "\n")
        row[0].set_ylabel(words, rotation=0, ha="right", va="center", labelpad=8)
        said.append(f"{name}: loss from {course[0, 0]:.2f} to {course[0, -1]:.2f}")
    titles = "loss (dotted: ln 10)", "gradient, block 1", "largest attention weight"
    for panel, words in zip(panels[0], titles, strict=True):
        panel.set_title(words, fontsize=10)
    panels[0, 0].set_ylim(1.1, 3.7)
    panels[0, 1].set(yscale="log", ylim=(0.007, 60))
    panels[0, 1].set_yticks([0.01, 0.1, 1, 10], ["0", "0.1", "1", "10"])  # 0 has its place below
    panels[0, 2].set_ylim(0, 1.05)
    panels[0, 2].set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    for panel in panels[-1]:
        panel.set_xlabel("steps")
    panels[0, 0].figure.suptitle(title, fontsize=11)
    panels[0, 0].figure.set_layout_engine("constrained")
    plots.show("a row for each start: loss, gradient and attention over 100 steps", "", said)


USUAL = first_steps(with_changes({}))
show_courses(
    {
        name: first_steps(with_changes(start))
        for name, start in ({"all zero": WEIGHTS["all zero"]} | RANDOM).items()
    },
    "small: other starts (orange) beside N(0, 0.02) (grey)",
)

# %% [markdown]
# - **All zero**: for 30 steps its loss looks like the grey curve. The gradient tells it apart at once.
# - **PyTorch's default** and **Xavier** are ahead of N(0, 0.02) from about step 20 on.
# - **N(0, 1)** begins far above the picture. Its largest attention weight stays near 100 %, so each token attends to almost one token alone. The softmax is then called *saturated*. After 100 steps it is about where the others began.
#
# (The curves are of one seed.)
#
# ### Where do they end?
#
# Does the lead last? First the small model:

# %%
short_run("weight_init", ["N(0, 0.02)", "Xavier", "PyTorch's default"])  # takes a minute

# %% [markdown]
# In the small model Xavier wins by a wide margin. Here is CIFAR-10 beside it, with two signs from before the first step. The best of each column is bold:
#
# | weights from | small: first loss | small: spread | small: accuracy | CIFAR-10: accuracy | CIFAR-10: cost in points |
# |---|---|---|---|---|---|
# | N(0, 0.02) | **2.306** | 0.516 | 48.7 % | **{{runs("weight_init", "N(0, 0.02)"):±.1%}}** | |
# | PyTorch's default | 2.576 | **0.855** | 60.7 % | {{runs("weight_init", "PyTorch's default"):±.1%}} | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} |
# | Xavier | 3.264 | 0.822 | **65.0 %** | {{runs("weight_init", "Xavier"):±.1%}} | {{loss(runs("weight_init", "Xavier")):±.1p}} |
# | N(0, 1) | 13.553 | 0.818 | not tried | {{runs("weight_init", "N(0, 1)"):±.1%}} | {{loss(runs("weight_init", "N(0, 1)")):±.1p}} |
# {{assert below(runs("weight_init", "N(0, 1)"), runs("weight_init", "Xavier"))}}
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "PyTorch's default"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
#
# The order reverses: Xavier was ahead in the small model and ends {{loss(runs("weight_init", "Xavier")).mean:.1p}} points behind in the other. On CIFAR-10 the learning rate does not explain it: with one seed we also tried three tenths of it and three times as much, and N(0, 0.02) is ahead at all three rates. (Each start is best at the one in the middle. In the small model we did not try others.) The two trainings differ in all the other rows of the table at the top, and we did not measure which difference matters.
# {{assert all(reached("weight_init_rates", other, rate)[0] < reached("weight_init_rates", "N(0, 0.02)", rate)[0] for other in ("Xavier", "PyTorch's default") for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", other, 1)[0] > reached("weight_init_rates", other, rate)[0] for other in ("N(0, 0.02)", "Xavier", "PyTorch's default") for rate in (0.3, 3))}}
#
# And the signs? On CIFAR-10, the higher the first loss, the worse the end. In the small model, from which the loss was taken, it is the other way round, for the three starts that we trained there. The gradients have the order of the losses, and the spread has neither order. **So there is no one right size: 0.02 was the best of four on CIFAR-10 and the worst of three in the small model, and no sign was right for both.**
#
# ## How much was the look worth?
#
# Is the spread a forecast? This figure gathers the starts of positions, class token and weights. The horizontal axis is the spread of the CIFAR-10 model, as in the case of `torch.randn`. The vertical axis is what the start cost, with the intervals of the tables:

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
KINDS = {
    "weights": "weight_init",
    "positions": "position_init",
    "class token": "class_token_init",
    "patches' positions": "patch_position_init",
}
NEAR_0 = 2e-5  # where spreads of 0 are drawn
_, (above, axis) = plt.subplots(
    2, 1, figsize=(5.6, 5.4), sharex=True, height_ratios=(1, 3), layout="constrained"
)
said = []
for index, (kind, experiment) in enumerate(KINDS.items()):
    style = plots.curve_style(index) | {"linestyle": "none"}
    axis.plot([], [], label=kind, **style)
    for setting, of in summarize(experiment, "full", cifar10, pooled_spread(cifar10)).items():
        if plan(experiment, "full", seed=0)[setting, 1]["frozen"]:
            continue
        spread = cifar10_spread(experiment, setting)
        cost, width = -100 * of.difference, 100 * of.difference_width
        said.append(f"{kind} {setting}: {spread:.1g}, {cost:.1f} points")
        panel, place = (above if cost > 30 else axis), (max(spread, NEAR_0), cost)
        panel.errorbar(*place, width, capsize=3, **style)
        if cost > 2 or spread < 0.05:  # the others lie on one heap
            left = spread < 1e-3
            up = 9 if cost < 2 else 0  # above the line at 0
            at = {"xytext": (9 if left else -9, up), "ha": "left" if left else "right"}
            at |= {"textcoords": "offset points", "color": style["color"], "va": "center"}
            panel.annotate(setting.replace("'s ", "'s\n"), place, **at)
for panel, ticks in ((above, (40, 60)), (axis, (0, 5, 10, 15, 20))):
    panel.axvline(0.05, color="gray", linestyle=":", linewidth=1, zorder=0)
    panel.set_yticks(ticks)
heap = "one heap: N(0, 0.02), zeros, all 1, head zero"
axis.annotate(heap, (1.2, -3.4), ha="right")
axis.axhline(0, color="gray", linewidth=1, zorder=0)
above.text(0.042, 40, "our warning: below 0.05", ha="right", va="center")
above.set(ylim=(33, 67))
above.set_title("CIFAR-10 model: spread on drawn shapes, cost on CIFAR-10", fontsize=11)
axis.set(xscale="log", xlim=(1e-5, 1.5), ylim=(-4.8, 24))
axis.set_xticks([NEAR_0, 1e-4, 1e-3, 1e-2, 1e-1, 1], ["0", "0.0001", "0.001", "0.01", "0.1", "1"])
axis.set(xlabel="spread between images before the first step", ylabel="cost in points")
axis.figure.legend(loc="outside lower center", ncols=2)
plots.show("marks for starts, by their spread and what they cost", "", said)

# %% [markdown]
# If the spread were a forecast, the marks would lie on one falling line. They do not.
#
# - **Left of the dotted line** lie six starts. Four of them cost seven points or more, and two had no measurable effect: the class token from N(0, 1), and second zero. (Six starts are thin evidence, and we had seen most of them when we drew the line.)
# - **Right of it** the spread says nothing. Xavier, PyTorch's default and even weights from N(0, 1) look as healthy as the heap of starts that cost nothing, and so do the patches' positions from N(0, 1), nearly.
#
# **So the spread is no forecast: a warning is a reason to try another start, and no more.**
#
# ## Does longer training heal it?
#
# Perhaps a slow start only needs more time. So some of these models were trained again from the beginning, for {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes. The base then has {{runs("class_token_init", "N(0, 0.02)", budget="long").mean:.1%}} of the test images right ({{len(runs("class_token_init", "N(0, 0.02)", budget="long").accuracies):d}} seeds). The intervals come from the pooled standard deviation of these long runs themselves, {{spread("long").deviation:.2p}} points with {{spread("long").degrees:d}} degrees of freedom:

# %% tags=["hide-input"]
longer = read_records("../data/results/experiments_cifar10_long.json")
STARTS = {
    "class token from N(0, 10)": ("class_token_init", "N(0, 10)"),
    "positions from N(0, 1)": ("position_init", "N(0, 1)"),
    "positions from N(0, 10)": ("position_init", "N(0, 10)"),
    "weights by Xavier": ("weight_init", "Xavier"),
    "weights by PyTorch's default": ("weight_init", "PyTorch's default"),
}


def effect_at(budget, records, experiment, setting):
    """What a start costs in points, with its interval, and of how many seeds."""
    of = summarize(experiment, budget, records, pooled_spread(records)).get(setting)
    if of is None:
        return None, 0
    return (-100 * of.difference, 100 * of.difference_width), len(of.accuracies)


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
    "cost in points, beside N(0, 0.02)",
    "CIFAR-10: what a start costs, then and later",
)

# %% [markdown]
# Some of it heals. The class token from N(0, 10) was {{-runs("class_token_init", "N(0, 10)").difference:.1p}} points behind after three passes, and {{loss(runs("class_token_init", "N(0, 10)", budget="long")):±.1p}} after 14. Positions from N(0, 1) were {{-runs("position_init", "N(0, 1)").difference:.1p}} points behind, and are still {{loss(runs("position_init", "N(0, 1)", budget="long")):±.1p}}.
#
# But points shrink by themselves when all models get better. So count errors, too. The class token from N(0, 10) made {{(1 - runs("class_token_init", "N(0, 10)").mean) / (1 - runs("class_token_init", "N(0, 0.02)").mean):.2f}} times as many errors as the base, and later {{(1 - runs("class_token_init", "N(0, 10)", budget="long").mean) / (1 - runs("class_token_init", "N(0, 0.02)", budget="long").mean):.2f}} times as many. For positions from N(0, 1) it was {{(1 - runs("position_init", "N(0, 1)").mean) / (1 - runs("position_init", "N(0, 0.02)").mean):.2f}} times, and later {{(1 - runs("position_init", "N(0, 1)", budget="long").mean) / (1 - runs("position_init", "N(0, 0.02)", budget="long").mean):.2f}} times. For weights by Xavier (one seed) it was {{(1 - runs("weight_init", "Xavier").mean) / (1 - runs("weight_init", "N(0, 0.02)").mean):.2f}} and is now {{(1 - runs("weight_init", "Xavier", budget="long").mean) / (1 - runs("weight_init", "N(0, 0.02)", budget="long").mean):.2f}} times. **Counted so, the large class token heals within 14 passes for the most part, `torch.randn` hardly, and Xavier's weights not at all.**{{assert (1 - runs("weight_init", "Xavier", budget="long").mean) / (1 - runs("weight_init", "N(0, 0.02)", budget="long").mean) > (1 - runs("weight_init", "Xavier").mean) / (1 - runs("weight_init", "N(0, 0.02)").mean)}}
# {{assert -runs("class_token_init", "N(0, 10)", budget="long").difference < 0.5 * -runs("class_token_init", "N(0, 10)").difference}}
# {{assert 0 < -runs("position_init", "N(0, 1)", budget="long").difference < 0.8 * -runs("position_init", "N(0, 1)").difference}}
# {{assert below(runs("position_init", "N(0, 1)", budget="long"), runs("class_token_init", "N(0, 10)", budget="long"))}}

# %% [markdown] tags=["exercise-only"]
# # Exercises 07 · Pitfalls: how a model starts
#
# They go with notebook [07](../07_pitfalls_initialization.ipynb). If you start here: before its first step a model should give each class the same share, all its blocks should get gradients, and what the head reads should differ between images. These three can be measured on one batch.

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
# Solution: Class token and positions have three axes, the kernel four. Whoever asks for 2 and 1 forgets them, and no error says so: the class token stays as it was drawn. On CIFAR-10 that had no measurable effect for the class token (notebook 09), but it cost {{-runs("position_init", "N(0, 0.02), frozen").difference:.1p}} points for the positions.


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
# | pitfall | small, before the first step | CIFAR-10: cost in points after three passes at one learning rate |
# |---|---|---|
# | **positions from N(0, 1), `torch.randn`** | **68 times less spread** | **{{loss(runs("position_init", "N(0, 1)")):±.1p}}** |
# | positions from N(0, 10) | next to no spread | {{loss(runs("position_init", "N(0, 10)")):±.1p}} |
# | positions of the patches alone from N(0, 1) | 3.1 times less spread | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} |
# | class token from N(0, 1) | 20 times less spread | {{loss(runs("class_token_init", "N(0, 1)")):±.1p}}: little or nothing |
# | class token from N(0, 10) | two hundred times less spread | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} |
# | weights by Xavier in place of N(0, 0.02) | a loss of 3.3, but more spread | {{loss(runs("weight_init", "Xavier")):±.1p}} |
# | PyTorch's default in its place | a loss of 2.6, but more spread | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} |
# | weights from N(0, 1) | a loss of several times ln 10 | {{loss(runs("weight_init", "N(0, 1)")):±.1p}} |
# | all weights zero | no gradient in the blocks, in either of two steps | {{loss(runs("weight_init", "all zero")).mean:.1p}}: it only guesses |
# | second matrices zero | no spread | no measurable effect |
#
# **Could you have known?** For the line from the beginning, the bold row, only by luck. The spread warned of the position of the class token, which probably costs little, and was silent about those of the patches, which cost the points. Among the weights, a gradient of zero in two steps and a first loss far above ln 10 did tell, as far as CIFAR-10 goes.
#
# **What to do in your own model:**
#
# - Start class token and positions at zero or N(0, 0.02). Do not start positions at `torch.randn`.
# - For the weights our two models disagree. So compare N(0, 0.02) with your framework's default on your own task, at three learning rates each.
# - Before you train, run `at_the_start` and `two_steps` on one batch. They find what cannot learn. (Whether a class token is cut off is another question, and [notebook 09](09_pitfalls_class_token.ipynb) has a check for it.) A healthy look is no promise, and a short run on another task may mislead.
#
# ## Questions
#
# <details><summary>Why does a class token of ones do no harm, when one of N(0, 10) does?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. N(0, 10) has a standard deviation of 10 over its entries, and the last norm divides by it whatever the token has gathered. That this is what costs the points is likely, but not shown.
# </details>
#
# <details><summary>Somebody shows that start A beats start B at a learning rate of 0.001. What would you ask for?</summary>
#
# The same at other learning rates, each start judged at its best on validation images, with several seeds. And the same on *your* task: here the order of two starts was not the same on drawn shapes and on CIFAR-10.
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
# ### How far do the patches drown?
#
# Why is the spread 3.1 times smaller if the patches' positions come from N(0, 1)? What differs between images at one patch has a size of 0.31, as a root mean square. Such a position adds 0.99 that all images share, and the first norm divides the sum by *its* size. That leaves 0.31/√(0.31² + 0.99²) ≈ 0.30 of the difference. With N(0, 0.02) almost all of it is left, and with N(0, 10) only 0.03.
#
# ### Would longer steps make up for a large start?
#
# Large positions have farther to go, so perhaps they need longer steps. With one seed we tried other rates:
#
# | CIFAR-10, times the base's rate | 0.3 | 1 | 3 | 9 |
# |---|---|---|---|---|
# | N(0, 0.02) | {{reached("position_init_rates", "N(0, 0.02)", 0.3)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 0.02)", 1)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 0.02)", 3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 0.02)", 9)[0]:.1%}} |
# | `torch.randn` | {{reached("position_init_rates", "N(0, 1)", 0.3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 1)", 1)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 1)", 3)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 1)", 9)[0]:.1%}} |
#
# Longer steps do help `torch.randn`, while they harm the base. With each at its own best rate (the validation images choose the same ones) the distance is {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 3)[0]:.1p}} points and no longer {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 1)[0]:.1p}}.
# {{assert reached("position_init_rates", "N(0, 0.02)", 1)[0] == max(reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(max((found.validation_accuracy, rate) for rate in (0.3, 1, 3, 9) for found in recorded("position_init_rates", name, rate)[:1])[1] == best for name, best in (("N(0, 0.02)", 1), ("N(0, 1)", 3)))}}
# {{assert reached("position_init_rates", "N(0, 1)", 3)[0] == max(reached("position_init_rates", "N(0, 1)", rate)[0] for rate in (0.3, 1, 3, 9))}}
#
# And a large class token? The last norm also makes each of its steps smaller: the same change of a weight changes the answer less, because it is divided as well. We tried three times the learning rate:
#
# | CIFAR-10: class token from | at the usual rate | at three times the rate |
# |---|---|---|
# | N(0, 0.02) | {{runs("class_token_init", "N(0, 0.02)"):±.1%}} | {{runs("class_token_init_rates", "N(0, 0.02)", rate=3):±.1%}} |
# | N(0, 10) | {{runs("class_token_init", "N(0, 10)"):±.1%}} | {{runs("class_token_init_rates", "N(0, 10)", rate=3):±.1%}} |
#
# Here longer steps did not help: N(0, 10) gained nothing, and N(0, 0.02) lost. On validation images both do best at the usual rate, so the distance stays {{-runs("class_token_init_rates", "N(0, 10)").difference:.1p}} points. This comparison, then, was *not* one of learning rates in disguise, as far as two rates for the whole model can show. (A higher rate for the class token alone was not tried.) What exactly costs these points is still open.
# {{assert below(runs("class_token_init_rates", "N(0, 0.02)", rate=3),
# runs("class_token_init", "N(0, 0.02)"))}}
# {{assert runs("class_token_init_rates", "N(0, 10)", rate=3).mean
# < runs("class_token_init", "N(0, 10)").mean}}
# {{assert all(of.learning_rate == runs("class_token_init", "N(0, 0.02)").learning_rate
# for of in experiment("class_token_init_rates").values())}}
#
# ### A large token that the head does not read
#
# Is it the drowning that costs a large class token its points? If so, a large token that the head does not read should do no harm. A register is such a token (notebook 02): patches may attend to it, and the head ignores it. So we gave the model one register, small or large, and let the head read the mean of the patches. On CIFAR-10 the large one costs {{loss(runs("register_init", "N(0, 10)")):±.1p}} points against the small one, which is no measurable effect. That agrees with the drowning and does not prove it, because this model differs from the class token's in a second thing, the mean that its head reads.
# {{assert not differs(runs("register_init", "N(0, 10)"))}}
#
# ### Positions that are not trained
#
# Must positions learn? On CIFAR-10 we compared learned ones with four kinds that are never trained. Zeros are a model without positions (notebook 02 shows two images that it cannot tell apart). N(0, 0.3) has the size of the patches, and the sines and cosines of notebook 02 have size 0.7 and are alike for neighbours. (With the sines and cosines the class token has none.)
#
# | CIFAR-10: positions | cost in points |
# |---|---|
# | none | {{loss(runs("position_untrained", "none")):±.1p}} |
# | N(0, 0.02), never trained | {{loss(runs("position_untrained", "N(0, 0.02), frozen")):±.1p}} |
# | N(0, 0.3), never trained | {{loss(runs("position_untrained", "N(0, 0.3), frozen")):±.1p}} |
# | sines and cosines | {{loss(runs("position_untrained", "sines and cosines")):±.1p}} |
#
# **Size matters.** Small positions that stay as they were drawn are hardly better than none ({{distance(runs("position_init", "N(0, 0.02), frozen"), runs("position_init", "zeros, frozen")):±.1p}} points). Random ones of the patches' size make good about half of what a model without positions is behind, and the sines and cosines about three fifths.
# {{assert 0.005 < distance(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", "none")).mean < 0.015}}
# {{assert all(low < (runs("position_untrained", name).mean - runs("position_untrained", "none").mean) / loss(runs("position_untrained", "none")).mean < high
# for name, low, high in (("N(0, 0.3), frozen", 0.45, 0.55), ("sines and cosines", 0.55, 0.65)))}}
# {{assert all(below(runs("position_untrained", "N(0, 0.02), frozen"), runs("position_untrained", name))
# and below(runs("position_untrained", name), runs("position_untrained", "learned"))
# for name in ("N(0, 0.3), frozen", "sines and cosines"))}}
# So positions are of use untrained, where they are large enough to be noticed, and learning them gives the rest. (We did not try other sizes.)
#
# ### How the numbers on CIFAR-10 are made
#
# In the short runs each interval comes from its own seeds. With five of them, Student's t makes it 1.2 standard deviations to each side, with three 2.5.
#
# On CIFAR-10 this would be misleading, because three seeds tell little of how much they vary: those of PyTorch's default happen to lie within {{max(runs("weight_init", "PyTorch's default").accuracies) - min(runs("weight_init", "PyTorch's default").accuracies):.1p}} points, those of the zeroed head within {{max(runs("weight_init", "head zero").accuracies) - min(runs("weight_init", "head zero").accuracies):.1p}}. So wherever this course shows CIFAR-10 at this budget, the intervals come from one **pooled standard deviation**: that of a run about its setting's mean, taken over all settings on record that work. It is {{spread().deviation:.2p}} points, with {{spread().degrees:d}} degrees of freedom. Two things are assumed: that runs are independent, and that all settings that work vary alike ([notebook 10](10_claims_put_to_the_test.ipynb) tests the second). A setting fails if it has less than half the accuracy of the best. In this notebook these are "all zero" and weights from N(0, 1). They keep the interval of their own seeds.
# {{assert all(of.mean < spread().least for of in (runs("weight_init", "all zero"), runs("weight_init", "N(0, 1)")))}}
# {{assert runs("position_init", "N(0, 10)").mean > spread().least}}
#
# The base has {{len(runs("weight_init", "N(0, 0.02)").accuracies):d}} seeds on record, and the other settings of these tables have three. So a difference from the base is known to ± {{gain(runs("weight_init", "Xavier")).width:.1p}} points, and a difference of three seeds to three to ± {{gain(runs("register_init", "N(0, 10)")).width:.1p}}.
# {{assert all(len(of.accuracies) == 3 for name in ("weight_init", "class_token_init", "position_init", "position_untrained")
# for setting, of in experiment(name).items() if setting not in ("N(0, 0.02)", "learned"))}}
#
# All these models were trained in bfloat16.
# {{assert all(r.precision == "bfloat16" for name in ("weight_init", "class_token_init", "register_init", "position_init",
# "patch_position_init", "position_untrained")
# for setting in experiment(name) for r in recorded(name, setting))}}
# {{assert all(r.precision == "bfloat16" for name, setting in (("class_token_init", "N(0, 10)"),
# ("position_init", "N(0, 1)")) for r in recorded(name, setting, budget="long"))}}
