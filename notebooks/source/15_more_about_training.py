# %% [markdown]
# # 15 · More about training, to look up
#
# **After this notebook you can** explain how Muon evens out a step with a few matrix products, work out what that costs, and say which settings of the course's recipe rest on a measurement.
#
# | | |
# |---|---|
# | You need | notebook 05 |
# | Time to read | about 18 minutes, or nine for one of the two parts |
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
from vit_minimal.device import pick_precision
from vit_minimal.records import read_records
from vit_minimal.training import Muon
from vit_minimal.training.patch_dropout import PatchDropout

# %% [markdown]
# | part | come here to find out |
# |---|---|
# | **A. Muon from the inside** | how can matrix products replace a slow decomposition, and what do they cost? |
# | **B. How well supported is the recipe?** | which settings rest on a measurement, and what do a schedule, clipping, averaged weights and mixed images give? |
#
# What is trained here is trained as in the ladder on shapes of notebook [05](05_training_on_cifar10.ipynb): the tiny model with computed positions, four epochs of 4,000 drawn shapes, judged on 1,000 validation images. Run this set-up first:

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
    """The validation accuracies over the epochs in %, from these first weights, in this order."""
    seed_everything(start)
    with contextlib.redirect_stdout(io.StringIO()):  # without a line for each epoch
        history = fit(VisionTransformer(MODEL), dataset, replace(config, seed=order))
    return [100 * accuracy for accuracy in history.validation_accuracy]


# %% [markdown]
# ## A. Muon from the inside
#
# Muon takes momentum's step for a matrix and makes its larger singular values nearly equal, so that most directions move about equally far.
#
# ### How can one change all singular values without finding them?
#
# The rule `muon` of notebook 05 took the step X apart by a singular value decomposition, X = U·Σ·Vᵀ, and set every singular value to 1. Jordan et al., who train on GPUs, find that far too slow. Could matrix products move the singular values, without ever finding out what U and V are?
#
# Look at the simplest product that has the shape of X again. The columns of U are orthogonal and of length 1, so UᵀU is the identity matrix, and VᵀV is one for the same reason. Both vanish from the middle:
#
# X·Xᵀ·X = (U·Σ·Vᵀ)·(V·Σ·Uᵀ)·(U·Σ·Vᵀ) = U·Σ³·Vᵀ
#
# The product cubes every singular value and leaves all directions alone. We try it on a random matrix:

# %% tags=["nbval-check-output"]
seed_everything(0)
X = torch.randn(5, 3)
U, values, Vt = torch.linalg.svd(X, full_matrices=False)
cubed = U @ (values**3).diag() @ Vt
print("X·Xᵀ·X has the cubes of the singular values:", torch.allclose(X @ X.T @ X, cubed, rtol=1e-3))

# %% [markdown]
# Multiply by Xᵀ and X once more, and you get U·Σ⁵·Vᵀ. U and V stay as they are, so we never need to know them. The sum a·X + b·X·Xᵀ·X + c·X·Xᵀ·X·Xᵀ·X then takes every singular value σ to the **polynomial** a·σ + b·σ³ + c·σ⁵, all of them at once. Repeating such a step is called a *Newton–Schulz iteration*.
#
# We want a polynomial that lifts small values quickly and keeps large ones near 1. The factor for small values is a, so a should be large. But the larger it is, the more the values near 1 swing from round to round. Jordan et al. searched for the largest a whose swings did no harm to their trainings ([their post](https://kellerjordan.github.io/posts/muon/)), and found the three numbers below. They serve for values up to about 1.26; larger ones grow without end, so a matrix is first made smaller. What will five rounds make of a value of 0.001, and of a value of 1?

# %% tags=["nbval-check-output"]
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def one_round(value):
    a, b, c = COEFFICIENTS
    return a * value + b * value**3 + c * value**5


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
# On the right is our gradient, with its 64 singular values sorted. The thirteen that began above 0.002 end in the band, though no longer in order. The fainter ones stay behind. So the real Muon makes a step much more even, but less so than the exact rule.
#
# For a matrix, the sum needs only S = X·Xᵀ, because it is a·X + (b·S + c·S·S)·X. That is what the package computes, for a stack of matrices at once. Two things help to read the code. `torch.baddbmm(x, y, z, beta=u, alpha=w)` is `u * x + w * (y @ z)`, with alpha = 1 if it is left out. And the norm before the loop is the root of the sum of all squared singular values, so after the division none is above 1.


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
# First the question with which we began: how much faster is it than the decomposition? We time both for the matrix of our gradient, and for a large one.


# %%
def milliseconds_of(operation, *given, tries=4):
    """The least time of some tries: what else the machine does only adds to it."""
    found = []
    for _ in range(tries):
        begin = time.perf_counter()
        operation(*given)
        found.append(1000 * (time.perf_counter() - begin))
    return min(found)


def decompose(matrix):
    return torch.linalg.svd(matrix, full_matrices=False)


precisions = {torch.float32, pick_precision("cpu")}  # bfloat16 where the CPU is fast in it
for matrix in (gradient, torch.randn(768, 768)):
    print(f"{tuple(matrix.shape)}: decomposition {milliseconds_of(decompose, matrix):.3g} ms")
    for dtype in sorted(precisions, key=str, reverse=True):
        took = milliseconds_of(newton_schulz, matrix[None], dtype)
        print(f"    products in {str(dtype).removeprefix('torch.')} {took:.3g} ms")

# %% [markdown]
# In the run saved here, PyTorch computed on one thread. In float32 the products were somewhat faster than the decomposition for the small matrix, and slower for the large one. But products can also run in bfloat16, and PyTorch's decomposition cannot. For the large matrix, that made them about three times as fast as the decomposition; for the small one, bfloat16 was slower than float32. On a GPU, for which Muon was made, we have not measured it.
#
# And how much do they add to a training? Large matrices and small batches make Muon expensive. A matrix m × n, with m the shorter side, takes 4·m²·n + 2·m³ operations in each of five rounds. Forward and backward take 6·m·n for each of the B·T tokens of a batch. So Muon adds the share
#
# 5·(4·m²·n + 2·m³) / (6·m·n·B·T) = 10·m/(3·B·T) + 5·m²/(3·n·B·T)
#
# For a long matrix the second term hardly counts. For a square one, with n = m, it is half of the first. For example, with m = 96 and B = 128 images of T = 65 tokens, the first term is 960/24,960, about 4 %. Here PyTorch counts it all, for the tiny model, and for the recipe `cpu` on whole images and on half ones, of which half of the patches are left out:


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
print(f"tiny model, batches of {own}: Muon adds {share_of_muon(MODEL, own):.0%}")
print(f"recipe cpu, batches of {size}: Muon adds {share_of_muon(cpu, size):.0%}")
print(
    f"recipe cpu, the same on half images: Muon adds {share_of_muon(cpu, size, left_out=0.5):.0%}"
)

# %% [markdown]
# These are shares of the arithmetic, not of the time. Newton–Schulz is the same work for any batch, so its share rises when patches are left out, as they are in 13 of the recipe's 14 epochs.
#
# ### What does a complete step look like?
#
# Against notebook 05's rule, three things are new in Muon's step: the factor above, the direction and the decay. Its direction is `0.95 * mean + 0.05 * gradient`, the momentum that the next step would have with the same gradient (Nesterov's way). Its weight decay is decoupled, like AdamW's: the matrix shrinks by a share of itself, so the evening-out does not touch the decay.


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
# For this gradient it is about half. Others may have fewer faint directions. PyTorch has had Muon since version 2.9; ours takes the steps of PyTorch's with `adjust_lr_fn="match_rms_adamw"`.
#
# ## B. How well supported is the recipe?
#
# Less well than you may think, as a table at the end shows. The verdicts are by notebook 05's rule.
#
# ### What do a schedule and clipping give?
#
# For Muon, we compare a rate that stays constant after the warm-up with one that falls along the cosine. For AdamW, we compare a constant rate, then warm-up and cosine, then clipping as well. A seed decides two things, the first weights and the order of the images. Here we set them apart: three first weights, each with the same three orders, make nine runs for each setting. Two settings are compared pair by pair, and the ± is over nine pairs.

# %%
SETTINGS = {
    "Muon, constant": replace(MUON, schedule="constant"),
    "Muon": MUON,
    "AdamW, constant": replace(ADAMW, warmup=0.0, schedule="constant", clip_norm=0.0),
    "AdamW, schedule": replace(ADAMW, clip_norm=0.0),
    "AdamW": ADAMW,
}
runs = {  # (first weights, orders, epochs)
    name: torch.tensor([[train(config, start, order) for order in range(3)] for start in range(3)])
    for name, config in SETTINGS.items()
}
STEPS = {
    "Muon: cosine": ("Muon, constant", "Muon"),
    "AdamW: warm-up and cosine": ("AdamW, constant", "AdamW, schedule"),
    "AdamW: clipping": ("AdamW, schedule", "AdamW"),
}
gains = {}
for name, (without, with_it) in STEPS.items():
    gains[name] = gain = (runs[with_it] - runs[without])[..., -1].flatten()
    width = 2.31 * gain.std().item() / 9**0.5  # Student's t for nine differences
    print(f"{name}: {gain.mean():+.1f} ± {width:.1f} points, ahead in {(gain > 0).sum()} of 9")

# %% tags=["hide-input"]
title = "Shapes-10, tiny model: nine pairs with the same first weights and order"
_, axis = plt.subplots(figsize=(6.4, 2.9), layout="constrained")
axis.axvline(0, color="gray", ls=":")
plots.show_dots(gains, "points gained", title, dot="pair", axis=axis)
means = "; ".join(f"{name} {gain.mean():+.1f}" for name, gain in gains.items())
plots.show(f"a row of nine dots for each step. Means: {means}", title)
print("Muon, in %: a row for each first weights, a column for each order; * in notebook 05")
for start, row in enumerate(runs["Muon"][..., -1]):
    print("  ".join(f"{run:.1f}{'*' if order == start else ' '}" for order, run in enumerate(row)))
for name in ("Muon", "AdamW"):
    print(f"{name}, mean of nine: {runs[name][..., -1].mean():.1f} %")

# %% [markdown]
# **With Muon, the cosine is better**: it is ahead in all nine pairs. With AdamW, both steps are *not settled*. (Notebook [14](14_more_claims.ipynb) tests the warm-up by itself.)
#
# The nine runs of Muon also show what luck can do. Within a row, the order alone moves the result by four to seven points. Notebook 05's ladder has the three runs with a star, and each is, by chance, the best of its row. So its 67.0 % are a little lucky, and the mean of all nine is 64.5 %.
#
# *Limits:* we found Muon's rate *with* the cosine, and a lower one might suit the constant rate better. Pairs that share their first weights may not be independent, and then the intervals are too narrow. AdamW is far behind Muon here, so it may behave otherwise where it has learned more.
#
# ### Is the average of many models better than the last one? (EMA)
#
# While the rate is high, the weights jump around a better place. What if you judge their mean over the recent past? This is the **exponential moving average** of the weights (EMA). After each step, the average moves a little towards the weights:
#
# `average = 0.99 * average + 0.01 * weights`
#
# That makes it a mean over about 100 steps. An epoch has only 80, so `fit` begins with a shorter memory, which grows to that. In `fit` it is one setting, `ema_decay=0.99`, and then `fit` judges the average. The training itself stays the same. So two runs with the same seed, one with the setting and one without, show the average and the weights of *one* training.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for panel, name in zip(panels, ("Muon, constant", "Muon"), strict=True):
    config = replace(SETTINGS[name], ema_decay=0.99)
    three = {  # (seeds, epochs)
        "weights": runs[name][range(3), range(3)],
        "their average": torch.tensor([train(config, seed, seed) for seed in range(3)]),
    }
    epochs, title = range(1, config.epochs + 1), f"Muon, {config.schedule} rate"
    for index, (what, curves) in enumerate(three.items()):
        thin = {"color": plots.curve_style(index)["color"], "lw": 0.8, "alpha": 0.5}
        panel.plot(epochs, curves.T, **thin)
        print(f"{config.schedule}, {what}: in the end", [f"{run[-1]:.1f} %" for run in curves])
    means = {what: curves.mean(dim=0) for what, curves in three.items()}
    plots.show_lines(epochs, means, "epoch", "validation accuracy, %", title, axis=panel)
    panel.label_outer()
plots.show("weights and their average: at a constant rate the average ends ahead")

# %% [markdown]
# A thin line is a seed, and a thick one the mean of three. At a constant rate, the average ends at least five points above the weights, in each of the three seeds. With the cosine the rate falls, the weights stop jumping by themselves, and the average gains nothing: it ends a little behind in each seed. (With the cosine these are the lucky runs with a star, which may be to the average's disadvantage.) So in these short runs, averaging the weights and letting the rate come down gave about the same, and both together no more.
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
# The first row shows the shapes, the second mixup and the third cutmix. Notebook 05's experiment with few photographs has seven ingredients, each added to flip and crop, and compared with flip and crop alone. Erase greys out a box, TrivialAugment makes one random change, such as brightness or rotation, and patch dropout leaves out half of the patches. **Label smoothing** ([Szegedy et al. 2016](https://arxiv.org/abs/1512.00567)) makes the target 0.91 for the right class and 0.01 for each of the other nine.
#
# *Set-up: the tiny model with learned positions, {{record("where_augmentation_pays").trained_on:,}} images of CIFAR-10, {{record("where_augmentation_pays").settings[0].training.epochs:d}} epochs with Muon, 3 seeds, judged on 2,000 validation images, on record in `where_augmentation_pays`.*

# %% tags=["hide-input"]
(recorded,) = read_records("../data/results/where_augmentation_pays.json")
reached = {row["setting"]: torch.tensor(row["accuracies"]) for row in recorded["settings"]}
base = reached.pop("flip and crop (base)")
reached.pop("without flip and crop")  # notebook 05 shows it: far to the left
gains = {name: 100 * (row - base) for name, row in reached.items()}
gains = {name: gains[name] for name in sorted(gains, key=lambda name: -gains[name].mean())}
title = "On record: CIFAR-10, 2,000 images, 30 epochs"
_, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
axis.axvline(0, color="gray", ls=":")
plots.show_dots(gains, "points gained over flip and crop, same seed", title, axis=axis)
means = "; ".join(f"{name} {row.mean():+.1f}" for name, row in gains.items())
plots.show(f"a row of three dots for each ingredient. Means: {means}", title)

# %% [markdown]
# None is better. Cutmix is worse, by {{distance(augmented("flip and crop (base)"), augmented("+ cutmix")):±.1p}} points over seeds, and so is TrivialAugment, by {{distance(augmented("flip and crop (base)"), augmented("+ TrivialAugment")):±.1p}}. The other five are *not settled*, though mixup and patch dropout are behind in each of the three seeds. These intervals are notebook 05's, from the spread of three seeds on each side. The dots pair the seeds, which gives narrower intervals: by these, the weight average would be *alike*.
#
# *Limits:* this belongs to its budget. The recipe `cpu-long` has cutmix and TrivialAugment, for {{record("cifar10_cpu_long").training.epochs:d}} epochs with 50,000 images, and what they give there we have not measured.
# {{assert record("cifar10_cpu_long").training.trivial_augment and record("cifar10_cpu_long").training.cutmix > 0}}
# {{assert all(interval(distance(augmented(name), augmented("flip and crop (base)")))[1] < 0 for name in ("+ TrivialAugment", "+ cutmix"))}}
# {{assert all(not differs(of) and (interval(of)[0] < -0.01 or interval(of)[1] > 0.01) for of in [distance(augmented(name), augmented("flip and crop (base)")) for name in ("+ mixup", "+ patch dropout", "+ erase", "+ label smoothing", "+ weight average (EMA)")])}}
# {{assert all(less < base for name in ("+ mixup", "+ patch dropout") for less, base in zip(augmented(name), augmented("flip and crop (base)"), strict=True))}}
# {{assert all(abs(end) < 0.01 for end in interval(seed_by_seed(augmented("+ weight average (EMA)"), augmented("flip and crop (base)"))))}}
# {{assert record("where_augmentation_pays").trained_on == 2000 and record("where_augmentation_pays").judged_on == "2,000 validation"}}
#
# ### All settings of the recipe `cpu`
#
# *Ladder* means those of notebook 05, and *few images* its tests of augmentation with many epochs.
#
# | setting | CIFAR-10 | drawn shapes | not tried |
# |---|---|---|---|
# | `optimizer`: Muon | better (ladder) | better (ladder, and a search of rates for each rule) | on CIFAR-10, a second rate for each rule |
# | `patch_drop_rate` {{record("real_run").training.patch_drop_rate:g}}, `whole_epochs` {{record("real_run").training.whole_epochs:d}}, `epochs` {{record("real_run").training.epochs:d}} | together better than whole images at equal time; patch dropout with few images not settled | | each by itself |
# | `schedule`: {{record("real_run").training.schedule:s}} | with warm-up, better for AdamW (ladder) | better for Muon; with warm-up, not settled for AdamW | on CIFAR-10, the cosine alone |
# | `warmup` {{record("real_run").training.warmup:g}} | alone: notebook [14](14_more_claims.ipynb) | | on shapes, alone |
# | `flip`, `crop_padding` {{record("real_run").training.crop_padding:d}} | better with few images; not settled on the ladder | one seed ahead with few images; worse on the ladder | |
# | `clip_norm` {{record("real_run").training.clip_norm:g}} | not settled for AdamW (ladder) | not settled for AdamW | with Muon |
# | no average, no mixing, no label smoothing | with few images, none of the three is better | the average: gains at a constant rate, not with the cosine | in longer trainings |
# | `learning_rate` {{record("real_run").training.learning_rate:g}}, `weight_decay` {{record("real_run").training.weight_decay:g}}, `batch_size` {{record("real_run").training.batch_size:d}} | | | another value, on half images |
# {{assert all(not differs(distance(ladder(one), ladder(other))) for one, other in (("+ flip and crop", "+ Muon"), ("+ clipping", "+ warm-up and cosine")))}}
#
# <details><summary>How were half images chosen?</summary>
#
# On validation images, with one seed each. Half images reached {{record("real_run").history.validation_accuracy[-1]:.1%}} in float32. Whole images, in bfloat16, reached {{records("cifar10_seven_whole_passes_validation")[0].accuracy:.1%}} at a rate of {{records("cifar10_seven_whole_passes_validation")[0].training.learning_rate:g}} and {{records("cifar10_seven_whole_passes_validation")[1].accuracy:.1%}} at {{records("cifar10_seven_whole_passes_validation")[1].training.learning_rate:g}} (`cifar10_seven_whole_passes_validation`). The second rate went on to the test images of notebook 05. Whole images get seven epochs because of the time of a step, measured in float32 on one CPU thread.
# {{assert max(accuracies("cifar10_seven_whole_passes_validation")) == records("cifar10_seven_whole_passes_validation")[1].accuracy and records("cifar10_seven_whole_passes_validation")[1].training.learning_rate == records("cifar10_seven_whole_passes")[0].training.learning_rate}}
# {{assert record("real_run").training.validation_images == 5000 and min(accuracies("cifar10_cpu")) > max(accuracies("cifar10_seven_whole_passes"))}}
# {{assert all(run.precision == "float32" for name in ("cifar10_cpu", "real_run", "patch_dropout_cost") for run in records(name)) and all(run.precision == "bfloat16" for name in ("cifar10_cpu_bfloat16", "cifar10_seven_whole_passes", "cifar10_seven_whole_passes_validation") for run in records(name))}}
#
# </details>
#
# ## What to remember
#
# - Muon needs no decomposition: five rounds of a polynomial in X, made of matrix products, even out the singular values. Its share of the arithmetic is small if batches are large and matrices small.
# - The optimizer, half images and the schedule rest on measurements; clipping is not settled.
# - With Muon, on drawn shapes, a falling rate and an average of the weights each gain much over a constant rate, and both together no more.
#
# ## A question
#
# <details><summary>You halve the batch. What happens to Muon's share of the arithmetic, and what to its cost for a whole epoch?</summary>
#
# The share doubles, because Newton–Schulz is the same work for any batch, and forward and backward become half the work. An epoch has twice as many steps, so Muon costs twice as much in it.
#
# </details>
#
# **Try it yourself:** [exercises 15](exercises/15_more_about_training.ipynb), on mixed labels.
#
# **Next:** take any of the notebooks 11 to 17 as you need it.

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
