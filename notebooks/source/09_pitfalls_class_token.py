# %% [markdown]
# # 09 · Pitfalls, measured: the class token mishandled, and its rivals
#
# **After this notebook you can** say what it costs to read the class token from the wrong place or to cut it off, find out with a few lines whether your model does, and compare the class token fairly with its rivals.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 04; 07 for how experiments are run |
# | Time to read | about 30 minutes, and five more for a second visit |
# | Time to run | at the quick budget about two minutes{{assert round(notebook_seconds("09_pitfalls_class_token") / 60) == 2}} on two cores of a recent server CPU |
# | Package modules | `variants.py`, `experiments/` |
#
# The class token is one row of a matrix. If you take the wrong row, or average it with the others, nothing crashes, and the loss goes down. How much is lost, and how would you notice?
#
# Numbers that the text quotes from drawn shapes are those of the run saved here. Yours will differ.

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
from vit_minimal.diagrams.card import CLASS, PATCH, dark
from vit_minimal.experiments import (
    as_table,
    make_model,
    plan,
    pooled_spread,
    run_experiment,
    summarize,
)
from vit_minimal.forest import show_effects
from vit_minimal.records import read_records

dataset = load_dataset()
quick = pick_budget() == "quick"

# %% [markdown]
# ## What a head can read
#
# After the last norm there are T tokens, and the head takes one vector. Which one? Here are five answers, each with its line of code. The first is the rule of the paper. The second is a bug, and so is the third if you meant to read the class token. The last two are the class token's rivals. In the last line `w` holds one weight for each patch, which depends on the image.

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
# The second and the third answer are small classes of `vit_minimal/variants.py`. `ReadsFirstPatch` is off by one, as when somebody takes the slice `x[:, 1:]` first and then reads `x[:, 0]`. `AveragesAllTokens` takes the mean over everything:


# %% tags=["same-as:vit_minimal.variants.ReadsFirstPatch", "same-as:vit_minimal.variants.AveragesAllTokens"]
# vit_minimal/variants.py
class ReadsFirstPatch(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images)[:, 1])


class AveragesAllTokens(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images).mean(dim=1))


# %% [markdown]
# > **How to read a ±.** Train the same model with three seeds, and you get three accuracies. How far they lie apart is the noise, and a difference has to be larger than the noise. The ± says how large: it is half of a 95 % interval. Three seeds are too few to measure the noise well. So we *pool* it: we average it over many settings, as if all had the same. Where that matters we say so: the lead of 7.5 ± 3.5 points that you will meet below would be 7.5 ± 8.9 by its own seeds alone. If the interval of a difference reaches 0, we say *no effect seen*, which is not the same as *no effect*.
#
# The experiment `class_token_place` compares these two models with the ordinary one (and others at the full budget): 200 steps on 2,000 drawn shapes, judged by 1,000, all at one learning rate, 0.01. It takes about a minute.

# %%
places = ["class token", "reads the first patch", "averages all tokens"] if quick else None
# pooled: the intervals come from all runs together (second visit)
options = {"dataset": dataset, "pooled": True, "verbose": False}
print(as_table(run_experiment("class_token_place", seeds=5, settings=places, **options)))

# %% [markdown]
# Reading a patch costs 11.8 ± 3.1 points, yet the model does not fall to guessing, which would be 10 %. A conjecture: attention is open to every token, so the patch can learn to gather from the others as the class token does. Averaging all tokens is ahead by 3.8 ± 3.1, only just: by its own seeds alone, no effect would be seen.
#
# Now the same on **CIFAR-10**, from the record: the model of notebook 05's recipe `cpu`, three passes over 45,000 images, one learning rate, three seeds of each change and {{len(runs("class_token_place", "class token").accuracies):d}} of the ordinary class token. Five more changes are on record:
#
# - The class token stands last, and is read there.
# - It stands last, but the head still reads token 0, a patch.
# - It has no position embedding of its own.
# - There are five class tokens, and the head reads their mean.
# - It joins the patches only in the last block.
#
# **Guess first:** which of these seven changes does harm, and does one help?

# %% tags=["hide-input"]
cifar10 = read_records("../data/results/experiments_cifar10_full.json")
spread = pooled_spread(cifar10)  # of the runs of one setting


def show_gains(measured, words, title):
    """By how much each setting is ahead of the first."""
    base, *others = measured
    effects = {
        name: (words[name], 100 * of.difference, 100 * of.difference_width)
        for name, of in measured.items()
        if name in others
    }
    title = f"{title}, against the {base} ({100 * measured[base].mean:.1f} %)"
    show_effects(effects, "difference in accuracy, in points", title)


CHANGES = {
    "reads the first patch": "x[:, 1]",
    "averages all tokens": "x.mean(dim=1)",
    "class token last": "it stands behind the patches",
    "last, but reads token 0": "which is a patch now",
    "no position of its own": "only patches have positions",
    "5 class tokens": "the head reads their mean",
    "only in the last block": "it joins the patches there",
}
show_gains(summarize("class_token_place", "full", cifar10, spread), CHANGES, "CIFAR-10")
for variant in ("ReadsFirstPatch", "AveragesAllTokens"):
    found = [of["train_loss"] for of in cifar10 if of["run"]["variant"] == variant]
    passes = " → ".join(f"{loss:.2f}" for loss in torch.tensor(found).mean(dim=0))
    print(f"{variant:17} loss in training, pass by pass: {passes}")

# %% [markdown]
# In three of the changes no effect is seen: class token last, no position of its own, and 5 class tokens all lie within {{max(rounded_up(abs(gain(runs("class_token_place", name)).mean)) for name in
# ("class token last", "no position of its own", "5 class tokens")):.1p}} points of the ordinary class token, each known to ± {{max(gain(runs("class_token_place", name)).width for name in
# ("class token last", "no position of its own", "5 class tokens")):.1p}}.{{assert
# all(abs(gain(runs("class_token_place", name)).mean) < gain(runs("class_token_place", name)).width for name in
# ("class token last", "no position of its own", "5 class tokens"))}} (The token can do without a position because both are learned and only ever added: one learned vector can be the same sum.)
#
# - **Reading a patch** costs {{-runs("class_token_place", "reads the first patch").difference:.1p}} points,{{assert
# differs(runs("class_token_place", "reads the first patch"))}} whether the slice was off by one or the class token stands last and token 0 is read.{{assert
# differs(runs("class_token_place", "last, but reads token 0"))}}{{assert
# abs(runs("class_token_place", "reads the first patch").mean
# - runs("class_token_place", "last, but reads token 0").mean) < 0.001}} The model of the drawn shapes lost far more; we did not test why.
# - **Averaging all tokens** is ahead by {{runs("class_token_place", "averages all tokens").difference:.1p}} points.{{assert
# differs(runs("class_token_place", "averages all tokens"))}} That is no surprise, because it is nearly the mean of the patches, which at the same learning rate is ahead by {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}}.
# - **Joining only in the last block**, after [CaiT](https://arxiv.org/abs/2103.17239), the class token is ahead by {{gain(runs("class_token_place", "only in the last block")):±.1p}} points. We noticed that only after looking at many comparisons, and whether it may be luck is a question for [notebook 10](10_claims_put_to_the_test.ipynb), card 2. In this one model of four blocks, after three passes, it lost nothing that we could see by joining so late.
#
# ### Which tokens does a model read?
#
# The two lines below the figure show that the loss falls in spite of the mistake, and nobody tells you how low it should be. But you can ask the *gradient* which tokens the answer depends on, after the last norm:


# %% tags=["nbval-check-output"]
def tokens_read(model, norm, images):
    """The indices of the tokens that have a say in the answer; `norm` is the model's last norm."""
    kept = []

    def keep(module, inputs, output):  # (B, T, D)
        output.retain_grad()
        kept.append(output)

    hook = norm.register_forward_hook(keep)
    model(images).square().sum().backward()
    hook.remove()
    return kept[0].grad.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()


SMALL = ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3)
seed_everything(0)
for kind in (VisionTransformer, ReadsFirstPatch, AveragesAllTokens):
    model, images = kind(SMALL), torch.randn(2, 3, 8, 8)
    print(f"{kind.__name__:18} reads tokens {tokens_read(model, model.norm, images)}")

# %% [markdown]
# It works for your own model too: `norm` is the module whose output the head reads. A head that starts at zero passes no gradient on, so give it random weights first. And the list tells what *may* be read, not how much.
#
# ## "Treat it like any other token"
#
# That sounds like sensible advice for the class token. Code can break it in four ways without raising an error:
#
# - It is **left out** of the optimizer, because a list of parameters forgot it. It then stays as it was drawn: it is *frozen*.
# - It is **detached**: a `.detach()` or `torch.no_grad()` just before the head stops the gradient there.
# - It is **alone**: a mask lets it attend to itself only.
# - It is **unseen**: a mask keeps the patches from attending to it.
#
# Each picture shows the tokens before a block at the left, and after it at the right. Purple arrows show where information flows between the class token and the patches. (Patches attend to each other, too; those arrows are not drawn.) The red × marks what is missing:

# %% tags=["hide-input"]
diagrams.cut_class_token()

# %% [markdown]
# Here is a check for each, in a few lines. It asks how the tokens are *connected*, and a start with zeros (notebook 07) would hide that. So the check works on a copy of the model, and fills the copy with random weights first.


# %% tags=["nbval-check-output"]
def check_class_token(model, optimizers, images):
    """How a class token is cut off, found out with one backward pass on a copy of the model."""
    token = getattr(model.cls_token, "weight", model.cls_token)  # timm has no .weight
    held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    findings = [] if id(token) in held and token.requires_grad else ["it is not trained"]
    model = copy.deepcopy(model).requires_grad_().eval()  # in the copy nothing is frozen
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.zero_grad()
    model(images).square().sum().backward()
    if model.blocks[0].attn.qkv.weight.grad is None:
        findings.append("no gradient passes from the head to the blocks")
    before = model.forward_features(images)
    if before[:, 0].std(dim=0).max() < 1e-6:
        findings.append("it is the same for every image")
    token = getattr(model.cls_token, "weight", model.cls_token)
    token.data += torch.randn_like(token)
    if torch.allclose(model.forward_features(images)[:, 1:], before[:, 1:]):
        findings.append("no patch attends to it")
    return findings or ["nothing"]


photos = torch.randn(8, 3, 32, 32)
cut = {name: run for (name, _), run in plan("class_token_cut", "quick", seed=0).items()}
cut["left out"] = cut["class token"] | {"frozen": ["cls_token.weight"]}
for name, run in cut.items():
    model = make_model(run)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    print(f"{name:24} wrong: {', '.join(check_class_token(model, [optimizer], photos))}")

# %% [markdown]
# And what do they cost? One thing makes a fair answer difficult. A class token that was left out still has a position, which is added to it before the first block, and that position learns. So the last two rows compare models whose class token has no position:
#
# | CIFAR-10: the class token is | accuracy |
# |---|---|
# | as it should be | {{runs("class_token_cut", "class token"):±.1%}} |
# | detached before the head | {{runs("class_token_cut", "detached before the head"):±.1%}} |
# | alone: it attends to itself only | {{runs("class_token_cut", "sees itself alone").mean:.1%}} with every seed |
# | unseen by the patches | {{runs("class_token_cut", "unseen by the patches"):±.1%}} |
# | left out, and stays zero | {{runs("class_token_init", "zeros, frozen"):±.1%}} |
# | trained, without a position | {{runs("class_token_untrained", "no position"):±.1%}} |
# | left out, stays zero, without a position | {{runs("class_token_untrained", "no position, frozen at zero"):±.1%}} |
#
# **Alone**, it guesses. **Detached**, the blocks stay random, and only the head learns. The others are a surprise, given the advice: being **unseen** or **left out** has no measurable effect. For the one that is left out this holds even where no position can learn in its place.{{assert all(accuracy == 0.1 for accuracy in runs("class_token_cut", "sees itself alone").accuracies)}}{{assert not differs(runs("class_token_cut", "unseen by the patches"))}}
# {{assert not any(differs(runs("class_token_init", name)) for name in ("N(0, 0.02), frozen", "zeros, frozen"))}}
# {{assert below(runs("class_token_cut", "detached before the head"), runs("class_token_cut", "unseen by the patches"))}}
# {{assert not any(differs(of) for of in experiment("class_token_untrained").values())}}
#
# So this remains of the advice, for this model and three passes: the class token must **attend** to the patches, and the gradient must **come back** from it.
#
# ## The rivals, compared fairly
#
# The head can also read the **mean of the patches**. Or it reads a weighted mean whose weights are learned, which is **attention pooling**: each patch x gets the score x · q / √D with one learned query q, and a softmax turns the scores into weights. **Registers** are no rival but an addition: learned tokens that take part in attention and that no head reads.
#
# A comparison at one learning rate favours the kind of head that this rate suits. ViT's authors noticed: their mean pooling had looked far worse than the class token until they tried other rates for it ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), Appendix D.3). So we try the class token and the mean here, on drawn shapes, at five learning rates, with three seeds each. (At the full budget the other rivals follow.) The rate that is best on *validation* images counts, and the table shows the *test* images. It takes about a minute.

# %%
rivals = ["class token", "mean of patches"] if quick else None
pooling = run_experiment("pooling", settings=rivals, **options)
print(as_table(pooling))
for name, of in pooling.items():
    print(f"{name}: best on validation images with a learning rate of {of.learning_rate:g}")

# %% [markdown]
# The mean is ahead by 7.5 ± 3.5 points (differences are taken before rounding). What would a comparison at *one* rate have said? The upper panel shows the accuracy at each rate, with bands for the intervals, and the lower one the lead of the mean. (At 0.01 the class token has the five seeds from above.)

# %% tags=["hide-input"]
token, mean = (pooling[name].at_rates for name in ("class token", "mean of patches"))
_, (upper, lower) = plt.subplots(2, 1, figsize=(6, 5.2), sharex=True, layout="constrained")
for reached, label, colour, stroke in (
    (token, "class token", dark(CLASS), "-o"),
    (mean, "mean of patches", PATCH, "--s"),
):
    middle, width = 100 * torch.tensor(list(reached.values())).T
    upper.plot(list(reached), middle, stroke, color=colour, markersize=4, label=label)
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
# **The curves cross.** At the lowest rate the class token is ahead, by 6.5 ± 3.5 points. That rests on the pooling: by their own seeds alone it would be ± 8.9 here as well. At the three highest rates the mean is ahead either way, at 0.04 by as much as 16.7 points. There the mean does not get better; the class token gets worse. So with one rate for both, you could have reported a lead of the class token, a small lead of the mean, or a large one. (The lesson applies to this notebook too: the experiments above had one rate for all.)
#
# On **CIFAR-10** the rate was chosen on validation images as well, but with the first seed only. The learning rate of the recipe `cpu`, half of it and twice that rate were tried. The mean of the patches got twice the recipe's rate (four times, tried for it alone, was worse), and the others kept the recipe's own.{{assert
# runs("pooling", "mean of patches").learning_rate == 2 * runs("pooling", "class token").learning_rate
# and runs("pooling", "attention pooling").learning_rate == runs("pooling", "class token").learning_rate
# == runs("pooling", "class token, 4 registers").learning_rate == runs("class_token_place", "class token").learning_rate}}

# %% tags=["hide-input"]
RIVALS = {
    "mean of patches": "x[:, 1:].mean(dim=1)",
    "attention pooling": "a learned, weighted mean",
    "class token, 4 registers": "four more tokens, not read",
}
show_gains(summarize("pooling", "full", cifar10, spread), RIVALS, "CIFAR-10, each at its best rate")

# %% [markdown]
# The mean of the patches leads by {{runs("pooling", "mean of patches").difference:.1p}} points, attention pooling by {{
# runs("pooling", "attention pooling").difference:.1p}}.{{assert
# differs(runs("pooling", "mean of patches")) and differs(runs("pooling", "attention pooling"))}} (At the recipe's rate the lead of the mean was {{distance(runs("pooling", "mean of patches", 1), runs("pooling", "class token")).mean:.1p}} too: here the search for rates changed nothing that can be seen.{{assert
# not differs(distance(runs("pooling", "mean of patches"), runs("pooling", "mean of patches", 1)))}}) Four registers show no effect: whatever they do, it is hardly more than {{largest(gain(runs("pooling", "class token, 4 registers"))):.1p}} points either way.{{assert
# abs(gain(runs("pooling", "class token, 4 registers")).mean) < gain(runs("pooling", "class token, 4 registers")).width}}
#
# **What we know:** in the small model of CIFAR-10, trained briefly and each head at its own rate, the mean of the patches beats the class token. On the drawn shapes it is ahead as well, but there the lead is sure only if the noise is pooled (7.5 ± 8.9 by their own seeds alone). **What we do not know** from this: whether it does in a large model or after long training. In the ViT paper's comparison the two came out alike, and notebook 10 says what longer training changes here. The course has the class token because it can be followed through the blocks.

# %% [markdown] tags=["exercise-only"]
# # Exercises 09 · Pitfalls: the class token mishandled, and its rivals
#
# They go with notebook [09](../09_pitfalls_class_token.ipynb). If you start here: after the last block there are T tokens, (B, T, D). The class token is token 0, registers (tokens that nobody reads) may follow, then the patches. A head may read the class token, or a mean of the patches, plain or weighted.

# %% tags=["exercise-only"]
import torch

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
# Solution: The patch whose pixels have no gradient, in all three channels. Its attention map would not have told: the hidden token looks at others as before, and only nobody looks at it. A model that does not see the corner of an image trains and scores nearly as well, so nobody would have noticed.

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
# - **A model that reads the wrong token trains all the same.** At one learning rate the first patch cost 11.8 ± 3.1 points on drawn shapes and {{loss(runs("class_token_place", "reads the first patch")):±.1p}} on CIFAR-10. Ask the gradient which token your head reads.
# - **The class token must attend to the patches, and the gradient must come back from it.** Nobody has to attend to *it*, and in this model it need not even be trained. `check_class_token` says what is cut off.
# - **Compare heads each at its own learning rate**, and look at the interval of their difference. The mean of the patches was ahead of the class token by 7.5 ± 3.5 points on drawn shapes, if we pool, and by {{gain(runs("pooling", "mean of patches")):±.1p}} on CIFAR-10, where attention pooling was ahead by {{gain(runs("pooling", "attention pooling")):±.1p}}. On a small model start with one of these two; take the class token if you want to look inside.
#
# ## Questions
#
# <details><summary>Your model reads the first patch instead of the class token. Will the loss tell?</summary>
#
# No. It falls as well, and nothing tells you how low it should be. `tokens_read` tells at once.
# </details>
#
# <details><summary>Nobody trains the class token, and the accuracy is the same. Is it of no use?</summary>
#
# It is: without it the head would have no token that gathers for all images alike. What it starts as hardly matters here, because what it gathers depends on the attention of the blocks, and those are trained.
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
# ### How the ± is made
#
# What is pooled is the spread of one run about the mean of its setting, as if all varied alike and runs were independent. For CIFAR-10 these are all settings on record ([notebook 07](07_pitfalls_initialization.ipynb)), and for the tables of drawn shapes all that have run on your machine. Models that guess hardly vary: they are left out, and keep the interval of their own seeds.
#
# Judged by their own seeds alone, *averages all tokens*, the leads at the two lowest rates and the lead with own rates (7.5 ± 8.9) would show no effect.
