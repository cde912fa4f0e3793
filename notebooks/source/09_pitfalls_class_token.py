# %% [markdown]
# # 09 · Pitfalls, measured: the class token mishandled, and its rivals
#
# **After this notebook you can** say what it costs to read the class token from the wrong place or to cut it off, find out with a few lines whether your model does, and compare the class token fairly with its rivals.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; 07 for how experiments are run |
# | Time to read | about 20 minutes, and four more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("09_pitfalls_class_token"):about}} on two cores of a recent server CPU |
# | Package modules | `variants.py`, `experiments/` |
#
# After the last norm a ViT has T tokens, and its head reads one vector. Which one? The class token, another token, or an average? Some of these are mistakes, and some are choices made on purpose. None raises an error, and *the accuracy will not tell you which is which*.

# %%
import copy
import math

import matplotlib.pyplot as plt
import torch

from vit_minimal import (
    VisionTransformer,
    ViTConfig,
    diagrams,
    evaluate,
    load_dataset,
    pick_budget,
    plots,
    seed_everything,
)
from vit_minimal.augment import normalize
from vit_minimal.diagrams.card import CLASS, PATCH, dark
from vit_minimal.experiments import (
    make_model,
    mean_and_width,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
    train_run,
)
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records
from vit_minimal.variants import VARIANTS, NoPositionForClassToken

dataset = load_dataset()  # for the saved run we asked for Shapes-10, drawings of simple shapes
quick = pick_budget() == "quick"

# %% [markdown]
# ## What a head can read
#
# Here are five heads:
#
# - **Class token:** the ViT paper reads it.
# - **Reads the first patch** is a mistake. Somebody removes the class token, `x = x[:, 1:]`, and then reads `x[:, 0]`, which was token 1 before.
# - **Averages all tokens** is a mistake too, if you meant to read the class token.
# - **Mean of patches** is a rival of the class token, chosen on purpose.
# - **Attention pooling** is another rival, a weighted mean. A patch x has the score x · q / √D with one learned query q, and a softmax turns the scores into the weights `w` (made up in the picture).
#
# Our models with a rival's head have no class token at all, so the white cell in its row stands for nothing.

# %% tags=["hide-input"]
T = 17
one, patches, fits = torch.eye(T), torch.ones(T), torch.zeros(T)
patches[0] = 0
seed_everything(0)
fits[1:] = torch.randn(T - 1).softmax(dim=0)
diagrams.heads_read(
    {
        "class token": ("x[:, 0]", one[0]),
        "reads the first patch": ("x[:, 1]", one[1]),
        "averages all tokens": ("x.mean(dim=1)", torch.ones(T)),
        "mean of patches": ("x[:, 1:].mean(dim=1)", patches),
        "attention pooling": ("(w * x[:, 1:]).sum(dim=1)", fits),
    },
    title="What a head reads",
)

# %% [markdown]
# We compare them in two set-ups, and every result below names its own:
#
# | | **CIFAR-10** | **drawn shapes** |
# |---|---|---|
# | who trains | we did, and kept records | you do, while you read |
# | model | {{recorded("class_token_place", "class token")[0].run.model.depth:d}} blocks, 65 tokens | 2 blocks, 17 tokens, as in the picture |
# | training | {{recorded("class_token_place", "class token")[0].run.training.epochs:d}} passes over {{recorded("class_token_place", "class token")[0].trained_on:,}} images | 5 passes over 2,000 images |
# | seeds | {{len(runs("class_token_place", "class token").accuracies):d}} for the class token, 3 for most others | 5 |
# | ± comes from | the spread of all our CIFAR-10 runs | the five seeds of each model |
#
# Another seed gives a slightly different accuracy. So each difference has a ±, half of its 95 % interval. If the interval reaches 0, we say *no effect seen*, which is not the same as *no effect*.
#
# **Guess before you read on:**
#
# 1. How much does reading the first patch cost on CIFAR-10: two points, twenty or fifty?
# 2. Which of the five heads is the most accurate there?
#
# ## The five heads, measured
#
# The two mistakes are small classes of `vit_minimal/variants.py`:


# %% tags=["same-as:vit_minimal.variants.ReadsFirstPatch", "same-as:vit_minimal.variants.AveragesAllTokens"]
# vit_minimal/variants.py
class ReadsFirstPatch(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


# %% [markdown]
# The mistakes have the learning rate of the recipe `cpu` of notebook 05. Each rival has the best of a few rates, for a reason that the next section shows. For the mean of patches it is twice the recipe's.{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate
# and runs("pooling", "attention pooling").learning_rate == runs("pooling", "class token").learning_rate
# == runs("pooling", "class token, 4 registers").learning_rate == runs("class_token_place", "class token").learning_rate}}{{assert
# all(len(of.accuracies) == 3 for of in (runs("class_token_place", "reads the first patch"), runs("class_token_place", "averages all tokens"), runs("pooling", "mean of patches"), runs("pooling", "attention pooling")))}}

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting, averaged over all settings
placed = summarize("class_token_place", "full", cifar10, spread)
rivals = summarize("pooling", "full", cifar10, spread)
ordinary = f"CIFAR-10, against the class token ({100 * placed['class token'].mean:.1f} %)"


def show_gains(settings, title=ordinary):
    """By how much each setting {name: (words, its Summary)} is ahead of the first of its experiment."""
    effects = {
        name: (words, 100 * of.difference, 100 * of.difference_width)
        for name, (words, of) in settings.items()
    }
    show_effects(effects, "difference in accuracy, in points", title)


show_gains(
    {
        "reads the first patch": ("x[:, 1]", placed["reads the first patch"]),
        "averages all tokens": ("x.mean(dim=1)", placed["averages all tokens"]),
        "mean of patches": ("x[:, 1:].mean(dim=1)", rivals["mean of patches"]),
        "attention pooling": ("(w * x[:, 1:]).sum(dim=1)", rivals["attention pooling"]),
    }
)

# %% [markdown]
# **How much does reading the first patch cost?** It costs {{loss(runs("class_token_place", "reads the first patch")):±.1p}} points,{{assert
# 0.015 < -runs("class_token_place", "reads the first patch").difference < 0.025}}{{assert
# differs(runs("class_token_place", "reads the first patch"))}} few enough to go unnoticed. Its loss in training falls to {{mean([of.train_loss[-1] for of in recorded("class_token_place", "reads the first patch")]):.2f}}. Only beside the right model, which reaches {{mean([of.train_loss[-1] for of in recorded("class_token_place", "class token")]):.2f}}, would you see that this is too high.
#
# **Which head is the most accurate?** The three that average share the lead: each is about two points ahead of the class token, and they cannot be told apart.{{assert
# below(runs("class_token_place", "reads the first patch"), runs("class_token_place", "class token")) and differs(runs("pooling", "mean of patches")) and differs(runs("pooling", "attention pooling")) and differs(runs("class_token_place", "averages all tokens"))}}{{assert
# all(0.017 < gain(of).mean < 0.025 for of in (runs("pooling", "mean of patches"), runs("pooling", "attention pooling"), runs("class_token_place", "averages all tokens")))}}{{assert
# not any(differs(distance(runs("pooling", "attention pooling"), of)) for of in (runs("pooling", "mean of patches"), runs("class_token_place", "averages all tokens")))}}
#
# So one of the mistakes is *ahead*. That is no mystery: 64 of this model's 65 tokens are patches, so the average of all tokens is nearly the mean of patches.{{assert
# (recorded("pooling", "class token")[0].run.model.image_size // recorded("pooling", "class token")[0].run.model.patch_size) ** 2 == 64}} But a higher accuracy does not prove that your code does what you meant.
#
# **The limits:** this is one small model, trained for three passes. After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes the lead of the mean of patches is {{gain(runs("pooling", "mean of patches", budget="long")):+±.1p}} points. In the ViT paper it and the class token came out alike.
#
# ## Who is ahead depends on the learning rate
#
# Why has each rival a learning rate of its own? The authors of ViT met the reason: their mean of patches looked far worse than the class token, until they tried a *lower* rate for it ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Appendix D.3).
#
# Now you train models with these two heads on drawn shapes, at four rates each. **Guess:** is the same head ahead at all four? The cell takes a bit less than a minute. (The text quotes the run saved here, and your numbers will differ.)

# %%
heads = ["class token", "mean of patches"]
factors = [0.5, 1, 2, 4] if quick else None  # times the recipe's learning rate, here 0.01
always = {"seeds": 5 if quick else 3, "dataset": dataset, "verbose": False}
swept = run_experiment("pooling", settings=heads, learning_rates=factors, **always)
token, mean = (swept[name].at_rates for name in heads)  # {rate: (accuracy, its ±)}


def difference(one, other):
    """one − other, both (accuracy, its ±), in points, with its own ±."""
    return 100 * (one[0] - other[0]), 100 * math.hypot(one[1], other[1])


# %% tags=["hide-input"]
print("learning rate   class token   mean of patches   lead of the mean of patches")
for rate in token:
    lead, width = difference(mean[rate], token[rate])
    both = f"{100 * token[rate][0]:9.1f} % {100 * mean[rate][0]:15.1f} %"
    print(f"{rate:<13g} {both} {lead:+15.1f} ± {width:.1f}")
_, axis = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
for name, colour, stroke in zip(heads, (dark(CLASS), PATCH), ("-o", "--s"), strict=True):
    of, best = swept[name].at_rates, swept[name].learning_rate
    middle, width = 100 * torch.tensor(list(of.values())).T
    axis.plot(list(of), middle, stroke, color=colour, markersize=4, label=name)
    axis.plot(best, 100 * of[best][0], "o", markersize=14, mfc="none", color=colour)
    axis.fill_between(list(of), middle - width, middle + width, color=colour, alpha=0.2, lw=0)
axis.plot([], [], "o", markersize=11, mfc="none", color="gray", label="best on validation images")
axis.set_xscale("log")
axis.set_xticks(list(of), [f"{rate:g}" for rate in of])
axis.set_xticks([], minor=True)
axis.set(xlabel="learning rate", ylabel="test accuracy in %")
axis.legend(
    loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9, columnspacing=1,
    handletextpad=0.5, title="drawn shapes", frameon=False,
)  # fmt: skip
axis.grid(alpha=0.3)
plots.show(
    "two curves of accuracy over learning rates, with bands for their ± and a ring at the rate that "
    "validation images chose",
    "Class token or mean of patches?",
    [
        f"at {rate:g}: {100 * token[rate][0]:.1f} % and {100 * mean[rate][0]:.1f} %"
        for rate in token
    ],
)

# %% [markdown]
# **The curves cross.** At the lowest rate the class token is ahead by 7.1 ± 3.5 points, and at the highest the mean of patches is, by 16.6 ± 2.7. So whoever compares them at one rate can report either.
#
# A fair comparison gives each head its own best rate. In the saved run both are best at 0.02, where the mean of patches leads by 9.9 ± 4.1 points. We do not know why 0.04 harms the class token so much more.
#
# On CIFAR-10 the search changed nothing that can be seen: the mean of patches leads by {{gain(runs("pooling", "mean of patches")).mean:.1p}} points at its own rate, and by {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}} at the recipe's.{{assert
# not differs(distance(runs("pooling", "mean of patches"), runs("pooling", "mean of patches", 1)))}} But we had to search to know.
#
# ### Do the two mistakes show here too?
#
# We train them on drawn shapes at 0.02, the best rate of the class token, in less than half a minute.

# %%
factors = [2 if quick else 1]  # 0.02 at the quick budget
mistakes = run_experiment("class_token_place_rates", learning_rates=factors, **always)
rate = mistakes["reads the first patch"].learning_rate  # the only one that the mistakes had
found = {name: of.at_rates[rate] for name, of in mistakes.items()}
found["mean of patches"] = mean[rate]  # from the table above

print(f"learning rate {rate:g}       accuracy       against the class token")
for name, of in found.items():
    lead, width = difference(of, found["class token"])
    against = "" if name == "class token" else f"{lead:+5.1f} ± {width:4.1f} points"
    print(f"{name:21}  {100 * of[0]:5.1f} ± {100 * of[1]:4.1f} %   {against}")

# %% [markdown]
# Both effects show here too. Reading the first patch costs 9.0 ± 4.9 points, more than on CIFAR-10. Averaging all tokens gains 6.9 ± 3.9, and it is so close to the mean of patches that the two cannot be told apart.
#
# ## A slot like any other
#
# Why can a patch take the class token's place at all? In a block, attention compares every query with every key, and the norms and the MLP work on each token alone. No line asks which token stands first. So if you exchange two tokens in front of the blocks, the same two are exchanged behind them, and nothing else changes:

# %% tags=["hide-input"]
diagrams.exchange()

# %% tags=["nbval-check-output"]
seed_everything(0)
blocks = VisionTransformer(ViTConfig(embed_dim=24, depth=2, num_heads=3)).blocks
x = torch.randn(2, 5, 24)  # (B, T, D)
exchanged = [1, 0, 2, 3, 4]
same = torch.allclose(blocks(x[:, exchanged]), blocks(x)[:, exchanged], atol=1e-5)
print("the blocks do not know which token is the first:", same)

# %% [markdown]
# To the blocks the class token is a **slot** like any other. What makes it *the* class token lies outside them: the vector in the slot, its position, and the head that reads there. **Guess** from this which of three more changes do harm on CIFAR-10:
#
# - The class token stands **last**, and the head reads it there.
# - The class token stands last, but the head **still reads token 0**, which is a patch.
# - The class token has **no position** embedding.

# %% tags=["hide-input"]
CHANGES = {
    "class token last": "behind the patches",
    "last, but reads token 0": "which is a patch now",
    "no position of its own": "only patches have positions",
}
show_gains({name: (words, placed[name]) for name, words in CHANGES.items()})

# %% [markdown]
# - **Class token last** is the same model with its tokens in another order. No effect should be there, and none is seen.{{assert
# not differs(runs("class_token_place", "class token last"))}}
# - **Last, but reads token 0** is the mistake of reading the first patch, and it costs as much.{{assert
# differs(runs("class_token_place", "last, but reads token 0"))}}{{assert
# abs(runs("class_token_place", "reads the first patch").mean
# - runs("class_token_place", "last, but reads token 0").mean) < 0.001}}
# - **No position of its own** shows no effect. Vector and position are only ever added, so the vector alone can learn to be their sum.{{assert
# not differs(runs("class_token_place", "no position of its own"))}}
#
# The slot also explains why a patch *can* take over. Every slot can gather from all tokens, and training makes the slot that is read gather what the head needs. Why it still costs points we do not know.
#
# ## Cut off
#
# Now the head reads the right token. But must that token be trained, attend to the patches, and be attended to? Here are four mistakes that raise no error. (`mask[i, j]` says whether token i may attend to token j.)
#
# | name | one line of code |
# |---|---|
# | **left out** | `AdamW(p for p in … if p is not token)` |
# | **detached** | `head(x[:, 0].detach())` |
# | **alone** | `mask[0, 1:] = False` |
# | **unseen** | `mask[1:, 0] = False` |
#
# In the pictures, purple and grey arrows point to the token that attends. **Guess:** two of the four ruin the model, and two show no effect. Which are which?

# %% tags=["hide-input"]
diagrams.cut_class_token()

# %% [markdown]
# **Alone and detached ruin the model.** On CIFAR-10, where the uncut model reaches {{runs("class_token_cut", "class token").mean:.1%}}, they reach {{runs("class_token_cut", "sees itself alone").mean:.1%}} and {{runs("class_token_cut", "detached before the head").mean:.1%}}. *Alone*, the class token is the same for every image, so the model has to guess.{{assert
# all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}} *Detached*, the blocks stay as random as they started, as they would with any head.{{assert
# below(runs("class_token_cut", "detached before the head"), runs("class_token_cut", "unseen by the patches"))}}
#
# **Unseen and left out show no effect**, as the first two rows below say, and that is the surprise. But is *left out* a fair test? The random start may have been a lucky one. So in a first control the class token stays at *zero*. Its *position* is still trained, which could make up for everything. So in a second control it is zero and has no position, and it is compared with a trained class token that has none either.

# %% tags=["hide-input"]
cut_off = summarize("class_token_cut", "full", cifar10, spread)
started = summarize("class_token_init", "full", cifar10, spread)
untrained = summarize("class_token_untrained", "full", cifar10, spread)
show_gains(
    {
        "unseen": ("no patch attends to it", cut_off["unseen by the patches"]),
        "left out": ("it stays at its random start", started["N(0, 0.02), frozen"]),
        "left out, at zero": ("first control", started["zeros, frozen"]),
        "left out, no position": ("second control", untrained["no position, frozen at zero"]),
    },
    "CIFAR-10, against the same model uncut",
)

# %% [markdown]
# No effect is seen in any row, and no interval reaches down to a cost of one point.{{assert
# all(reach(gain(of), -1) > -0.01 for of in (runs("class_token_cut", "unseen by the patches"), runs("class_token_init", "N(0, 0.02), frozen"), runs("class_token_init", "zeros, frozen"), runs("class_token_untrained", "no position, frozen at zero")))}}{{assert not differs(runs("class_token_cut", "unseen by the patches"))}}{{assert
# not any(differs(runs("class_token_init", name)) for name in ("N(0, 0.02), frozen", "zeros, frozen"))}}{{assert
# not any(differs(of) for of in experiment("class_token_untrained").values())}} (The last interval is wider, because fewer seeds stand behind it.){{assert
# len(runs("class_token_untrained", "no position").accuracies) < len(runs("class_token_cut", "class token").accuracies)}}
#
# ### Why need it not be trained?
#
# How can a token that stays at zero gather anything useful? In the first block the query of a token x is q = W · LN(x) + b. If x is zero, LN(x) is the norm's shift. The shift, W and b can be trained, and so the class token *can* get a query, and likewise a key and a value. They are not free, though: a change to W, b or the shift changes those of the patches as well. (The second visit measures whether training gives it a query, and whether it needs one.)
#
# That no patch has to attend to it is less of a riddle, because patches attend to each other directly.
#
# ## Is mine wrong?
#
# Accuracy and loss did not give the mistakes away. Three short functions ask the model itself, without any training.
#
# **Which tokens does the head read?** Ask the *gradient* on which tokens the answer depends, after the last norm:


# %%
def tokens_read(model, norm, images):
    """The indices of the tokens that have a say in the answer; `norm` is the model's last norm."""
    kept = []

    def keep(module, inputs, output):  # (B, T, D)
        kept.append(output.requires_grad_())

    with norm.register_forward_hook(keep):
        answer = model(images).square().sum()
    # Unlike .backward(), this leaves no gradients in your model
    (gradient,) = torch.autograd.grad(answer, kept[0], allow_unused=True)
    if gradient is None:
        raise ValueError("no gradient comes back from the head: is something detached?")
    return gradient.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()


# %% [markdown]
# **Is something cut off?** Change one thing in a copy of the model, and see whether it comes out:


# %%
def cut_connections(model, images):
    """What is cut between the patches, the class token and the head: a list of sentences."""
    model, found = copy.deepcopy(model).requires_grad_().eval(), []  # in the copy nothing is frozen
    # A start with zeros (notebook 07) would hide connections
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    # Detached? Then the blocks get no gradient
    model.zero_grad()
    model(images).square().sum().backward()
    if model.blocks[0].attn.qkv.weight.grad is None:
        found.append("no gradient passes from the head to the blocks")
    # Alone? Then the class token is the same for every image
    before = model.forward_features(images)
    if before[:, 0].std(dim=0).max() < 1e-6:
        found.append("the class token is the same for every image")
    # Unseen? Then the patches stay the same when the class token changes
    token = getattr(model.cls_token, "weight", model.cls_token)  # timm has no .weight
    token.data += torch.randn_like(token)
    if torch.allclose(model.forward_features(images)[:, 1:], before[:, 1:]):
        found.append("no patch attends to the class token")
    return found


# %% [markdown]
# **Is the class token trained?** It must be in an optimizer, and not frozen. The third function calls the second and adds this:


# %%
def check_class_token(model, optimizers, images):
    """What is cut, and whether the class token is trained: a list of sentences, empty if all is well."""
    token = getattr(model.cls_token, "weight", model.cls_token)
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    trained = id(token) in held and token.requires_grad
    return cut_connections(model, images) + ([] if trained else ["the class token is not trained"])


# %% [markdown]
# You call them as `tokens_read(model, model.norm, images)` and `check_class_token(model, [optimizer], images)`. Here is what they find in the right model and in each mishandled one, all of them untrained:

# %% tags=["hide-input", "nbval-check-output"]
runs = plan("class_token_place", "quick", seed=0) | plan("class_token_cut", "quick", seed=0)
models = {  # the settings of our experiments
    "right": "class token",
    "reads the first patch": "reads the first patch",
    "averages all tokens": "averages all tokens",
    "left out": "class token",
    "detached": "detached before the head",
    "alone": "sees itself alone",
    "unseen": "unseen by the patches",
}
images = torch.randn(8, 3, 32, 32)
print(f"{'':21} {'tokens_read':11}  check_class_token")
for name, setting in models.items():
    model = make_model(runs[setting, 1])
    token = model.cls_token.weight
    optimizer = torch.optim.AdamW(
        p for p in model.parameters() if name != "left out" or p is not token
    )
    try:
        first, *others = tokens_read(model, model.norm, images)
        read = f"{first} to {others[-1]}" if others else f"{first}"
    except ValueError:
        read = "no gradient"
    found = check_class_token(model, [optimizer], images)
    print(f"{name:21} {read:11}  {', '.join(found) or 'nothing'}")

# %% [markdown]
# `tokens_read` catches the two wrong heads, and `check_class_token` the four cuts. What they find need not be harmful (for two cuts we saw no effect), but you should know about it.
#
# **In your own model,** `norm` must put out all tokens, (B, T, D), and the head must read from it. Some of timm's models pool first and normalise afterwards; then give the last block. A head that starts at zero passes no gradient on, so give it random weights first. The list tells what *may* be read, not how much.

# %% [markdown] tags=["exercise-only"]
# # Exercises 09 · Pitfalls: the class token mishandled, and its rivals
#
# They go with notebook [09](../09_pitfalls_class_token.ipynb). If you start here: after the last block there are T tokens, (B, T, D). The class token is token 0, registers (tokens that nobody reads) may follow, then the patches. A head may read the class token, or a mean of the patches, plain or weighted.

# %% tags=["exercise-only"]
import torch
from torch.nn import functional as F

from checks import check
from checks.mishandled import Mystery, Unseeing

# %% [markdown] tags=["exercise:mean_of_patches"]
# The mean of the patch tokens: (B, T, D) → (B, D). `num_prefix` tokens stand in front of the patches, and are not patches.
#
# Hint: Where do the patches begin?
#
# Hint: Axis 0 are the images, axis 1 the tokens, axis 2 the numbers of a token.


# %% tags=["exercise-only", "exercise:mean_of_patches"]
def mean_of_patches(tokens, num_prefix):
    """(B, T, D) → (B, D): the mean of the patches."""
    # solution
    # | return ...  # your code
    return tokens[:, num_prefix:].mean(dim=1)
    # end of solution


# %% [markdown] tags=["exercise:attention_pool"]
# A weighted mean: how well does each token fit a learned query? The scores are the dot products of `x` (B, T, D) with `query` (D,), divided by √D; a softmax makes shares of them for each image; the answer is the sum of the tokens, weighted by their shares: (B, D).
#
# Hint: `x @ query` is (B, T). Over which axis should the shares of one image sum to 1?
#
# Hint: (B, T) shares and (B, T, D) tokens: `weights[..., None] * x`, then a sum over tokens.


# %% tags=["exercise-only", "exercise:attention_pool"]
def attention_pool(x, query):
    """(B, T, D), (D,) → (B, D): the tokens' mean, weighted by how well each fits the query."""
    # solution
    # | return ...  # your code
    weights = (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
    return (weights[..., None] * x).sum(dim=1)
    # end of solution


# %% [markdown] tags=["exercise:token_read"]
# *Measure.* Somebody gives you this model, and says that its head reads "the class token". It takes images of 16 × 16 and has 17 tokens. Find out, without reading its code, the index of the token that the head really reads. (`model.forward_features(images)` gives the tokens after the last norm, `model.head` is the linear map that reads one of them.)
#
# Hint: If the head read token 3, the logits would be `model.head` of token 3. You can try each token.
#
# Hint: With `tokens = model.forward_features(images)` compare `model.head(tokens[:, i])` with `model(images)`, for each i. (Notebook 09 asks the gradient instead, which works for heads of every kind.)
#
# Solution: For one token the head gives the model's logits to the last digit.

# %% tags=["exercise-only", "exercise:token_read"]
model = Mystery()

# solution
# | token_read = ...
images = torch.randn(2, 3, 16, 16)
tokens, logits = model.forward_features(images), model(images)
same = [torch.allclose(model.head(tokens[:, i]), logits) for i in range(tokens.shape[1])]
token_read = same.index(True)
# end of solution

# %% [markdown] tags=["exercise:unseen_patch"]
# *Measure.* Another model. It takes images of 16 × 16, cut into patches of 4 × 4, and somewhere in its blocks one patch is hidden from all other tokens. Whatever is in that patch, the logits are the same. Which patch is it? Patches are counted from 0, row by row. You may call the model, and nothing else is needed.
#
# Hint: Mark one input and see whether it comes out. What is an input here, and what is the output?
#
# Hint: Change the pixels of one patch at a time, those of `images[:, :, 4 * row : 4 * row + 4, …]`, and compare the logits before and after. The gradient of the logits with respect to the images says the same for all pixels at once.
#
# Solution: The patch whose pixels have no gradient, in all three channels. Its attention map would not have told: the hidden token looks at others as before, and only nobody looks at it. A model that does not see one patch trains all the same. How much it loses we have not measured; with one patch of sixteen hidden, it need not be enough to be noticed.

# %% tags=["exercise-only", "exercise:unseen_patch"]
model = Unseeing()

# solution
# | unseen_patch = ...
images = torch.randn(2, 3, 16, 16, requires_grad=True)
model(images).square().sum().backward()
felt = images.grad.abs().sum(dim=(0, 1))  # (16, 16): how much each pixel matters
unseen_patch = felt.unflatten(1, (4, 4)).unflatten(0, (4, 4)).sum(dim=(1, 3)).argmin().item()
# end of solution

# %% [markdown]
# ## Recap, and what to do in your own model
#
# - **Accuracy does not tell a mistake from a choice.** On CIFAR-10 reading the first patch cost {{loss(runs("class_token_place", "reads the first patch")):±.1p}} points, and averaging all tokens *gained*. Ask `tokens_read` what your head reads.
# - **Compare heads each at its own learning rate.** On drawn shapes one rate puts the class token ahead, and another the mean of patches. On CIFAR-10, each at the best of a few rates, the latter led by {{gain(runs("pooling", "mean of patches")):±.1p}} points. If your model is small and its training short, try it, or attention pooling. Take the class token if you want to follow it through the blocks, as this course does.
# - **To the blocks the class token is a slot like any other.** So a patch can take its place.
# - **A class token can be cut off without an error.** When nobody trained it, or no patch attended to it, we saw no effect. `check_class_token` says what is cut off.
#
# ## Questions
#
# <details><summary>Nobody trains the class token, and the accuracy is the same. Is it useless, then?</summary>
#
# No: it is the slot in which the model gathers what the head reads. What is in the slot at the start hardly matters here, probably because the blocks, which decide what it gathers, are trained.
# </details>
#
# <details><summary>Somebody trains two heads at one learning rate, and one of them is five points ahead. What do you ask?</summary>
#
# Whether the rate was chosen for that head. You want each at its own best rate, chosen on validation images, and an interval for the difference.
# </details>
#
# **Try it yourself:** [exercises 09](exercises/09_pitfalls_class_token.ipynb), with checks that say what is wrong.
#
# **Next:** [10 · claims, put to the test](10_claims_put_to_the_test.ipynb). If you would rather hunt bugs first, go to the museum of [notebook 13](13_silent_bugs.ipynb).
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.**
#
# ### How sure is a ±?
#
# **How is it made?** On drawn shapes the ± of a mean comes from its five seeds. On CIFAR-10 three seeds tell too little, so there it comes from an **averaged spread**: how far one run lies from the mean of its setting, averaged over all settings on record that work. (*Detached* and *alone* are not among them. Notebook 10 calls this a pooled standard deviation, and tests what it takes for granted.) The ± of a difference is √(a² + b²), where a and b are the ± of its two means. Numbers are rounded one by one, so subtracting them yourself can be off by 0.1.
#
# **How were the rates chosen?** On CIFAR-10 validation images chose, with the first seed only. We tried the recipe's learning rate, half of it and twice that rate. The mean of patches was best at the highest, so we also tried four times the rate, which was worse. The others were best at the recipe's own.
#
# **Which effects may be luck?** This course makes {{comparisons():d}} such comparisons on CIFAR-10, and a few may show an effect by chance. To be right about all together in 95 % of cases, take only effects above {{corrected():.1p}} points, where three seeds are compared with {{len(runs("class_token_init", "N(0, 0.02)").accuracies):d}}. The two mistakes and the two rivals pass this test.{{assert
# all(abs(gain(of).mean) > corrected() for of in (runs("class_token_place", "reads the first patch"), runs("class_token_place", "averages all tokens"), runs("pooling", "mean of patches"), runs("pooling", "attention pooling")))}}
#
# ### Do the leads last?
#
# These leads on CIFAR-10 are against a class token that was trained as long, with the number of seeds in parentheses. (Where it is small, the ± is mostly the noise of other settings.) Two models are new: one has **registers**, learned tokens that take part in attention and that no head reads; in the other the class token joins only in the last block, after [CaiT](https://arxiv.org/abs/2103.17239).
#
# | | after three passes | after {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes |
# |---|---|---|
# | mean of patches | {{then_and_now("pooling", "mean of patches"):s}} |
# | attention pooling | {{then_and_now("pooling", "attention pooling"):s}} |
# | class token, 4 registers | {{then_and_now("pooling", "class token, 4 registers"):s}} |
# | class token only in the last block | {{then_and_now("class_token_place", "only in the last block"):s}} |
#
# The two leads of the mean of patches differ by {{distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))):±.1p}} points. By our rule the lead shrinks. But the interval misses 0 narrowly, and this is one of many comparisons, so it may be luck.{{assert
# differs(distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))))}}{{assert
# reach(distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))), -1) < 0.004}} All this is at the rates that were chosen for three passes.
#
# The early lead of the class token that joins late may be luck, too, because it does not pass the test for all comparisons together.{{assert
# differs(runs("class_token_place", "only in the last block"))}}{{assert
# not differs(runs("pooling", "class token, 4 registers"))}} [Notebook 10](10_claims_put_to_the_test.ipynb) says more.{{assert
# gain(runs("class_token_place", "only in the last block")).mean < corrected()}}

# %% [markdown]
# ### Does a class token at zero get a query?
#
# Before training, the norm's shift and b are zero, so its query in block 1 is zero too, and it attends to all tokens evenly. We train the second control of *left out* on drawn shapes, at the rate 0.02. Then we train it twice more with the query *held* at zero: in block 1, and in both blocks. The code is folded.


# %% tags=["hide-input"]
def without_query(module, inputs, output):  # of the layer qkv: (B, T, 3·D), the queries first
    kept = torch.ones_like(output[:1])
    kept[:, 0, : output.shape[-1] // 3] = 0
    return output * kept


class EvenInFirst(NoPositionForClassToken):
    """A class token that attends to all tokens evenly in the first block."""

    even = slice(1)

    def __init__(self, config):
        super().__init__(config)
        for block in self.blocks[self.even]:
            block.attn.qkv.register_forward_hook(without_query)


class EvenInAll(EvenInFirst):
    even = slice(None)


VARIANTS |= {"EvenInFirst": EvenInFirst, "EvenInAll": EvenInAll}


@torch.no_grad()
def first_queries(model, images):
    """How long the queries of the first block are: the class token's, and the patches' on average."""
    kept = []
    layer = model.eval().blocks[0].attn.qkv
    with layer.register_forward_hook(lambda module, inputs, output: kept.append(output)):
        model(normalize(images).to(next(model.parameters()).device))
    length = kept[0].float().chunk(3, dim=-1)[0].norm(dim=-1)  # (B, T)
    return length[:, 0].mean().item(), length[:, 1:].mean().item()


small = dataset.first(2_500, 1_000)  # 500 of the first are for validation
test = small.test_images, small.test_labels
trained = {
    "trained": "NoPositionForClassToken",
    "held at zero in block 1": "EvenInFirst",
    "held at zero in both": "EvenInAll",
}
BACK = "trained, then set to zero"  # in block 1
reached, lengths = {name: [] for name in ["trained", BACK, *list(trained)[1:]]}, []
for seed in range(5):
    run = plan("class_token_untrained", "quick", seed)["no position, frozen at zero", 1]
    run["training"]["learning_rate"] = 0.02
    before = first_queries(make_model(run), test[0][:200])
    for name, variant in trained.items():
        model, _ = train_run(run | {"variant": variant}, small)
        reached[name].append(evaluate(model, *test))
        if name == "trained":
            lengths.append([*before, *first_queries(model, test[0][:200])])
            with model.blocks[0].attn.qkv.register_forward_hook(without_query):
                reached[BACK].append(evaluate(model, *test))
sizes = torch.tensor(lengths).mean(dim=0).tolist()
for when, of, others in (("before", *sizes[:2]), ("after", *sizes[2:])):
    print(
        f"length of a query in block 1, {when} training: class token {of:.1f}, patches {others:.1f}"
    )
print("\nquery of the class token")
base = mean_and_width(reached["trained"])
for name, values in reached.items():
    of = mean_and_width(values)
    gain, width = difference(of, base)
    against = "" if name == "trained" else f"{gain:+5.1f} ± {width:.1f} points"
    print(f"{name:26} {100 * of[0]:.1f} % {against}")

# %% [markdown]
# **It does, and the model uses it.** Training makes the query 2.1 long, where those of the patches are 3.8. Setting it back to zero in the trained model costs 12.0 ± 4.7 points.
#
# **But in block 1 it could do without.** If its query is held at zero there throughout training, no effect is seen. (It is −1.6 ± 3.9 points, so a cost of five still fits.) The class token then begins with an even average, and so in block 2 it is no longer zero. Somewhere it does need a query: without one in both blocks, it loses 9.6 ± 3.8 points.
