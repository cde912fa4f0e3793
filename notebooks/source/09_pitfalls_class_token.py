# %% [markdown]
# # 09 · Pitfalls, measured: the class token mishandled, and its rivals
#
# **After this notebook you can** say what it costs to read the class token from the wrong place or to cut it off, find out with a few lines whether your model does, and compare the class token fairly with its rivals.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; 07 for how experiments are run |
# | Time to read | about 25 minutes, and two more for a second visit |
# | Time to run | at the quick budget {{notebook_seconds("09_pitfalls_class_token"):about}} on two cores of a recent server CPU |
# | Package modules | `variants.py`, `experiments/` |
#
# After the last norm a ViT has T tokens, and its head reads one vector. Which one? You can read the class token, another token, or an average. Some ways are mistakes, and some are choices made on purpose. Nothing crashes in either case, the loss goes down, and *the accuracy will not tell you which is which*.

# %%
import copy
import math

import matplotlib.pyplot as plt
import torch

from vit_minimal import (
    VisionTransformer,
    ViTConfig,
    diagrams,
    load_dataset,
    pick_budget,
    plots,
    seed_everything,
)
from vit_minimal.augment import normalize
from vit_minimal.diagrams.card import CLASS, PATCH, dark
from vit_minimal.experiments import (
    BASE,
    as_table,
    key,
    make_model,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
)
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

dataset = load_dataset()  # for the saved run we asked for Shapes-10, drawings of simple shapes
quick = pick_budget() == "quick"

# %% [markdown]
# ## What a head can read
#
# The picture shows five heads, each with its line of code. The first is that of the ViT paper. The second is a mistake, and so is the third if you meant to read the class token. The last two are the class token's rivals, chosen on purpose. In the last line `w` holds a weight for each patch, which depends on the image.
#
# **Guess before you read on,** for a small model that is trained for three passes over CIFAR-10:
#
# 1. How much does the second head, a mistake, cost: two points, twenty or fifty?
# 2. Which of the five heads is the most accurate, and which the least?

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
# ## Read from the wrong place
#
# The two mistakes are small classes of `vit_minimal/variants.py`. `ReadsFirstPatch` is off by one, as when somebody takes the slice `x[:, 1:]` first and then reads `x[:, 0]`. `AveragesAllTokens` takes the mean over everything:


# %% tags=["same-as:vit_minimal.variants.ReadsFirstPatch", "same-as:vit_minimal.variants.AveragesAllTokens"]
# vit_minimal/variants.py
class ReadsFirstPatch(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


# %% [markdown]
# What do they cost on **CIFAR-10**? We trained the model of notebook 05's recipe `cpu` for three passes over 45,000 images, at one learning rate. Each mistake has three seeds, and the ordinary class token has {{len(runs("class_token_place", "class token").accuracies):d}}.
#
# Another seed gives a slightly different accuracy, so each difference has a ±, which is half of its 95 % interval. If the interval reaches 0, we say *no effect seen*, which is not the same as *no effect*.

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting


def show_gains(settings, against):
    """By how much each setting {name: (words, its Summary)} is ahead of the first of its experiment;
    None makes a heading of its name.
    """
    effects = {
        name: of and (of[0], 100 * of[1].difference, 100 * of[1].difference_width)
        for name, of in settings.items()
    }
    title = f"CIFAR-10, against the class token{against}"
    show_effects(effects, "difference in accuracy, in points", title)


placed = summarize("class_token_place", "full", cifar10, spread)
ordinary = f" ({100 * placed['class token'].mean:.1f} %)"
show_gains(
    {
        "reads the first patch": ("x[:, 1]", placed["reads the first patch"]),
        "averages all tokens": ("x.mean(dim=1)", placed["averages all tokens"]),
    },
    ordinary,
)
for name in ("class token", "reads the first patch", "averages all tokens"):
    wanted = [key(plan("class_token_place", "full", seed)[name, 1]) for seed in range(3)]
    found = [of["train_loss"] for of in cifar10 if key(of["run"]) in wanted]
    passes = " → ".join(f"{loss:.2f}" for loss in torch.tensor(found).mean(dim=0))
    print(f"{name:21} loss in training, pass by pass: {passes}")

# %% [markdown]
# - **How much does reading the first patch cost: two points, twenty or fifty?** It costs {{loss(runs("class_token_place", "reads the first patch")):±.1p}} points,{{assert
# 0.015 < -runs("class_token_place", "reads the first patch").difference < 0.025}}{{assert
# differs(runs("class_token_place", "reads the first patch"))}} few enough to go unnoticed.
# - **Averaging all tokens**, a mistake, is *ahead*, by {{gain(runs("class_token_place", "averages all tokens")):±.1p}} points.{{assert
# differs(runs("class_token_place", "averages all tokens"))}} A higher accuracy does not prove that your code does what you meant.
#
# ### Does your machine see it too?
#
# Now the two mistakes on Shapes-10: 200 steps on 2,000 images, which take about a minute. All have the learning rate 0.01. The text quotes the run saved here; your numbers will differ.

# %%
places = ["class token", "reads the first patch", "averages all tokens"]


def compare(name, **options):
    """Do an experiment's runs and print how they came out; returns its summaries."""
    options |= {"dataset": dataset, "verbose": False}
    found = run_experiment(name, pooled=True, **options)
    alone = run_experiment(name, **options)  # trains nothing: all runs are on record now
    print(as_table(found, alone))
    return found


mistakes = compare("class_token_place", seeds=5, settings=places if quick else None)

# %% [markdown]
# Both effects show again, and on these shapes reading a patch costs more than on CIFAR-10: 11.8 ± 3.1 points. At 0.01 the class token is not at its best, as you will see, so at a better rate the cost may differ.
#
# **Which ± counts?** Few seeds tell little about the noise. So the ± are **pooled**: they take one noise for all models, the average over those on record. The last column has the ± that the *difference* would have from its own few seeds. The pool is right if all models are about equally noisy, which we cannot be sure of here. With it, the lead of averaging all tokens is 3.8 ± 3.1 points, and an effect is seen. With its own ± 4.9 none would be.
#
# ### Why can a patch take its place?
#
# Look into a block. Attention compares every query with every key, and the norms and the MLP work on each token alone. No line asks which token stands first. So if you exchange two tokens in front of the blocks, the same two are exchanged behind them, and nothing else changes:

# %% tags=["hide-input"]
diagrams.exchange()

# %% tags=["nbval-check-output"]
SMALL = ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3)
seed_everything(0)
blocks = VisionTransformer(SMALL).blocks
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
show_gains({name: (words, placed[name]) for name, words in CHANGES.items()}, ordinary)

# %% [markdown]
# - **Class token last** is the same model with its tokens in another order. There should be no effect, and none is seen, so this row checks our experiment. A small difference is left, because positions start at random and the two means come from different seeds.{{assert
# not differs(runs("class_token_place", "class token last"))}}
# - **Last, but reads token 0** is the same mistake as reading the first patch. So the two costs should agree, and they do.{{assert
# differs(runs("class_token_place", "last, but reads token 0"))}}{{assert
# abs(runs("class_token_place", "reads the first patch").mean
# - runs("class_token_place", "last, but reads token 0").mean) < 0.001}}
# - **No position of its own** shows no effect. The class token's vector and its position are only ever added, so the vector alone can learn to be their sum.{{assert
# not differs(runs("class_token_place", "no position of its own"))}}
#
# The slot also explains why a patch *can* take over. Every slot can gather from all tokens, and training shapes the blocks so that the slot that is read gathers what the head needs.
#
# **What is shown:** on CIFAR-10 a patch does this almost as well. **Why it costs points at all** is a conjecture: a patch starts with its own pixels, which take up room in its residual stream, and the class token has nothing else to do. This cannot be the whole story, because the average of all tokens reads almost nothing but patches, and is ahead.
#
# ### Which tokens does a model read?
#
# Look at the losses printed above: all three fall, and without that of the right model you would not know how low the others should be. But you can ask the *gradient* which tokens the answer depends on, after the last norm:


# %% tags=["nbval-check-output"]
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


seed_everything(0)
for kind in (VisionTransformer, ReadsFirstPatch, AveragesAllTokens):
    model, images = kind(SMALL), torch.randn(2, 3, 8, 8)
    print(f"{kind.__name__:18} reads tokens {tokens_read(model, model.norm, images)}")

# %% [markdown]
# In your own model, `norm` must give all tokens, (B, T, D), and the head must read from it. Some of timm's models pool first and normalise afterwards; then take the last block. A head that starts at zero passes no gradient on, so give it random weights first. The list tells what *may* be read, not how much.
#
# ## Cut off
#
# Now the head reads the right token. Does that token have to be trained, to attend to the patches, and to be attended to? Here are four mistakes that raise no error. The last two rows are controls for later.
#
# | name | one line of code | still trained | compared with |
# |---|---|---|---|
# | **left out** | `AdamW(p for p in … if p is not token)` | all but the token's vector | ordinary model |
# | **detached** | `head(x[:, 0].detach())` | the head alone | ordinary model |
# | **alone** | `mask[0, 1:] = False` | what acts on the class token, but not how patches are embedded | ordinary model |
# | **unseen** | `mask[1:, 0] = False` | everything | ordinary model |
# | left out, at zero | left out, after `token.zero_()` | all but the token's vector | ordinary model |
# | left out, no position | at zero, without its `pos_embed` | all but the token | trained token without position |
#
# In the pictures arrows point to the token that attends, and a red × marks what is missing. **Guess:** two of the four ruin the model, and two show no effect. Which are which?

# %% tags=["hide-input"]
diagrams.cut_class_token()

# %% [markdown]
# **Which two ruin the model on CIFAR-10?**
#
# - **Alone**, the class token is the same for every image, so the model guesses: {{runs("class_token_cut", "sees itself alone").mean:.0%}} with every seed.{{assert
# all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}}
# - **Detached**, the head learns, and the blocks stay as random as they started. The model reaches {{runs("class_token_cut", "detached before the head"):±.1%}}, a ± from its own three seeds, and the ordinary one {{runs("class_token_cut", "class token").mean:.1%}}.{{assert
# below(runs("class_token_cut", "detached before the head"), runs("class_token_cut", "unseen by the patches"))}} This says little about class tokens: behind any head, a `.detach()` stops the training of the blocks.
#
# **Unseen** and **left out** show no effect. But is *left out* a fair test? The random start may have been a lucky one, so the first control is frozen at zero. Even there the class token's *position* is trained, which could make up for everything. So the second control has no position either:

# %% tags=["hide-input"]
cut_off = summarize("class_token_cut", "full", cifar10, spread)
started = summarize("class_token_init", "full", cifar10, spread)
untrained = summarize("class_token_untrained", "full", cifar10, spread)
show_gains(
    {
        "unseen": ("no patch attends to it", cut_off["unseen by the patches"]),
        "left out": ("it stays at its random start", started["N(0, 0.02), frozen"]),
        "left out, at zero": ("it stays zero", started["zeros, frozen"]),
        "left out, no position": (
            f"base: trained, {100 * untrained['no position'].mean:.1f} %",
            untrained["no position, frozen at zero"],
        ),
    },
    ordinary,
)

# %% [markdown]
# No effect is seen in any row, and the lowest end of an interval is {{min(reach(gain(of), -1) for of in (runs("class_token_cut", "unseen by the patches"), runs("class_token_init", "N(0, 0.02), frozen"), runs("class_token_init", "zeros, frozen"), runs("class_token_untrained", "no position, frozen at zero"))):.1p}} points. The last ± is larger, because its base has three seeds and not {{len(runs("class_token_cut", "class token").accuracies):d}}.{{assert not differs(runs("class_token_cut", "unseen by the patches"))}}{{assert
# not any(differs(runs("class_token_init", name)) for name in ("N(0, 0.02), frozen", "zeros, frozen"))}}{{assert
# not any(differs(of) for of in experiment("class_token_untrained").values())}} So for this model, trained for three passes, two things remain: the class token must **attend** to the patches, and the gradient must **come back** from it. Card 12 of [notebook 10](10_claims_put_to_the_test.ipynb) tests the sentence that it "must be updated by attention like any other token".
#
# ### Why need it not be trained?
#
# In the first block the query of the class token x is q = W · LN(x) + b. Training can change q in three ways: through x, through W and b, and through the scale and shift inside LayerNorm. In the last row of the figure above, x stays zero. The norm's scale then multiplies zero, and LN(0) is its shift. So the shift, W and b are left to be trained. In the two rows above it, the trained position is added to x.
#
# **From the formula:** a frozen class token *can* have a learned query, though not a free one, because W, b and the norm serve all patches too. **Measured:** freezing it shows no cost. **A conjecture:** training makes up for it in this way; we have not looked.
#
# That no patch has to attend to the class token is less of a riddle, because patches attend to each other directly. In the last block it cannot matter at all: nobody reads the patches that come out.
#
# ### Is mine cut off?
#
# How would you notice one of the four cuts in your own model? Two functions look for them, without any training. The first asks how the tokens are *connected*:


# %%
def cut_connections(model, images):
    """What does not connect the head, the class token and the patches, found out on a copy."""
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
# The second asks whether an optimizer holds the class token. We try both on an ordinary model and on the four that are cut off:


# %% tags=["nbval-check-output"]
def check_class_token(model, optimizers, images):
    """All that was found."""
    token = getattr(model.cls_token, "weight", model.cls_token)
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    trained = id(token) in held and token.requires_grad
    return cut_connections(model, images) + ([] if trained else ["the class token is not trained"])


images = torch.randn(8, 3, 32, 32)
planned = {name: run for (name, _), run in plan("class_token_cut", "quick", seed=0).items()}
cut = {
    "not cut": planned["class token"],
    "left out": planned["class token"] | {"frozen": ["cls_token.weight"]},
    "detached": planned["detached before the head"],
    "alone": planned["sees itself alone"],
    "unseen": planned["unseen by the patches"],
}
for name, run in cut.items():
    model = make_model(run)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    found = check_class_token(model, [optimizer], images)
    print(f"{name:8} found: {', '.join(found) or 'nothing'}")

# %% [markdown]
# What is found need not be wrong, as two of these cuts showed no cost. But you should know about it.

# %% [markdown]
# ## The rivals, compared fairly
#
# Do you need a class token at all? The head can also read the **mean of the patches**. Or it reads a weighted mean, which is **attention pooling**: each patch x gets the score x · q / √D with one learned query q, and a softmax turns the scores into weights.
#
# **Which of the five heads is the most accurate, and which the least?** Here are the two rivals on CIFAR-10, each against the class token after the same number of passes. Each head has the learning rate that was best for it on *validation* images. Only the mean's differs from the recipe's: it is twice as high. At the recipe's rate the mean leads by {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}} points too, so here the search changed nothing that can be seen.{{assert
# not differs(distance(runs("pooling", "mean of patches"), runs("pooling", "mean of patches", 1)))}}{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate
# and runs("pooling", "attention pooling").learning_rate == runs("pooling", "class token").learning_rate
# == runs("pooling", "class token, 4 registers").learning_rate == runs("class_token_place", "class token").learning_rate}}

# %% tags=["hide-input"]
after_long = read_records("../data/results/experiments_cifar10_long.json")
soon = summarize("pooling", "full", cifar10, spread)
later = summarize("pooling", "long", after_long, pooled_spread(after_long))
few, many = (BASE[budget].training.epochs for budget in ("full", "long"))


def seeds(of):
    return f"{len(of.accuracies)} seed{'s' * (len(of.accuracies) > 1)}"


heads = {f"after {few} passes": None}
for name in ("mean of patches", "attention pooling"):
    heads[name] = (seeds(soon[name]), soon[name])
heads[f"after {many} passes"] = None
for name, short in (("mean of patches", "mean"), ("attention pooling", "attention")):
    heads[f"{short}, longer"] = (seeds(later[name]), later[name])
show_gains(heads, " after as many passes")

# %% [markdown]
# **After three passes the first patch is the least accurate. The two rivals and the other mistake share the lead,** and they cannot be told apart. (The mistakes had one learning rate, that of the recipe.){{assert
# below(runs("class_token_place", "reads the first patch"), runs("class_token_place", "class token")) and differs(runs("pooling", "mean of patches")) and differs(runs("pooling", "attention pooling"))}}{{assert
# not any(differs(distance(runs("pooling", "attention pooling"), of)) for of in (runs("pooling", "mean of patches"), runs("class_token_place", "averages all tokens")))}}
#
# After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes no effect of the mean is seen, but only just: {{gain(runs("pooling", "mean of patches", budget="long")):+±.1p}} points.{{assert
# not differs(runs("pooling", "mean of patches", budget="long"))}} Has its lead shrunk? The two leads differ by {{distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))):±.1p}} points. That includes no change and a fall of two points, so we cannot say.{{assert
# not differs(distance(gain(runs("pooling", "mean of patches")), gain(runs("pooling", "mean of patches", budget="long"))))}} Attention pooling is still ahead, by {{gain(runs("pooling", "attention pooling", budget="long")):±.1p}}, with one seed.{{assert
# differs(runs("pooling", "attention pooling", budget="long"))}}
#
# **Which effects may be luck?** This course makes {{comparisons():d}} such comparisons on CIFAR-10, and a few may show an effect by chance. To be right about all of them together in 95 % of cases, take only effects of more than {{corrected():.1p}} points after three passes. The two mistakes and the two rivals pass this test.{{assert
# all(abs(gain(of).mean) > corrected() for of in (runs("class_token_place", "reads the first patch"), runs("class_token_place", "averages all tokens"), runs("pooling", "mean of patches"), runs("pooling", "attention pooling")))}} The late lead of attention pooling may be luck: its ± comes from the pool alone.{{assert
# len(runs("pooling", "attention pooling", budget="long").accuracies) == 1}}
#
# **The limit:** this is one small model, and its rates were chosen for three passes. In the ViT paper the class token and the mean came out alike. The course has the class token because it can be followed through the blocks.
#
# ### Why each at its own rate?
#
# One rate for all would favour the head that it happens to suit. ViT's authors noticed: their mean had looked far worse than the class token until they tried a *lower* rate for it ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Appendix D.3). We try five rates on Shapes-10, with three seeds each. For each head the rate is chosen on validation images, and the table shows the *test* images. **Guess:** is one of the two ahead at all five rates? The runs take about a minute.

# %%
rivals = ["class token", "mean of patches"] if quick else None  # at the full budget all of them
pooling = compare("pooling", settings=rivals)
for name, of in pooling.items():
    print(f"{name}: best on validation images with a learning rate of {of.learning_rate:g}")

# %% [markdown]
# Each at its own rate, the mean is ahead by 7.5 ± 3.5 points. What would a comparison at *one* rate have said? The upper panel shows the accuracy at each rate, with bands for the ±; a ring marks the rate that was chosen. The lower panel shows the lead of the mean.

# %% tags=["hide-input"]
token, mean = (pooling[name].at_rates for name in ("class token", "mean of patches"))
_, (upper, lower) = plt.subplots(2, 1, figsize=(5.6, 5.2), sharex=True, layout="constrained")
for label, colour, stroke in (
    ("class token", dark(CLASS), "-o"),
    ("mean of patches", PATCH, "--s"),
):
    of = pooling[label]
    reached, best = of.at_rates, of.learning_rate
    middle, width = 100 * torch.tensor(list(reached.values())).T
    upper.plot(list(reached), middle, stroke, color=colour, markersize=4, label=label)
    upper.plot(best, 100 * reached[best][0], "o", markersize=14, mfc="none", color=colour)
    upper.fill_between(list(reached), middle - width, middle + width, color=colour, alpha=0.2, lw=0)
leads = {
    rate: (100 * (mean[rate][0] - of), 100 * math.hypot(width, mean[rate][1]))
    for rate, (of, width) in token.items()
}
ahead, width = zip(*leads.values(), strict=True)
lower.axhline(0, color="gray", linewidth=1)
lower.errorbar(list(leads), ahead, yerr=width, fmt="o", capsize=4, color="black")
lower.set_xscale("log")
lower.set_xticks(list(leads), [f"{rate:g}" for rate in leads])
lower.set_xticks([], minor=True)
lower.set(xlabel="learning rate", ylabel="lead of the mean, points")
upper.set_ylabel("test accuracy in %")
upper.legend()
for axis in (upper, lower):
    axis.grid(alpha=0.3)
plots.show(
    "two curves of accuracy over learning rates, and below their difference",
    "Class token or mean of patches?",
    [
        f"at {rate:g}: {100 * mean[rate][0]:.1f} % against {100 * token[rate][0]:.1f} %, "
        f"{ahead:+.1f} ± {width:.1f}"
        for rate, (ahead, width) in leads.items()
    ],
)

# %% [markdown]
# **The curves cross,** if we trust the pooled ±. At the lowest rate the class token is ahead, by 6.5 ± 3.5 points. At 0.04 the mean is, by 16.7. So with one rate for both, you could have reported either. **The limit** is the noise: from their own seeds alone, neither the leads at the two lowest rates nor that of the table would be seen.
#
# ### Why would the mean tolerate a higher rate?
#
# From 0.02 to 0.04 the class token falls by about 9 points. The mean falls by less than 1 point, which is within the noise. Beyond that both fall about alike. So of the rates tried here, the mean tolerates one more than the class token. A simple candidate is the *length* of what the head reads. The norm gives each token about the same length, and vectors that point in different directions partly cancel in a mean:

# %%
seed_everything(0)
planned = plan("pooling", "quick", seed=0)  # {(setting, factor of the learning rate): run}
model = make_model(planned["class token", 1])  # before its first step
tokens = model.forward_features(normalize(dataset.test_images[:100]))  # (B, T, D)
read = {"class token": tokens[:, 0], "mean of patches": tokens[:, 1:].mean(dim=1)}
for name, vectors in read.items():
    print(f"{name:15} has the length {vectors.norm(dim=1).mean():.1f}")

# %% [markdown]
# The mean is shorter, so the same step of the head's weights changes the logits less. Whether this is the cause we have not tested, and the ViT paper speaks against it as a general one: there the mean needed the *lower* rate.

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
# - **Accuracy does not tell a mistake from a choice.** On CIFAR-10, at one learning rate, reading the first patch cost {{loss(runs("class_token_place", "reads the first patch")):±.1p}} points, and averaging all tokens *gained*. On shapes the first costs far more. Ask the gradient which tokens your head reads.
# - **To the blocks the class token is a slot like any other.** That is why a patch can take its place.
# - **Here the class token must attend to the patches, and the gradient must come back from it.** After three passes we saw no cost when no patch attends to it, nor when nobody trains it. `check_class_token` says what is cut off.
# - **Compare heads each at its own learning rate**, and look at the interval of their difference. On CIFAR-10 the mean of the patches was ahead by {{gain(runs("pooling", "mean of patches")):±.1p}} points after three passes. After {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} passes no effect was seen, and whether the lead shrank we cannot say. If your model is small and its training short, try the mean or attention pooling; take the class token if you want to look inside.
#
# ## Questions
#
# <details><summary>Your model reads the first patch instead of the class token. Will the loss tell?</summary>
#
# No. The loss falls as well, and nothing tells you how low it should be. `tokens_read` tells at once.
# </details>
#
# <details><summary>Nobody trains the class token, and the accuracy is the same. Is it useless, then?</summary>
#
# No: the class token is the slot in which the model gathers what the head reads. What is in the slot at the start hardly matters here, probably because the blocks that decide what it gathers are trained.
# </details>
#
# <details><summary>In what way are <code>[1, 0, 2, 3, 4]</code> and a class token that stands last the same experiment?</summary>
#
# Both put the tokens into another order, and the blocks do not know the order. A token's place counts only outside the blocks: in the positions, and in the head.
# </details>
#
# **Try it yourself:** [exercises 09](exercises/09_pitfalls_class_token.ipynb), with checks that say what is wrong.
#
# **Next:** [10 · claims, put to the test](10_claims_put_to_the_test.ipynb). If you would rather hunt bugs first, the museum of [notebook 13](13_silent_bugs.ipynb) has seventeen of them.
#
# ---
#
# ## For a second visit
#
# **Skip this on a first reading.**
#
# ### Three more changes
#
# A model can have five class tokens, and its head reads their mean. Or the class token joins only in the last block, after [CaiT](https://arxiv.org/abs/2103.17239). Or there are **registers**: learned tokens that take part in attention and that no head reads.

# %% tags=["hide-input"]
show_gains(
    {
        "5 class tokens": ("the head reads their mean", placed["5 class tokens"]),
        "only in the last block": ("it joins the patches there", placed["only in the last block"]),
        "class token, 4 registers": ("nobody reads them", soon["class token, 4 registers"]),
    },
    ordinary,
)

# %% [markdown]
# Only the one that joins late shows an effect.{{assert
# differs(runs("class_token_place", "only in the last block"))}}{{assert
# not differs(runs("class_token_place", "5 class tokens")) and not differs(runs("pooling", "class token, 4 registers"))}} It may be luck: {{gain(runs("class_token_place", "only in the last block")):+±.1p}} does not pass the test for all comparisons together, and after 14 passes, with one seed, it is {{gain(runs("class_token_place", "only in the last block", budget="long")):+±.1p}}. [Notebook 10](10_claims_put_to_the_test.ipynb) says more, after its card 2.{{assert
# gain(runs("class_token_place", "only in the last block")).mean < corrected()}}
#
# ### How the rates were chosen
#
# On CIFAR-10 validation images chose the rate, with the first seed only. We tried the recipe's learning rate, half of it and twice that rate. The mean of the patches was best at twice the recipe's; as that was the highest, we also tried four times the rate, which was worse. The others were best at the recipe's own.
#
# On Shapes-10 the ring of the mean is not at the top of its curve, because validation images chose it. At 0.02, the top, the mean would lead by 8.4 points. At 0.01 the class token has the five seeds of the first table.
#
# ### How the ± is made
#
# What is pooled is the spread of one run about the mean of its setting, as if runs were independent. On CIFAR-10 the settings on record that were trained as long are pooled, and on Shapes-10 those that have run on your machine. Settings that reach less than half of the best accuracy are left out, and keep the interval of their own seeds. ([Notebook 07](07_pitfalls_initialization.ipynb) says more.) On Shapes-10 the pool grows with every run. So in the second table the ± of three seeds is only a little wider than that of five in the first.
