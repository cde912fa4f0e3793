# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** look at a model before its first step and say whether it will learn, test in a minute whether a starting value matters, and tell a start that does harm from one that only asks for another learning rate.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 35 minutes |
# | Time to run | about two minutes on the two server cores it was built on, at the quick budget; on a T4 not measured yet |
# | Package modules | `experiments.py`, `variants.py` |
#
# "Initialise the class token properly" stands in many articles; what happens otherwise does not. Here it is tried, with several seeds, on drawn shapes while you wait. Beside it stand the same experiments on CIFAR-10, which took hours and were made before.

# %%
import math

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from vit_minimal import TrainingConfig, attention_maps, load_dataset, pick_budget, plots
from vit_minimal.augment import normalize
from vit_minimal.experiments import as_table, make_model, plan, run_experiment, summarize
from vit_minimal.runtime import read_records
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
# `plan` gives everything that fixes each run of an experiment of the package, and `make_model` builds the model of a run. We change its starting values. To see what depth does we take six blocks.

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
# First the weights: all matrices of the blocks and of the head.


# %%
def weights(*how):
    """All matrices of the blocks and of the head from one function of torch.nn.init."""
    return {"blocks.*.weight": how, "head.weight": how}


WEIGHTS = {
    "N(0, 0.02)": {},
    "Xavier": weights("xavier_uniform_"),
    "PyTorch's default": weights("kaiming_uniform_", math.sqrt(5)),
    "N(0, 1)": weights("normal_", 0, 1),
    "all zero": weights("zeros_"),
    "head zero": {"head.weight": ("zeros_",)},
}
show_starts({name: with_changes(start, depth=6) for name, start in WEIGHTS.items()})

# %% [markdown]
# Read it row by row.
#
# - **N(0, 0.02)**, ViT's choice and BERT's (and the package's), begins near ln 10. Attention is uniform: each of the 17 tokens gets about 1/17 ≈ 6 %. The model starts as an averaging machine, and all blocks get gradients of a like size.
# - **Xavier** and **PyTorch's default** draw larger numbers: at D = 64 their standard deviations are 0.07 to 0.12. They begin above ln 10 with more gradient in the first block than in the last.
# - **N(0, 1)** is confidently wrong: the loss is many times ln 10. Attention in layer 1 is *saturated*, nearly all weight lies on one token, and the gradient of the first block is more than a hundred times that of the last.
# - **All zero** begins at ln 10 exactly, which looks perfect. But no block gets a gradient: a product with a zero matrix passes nothing back. And the class token is the same for every image.
# - **Head zero** begins at ln 10 as well, and its blocks have no gradient either, *at this step*. But the class token differs between images. The head can learn from that; then it is no longer zero, and the gradient reaches the blocks.
#
# So neither the loss nor the gradient of the first step tells the last two apart. The last column does. Train for 100 steps, with the optimizer of the experiments, to see whether it is right:


# %%
def first_steps(run, steps=100):
    """The loss in the first steps, averaged over ten at a time."""
    model, config = make_model(run), TrainingConfig(**run["training"])
    optimizers = make_optimizers(model, config)
    schedulers = [make_scheduler(o, config, total_steps=500) for o in optimizers]
    losses = []
    for step in range(steps):
        batch = torch.arange(50 * step, 50 * step + 50) % len(images)
        loss = cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
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
# The model of zeros stays where it was. The zero head follows the others after a few steps. (N(0, 1) is not drawn: its curve would lie far above.)
#
# ### What is left of it at the end
#
# A slow start may be made good later. That is a question for an **experiment**: settings that differ from a base in one thing each, trained with several seeds, judged on test images. `run_experiment` writes a record after each run. So it can be stopped and continued, and what is on record is not repeated. On the command line it is `python -m vit_minimal.experiments weight_init`.

# %%
quick = pick_budget() == "quick"
weight_settings = ["normal, 0.02", "Xavier", "all zero"] if quick else None  # None: all
weight_init = run_experiment("weight_init", dataset=dataset, settings=weight_settings)


# %%
def show(summaries, title):
    """The table; a dot for each seed, a line at their mean, a bar over the 95 % interval."""
    print(as_table(summaries))
    accuracies = {name: [100 * a for a in of.accuracies] for name, of in summaries.items()}
    widths = {name: 100 * of.width for name, of in summaries.items()}
    plots.show_dots(accuracies, "accuracy on test images in %", title, widths=widths)


show(weight_init, "starts of the weights")

# %% [markdown]
# The interval is one of 95 % over seeds (Student's t: with three seeds it is 2.5 standard deviations to each side). The second column compares seed by seed, so that what a seed does to both settings cancels.
#
# These runs are short: 200 steps of a small model. The same experiment on **CIFAR-10**, with the model of notebook 05's recipe `cpu` and three passes over 45,000 images:

# %%
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
show(summarize("weight_init", "full", cifar10), "CIFAR-10: starts of the weights")

# %% [markdown]
# WEIGHTS-CIFAR
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
# The loss says nothing: all begin near ln 10. But look at the last column. A class token from N(0, 10) differs between images about a hundred times less than one from N(0, 0.02), and the gradients of all blocks have shrunk by the same factor. Why?
#
# 1. In a pre-norm block the class token is normalised before attention reads it. Its length does not matter there, and the softmax does not saturate (6 % in each row).
# 2. But the residual stream carries it at full length. The blocks *add* something of a size around 0.1 to a vector whose entries are around 10.
# 3. The last norm divides by that 10. What differs between images is divided with it.
#
# So a large class token drowns what it gathers.
#
# **All 1** is as good as zeros, figure by figure. LayerNorm subtracts the mean, so the same number added to all D entries of a token is invisible to every block and to the head. We can check that exactly:

# %%
zeros, ones = (make_model(with_changes(CLASS_TOKENS[name], depth=6)) for name in ("zeros", "all 1"))
torch.testing.assert_close(ones(images[:100]), zeros(images[:100]), atol=1e-4, rtol=0)
print("a class token of ones and one of zeros: the same answers")

# %% [markdown]
# Does it matter at the end? The last setting of the experiment is a class token that is never trained: it stays as it was drawn.

# %%
class_settings = ["N(0, 0.02)", "zeros", "N(0, 1)", "N(0, 10)", "N(0, 0.02), frozen"]
class_token_init = run_experiment(
    "class_token_init", dataset=dataset, settings=class_settings if quick else None
)

# %%
show(class_token_init, "starts of the class token")

# %%
show(summarize("class_token_init", "full", cifar10), "CIFAR-10: starts of the class token")

# %% [markdown]
# CLASS-CIFAR
#
# ### Two controls
#
# An explanation that fits is not yet one that is true. If a large class token does harm *because the head reads it*, two things follow.
#
# **A large token that nobody reads does no harm.** A register is a class token that the head ignores. We let the head read the mean of the patches and give the model one register, small or large:

# %%
register_init = run_experiment("register_init", dataset=dataset)
show(register_init, "starts of a token that nobody reads")

# %% [markdown]
# **A higher learning rate makes up for it.** If the signal is only divided by something, larger steps should help the large class token more than the small one. Each start is tried at the base's learning rate and at three times that; which one counts is decided on validation images:

# %%
rates = run_experiment("class_token_init_rates", dataset=dataset)
show(rates, "each start at its better learning rate")
print({name: f"learning rate {of.learning_rate:g}" for name, of in rates.items()})

# %%
show(summarize("register_init", "full", cifar10), "CIFAR-10: a token that nobody reads")
show(
    summarize("class_token_init_rates", "full", cifar10),
    "CIFAR-10: each start at its better learning rate",
)

# %% [markdown]
# CONTROLS-TEXT
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
# Large positions are worse than a large class token: the *patches* drown in them as well, before anybody has read them. N(0, 10) leaves a ten-thousandth of difference between images, where a large class token had left some thousandths. On CIFAR-10:

# %%
show(summarize("position_init", "full", cifar10), "CIFAR-10: starts of the positions")

# %% [markdown]
# POSITIONS-CIFAR
#
# ## Norms and warm-up
#
# ViT normalises *before* each layer (pre-norm), the Transformer of 2017 *after* each addition (post-norm). With post-norm the residual stream is normalised again and again, on the way forward and on the way back. Here are the gradients of each of six blocks at the first step, with PyTorch's default weights:


# %%
def gradients(**model):
    """The length of the gradient in each block, at the first step."""
    model = make_model(with_changes(WEIGHTS["PyTorch's default"], depth=6, **model))
    cross_entropy(model(images[:100]), labels[:100]).backward()
    return [get_total_norm([p.grad for p in block.parameters()]) for block in model.blocks]


plots.show_lines(
    range(1, 7),
    {"pre-norm": gradients(), "post-norm": gradients(pre_norm=False)},
    "block",
    "length of the gradient",
    "first step",
    from_zero=True,
)

# %% [markdown]
# NORM-GRADIENTS
#
# **Warm-up** lets the learning rate climb over the first steps (here a tenth of all). The reason given for it is that the first gradients mislead: statistics of the optimizer are young, and large steps may lead to where no way leads back. Post-norm is said to need it and pre-norm not ([Xiong et al. 2020](https://arxiv.org/abs/2002.04745)). On CIFAR-10, all four combinations, with two optimizers at the same learning rate of 0.003:

# %%
show(summarize("warmup_and_norm", "full", cifar10), "CIFAR-10: norms and warm-up")

# %% [markdown]
# WARMUP-CIFAR
#
# ## "Treat it like any other token"
#
# The class token must take part in attention and be trained like the rest, the advice goes. It can be cut off in four ways, and each is a bug that somebody has had:
#
# - it is **left out of the optimizer**: a list of parameters forgot it;
# - it is **detached**: a `.detach()` or `torch.no_grad()` too many, just before the head;
# - a mask makes it **blind**: it sees itself alone;
# - a mask makes it **unseen**: the patches do not see it.
#
# None of them raises an error. Each has a check of a few lines, which needs no training:


# %%
def check_class_token(model, optimizers):
    """What is wrong with a class token, found out with one backward pass."""
    findings, x = [], images[:8]
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    if id(model.cls_token.weight) not in held or not model.cls_token.weight.requires_grad:
        findings.append("it is not trained")
    model(x).square().sum().backward()
    if model.blocks[0].attn.qkv.weight.grad is None:
        findings.append("no gradient passes from the head to the blocks")
    if model(x).std(dim=0).max() < 1e-6:
        findings.append("the answer is the same for every image")
    patches = model.forward_features(x)[:, 1:]
    with torch.no_grad():
        model.cls_token.weight += 1 + torch.randn_like(model.cls_token.weight)
    if torch.allclose(model.forward_features(x)[:, 1:], patches):
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
    optimizers = make_optimizers(model, TrainingConfig(**run["training"]))
    print(f"{name:16} wrong: {', '.join(check_class_token(model, optimizers))}")

# %% [markdown]
# And what do they cost?

# %%
show_first_steps(CUT, "a class token cut off")

# %%
show(summarize("class_token_cut", "full", cifar10), "CIFAR-10: a class token cut off")

# %% [markdown]
# CUT-CIFAR
#
# ## Recap
#
# RECAP
#
# ## Questions
#
# <details><summary>A model starts with a loss of 2.303 on ten classes. Is its initialisation right?</summary>
#
# It may be. A model of zeros starts there as well, and it never learns. See whether what the head reads differs between images, too.
# </details>
#
# <details><summary>Why does a class token of ones do no harm, when one of N(0, 1) does?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. N(0, 1) has a standard deviation of 1 over its entries, by which the last norm divides.
# </details>
#
# <details><summary>Somebody shows that start A beats start B at a learning rate of 0.001. What would you ask for?</summary>
#
# The same at other learning rates, each start judged at its best on validation images, with several seeds. A start that only scales the signal wants another learning rate.
# </details>
#
# On to 08 · patch size.
