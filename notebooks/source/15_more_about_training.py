# %% [markdown]
# # 15 · More about training, to look up
#
# **After this notebook you can** explain how Muon evens out a step with a few matrix products, work out what that costs, and say how firmly each ingredient of the course's recipe is supported.
#
# | | |
# |---|---|
# | You need | notebook 05 |
# | Time to read | about 20 minutes, or eight for the part that you came for |
# | Time to run | {{notebook_seconds("15_more_about_training"):about}} on two cores of a recent server CPU, with the budget `quick` |
# | Package modules | `training/`, `augment.py` |

# %%
import contextlib
import io
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import (
    RECIPES,
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    fit,
    load_dataset,
    pick_budget,
    plots,
    seed_everything,
)
from vit_minimal.augment import mix, normalize
from vit_minimal.records import read_records
from vit_minimal.training import Muon
from vit_minimal.training.patch_dropout import PatchDropout

# %% [markdown]
# | part | come here if you ask |
# |---|---|
# | **A. Muon from the inside** | how can matrix products replace a slow decomposition, and what do they cost? |
# | **B. How well supported is the recipe?** | what do averaged weights, a schedule, clipping and mixed images give, and which settings rest on a measurement? |
# | **C. An appendix** | how is a whole batch cropped without a loop? |
#
# What is trained here is trained as in the ladder on shapes of notebook [05](05_training_on_cifar10.ipynb): a small model, four passes over 4,000 drawn shapes, judged on 1,000 validation images. Run this set-up first:

# %%
quick = pick_budget() == "quick"
dataset = load_dataset()
if quick:
    dataset = dataset.first(5_000, 1_000)
MODEL = ViTConfig(
    patch_size=8, embed_dim=64, depth=2, num_heads=2, mlp_ratio=2.0, pos_embed="sinusoidal"
)
PLAIN = TrainingConfig(
    epochs=4,
    batch_size=50 if quick else 500,
    label_smoothing=0.0,
    flip=False,
    crop_padding=0,
    validation_images=1_000,
)  # with warm-up, cosine and clipping, as `TrainingConfig` has them by itself
MUON = replace(PLAIN, optimizer="muon", learning_rate=1e-2, weight_decay=0.1)
ADAMW = replace(PLAIN, optimizer="adamw", learning_rate=2e-3, weight_decay=0.05)


def train(config, start, order):
    """The validation accuracies over the epochs, from these first weights and in this order."""
    seed_everything(start)
    with contextlib.redirect_stdout(io.StringIO()):  # without a line for each epoch
        history = fit(VisionTransformer(MODEL), dataset, replace(config, seed=order))
    return history.validation_accuracy


# %% [markdown]
# ## A. Muon from the inside
#
# Muon takes momentum's step for a matrix and makes its singular values equal, so that every direction of the matrix moves as far as the strongest. Why should one want that? Here is one answer, from theory: if you measure the size of a step by its largest singular value, then, of all steps of one size, the gradient with its singular values made equal lowers the loss most, to first order ([Bernstein and Newhouse 2024](https://arxiv.org/abs/2409.20325)).
#
# ### How can one change all singular values without finding them?
#
# The rule `muon` of notebook 05 took the step X apart by a singular value decomposition, X = U·Σ·Vᵀ, and set every singular value to 1. Jordan et al. find that far too slow for a training. Could matrix products move the singular values, without ever finding out what U and V are?
#
# Look at the simplest product that has the shape of X again. The columns of U are orthogonal and of length 1, so UᵀU is the identity matrix, and VᵀV is one for the same reason. Both vanish from the middle:
#
# X·Xᵀ·X = (U·Σ·Vᵀ)·(V·Σ·Uᵀ)·(U·Σ·Vᵀ) = U·Σ³·Vᵀ
#
# The product cubes every singular value and leaves all directions alone. Is that really so? We try it on a random matrix:

# %% tags=["nbval-check-output"]
seed_everything(0)
X = torch.randn(5, 3)
U, values, Vt = torch.linalg.svd(X, full_matrices=False)
cubed = U @ (values**3).diag() @ Vt
print("X·Xᵀ·X has the cubes of the singular values:", torch.allclose(X @ X.T @ X, cubed, rtol=1e-3))

# %% [markdown]
# Multiply by Xᵀ and X once more, and you get U·Σ⁵·Vᵀ. So the sum a·X + b·X·Xᵀ·X + c·X·Xᵀ·X·Xᵀ·X takes every singular value s to the **polynomial** a·s + b·s³ + c·s⁵, all of them at once. Repeating such a step is called a *Newton–Schulz iteration*.
#
# Now we can choose a, b and c. We want a polynomial that lifts small values quickly and keeps large ones near 1. The factor for small values is a, so a should be large. The larger it is, the more the values near 1 swing. Jordan et al. searched for the largest a whose swings did no harm to their trainings ([their post](https://kellerjordan.github.io/posts/muon/)), and found the three numbers below. What will five rounds make of a value of 0.001, and of a value of 1?

# %% tags=["nbval-check-output"]
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def one_round(s):
    a, b, c = COEFFICIENTS
    return a * s + b * s**3 + c * s**5


values = torch.tensor([0.001, 0.01, 0.1, 0.5, 1.0])
for number in range(ROUNDS + 1):
    print(f"after {number} rounds:", "  ".join(f"{value:5.3f}" for value in values.tolist()))
    values = one_round(values)

# %% [markdown]
# At first, the largest value was a thousand times the smallest. Now it is less than twice as large. Follow the first column: a small value is multiplied by about 3.44 in each round. The last column swings around 0.9 and never settles.
#
# Does that suffice for the matrices of a training? We take one of them, the gradient that a new model gets from its first batch, for the first block's matrix of queries, keys and values. It has 64 singular values.

# %%
seed_everything(0)
model = VisionTransformer(MODEL)
first = slice(0, PLAIN.batch_size)
logits = model(normalize(dataset.train_images[first]))
F.cross_entropy(logits, dataset.train_labels[first]).backward()
gradient = model.blocks[0].attn.qkv.weight.grad  # (3·D, D) = (192, 64)
before = torch.linalg.svdvals(gradient / gradient.norm())  # none is above 1

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7, 3.9), sharey=True, layout="constrained")
values = torch.logspace(-4, 0, 400)
contents = ((values, values), (torch.arange(1, len(before) + 1), before))
for panel, (x, y) in zip(panels, contents, strict=True):
    for number in range(ROUNDS + 1):
        if number in (0, 1, 3, 5):
            look = plots.curve_style((0, 1, 3, 5).index(number))
            style = {key: look[key] for key in ("color", "linestyle")}
            name = {0: "before", 1: "after 1 round"}.get(number, f"after {number} rounds")
            panel.plot(x, y, label=name, **style)
        y = one_round(y)
    panel.axhspan(0.68, 1.2, color="#DDDDDD", zorder=0, label="0.68 to 1.2")
    panel.grid(alpha=0.3)
panels[0].axvline(0.002, color="gray", ls=":", lw=1)
panels[0].text(0.0023, 2e-5, "0.002", color="#555555", size=9)
panels[0].set(xscale="log", yscale="log", ylim=(1e-6, 2), title="Any singular value")
panels[0].set(xlabel="singular value before", ylabel="singular value")
panels[1].set(xlabel="direction, sorted before", title="Those of a real gradient")
handles, labels = panels[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8.5)
plots.show("curves that each round lifts: after five they are flat where the values were large")

# %% [markdown]
# On the left, each round lifts the small values and lengthens the flat part. After five rounds, every value that began between 0.002 and 1 lies in the grey band, between 0.68 and 1.2. Values far below that stay behind, because five rounds multiply by at most 3.44⁵, which is some 480.
#
# On the right is our gradient, with its 64 singular values sorted. Before, 3 of them are above a tenth of the largest. After five rounds there are 26. The thirteen that began above 0.002 end in the band, though no longer in order. The fainter ones are all lifted by nearly the same factor, so they stay behind. (The last one is the direction in which all numbers of a token rise together. The LayerNorms remove it, so it gets next to no gradient.) The exact rule would have put all 64 at 1. So the real Muon makes a step much more even, but not quite even, as the eight matrices in notebook 05 showed.
#
# For a matrix, the sum needs only S = X·Xᵀ, because it is a·X + (b·S + c·S·S)·X. That is what the package computes, for a stack of matrices at once. Two things help to read the code. `torch.baddbmm(p, q, r, beta=u, alpha=w)` is `u * p + w * (q @ r)`, with alpha = 1 if it is left out. And the norm before the loop is the root of the sum of all squared singular values, so after the division none is above 1. That matters: from about 1.26 on, the polynomial makes a value grow without end.


# %% tags=["same-as:vit_minimal.training.muon.newton_schulz"]
# vit_minimal/training/muon.py
def newton_schulz(matrices, dtype=torch.float32):
    """Matrices (k, m, n) with the same singular vectors, whose singular values are more equal by far."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(dtype)  # the square of the shorter side is cheaper
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # no singular value beyond 1
    for _ in range(ROUNDS):
        square = x @ x.mT
        bracket = torch.baddbmm(square, square, square, beta=b, alpha=c)  # b·S + c·S·S
        x = torch.baddbmm(x, bracket, x, beta=a)  # a·X + (…)·X
    return x.mT if tall else x


# %% [markdown]
# Do these products do to the real gradient what the polynomial did to its singular values?

# %% tags=["nbval-check-output"]
expected = before
for _ in range(ROUNDS):
    expected = one_round(expected)
after = torch.linalg.svdvals(newton_schulz(gradient[None])[0])
same = torch.allclose(after, expected.sort(descending=True).values, atol=1e-3)
print("same singular values:", same)

# %% [markdown]
# ### What does it cost?
#
# First the question with which we began: how much faster is it than the decomposition? We time both on this one gradient.


# %%
def seconds_of(operation, tries=20):
    """The least time of some tries: what else the machine does only adds to it."""
    found = []
    for _ in range(tries):
        begin = time.perf_counter()
        operation()
        found.append(time.perf_counter() - begin)
    return min(found)


decomposition = seconds_of(lambda: torch.linalg.svd(gradient, full_matrices=False))
products = seconds_of(lambda: newton_schulz(gradient[None]))
print(f"the decomposition takes {decomposition / products:.1f} times as long")

# %% [markdown]
# That is less than we had expected: for one small matrix, in float32, on one core, a decomposition costs hardly more. The products can do what it cannot: they run in bfloat16, on a whole stack of matrices at once. What that gives on a GPU, we have not measured.
#
# And how much do they add to a training? A matrix whose sides are s and l, s the shorter, takes 4·s²·l + 2·s³ operations in each of five rounds. Forward and backward take 6·s·l for each token of the batch. So with N tokens in a batch, Muon adds a share of 10·s/(3·N) for a long matrix, and half as much again for a square one. Large matrices and small batches make it expensive. Here PyTorch counts it all, for our small model, and for the recipe `cpu` on whole and on half images:


# %% tags=["hide-input"]
def share_of_muon(config, batch, left_out=0.0):
    """The arithmetic of Newton–Schulz, as a share of that of forward and backward."""
    counted = VisionTransformer(config)
    counted.pos_drop = PatchDropout(left_out)  # the tokens pass it on their way to the first block
    with FlopCounterMode(display=False) as training:
        counted(torch.zeros(batch, 3, 32, 32)).sum().backward()
    with FlopCounterMode(display=False) as evening:
        for parameter in counted.blocks.parameters():
            if parameter.ndim == 2:
                newton_schulz(parameter.detach()[None])
    return evening.get_total_flops() / training.get_total_flops()


cpu, size = RECIPES["cpu"].model, RECIPES["cpu"].training.batch_size
own = PLAIN.batch_size
print(f"small model, batches of {own}: Muon adds {share_of_muon(MODEL, own):.0%}")
print(f"recipe cpu, batches of {size}: Muon adds {share_of_muon(cpu, size):.0%}")
print(
    f"recipe cpu, the same on half images: Muon adds {share_of_muon(cpu, size, left_out=0.5):.0%}"
)

# %% [markdown]
# These are shares of the arithmetic, not of the time. Newton–Schulz is the same work for any batch. So its share rises when patches are left out, as they are in 13 of the recipe's 14 epochs.
#
# ### What does a complete step look like?
#
# Two things are new in it. It looks ahead along the momentum, which is Nesterov's way. And it has a **decoupled weight decay**: the matrix shrinks by a share of itself, apart from the gradient. So the evening-out does not touch the decay. AdamW's decay is of this kind too.


# %% tags=["nbval-check-output"]
def muon_step(weight, gradient, memory, rate, weight_decay):
    """One step of Muon on a matrix (m, n), in place."""
    memory["mean"] = 0.95 * memory.get("mean", 0) + 0.05 * gradient
    ahead = 0.95 * memory["mean"] + 0.05 * gradient
    step = 0.2 * max(weight.shape) ** 0.5 * newton_schulz(ahead[None])[0]
    weight -= rate * weight_decay * weight  # the weight decay
    weight -= rate * step


weight, memory = torch.randn(96, 64), {}
same = nn.Parameter(weight.clone())
package = Muon([same], lr=0.01, weight_decay=0.1, precision="float32")
for _ in range(3):
    same.grad = torch.randn(96, 64)
    muon_step(weight, same.grad, memory, rate=0.01, weight_decay=0.1)
    package.step()
print("the package's Muon takes the same steps:", torch.allclose(weight, same, atol=1e-6))

# %% [markdown]
# **Why the factor 0.2·√max(m, n)?** If all singular values are 1, their squares sum to min(m, n). The squares of the m·n numbers in the matrix have the same sum, so a typical number is 1/√max(m, n). The factor makes it 0.2, roughly what the numbers of Adam's steps usually are ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)). So in `fit`, one learning rate can serve Muon for the matrices and AdamW for all other parameters of the same model. With Newton–Schulz it is less than 0.2, since the faint directions stay behind. Is it much less?

# %%
step = 0.2 * max(gradient.shape) ** 0.5 * newton_schulz(gradient[None])[0]
print(f"a typical number of the step for our gradient: {step.square().mean().sqrt():.2f}")

# %% [markdown]
# About half, for this gradient. So at one learning rate, Muon's matrices move about half as far as Adam would move them. As always, one finds the rate by trying.
#
# **Which parameters?** Muon is for the matrices of the blocks only. The patch embedding and the head are matrices too, but they are the first and the last layer, and for those Jordan et al. advise AdamW. PyTorch has had Muon since version 2.9, and a test makes sure that ours takes the same steps as PyTorch's with `adjust_lr_fn="match_rms_adamw"`.
#
# ## B. How well supported is the recipe?
#
# Less well than you may think. First come three experiments that notebook 05 had no room for, and then a table of all settings, with what speaks for each and what against.
#
# ### Is the average of many models better than the last one? (EMA)
#
# While the rate is high, the weights jump around a better place. What if you judge their mean over the recent past? This is the **exponential moving average** of the weights (EMA). After each step, the average moves a little towards the weights:
#
# `average = 0.99 * average + 0.01 * weights`
#
# That makes it a mean over about 100 steps. (In its first steps `fit` takes fewer, so that the first weights do not linger.) In `fit` it is one setting, `ema_decay=0.99`, and then `fit` judges the average. The training itself stays the same. So two runs with the same seed, one with the setting and one without, show the average and the weights of *one* training. We try it with Muon, with a rate that stays constant after the warm-up and with one that falls along the cosine, each with three seeds.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for panel, schedule in zip(panels, ("constant", "cosine"), strict=True):
    curves = {}
    for index, (name, decay) in enumerate({"weights": 0.0, "their average": 0.99}.items()):
        config = replace(MUON, schedule=schedule, ema_decay=decay)
        runs = torch.tensor([train(config, seed, seed) for seed in range(3)])
        thin = {"color": plots.curve_style(index)["color"], "lw": 0.8, "alpha": 0.5}
        panel.plot(range(1, config.epochs + 1), runs.T, **thin)
        curves[name] = runs.mean(dim=0)
        print(f"{schedule}, {name}: in the end", [f"{run[-1]:.1%}" for run in runs])
    epochs, title = range(1, config.epochs + 1), f"Muon, {schedule} rate"
    plots.show_lines(epochs, curves, "epoch", "validation accuracy", title, axis=panel)
    panel.label_outer()
plots.show("weights and their average: at a constant rate the average ends ahead")

# %% [markdown]
# A thin line is a seed, and a thick one the mean of three. At a constant rate, the average ends at least five points above the weights, in each of the three seeds. With the cosine the rate falls, the weights stop jumping by themselves, and the average gains nothing: it ends a little behind in each seed.
#
# So in these short runs, averaging the weights and letting the rate come down gave about the same, and both together no more.
#
# *Limits:* the cosine's three runs without an average are also a rung of notebook 05's ladder, and by chance each of them was better than the same first weights in two other orders. So the cosine may look a little too good here.
#
# ### What do the schedule and clipping give AdamW?
#
# The recipe has both, with Muon. Do they deserve their place? For Muon, notebook 05 compared a constant rate with the cosine in nine pairs, and the cosine was ahead in all nine. Here are nine of the same kind for AdamW. In each, three runs share their first weights and their order: with a constant rate, then with warm-up and cosine, then with clipping as well.

# %%
rungs = {
    "constant rate": replace(ADAMW, warmup=0.0, schedule="constant", clip_norm=0.0),
    "+ schedule": replace(ADAMW, clip_norm=0.0),
    "+ clipping": ADAMW,
}
ends = torch.tensor(
    [
        [train(rung, start, order)[-1] for rung in rungs.values()]
        for start in range(3)
        for order in range(3)
    ]
)
for earlier, later in ((0, 1), (1, 2)):
    gains = 100 * (ends[:, later] - ends[:, earlier])
    words = f"{gains.mean():+.1f} points on average, ahead in {(gains > 0).sum()} of 9"
    print(f"{list(rungs)[later]}: {words}")

# %% tags=["hide-input"]
title = "AdamW on shapes: nine pairs of first weights and order"
_, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for start in range(3):
    style = {"color": plots.curve_style(start)["color"], "lw": 1, "alpha": 0.6}
    of_start = ends[3 * start : 3 * start + 3]
    axis.plot(range(3), of_start.T, "o-", ms=4, **style)
    axis.plot([], [], "o-", ms=4, label=f"first weights {start}", **style)
axis.plot(range(3), ends.mean(dim=0), "k-", lw=2.5, label="mean of nine")
axis.set_xticks(range(3), list(rungs))
axis.set(ylabel="validation accuracy", title=title)
axis.legend(fontsize=9)
axis.grid(alpha=0.3)
listed = "; ".join(", ".join(f"{end:.3f}" for end in row) for row in ends.tolist())
plots.show(f"nine lines over three rungs: {listed}", title)

# %% [markdown]
# The schedule gives AdamW nothing that shows: in the run saved here it is behind by 0.8 points on average, and ahead in four of nine. Look at the colours, too. With first weights 0 all three lines rise to the schedule, and with first weights 2 all three fall. So the first weights may matter more than the schedule, and these may be closer to three independent pairs than to nine.
#
# Clipping is ahead by 2.1 points on average, in six of nine. How firm is that? We ran it all once more with two threads, so that only the rounding differed; that run is not saved. Then the schedule was behind by 3.3 points, and clipping ahead by 3.7, in eight of nine. So **rounding alone moved a mean of nine differences by about two points**, and clipping may help a little or not at all.
#
# On CIFAR-10, in notebook 05's ladder of three seeds a rung, the schedule lifts AdamW's mean by {{mean(ladder("+ warm-up and cosine")) - mean(ladder("+ AdamW")):.1p}} points, and all seeds with it are above all seeds without it. Clipping lowers the mean by {{mean(ladder("+ warm-up and cosine")) - mean(ladder("+ clipping")):.1p}} points, and the seeds overlap. (Card 14 of notebook [14](14_more_claims.ipynb) tests the warm-up by itself.)
#
# *Limits:* after four passes on shapes, AdamW is right for about a third of the images, where Muon is right for two thirds. AdamW also divides by the usual size of the gradients anyway, so clipping may matter more elsewhere.
# {{assert 0 < min(ladder("+ warm-up and cosine")) - max(ladder("+ AdamW")) < 0.01}}
# {{assert overlap(ladder("+ clipping"), ladder("+ warm-up and cosine")) and mean(ladder("+ clipping")) < mean(ladder("+ warm-up and cosine"))}}
#
# ### Do mixed images help, where images are few?
#
# **Mixup** ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)) blends each image with another one. **Cutmix** ([Yun et al. 2019](https://arxiv.org/abs/1905.04899)) replaces a box of it by the same box of the other. The label becomes the same mixture. Here are four shapes, and what the two make of them. In `mix`, each image gets the one before it as its partner, and the first one gets the last:

# %%
shapes, labels = normalize(dataset.train_images[1:5]), dataset.train_labels[1:5]
own = [dataset.class_names[label] for label in labels]
seed_everything(3)  # chosen for mixtures that are easy to see
pictures, titles = [shapes], list(own)
for kind in ({"mixup": 1.0}, {"cutmix": 1.0}):
    mixed, targets = mix(shapes, labels, len(dataset.class_names), **kind)
    pictures.append(mixed)
    for i, target in enumerate(targets):
        share = target[labels[i]].item()
        titles.append(f"{share:.0%} {own[i]},\n{1 - share:.0%} {own[i - 1]}")
plots.show_images(torch.cat(pictures), titles, columns=4, size=1.6)

# %% [markdown]
# The first row shows the shapes, the second mixup and the third cutmix. A third ingredient that softens labels needs no second image. It is **label smoothing**: at the usual 0.1, the target is 0.91 for the right class and 0.01 for each of the other nine.
#
# Do they help? This is all of notebook 05's experiment with few photographs. Each ingredient is added to flip and crop, and compared with flip and crop alone, seed by seed. (*Erase* and TrivialAugment are those of notebook 05.)
#
# *Set-up: {{record("where_augmentation_pays").trained_on:,}} images of CIFAR-10, {{record("where_augmentation_pays").settings[0].training.epochs:d}} passes with Muon, 3 seeds, judged on 2,000 validation images, on record in `where_augmentation_pays`.*

# %% tags=["hide-input"]
(recorded,) = read_records("../data/results/where_augmentation_pays.json")
reached = {row["setting"]: torch.tensor(row["accuracies"]) for row in recorded["settings"]}
base = reached.pop("flip and crop (base)")
reached.pop("without flip and crop")  # notebook 05 shows it: far to the left
gains = {name: 100 * (row - base) for name, row in reached.items()}
gains = {name: gains[name] for name in sorted(gains, key=lambda name: -gains[name].mean())}
title = "On record: CIFAR-10, 2,000 images, 30 passes"
_, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
axis.axvline(0, color="gray", ls=":")
plots.show_dots(gains, "points gained over flip and crop, same seed", title, axis=axis)
means = "; ".join(f"{name} {row.mean():+.1f}" for name, row in gains.items())
plots.show(f"a row of three dots for each ingredient. Means: {means}", title)

# %% [markdown]
# Nothing helped visibly. Four ingredients end below flip and crop alone in each of the three seeds: cutmix, by {{mean(augmented("flip and crop (base)")) - mean(augmented("+ cutmix")):.1p}} points on average, TrivialAugment by {{mean(augmented("flip and crop (base)")) - mean(augmented("+ TrivialAugment")):.1p}}, mixup by {{mean(augmented("flip and crop (base)")) - mean(augmented("+ mixup")):.1p}} and patch dropout by {{mean(augmented("flip and crop (base)")) - mean(augmented("+ patch dropout")):.1p}}.
#
# *Limits:* this belongs to its budget. The recipe `cpu-long` has cutmix and TrivialAugment, for {{record("cifar10_cpu_long").training.epochs:d}} passes over 50,000 images, and what they give there we have not measured.
# {{assert record("cifar10_cpu_long").training.trivial_augment and record("cifar10_cpu_long").training.cutmix > 0}}
# {{assert all(mean(augmented(name)) - mean(augmented("flip and crop (base)")) < 0.01 for name in ("+ erase", "+ mixup", "+ label smoothing", "+ weight average (EMA)", "+ patch dropout"))}}
# {{assert all(all(less < base for less, base in zip(augmented(name), augmented("flip and crop (base)"), strict=True)) == (name in ("+ TrivialAugment", "+ cutmix", "+ mixup", "+ patch dropout")) for name in ("+ TrivialAugment", "+ cutmix", "+ mixup", "+ patch dropout", "+ erase", "+ label smoothing", "+ weight average (EMA)"))}}
# {{assert record("where_augmentation_pays").trained_on == 2000 and record("where_augmentation_pays").judged_on == "2,000 validation"}}
#
# ### So which settings rest on a measurement?
#
# These are all settings of the recipe `cpu`. *Ladder* means that of notebook 05 on CIFAR-10, unless it says shapes.
#
# | setting | value | what speaks for it | what speaks against it, or is open |
# |---|---|---|---|
# | `optimizer` | Muon | the most on both ladders, and on shapes in a search of rates for each rule | one rate for each rule on CIFAR-10: {{only(record("training_ladder").rungs, rung="SGD, constant rate").training.learning_rate:g}} for SGD, {{only(record("training_ladder").rungs, rung="+ AdamW").training.learning_rate:g}} for AdamW, {{only(record("training_ladder").rungs, rung="+ Muon").training.learning_rate:g}} for Muon |
# | `patch_drop_rate`, `whole_epochs`, `epochs`, all together | {{record("real_run").training.patch_drop_rate:g}}, {{record("real_run").training.whole_epochs:d}}, {{record("real_run").training.epochs:d}} | half images against whole ones at equal time, three seeds each | none of the three by itself; with few images patch dropout lost a point; steps were timed in float32, and the runs were in bfloat16 |
# | `warmup`, `schedule` | {{record("real_run").training.warmup:g}}, {{record("real_run").training.schedule:s}} | Muon on shapes: nine pairs of nine. AdamW on the ladder | AdamW on shapes: four of nine. Muon's rate was found with the cosine |
# | `learning_rate` | {{record("real_run").training.learning_rate:g}} | | on half images we tried no other |
# | `flip`, `crop_padding` | True, {{record("real_run").training.crop_padding:d}} | few images and many passes, on shapes and on CIFAR-10 | no difference that shows on the ladder, with many images and few passes |
# | `clip_norm` | {{record("real_run").training.clip_norm:g}} | perhaps a little: AdamW on shapes | AdamW on the ladder: {{mean(ladder("+ warm-up and cosine")) - mean(ladder("+ clipping")):.1p}} points less. Not tried with Muon |
# | `weight_decay`, `batch_size` | {{record("real_run").training.weight_decay:g}}, {{record("real_run").training.batch_size:d}} | | not tried |
# | no average of weights, no mixing, no label smoothing | | no gain from any of them above, with the cosine | with a constant rate, the average gains much; longer trainings are open |
# {{assert overlap(ladder("+ flip and crop"), ladder("+ Muon"))}}
#
# <details><summary>How the runs of notebook 05 were measured</summary>
#
# Records lie in `data/results/`, each with its settings, its machine and its date: `learning_rates` (the search of rates, on shapes), `training_ladder` (the ladder on CIFAR-10), `where_augmentation_pays` (few photographs), `cifar10_cpu_bfloat16` and `cifar10_seven_whole_passes` (half images against whole ones), and `real_run`.
#
# - *Rates:* the images that chose the rates also judge them, so those numbers are a little too good. Between the five rates there may be better ones: at 0.002, AdamW reached a little more in the ladder on shapes than at the best of the five.
# - *Precision:* `fit` computes in bfloat16 where the machine is fast in it; the plain loop is in float32.
# - *Half images against whole ones, on validation images:* half images reached {{record("real_run").history.validation_accuracy[-1]:.1%}} in float32. Whole images, in bfloat16, reached {{records("cifar10_seven_whole_passes_validation")[0].accuracy:.1%}} at a rate of {{records("cifar10_seven_whole_passes_validation")[0].training.learning_rate:g}} and {{records("cifar10_seven_whole_passes_validation")[1].accuracy:.1%}} at {{records("cifar10_seven_whole_passes_validation")[1].training.learning_rate:g}} (`cifar10_seven_whole_passes_validation`), hardly a difference, and the second rate went on to the test images. Each is one seed.
# - *The same, on test images:* the six runs in notebook 05 are in bfloat16. In float32, half images reached {{min(accuracies("cifar10_cpu")):.1p}} to {{max(accuracies("cifar10_cpu")):.1%}} (`cifar10_cpu`, three seeds), much the same.
# - *Equal time:* the time of a step, on which the seven passes over whole images rest, was measured in float32 on one CPU thread.
# - *More orders, Muon on shapes:* once we gave each of the three first weights two more orders, so that notebook 05's nine pairs of a constant rate and the cosine became fifteen. These runs are not on record. The order then moved the result by up to ten points, and the cosine was ahead in 14 of 15.
# {{assert max(accuracies("cifar10_seven_whole_passes_validation")) == records("cifar10_seven_whole_passes_validation")[1].accuracy and records("cifar10_seven_whole_passes_validation")[1].training.learning_rate == records("cifar10_seven_whole_passes")[0].training.learning_rate}}
# {{assert record("real_run").training.validation_images == 5000 and record("learning_rates").trained_on == 4000 and min(accuracies("cifar10_cpu")) > max(accuracies("cifar10_seven_whole_passes"))}}
# {{assert all(run.precision == "float32" for name in ("cifar10_cpu", "real_run", "patch_dropout_cost") for run in records(name)) and all(run.precision == "bfloat16" for name in ("cifar10_cpu_bfloat16", "cifar10_seven_whole_passes", "cifar10_seven_whole_passes_validation") for run in records(name))}}
#
# </details>
#
# ## C. How is a whole batch cropped without a loop?
#
# Each image of a batch is to be mirrored or not, and to get a window of its own. In one dimension, with a frame of 2, `0 0 a b c 0 0` gives `0 a b` if the window begins at 1. So for every output pixel we compute the column or the row that it comes from, and `gather` fetches them for all images at once.


# %% tags=["same-as:vit_minimal.augment.random_flip", "same-as:vit_minimal.augment.random_crop"]
# vit_minimal/augment.py
def random_flip(images):
    """Mirror each image left to right with probability ½."""
    flip = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    columns = torch.arange(images.shape[3], device=images.device)
    columns = torch.where(flip, columns.flip(0), columns)  # (B, 1, 1, W)
    return images.gather(3, columns.expand(images.shape))


def random_crop(images, padding):
    """Move each image by up to `padding` pixels along both axes; zeros enter at the edges."""
    B, C, H, W = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, B, 1, 1, 1), device=images.device)
    rows = top + torch.arange(H, device=images.device)[:, None]  # (B, 1, H, 1)
    columns = left + torch.arange(W, device=images.device)  # (B, 1, 1, W)
    padded = padded.gather(2, rows.expand(B, C, H, W + 2 * padding))
    return padded.gather(3, columns.expand(B, C, H, W))


# %% [markdown]
# ---
#
# **Try it yourself:** [exercises 15](exercises/15_more_about_training.ipynb), on mixed labels.

# %% [markdown] tags=["exercise-only"]
# # Exercises 15 · More about training, to look up
#
# They go with notebook [15](../15_more_about_training.ipynb). If you start here: a label need not be one class. It can be a list of shares that sum to 1, and cross-entropy takes such targets too. That is how one trains on images that are blended.

# %% tags=["exercise-only"]
import torch

from checks import check

# %% [markdown] tags=["exercise:mixup"]
# Blend each image of a batch with another. You get images (B, C, H, W), targets (B, K) with one row of shares for each image, `order` (B,), which names the other image (image i is blended with image `order[i]`), and `share` (B,), how much each image keeps of itself. Give the blended images and the targets that belong to them.
#
# Hint: `images[order]` are the other images, in the right order.
#
# Hint: `share` has one axis, the images have four: `share.reshape(-1, 1, 1, 1)`. The targets have two.


# %% tags=["exercise-only", "exercise:mixup"]
def mixup(images, targets, order, share):
    """Blended images (B, C, H, W), and their targets (B, K)."""
    # solution
    # | return ...  # your code
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]
    # end of solution


# %% [markdown] tags=["exercise:smoothed_share"]
# *Predict.* Label smoothing of 0.1 with ten classes: 0.1 is taken from the right class and spread evenly over **all** ten classes. What is the target of the right class?
#
# Hint: What is left of 1, and what comes back?
#
# Hint: 0.1 spread over ten classes is 0.01 for each, the right one too.
#
# Solution: 0.9 + 0.01 = 0.91, and 0.01 for each of the others.

# %% tags=["exercise-only", "exercise:smoothed_share"]
# solution
# | smoothed_share = ...
smoothed_share = 1 - 0.1 + 0.1 / 10
# end of solution
