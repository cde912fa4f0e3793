# %% [markdown]
# # 15 · More about training, to look up
#
# **After this notebook you can** say what to change when you have more time, say which settings of the course's recipe rest on a measurement, and explain how Muon evens out a step with a few matrix products.
#
# | | |
# |---|---|
# | You need | notebook 05 |
# | Time to read | about 25 minutes, in six sections |
# | Time to run | {{notebook_seconds("15_more_about_training"):about}} on two cores of a recent server CPU, with the budget `quick` |
# | Package modules | `training/`, `augment.py` |
#
# You have trained the recipe `cpu` of notebook [05](05_training_on_cifar10.ipynb), and your model classifies about four of five test images correctly. Now you have two more hours. What do you change?
#
# There are five places to look at. We visit them in the order in which a training meets them:
#
# 1. <a href="#longer">how long you train, and how large a model</a>
# 2. <a href="#mixed">the images that it sees</a>
# 3. <a href="#muon">the direction of each step</a>
# 4. <a href="#schedule">the length of the steps</a>
# 5. <a href="#average">the weights that you keep</a>
#
# Section <a href="#all">6</a> then asks which of the recipe's own settings rest on a measurement.

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
from vit_minimal.experiments import contrast, key, mean_and_width, plan
from vit_minimal.forest import in_words
from vit_minimal.records import read_records
from vit_minimal.training import Muon
from vit_minimal.training.patch_dropout import PatchDropout

# %% [markdown]
# What your machine trains here is the tiny model of notebook 05's ladder on shapes: four epochs of 4,000 drawn shapes, judged on 1,000 validation images. Run this set-up first. Intervals and words are those of notebook 05, unless we say otherwise, and differences are taken before rounding.

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


def train(config, seed):
    """The validation accuracies over the epochs, in %."""
    seed_everything(seed)
    with contextlib.redirect_stdout(io.StringIO()):  # without a line for each epoch
        history = fit(VisionTransformer(MODEL), dataset, replace(config, seed=seed))
    return [100 * accuracy for accuracy in history.validation_accuracy]


# %% [markdown]
# <a id="longer" name="longer"></a>
#
# ## 1. I have two more hours. More epochs, or a larger model?
#
# Guess: which gives more in a few minutes, and which in two hours?
#
# Here is our record for CIFAR-10. The small model has {{recorded("pooling", "class token")[0].parameters / 1e6:.1f}} million parameters, and the larger one {{recorded("pooling", "class token", budget="large")[0].parameters / 1e6:.1f}} million. An epoch of the larger one takes 5.5 times the arithmetic. So the axis counts arithmetic, in epochs of the small model. The hollow point is the shipped model, which is as large as the larger one and had harder images.

# %% tags=["hide-input"]
RESULTS = "../data/results"


def on_record(budget, experiment, setting, seeds):
    """The accuracies on record of a setting at the base's learning rate, in %."""
    records = read_records(f"{RESULTS}/experiments_cifar10_{budget}.json")
    found = {key(record["run"]): record for record in records}
    wanted = [key(plan(experiment, budget, seed)[setting, 1]) for seed in range(seeds)]
    return [100 * found[run]["accuracy"] for run in wanted]


small = {
    3: on_record("full", "pooling", "class token", 13),
    10: on_record("full", "patch_size_at_equal_time", "P = 4, 10 epochs", 3),
    14: on_record("long", "pooling", "class token", 3),
    60: on_record("longest", "pooling", "class token", 1),
}
large = on_record("large", "pooling", "class token", 2)
(shipped,) = read_records(f"{RESULTS}/cifar10_cpu_long.json")
ours = 100 * shipped["accuracy"]


def arithmetic(model):
    """The operations of a forward pass of one image; a backward pass takes twice as many."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        VisionTransformer(model)(torch.empty(1, 3, 32, 32))
    return counter.get_total_flops()


times = arithmetic(RECIPES["cpu-long"].model) / arithmetic(RECIPES["cpu"].model)
print(f"an epoch of the larger model: {times:.1f} times the arithmetic")

# %% tags=["hide-input"]
blue, orange = (plots.curve_style(index)["color"] for index in range(2))
_, axis = plt.subplots(figsize=(6.0, 3.6), layout="constrained")
for epochs, seeds in small.items():
    axis.plot([epochs] * len(seeds), seeds, "o", color=blue, alpha=0.4)
means = {epochs: sum(seeds) / len(seeds) for epochs, seeds in small.items()}
axis.plot(means.keys(), means.values(), color=blue, label="small model")
axis.plot([3 * times] * len(large), large, "s", color=orange, label="larger model")
end = 60 * times * 50 / 45  # 50,000 images, and not 45,000
axis.plot([end], [ours], "s", color=orange, mfc="white", ms=8, label="larger model, harder images")
for epochs, height in means.items():
    place = {"xytext": (20, -4) if epochs == 3 else (0, 9), "textcoords": "offset points"}
    axis.annotate(f"{height:.1f}", (epochs, height), ha="center", **place)
level = sum(large) / len(large)
axis.text(3.7 * times, level, f"{level:.1f} (3 epochs)", va="center")
axis.text(0.8 * end, ours, f"{ours:.1f} (60 epochs)", ha="right", va="center")
axis.set(xscale="log", xlim=(2.4, 600), ylim=(59, 94))
axis.set(xlabel="arithmetic, in epochs of the small model")
axis.set(ylabel="test accuracy, %", title="On record: CIFAR-10, Muon, P = 4")
ticks = [*small, round(end)]
axis.set_xticks(ticks, ticks)
axis.set_xticks([], minor=True)
axis.grid(alpha=0.3)
axis.legend(loc="lower right")
plots.show("a curve that rises and flattens; the larger model begins below it and ends far above")

# %% [markdown]
# **With a few more minutes, take more epochs.** The recipe `cpu` with 24 epochs in place of 14 takes almost twice as long, and is better, by {{distance(accuracies("cifar10_cpu_24_passes"), accuracies("cifar10_cpu_bfloat16")):±.1p}} points. A larger model does not pay so soon: three epochs of it take more arithmetic than 14 of the small one on whole images, and end {{distance([run.accuracy for run in recorded("pooling", "class token", budget="long")], [run.accuracy for run in recorded("pooling", "class token", budget="large")]):±.1p}} points behind.
#
# **But more epochs do not carry far.** On whole images, 60 epochs in place of 14 lift the small model only from {{mean([run.accuracy for run in recorded("pooling", "class token", budget="long")]):.1%}} to {{recorded("pooling", "class token", budget="longest")[0].accuracy:.1%}} (one seed). By then its training loss is {{recorded("pooling", "class token", budget="longest")[0].train_loss[-1]:.2f}}: it nearly knows its training images by heart.
#
# **With two hours, take the recipe `cpu-long` as it is.** It has a larger model, and images that are hard to learn by heart. Several things change at once, so we cannot say how much comes from the size and how much from the images.
#
# So this is what you can type:
#
# | you have | `python -m vit_minimal.training --dataset cifar10` with | test images |
# |---|---|---|
# | some minutes | `--recipe cpu` | {{mean(accuracies("cifar10_cpu_bfloat16")):.1%}} (three seeds) |
# | almost twice as long | `--recipe cpu --set epochs=24 whole_epochs=2` | {{mean(accuracies("cifar10_cpu_24_passes")):.1%}} (three seeds): better, by {{distance(accuracies("cifar10_cpu_24_passes"), accuracies("cifar10_cpu_bfloat16")):±.1p}} |
# | two hours | `--recipe cpu-long` | {{record("cifar10_cpu_long").accuracy:.1%}} (one seed) |
# | a GPU | `--recipe t4` | {{record("cifar10_t4").accuracy:.1%}} (one seed; we ran this recipe on a CPU) |
#
# *Limits:* arithmetic is not quite time. At 60 epochs there is one seed of each model. The shipped model differs from the small one in size, images, weight average, label smoothing and 5,000 more training images at once, and we have not measured what each of them gives there.
#
# <details><summary>Where do the points come from?</summary>
#
# From trainings with Muon, flip and crop on 45,000 whole images, judged on 10,000 test images: thirteen seeds at 3 epochs, three at 10 and 14, and one at 60. They are on record in `experiments_cifar10_full`, `_long` and `_longest`. The larger model has 6 blocks and D = 192, and two seeds in `_large`. The shipped model trained on 50,000 images (`cifar10_cpu_long`).
#
# The point at 14 epochs is not the recipe `cpu`: the recipe sees half images in 13 of its 14 epochs, so it takes less time.{{assert record("real_run").training.epochs - record("real_run").training.whole_epochs == 13}}
#
# </details>
# {{assert len(reached("pooling", "class token")) == 13 and len([run.accuracy for run in recorded("pooling", "class token", budget="long")]) == 3 and len([run.accuracy for run in recorded("pooling", "class token", budget="longest")]) == 1 and len([run.accuracy for run in recorded("pooling", "class token", budget="large")]) == 2}}
# {{assert below(reached("pooling", "class token"), [run.accuracy for run in recorded("pooling", "class token", budget="long")]) and interval(distance([run.accuracy for run in recorded("pooling", "class token", budget="large")], reached("pooling", "class token")))[0] > 0.01 and interval(distance(accuracies("cifar10_cpu_24_passes"), accuracies("cifar10_cpu_bfloat16")))[0] > 0}}
# {{assert interval(distance([run.accuracy for run in recorded("pooling", "class token", budget="long")], [run.accuracy for run in recorded("pooling", "class token", budget="large")]))[0] > 0.01}}
# {{assert 6300 < record("cifar10_cpu_long").seconds < 8100 and record("cifar10_cpu_long").model.depth == 6 and record("cifar10_cpu_long").model.embed_dim == 192 and len(accuracies("cifar10_cpu_24_passes")) == len(accuracies("cifar10_cpu_bfloat16")) == 3}}
# {{assert all(run.precision == "bfloat16" for run in records("cifar10_cpu_24_passes")) and 1.5 < (22 * record("patch_dropout_cost").ratios[1] + 2) / record("patch_dropout_cost").whole_passes_of_cpu < 2}}
#
# <a id="mixed" name="mixed"></a>
#
# ## 2. Should I mix images?
#
# The shipped model had harder images. Mixing two of them is one way to make them.
#
# **Mixup** ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)) blends each image with another one. **Cutmix** ([Yun et al. 2019](https://arxiv.org/abs/1905.04899)) replaces a box of it by the same box of the other. The label is mixed in the same shares: for cutmix, the share is the area of the box, even if the box shows mostly background.
#
# Here are four shapes in the first row, with mixup in the second and cutmix in the third. Each image is mixed with the one to its left, and the first one with the last:

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
# Does it help where images are few? Notebook 05's experiment with {{record("where_augmentation_pays").trained_on:,}} photographs has seven ingredients, each added to flip and crop alone.
#
# <details><summary>The other five, and the set-up</summary>
#
# - **Erase** greys out a box. **TrivialAugment** makes one random change, such as brightness or rotation. **Patch dropout** leaves out half of the patches.
# - **Label smoothing** ([Szegedy et al. 2016](https://arxiv.org/abs/1512.00567)) makes the target 0.91 for the right class and 0.01 for each of the other nine.
# - **Weight average** is the EMA of section 5.
#
# The tiny model with learned positions was trained for {{record("where_augmentation_pays").settings[0].training.epochs:d}} epochs with Muon and 3 seeds, and judged on 2,000 validation images (`where_augmentation_pays`).
#
# </details>

# %% tags=["hide-input"]
(recorded,) = read_records("../data/results/where_augmentation_pays.json")
reached = {row["setting"]: torch.tensor(row["accuracies"]) for row in recorded["settings"]}
reached.pop("without flip and crop")  # notebook 05 shows it: far to the left
base = "flip and crop (base)"
others = sorted(reached.keys() - {base}, key=lambda name: -reached[name].mean())
shown = {name: 100 * reached[name] for name in [base, *others]}
title = "On record: CIFAR-10, 2,000 images, 30 epochs"
_, axis = plt.subplots(figsize=(6.2, 4.2), layout="constrained")
axis.axvline(shown[base].mean(), color="gray", ls=":")
plots.show_dots(shown, "validation accuracy, %", title, axis=axis)
means = "; ".join(f"{name} {row.mean():.1f}" for name, row in shown.items())
plots.show(f"a row of three dots for each setting. Means: {means}", title)

# %% [markdown]
# **None of the seven is better** than flip and crop alone. Cutmix is worse, by {{distance(augmented("flip and crop (base)"), augmented("+ cutmix")):±.1p}} points, and so is TrivialAugment, by {{distance(augmented("flip and crop (base)"), augmented("+ TrivialAugment")):±.1p}}. For label smoothing, erase, weight average, patch dropout and mixup, the difference is *not settled*. (Of seven comparisons at 95 %, one can look settled by chance, and TrivialAugment's is narrow.)
#
# *Limits:* this holds for a tiny model and 30 epochs. The recipe `cpu-long` has mixup, cutmix and TrivialAugment, for {{record("cifar10_cpu_long").training.epochs:d}} epochs with 50,000 images. So with few images and a tiny model, leave mixing out. In `cpu-long` it is part of a recipe that works as a whole; whether it helps there, we have not measured.
# {{assert record("cifar10_cpu_long").training.trivial_augment and record("cifar10_cpu_long").training.cutmix > 0}}
# {{assert all(interval(distance(augmented(name), augmented("flip and crop (base)")))[1] < 0 for name in ("+ TrivialAugment", "+ cutmix"))}}
# {{assert all(not differs(of) and (interval(of)[0] < -0.01 or interval(of)[1] > 0.01) for of in [distance(augmented(name), augmented("flip and crop (base)")) for name in ("+ mixup", "+ patch dropout", "+ erase", "+ label smoothing", "+ weight average (EMA)")])}}
# {{assert record("where_augmentation_pays").trained_on == 2000 and record("where_augmentation_pays").judged_on == "2,000 validation"}}
#
# <a id="muon" name="muon"></a>
#
# ## 3. Muon gave the most in notebook 05. How does it work?
#
# Now to the step itself. On CIFAR-10, Muon in place of AdamW was better by {{distance(ladder("+ Muon"), ladder("+ clipping")):±.1p}} points. Muon takes momentum's step for a matrix and makes the singular values nearly equal, so that a step moves many directions about equally far, and not only the few strongest ones.{{assert below(ladder("+ clipping"), ladder("+ Muon"))}}
#
# ### How can one change all singular values without finding them?
#
# The rule `muon` of notebook 05 took the step X apart by a singular value decomposition, X = U·Σ·Vᵀ, and set every singular value to 1. Jordan et al., who train on GPUs, find that far too slow. (The second visit times both on a CPU.) Could matrix products do it?
#
# Look at the simplest product that has the shape of X again. UᵀU is the identity matrix, because the columns of U are orthogonal and of length 1, and so is VᵀV. Both vanish from the middle:
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
# Multiply by Xᵀ and X once more, and you get U·Σ⁵·Vᵀ. So the sum a·X + b·X·Xᵀ·X + c·X·Xᵀ·X·Xᵀ·X takes every singular value σ to the **polynomial** a·σ + b·σ³ + c·σ⁵, all of them at once. Repeating such a step is called a *Newton–Schulz iteration*.
#
# For a small σ, the powers σ³ and σ⁵ barely count, so a round multiplies it by about a, and a should be large. Near 1, the negative b has to pull the value back. With a large a it pulls too far: the value falls below 1, the next round lifts it above 1, and so on. Above about 1.26, values would even grow without end. So Muon first divides X by its norm, the root of the sum of all squared singular values; then none is above 1. Jordan et al. searched for the largest a whose swings did no harm to their trainings ([their post](https://kellerjordan.github.io/posts/muon/)), and found the three numbers below. What will five rounds make of a value of 0.001, and of a value of 1?

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
# At first, the largest value was a thousand times the smallest. Now it is less than twice as large. The first column is multiplied by about 3.44 in each round. The last column swings around 0.9 and does not settle in these rounds.
#
# ### Does it work on the matrices of a training?
#
# We take the gradient that a new model gets from its first batch, for the first block's matrix of queries, keys and values. It has 64 singular values.

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
# On the left, each round lifts the small values. After five rounds, every value that began between 0.002 and 1 lies in the grey band, between 0.68 and 1.2. Values far below that stay behind, because five rounds multiply by at most 3.44⁵, which is some 480.
#
# On the right is our gradient. The thirteen values that began above 0.002 end in the band, though no longer in order. The fainter ones stay behind. So the real Muon makes a step much more even, but less so than the exact rule.
#
# Here is the package's code, for a stack of matrices. With S = X·Xᵀ, the sum is a·X + (b·S + c·S·S)·X, and `torch.baddbmm(x, y, z, beta=u, alpha=w)` is `u * x + w * (y @ z)`. The matrix is divided by its norm first.


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
# Newton–Schulz is the same work for any batch. So Muon is expensive where matrices are large and batches small. Here PyTorch counts the operations, for the tiny model and for the recipe `cpu`. On half images, half of the patches are left out:


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
# For the recipe, the share of the arithmetic is small. It doubles on half images, because the blocks then see half of the tokens. A complete step of Muon has two more parts: the <a href="#second-visit">second visit</a> builds it, compares it with the package, and times Newton–Schulz against the decomposition.
#
# <details><summary>The same with pencil and paper</summary>
#
# A matrix m × n, with m the shorter side, takes 4·m²·n + 2·m³ operations in each of five rounds. Forward and backward take 6·m·n for each of the B·T tokens of a batch. So Muon adds the share
#
# 5·(4·m²·n + 2·m³) / (6·m·n·B·T) = 10·m/(3·B·T) + 5·m²/(3·n·B·T)
#
# For a long matrix the second term barely counts. For a square one, with n = m, it is half of the first. For example, with m = 96 and B = 128 images of T = 65 tokens, the first term is 960/24,960, about 4 %.
#
# </details>
#
# <a id="schedule" name="schedule"></a>
#
# ## 4. Do I need the schedule, and clipping?
#
# So much for the direction. How long should the steps be? In notebook 05, three seeds a rung left the schedule and clipping *not settled* on shapes. Do more seeds decide?
#
# For Muon, we compare a rate that stays constant after the warm-up with one that falls along the cosine, with nine seeds. For AdamW, we compare a constant rate, then warm-up and cosine, then clipping as well, with six.

# %%
SETTINGS = {
    "Muon, constant rate": replace(MUON, schedule="constant"),
    "Muon, cosine": MUON,
    "AdamW, constant rate": replace(ADAMW, warmup=0.0, schedule="constant", clip_norm=0.0),
    "AdamW, warm-up and cosine": replace(ADAMW, clip_norm=0.0),
    "AdamW, clipping as well": ADAMW,
}
SEEDS = {"muon": 9, "adamw": 6}
runs = {  # (seeds, epochs)
    name: torch.tensor([train(config, seed) for seed in range(SEEDS[config.optimizer])])
    for name, config in SETTINGS.items()
}


# %%
def compare(new, old):
    """In words: new − old, half of its 95 % interval, and notebook 05's word for it."""
    difference, width = contrast([list(new)], [list(old)])
    return f"{difference:+.1f} ± {width:.1f} points: {in_words(difference, width, counts=1)}"


STEPS = {
    "Muon: cosine": ("Muon, constant rate", "Muon, cosine"),
    "AdamW: warm-up and cosine": ("AdamW, constant rate", "AdamW, warm-up and cosine"),
    "AdamW: clipping": ("AdamW, warm-up and cosine", "AdamW, clipping as well"),
}
ended = {name: of[:, -1].tolist() for name, of in runs.items()}  # after the last epoch
for name, (without, with_it) in STEPS.items():
    print(f"{name}: {compare(ended[with_it], ended[without])}")

# %% tags=["hide-input"]
title = "Shapes-10, tiny model, 4 epochs"
_, axis = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
plots.show_dots(ended, "validation accuracy, %", title, axis=axis)
means = {name: sum(seeds) / len(seeds) for name, seeds in ended.items()}
for row, mean in enumerate(means.values()):
    axis.text(mean, row - 0.32, f"{mean:.1f}", ha="center", va="bottom", fontsize=9)
axis.set_ylim(len(ended) - 0.5, -0.8)
words = "; ".join(f"{name} {mean:.1f}" for name, mean in means.items())
plots.show(f"a row of dots for each setting, one for each seed. Means: {words}", title)
three = ended["Muon, cosine"][:3]
print(f"Muon: the three seeds of notebook 05 have a mean of {sum(three) / 3:.1f} %")

# %% [markdown]
# **With Muon, the cosine is better.** With AdamW, both steps stay *not settled* on these shapes. On CIFAR-10, warm-up and cosine were better for AdamW, by {{distance(ladder("+ warm-up and cosine"), ladder("+ AdamW")):±.1p}} points. (Notebook [14](14_more_claims.ipynb) tests the warm-up by itself.){{assert interval(distance(ladder("+ warm-up and cosine"), ladder("+ AdamW")))[0] > 0}}
#
# The nine dots of *Muon, cosine* also show what luck can do. Notebook 05's ladder has the first three of them, with a mean of 67.0 %. The mean of all nine is 63.8 %, so those three were lucky.
#
# *Limits:* we found Muon's rate *with* the cosine, and a lower one might suit the constant rate better. AdamW is far behind Muon here, so it may behave otherwise where it has learned more.
#
# <a id="average" name="average"></a>
#
# ## 5. Is the average of a training's weights better than the last ones? (EMA)
#
# The training is over. At a constant rate, its weights still jump from step to step, around a better place. Which of them should you keep? Perhaps none.
#
# What if you judge their mean over the recent past? This is the **exponential moving average** of the weights (EMA). After each step, the average moves a little towards the weights:
#
# `average = 0.99 * average + 0.01 * weights`
#
# That makes it a mean over about 100 steps. (An epoch here has only 80 steps. With a full memory from the start, the random first weights would stay in the mean for long, so `fit` begins with a shorter one.) You turn it on with `ema_decay=0.99`, and then `fit` judges the average. The training itself stays the same.
#
# So we train each seed twice, with the setting and without. Both runs take the same steps; one is judged by the average, the other by its last weights. We subtract seed by seed, and the ± is for the mean of these differences. We use three seeds of Muon, at a constant rate and with the cosine.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for panel, name in zip(panels, ("Muon, constant rate", "Muon, cosine"), strict=True):
    config = replace(SETTINGS[name], ema_decay=0.99)
    three = {  # (seeds, epochs)
        "weights": runs[name][:3],
        "their average": torch.tensor([train(config, seed) for seed in range(3)]),
    }
    epochs, title = range(1, config.epochs + 1), f"Muon, {config.schedule} rate"
    for index, curves in enumerate(three.values()):
        thin = {"color": plots.curve_style(index)["color"], "lw": 0.8, "alpha": 0.5}
        panel.plot(epochs, curves.T, **thin)
    weights, average = (curves[:, -1].tolist() for curves in three.values())
    gains = [after - before for after, before in zip(average, weights, strict=True)]
    gain, width = mean_and_width(gains)  # run by run
    said = f"{gain:+.1f} ± {width:.1f} points: {in_words(gain, width, counts=1)}"
    print(f"{config.schedule} rate, average − weights of the same run: {said}")
    means = {what: curves.mean(dim=0) for what, curves in three.items()}
    plots.show_lines(epochs, means, "epoch", "validation accuracy, %", title, axis=panel)
    panel.label_outer()
plots.show("weights and their average: at a constant rate the average ends ahead")

# %% [markdown]
# A thin line is a seed, and a thick one the mean of three. At a constant rate, the average is **better**: even its worst seed ends above the best one of the weights. With the cosine, the two are *not settled*, as in section 2 on 2,000 photographs ({{distance(augmented("+ weight average (EMA)"), augmented("flip and crop (base)")):+±.1p}} points, there as two groups of runs).{{assert all(only(record("where_augmentation_pays").settings, setting=name).training.schedule == "cosine" for name in ("+ weight average (EMA)", "flip and crop (base)"))}}
#
# Why the difference? With the cosine the rate falls, so the weights stop jumping by themselves. Whether both together gain more than one of the two is not settled.
#
# *Limit:* the seeds are the first three, but with the cosine their last weights turned out lucky (section 4). If the averages do not share that luck, they look worse here than they are.
#
# <a id="all" name="all"></a>
#
# ## 6. Which settings of the recipe `cpu` rest on a measurement?
#
# Fewer than you may think:
#
# | what stands behind it | settings of the recipe `cpu` |
# |---|---|
# | a comparison on CIFAR-10 | Muon; half images with 14 epochs, taken together; with few images only: flip and crop, no cutmix, no TrivialAugment |
# | a comparison on drawn shapes alone | the cosine, with Muon |
# | comparisons that settled nothing | clipping (with AdamW); no average (with the cosine); no mixup and no label smoothing (few images) |
# | no comparison on half images | learning rate, weight decay, batch size |
#
# The warm-up by itself is tested in notebook [14](14_more_claims.ipynb).
#
# <details><summary>All comparisons</summary>
#
# An empty cell was not compared. *Ladder* means those of notebook 05, and *few images* its tests of augmentation with many epochs, which section 2 continues.
#
# | setting | what was compared | CIFAR-10 | drawn shapes | not tried |
# |---|---|---|---|---|
# | `optimizer`: Muon | with AdamW, on the ladder | better | better | |
# | | in a search of rates for each rule | | better | on CIFAR-10 |
# | `patch_drop_rate` {{record("real_run").training.patch_drop_rate:g}}, `whole_epochs` {{record("real_run").training.whole_epochs:d}}, `epochs` {{record("real_run").training.epochs:d}} | together, with whole images at equal time | better ({{distance(accuracies("cifar10_cpu_bfloat16"), accuracies("cifar10_seven_whole_passes")):+±.1p}}, three seeds) | | each by itself |
# | | patch dropout, with few images | not settled | | |
# | `schedule`: {{record("real_run").training.schedule:s}} | alone, for Muon | | better | on CIFAR-10 |
# | | with warm-up, for AdamW | better | not settled | |
# | `warmup` {{record("real_run").training.warmup:g}} | alone | notebook [14](14_more_claims.ipynb) | | on shapes |
# | `flip`, `crop_padding` {{record("real_run").training.crop_padding:d}} | on the ladder | not settled | worse | |
# | | with few images | better | ahead, but one seed only | |
# | `clip_norm` {{record("real_run").training.clip_norm:g}} | for AdamW | not settled | not settled | with Muon |
# | no average | at a constant rate | | the average is better | |
# | | with the cosine | not settled | not settled | in longer trainings |
# | no mixing | mixup, with few images | not settled | | in longer trainings |
# | | cutmix, with few images | cutmix is worse | | |
# | no label smoothing | with few images | not settled | | in longer trainings |
# | `learning_rate` {{record("real_run").training.learning_rate:g}}, `weight_decay` {{record("real_run").training.weight_decay:g}}, `batch_size` {{record("real_run").training.batch_size:d}} | | | | another value, on half images |
# {{assert all(not differs(distance(ladder(one), ladder(other))) for one, other in (("+ flip and crop", "+ Muon"), ("+ clipping", "+ warm-up and cosine")))}}
#
# By chance, half images and 24 epochs in place of 14 (section 1) gain the same, to the printed decimal.
#
# </details>
#
# <details><summary>How were half images chosen?</summary>
#
# On validation images, with one seed each. Half images reached {{record("real_run").history.validation_accuracy[-1]:.1%}}. In the same time, whole images get seven epochs, and reached {{records("cifar10_seven_whole_passes_validation")[0].accuracy:.1%}} at a rate of {{records("cifar10_seven_whole_passes_validation")[0].training.learning_rate:g}} and {{records("cifar10_seven_whole_passes_validation")[1].accuracy:.1%}} at {{records("cifar10_seven_whole_passes_validation")[1].training.learning_rate:g}}, the rate that notebook 05 then used.
#
# *Limit:* the half images, and the times compared, were in float32; the whole images were in bfloat16.
# {{assert max(accuracies("cifar10_seven_whole_passes_validation")) == records("cifar10_seven_whole_passes_validation")[1].accuracy and records("cifar10_seven_whole_passes_validation")[1].training.learning_rate == records("cifar10_seven_whole_passes")[0].training.learning_rate}}
# {{assert record("real_run").training.validation_images == 5000 and min(accuracies("cifar10_cpu")) > max(accuracies("cifar10_seven_whole_passes"))}}
# {{assert all(run.precision == "float32" for name in ("cifar10_cpu", "real_run", "patch_dropout_cost") for run in records(name)) and all(run.precision == "bfloat16" for name in ("cifar10_cpu_bfloat16", "cifar10_seven_whole_passes", "cifar10_seven_whole_passes_validation") for run in records(name))}}
#
# </details>
#
# ## What to remember
#
# - With a few more minutes, train longer. With hours, take `cpu-long` as a whole: what its size and its harder images each give is not measured. Where images are few, neither mixup nor cutmix was better than flip and crop alone.
# - Muon needs no decomposition: five rounds of a polynomial in X, made of matrix products, even out the singular values. Its share of the arithmetic is small if batches are large and matrices small.
# - With Muon, on drawn shapes, a falling rate and an average of the weights are each better than a constant rate alone.
# - The optimizer and half images rest on measurements on CIFAR-10, flip and crop on few images of it, and Muon's cosine on drawn shapes alone; clipping is not settled.
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
#
# <a id="second-visit" name="second-visit"></a>
#
# ## For a second visit
#
# ### Is Newton–Schulz faster than the decomposition?
#
# We time both for the matrix of our gradient, and for a large one.


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
# In the run saved here, PyTorch computed on one thread. In float32, the products were faster than the decomposition for the small matrix, and slower for the large one. But products can also run in bfloat16, and PyTorch's decomposition cannot. For the large matrix, that made them about three times as fast as the decomposition. On a GPU, for which Muon was made, we have not measured it.
#
# ### What does a complete step look like?
#
# Three things are new in Muon's step, compared with the rule in notebook 05:
#
# - **The evening-out** is Newton–Schulz, in place of the decomposition.
# - **The direction** is `0.95 * mean + 0.05 * gradient`. This is the momentum that the next step would have with the same gradient (Nesterov's way).
# - **The weight decay** is decoupled, like AdamW's: the matrix shrinks by a share of itself, so the evening-out does not touch the decay.


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
# **Why the factor 0.2·√max(m, n)?** If all singular values are 1, their squares sum to min(m, n). The squares of the m·n numbers in the matrix have the same sum, so a typical number is 1/√max(m, n). The factor makes it 0.2, roughly what the numbers of Adam's steps usually are ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)). So in `fit`, one learning rate can serve Muon for the matrices and AdamW for all other parameters of the same model.
#
# With Newton–Schulz the typical number is less than 0.2, because the faint directions stay behind. Is it much less?

# %%
step = 0.2 * max(gradient.shape) ** 0.5 * newton_schulz(gradient[None])[0]
print(f"a typical number of the step for our gradient: {step.square().mean().sqrt():.2f}")

# %% [markdown]
# For this gradient it is about half. Others may have fewer faint directions. PyTorch has had Muon since version 2.9; ours takes the steps of PyTorch's with `adjust_lr_fn="match_rms_adamw"`.

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
