# %% [markdown]
# # 07 · Pitfalls, measured: how a model starts
#
# **After this notebook you can** check a model before you train it, with three signs that take one batch and a few seconds. Each sign sees one kind of mistake, and some mistakes escape all three: you will know which.
#
# | | |
# |---|---|
# | You need | notebooks 00 to 05 |
# | Time to read | about 17 minutes, and eight more for the second visit |
# | Time to run | at the quick budget {{notebook_seconds("07_pitfalls_initialization"):about}} on two cores of a recent server CPU |
# | Package modules | `experiments/`, `variants.py` |
#
# One of these two lines is a mistake:
#
# ```python
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96))
# self.pos_embed = nn.Parameter(torch.randn(1, 65, 96) * 0.02)
# ```
#
# The first line draws normal numbers of mean 0 and standard deviation 1, in short N(0, 1), and the second draws from N(0, 0.02). (The second number is always the standard deviation.) Both lines run, both models train, and there is no warning. After three epochs on CIFAR-10, a small model with the second line classifies {{runs("position_init", "N(0, 0.02)").mean:.1%}} of the test images correctly, and one with the first line {{runs("position_init", "N(0, 1)").mean:.1%}}. Could you have known before the first step?
# {{assert below(runs("position_init", "N(0, 1)"), runs("position_init", "N(0, 0.02)"))}}

# %%
import copy
import math
from statistics import mean

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from vit_minimal import diagrams, load_dataset, plots
from vit_minimal.augment import normalize
from vit_minimal.device import pick_budget
from vit_minimal.experiments import make_model, plan, pooled_spread, run_experiment, summarize
from vit_minimal.records import read_records

dataset = load_dataset()
images, labels = normalize(dataset.train_images[:100]), dataset.train_labels[:100]

# %% [markdown]
# Both models are the **small model**, with 4 blocks, D = 96 and patches of 4 × 4, and only their positions differ. Let us look at them before their first step. `plan` gives the runs of an experiment, one for each start and learning rate, and `make_model` makes the model of a run:


# %% tags=["nbval-check-output"]
def small_model(experiment, setting, seed=0):
    """The small model with a start, before its first step."""
    runs = plan(experiment, "full", seed)
    return make_model(runs[setting, 1])  # 1: at the usual learning rate


for setting in ("N(0, 0.02)", "N(0, 1)"):
    positions = small_model("position_init", setting).pos_embed.weight
    print(f"positions: {setting:10}   {tuple(positions.shape)}, deviation {positions.std():.2f}")


# %% [markdown]
# We give twelve images to each model and draw what the head receives: the class token after the last *norm*, the LayerNorm that brings its 96 numbers to mean 0 and standard deviation 1. Each image is a row. The darker a cell, the higher its number, from −2.5 (white) to 2.5 (black):

# %% tags=["hide-input"]
_, halves = plt.subplots(2, 1, figsize=(6.4, 3.8), layout="constrained")
for half, name in zip(halves, ("N(0, 0.02)", "N(0, 1)"), strict=True):
    with torch.no_grad():
        read = small_model("position_init", name).eval().forward_features(images[:12])[:, 0]
    title = f"positions from {name}, small model, untrained"
    plots.show_matrix(
        read, [], [], title, False, axis=half, signed=True, limit=2.5, y_label="12 images",
        colours="Greys",
    )  # fmt: skip
halves[1].set_xlabel("the D = 96 numbers of the class token that the head receives")
plots.show("two times 12 rows of 96 grey cells: above, the rows differ; below, all rows are alike")

# %% [markdown]
# Above, the rows differ. Below, they look like one bar code: to the head, all twelve images are almost the same. **So a mistake can show before the first step.** We shall turn such looks into three signs.
#
# ## Which starts are costly?
#
# There are worse starts than `torch.randn`. We train two models for a few seconds, at the quick budget **tiny models** of 2 blocks. One draws the weights of its blocks and of its head from N(0, 0.02). In the other all of them are zero:

# %%
budget = "quick" if dataset.name == "shapes10" else pick_budget()
size_of_model = "tiny" if budget == "quick" else "small"
for setting in ("N(0, 0.02)", "all zero"):
    found = run_experiment("weight_init", budget, 1, dataset, settings=[setting], verbose=False)
    reached = f"{100 * found[setting].mean:.1f} % correct"
    print(f"{size_of_model} model, trained here, weights: {setting:12} {reached}")

# %% [markdown]
# The second model has learned nothing and stays at chance level, and there was no error.
#
# Our *base* draws positions, class token and weights from N(0, 0.02). Every other start changes one of these three. Its **cost** is the accuracy of the base minus its own, in *points*, which are per cent of the test images.
#
# We have trained the small model with fifteen other starts, for three epochs on CIFAR-10 with Muon:
#
# | start | what it changes |
# |---|---|
# | zeros, all 1, N(0, 1), N(0, 10) | every number of the positions, or of the class token |
# | patches' positions\* | positions, in a model whose class token has none; its base is of the same kind |
# | all zero | every matrix of the blocks and of the head is zero |
# | head zero | only the head's matrix is zero |
# | second zero | in each block, the output matrix of attention and fc2 are zero |
# | PyTorch's default, Xavier, N(0, 1) | weights are random, with a deviation of about 0.06, 0.10 and 1 |
#
# **Guess** before you look: which harm more, zeros or large numbers?

# %% tags=["hide-input"]
EXPERIMENT = {
    "positions": "position_init", "patches' positions*": "patch_position_init",
    "class token": "class_token_init", "weights": "weight_init",
}  # fmt: skip
VECTORS = ("zeros", "N(0, 1)", "N(0, 10)", "all 1")
WEIGHTS = ("all zero", "head zero", "second zero", "PyTorch's default", "Xavier", "N(0, 1)")
STARTS = {"positions": VECTORS, "class token": VECTORS, "weights": WEIGHTS}
STARTS["patches' positions*"] = ("N(0, 1)",)

cifar10 = read_records("../data/results/experiments_cifar10_full.json")
noise = pooled_spread(cifar10)  # by how much runs of one setting differ


def cost_of(kind, setting):
    """The cost of a start in points, half its 95 % interval, and whether it is costly."""
    of = summarize(EXPERIMENT[kind], "full", cifar10, noise)[setting]
    points, width = -100 * of.difference, 100 * of.difference_width
    if points + width < 1:
        return points, width, False  # harmless
    if points > width:
        return points, width, True  # costly
    return points, width, None  # not settled


costs = {(kind, name): cost_of(kind, name) for kind, names in STARTS.items() for name in names}
costs = dict(sorted(costs.items(), key=lambda start: -start[1][0]))
warned = {}  # {sign: {start: whether it warns}}
TITLE = "small model, three epochs on CIFAR-10"
diagrams.signs_and_costs({start: (*cost, []) for start, cost in costs.items()}, title=TITLE)

# %% [markdown]
# As always, ± is half of a 95 % interval. *Costly* means that the whole interval lies above 0 and reaches beyond 1 point. *Harmless* means that all of it lies below 1 point. Anything else is *not settled*.
#
# Eight starts are costly, and the worst never leaves chance level. So which harm more? The worst is a start of zeros, but the other four with zeros are harmless. Seven of the eight costly starts have random numbers larger than the base's, in positions, class token or weights.
#
# What tells the costly starts from the harmless ones before any training? We look for three kinds of mistake, with one **sign** for each:
#
# | kind of mistake | sign | what it asks of a new model |
# |---|---|---|
# | 1. vectors that all images share are too large | **sizes** | Do they outweigh the image? |
# | 2. matrices are zero in pairs | **two steps** | Does every block get something to learn from? |
# | 3. the head's random weights are too large | **first loss** | Does the model give every class the same probability? |
#
# <details><summary>More about the small model, its intervals, and the images of this notebook</summary>
#
# The small model has {{recorded("weight_init", "Xavier")[0].run.model.depth:d}} blocks, width D = {{recorded("weight_init", "Xavier")[0].run.model.embed_dim:d}}, and patches of 4 × 4. It trained for {{recorded("weight_init", "Xavier")[0].run.training.epochs:d}} epochs on {{records("experiments_cifar10_full")[0].trained_on:,}} images, with Muon at a learning rate of {{recorded("weight_init", "Xavier")[0].run.training.learning_rate:g}} and batches of {{recorded("weight_init", "Xavier")[0].run.training.batch_size:d}}.
#
# Each start has three runs or more. The intervals use the noise of all settings on record together, as [notebook 10](10_claims_put_to_the_test.ipynb) explains. Only weights from N(0, 1) and weights that are all zero, which end far below the rest, have the noise of their own seeds.
#
# *Costly* is what [notebook 05](05_training_on_cifar10.ipynb) calls *worse*. *Harmless* asks for less than *alike*: only that a start does not lose a point, so that a better one is harmless, too.
# </details>
# {{assert len({r.trained_on for r in records("experiments_cifar10_full")}) == 1}}
# {{assert all(r.run.training.epochs == 3 and r.run.training.optimizer == "muon" and r.run.model.patch_size == 4 for r in recorded("weight_init", "Xavier"))}}
# {{assert all(len(of.accuracies) >= 3 for name in ("weight_init", "class_token_init",
# "class_token_init_rates", "position_init", "patch_position_init", "position_untrained") for of in experiment(name).values())}}
# {{assert all(r.judged_on == "10,000 test" for r in records("experiments_cifar10_full"))}}
# {{assert all(len(at_start("loss", "weight_init", of)) == 3 for of in ("N(0, 0.02)", "Xavier"))}}
# {{assert all(runs("weight_init", of).mean < spread("full").least for of in ("N(0, 1)", "all zero")) and all(runs(name, of).mean > spread("full").least for name in ("position_init", "class_token_init") for of in ("N(0, 1)", "N(0, 10)"))}}
# {{assert all(accuracy == 0.1 for accuracy in runs("weight_init", "all zero").accuracies)}}
# {{assert all(loss(runs("weight_init", of)).mean + loss(runs("weight_init", of)).width < 0.01 for of in ("head zero", "second zero"))}}
# {{assert all(loss(runs(name, of)).mean + loss(runs(name, of)).width < 0.01 for name in ("position_init", "class_token_init") for of in ("zeros", "all 1"))}}
# {{assert all(loss(runs(name, of)).mean - loss(runs(name, of)).width > 0.01 for name, of in (("position_init", "N(0, 1)"), ("position_init", "N(0, 10)"), ("class_token_init", "N(0, 10)")))}}
# {{assert all(loss(runs(name, of)).mean - loss(runs(name, of)).width > 0.02 for name, of in (("position_init", "N(0, 1)"), ("position_init", "N(0, 10)"), ("patch_position_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("weight_init", "all zero"), ("weight_init", "N(0, 1)"), ("weight_init", "Xavier"), ("weight_init", "PyTorch's default")))}}
# {{assert loss(runs("class_token_init", "N(0, 1)")).mean < loss(runs("class_token_init", "N(0, 1)")).width}}
# {{assert loss(runs("class_token_init", "N(0, 1)")).mean + loss(runs("class_token_init", "N(0, 1)")).width > 0.01}}
#
# ## 1. Large vectors that all images share: the sizes
#
# Back to the bar code: why are its rows alike? Every token starts as a sum of what it holds and its position. A patch holds its pixels, mapped to D numbers, and the class token holds a learned vector. The sum enters the *residual stream*, to which every block adds its part. How large are the parts? The *size* of a vector is the root mean square of its D numbers:


# %%
def size(numbers):
    return numbers.detach().square().mean().sqrt().item()


# %% tags=["hide-input"]
added = {}
for name in ("N(0, 0.02)", "N(0, 1)"):
    model = small_model("position_init", name)
    of_class, *of_patches = model.pos_embed.weight[0]
    added[f"positions from {name}"] = (
        (size(model.patch_embed(images)), size(torch.stack(of_patches))),
        (size(model.cls_token.weight), size(of_class)),
    )
diagrams.what_adds_up(added, "sizes, small model, untrained")

# %% [markdown]
# A position from N(0, 1) is three times as large as its patch. It is the same for all images, so it says nothing about the image.
#
# The class token has a position, too. Each block only adds to the class token, so this large vector is still in it at the end. There the last norm subtracts the mean of the 96 numbers and divides by their standard deviation. Watch what this does to the two models of the bar code. The picture splits the class tokens of 100 images into what all of them share and what differs between them:


# %% tags=["hide-input"]
@torch.no_grad()
def before_the_last_norm(experiment, setting):
    model = small_model(experiment, setting).eval()
    model.norm = torch.nn.Identity()
    return model.forward_features(images)[:, 0]


diagrams.norm_divides(
    {
        f"positions from {setting}": before_the_last_norm("position_init", setting)
        for setting in ("N(0, 0.02)", "N(0, 1)")
    },
    "class tokens, small model, untrained",
)

# %% [markdown]
# The second norm has to divide by more than ten times as much, because the shared part is so large. The part that differs is smaller from the start, because the patches' large positions outweigh them. It is divided, too, and almost nothing of it reaches the head: it *drowns*. This is the bar code. A large class token does the same.
#
# Is the bar code what costs the points? Not by itself. A class token from N(0, 1) drowns the images as well, and yet its cost of {{loss(runs("class_token_init", "N(0, 1)")):±.1p}} is not settled. The starred positions leave the class token small, so their rows differ (the second visit measures it), and yet they cost {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}}. **So the size tells you where to look. It does not tell you why the points are lost.** The second visit looks for the cause, and finds only a part of it.{{assert max(at_start("spread", "class_token_init", "N(0, 1)")) < 0.05 and interval(loss(runs("class_token_init", "N(0, 1)")))[1] < 0.02}}{{assert abs(loss(runs("patch_position_init", "N(0, 1)")).mean - loss(runs("position_init", "N(0, 1)")).mean) < 0.01 and min(at_start("spread", "patch_position_init", "N(0, 1)")) > 0.2}}
#
# **The sizes warn if the class token or the largest of the 65 positions is larger than a patch:**


# %%
def sizes_at_the_start(model, images):
    """The size of a patch without its position, and of the largest vector that all images share."""
    shared = {
        name: max(map(size, vectors.flatten(0, -2)))  # one vector of D numbers at a time
        for name, vectors in model.named_parameters()
        if name.startswith(("cls_token", "pos_embed"))
    }
    return size(model.patch_embed(images)), shared


for setting in ("N(0, 0.02)", "N(0, 1)"):
    patch, shared = sizes_at_the_start(small_model("position_init", setting), images)
    sizes = "   ".join(f"{name} {of:.2f}" for name, of in shared.items())
    print(f"small model, untrained, positions: {setting:10}   a patch {patch:.2f}   {sizes}")

# %% [markdown]
# In the run saved here, the images are the drawn shapes of Shapes-10. Of which starts do the sizes warn?

# %% tags=["hide-input"]
warned["sizes"] = {}
for (kind, name), (*_, costly) in costs.items():
    patch, shared = sizes_at_the_start(small_model(EXPERIMENT[kind], name), images)
    warned["sizes"][kind, name] = max(shared.values()) > patch
    if warned["sizes"][kind, name]:
        word = {True: "costly", False: "harmless", None: "not settled"}[costly]
        print(f"{kind + ': ' + name:28}  {word}")

# %% [markdown]
# **The sizes warn of all four costly starts that change such a vector.** They also warn of vectors whose entries are all 1, which is a *false alarm*, because these starts are harmless. The second question at the end says why. The cost of a class token from N(0, 1) is not settled: before rounding, its interval begins just below 0.{{assert -0.0015 < interval(loss(runs("class_token_init", "N(0, 1)")))[0] < 0}}
#
# *Limit:* all this is at one learning rate. The second visit tries others.
#
# ## 2. Matrices that are zero in pairs: two steps
#
# The next mistake lies in the *weights*. Three of our starts have matrices of zeros: all zero, head zero (as in the [first ViT](https://github.com/google-research/vision_transformer)), and second zero (chosen on purpose in [Fixup](https://arxiv.org/abs/1901.09321)). In our models, all biases start at zero.
#
# Only the first of the three is dead. Why? Look at a pair of matrices, one behind the other: x goes in, h lies between the two, and y comes out.

# %% tags=["hide-input"]
diagrams.zero_pairs()

# %% [markdown]
# A matrix moves only if it gets a *gradient*. W₂ gets its gradient through h, and W₁ gets its own through W₂. If both are zero, each waits for the other forever. If only the second is zero, it moves in the first step, and what stands before it follows in the second.
#
# In a block, fc1 and fc2 are such a pair, and so are the values and the output of attention. With head zero, the head plays the part of W₂, and all the blocks together play W₁.
#
# <details><summary>The same with the chain rule</summary>
#
# ```
# y = W₂ h      h = f(W₁ x)      f(0) = 0
#
# gradient of W₂ = g hᵀ                        = 0, because W₁ = 0 makes h = 0
# gradient of W₁ = (f′(W₁ x) ⊙ (W₂ᵀ g)) xᵀ     = 0, because W₂ = 0
# ```
#
# Here g is the gradient of y, and ⊙ multiplies two vectors number by number. The bias of W₁ has to be zero as well: with another bias h would not be zero, and W₂ could move. The gradient of fc1's bias has the factor W₂ᵀ g, too, so this bias stays at zero. Queries and keys act through the values, so they get no gradient either. So the class token stays the same for all images, and the head learns no more from it than how frequent the classes are.
# </details>
#
# After one step, a slow start and a dead one can look the same. We take **two steps**, and look for the block with the smallest gradient. **The sign warns if this gradient is still zero in the second step.** (Any optimizer will do, as we only ask whether it is exactly zero.)


# %%
def gradient(block):
    """The length of the gradient of a block's matrices as one vector; without any it is 0."""
    matrices = [parameter for parameter in block.parameters() if parameter.ndim > 1]
    return get_total_norm([p.grad for p in matrices if p.grad is not None]).item()


def two_steps(model, images, labels):
    """The gradient of the block that gets the least, in the first step and in the second."""
    model, least = copy.deepcopy(model).eval(), []  # without dropout or skipped blocks
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        least.append(min(map(gradient, model.blocks)))
        optimizer.step()
    return least


# %%
for name in ("N(0, 0.02)", "all zero", "head zero", "second zero"):
    one, two = two_steps(small_model("weight_init", name), images, labels)
    print(f"small model, untrained, weights: {name:12}  step 1: {one:6.3g}   step 2: {two:6.3g}")

# %% [markdown]
# In step 1, head zero gives its blocks nothing, as in the picture. Second zero gives them something: our number counts all matrices of a block, and the zero ones, W₂, do get a gradient. In step 2, every block of these two gets one. **Only all zero still has none.**
#
# *Limit:* two steps miss a dead MLP in a block whose attention lives, because a block gives one number.
# {{assert all(max(least) == 0 for least in at_start("gradients", "weight_init", "all zero"))}}
# {{assert all(second > 0.01 for of in ("head zero", "second zero", "N(0, 0.02)") for data in ("cifar10", "shapes10") for _, second in at_start("gradients", "weight_init", of, data))}}
#
# ## 3. Large random weights: the first loss
#
# Weights can also be too large. A new model should give each of ten classes the same probability, and then its loss is ln 10 ≈ 2.303. But the last norm hands the head numbers of size 1, and the head multiplies them by its weights. If these are large, so are the logits. The model is sure of its answers before it has learned anything, and most of them are wrong. So **the first loss warns if it is more than 0.2 above ln 10.**
#
# How large are the weights that people start with? At D = 96, the numbers have these standard deviations in a square matrix of a block, and in the head with its ten classes:
#
# | weights | in a block | in the head | who starts like this |
# |---|---|---|---|
# | N(0, 0.02), our base | 0.02 | 0.02 | the first GPT ([Radford et al. 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf)), BERT and timm's ViTs |
# | PyTorch's default (our biases stay at zero) | 1/√(3D) = 0.06 | 0.06 | every `nn.Linear` that is left as it is |
# | *Xavier* ([Glorot and Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)) | 1/√D = 0.10 | √(2/(D + 10)) = 0.14 | the blocks in the [code of the ViT paper](https://github.com/google-research/vision_transformer/blob/main/vit_jax/models_vit.py), and most of those in torchvision's ViT |
# | N(0, 1) | 1 | 1 | nobody, we hope |
#
# Xavier is chosen such that the outputs of a layer are about as large as its inputs.
#
# <details><summary>Why 0.2?</summary>
#
# If the logits of a new model have the standard deviation s, its first loss lies on average at most about s²/2 above ln(number of classes). The head sums D numbers of size 1, each times a weight, so s is √D times the deviation of the head's weights. At D = 96, this is 0.2 for our base, which may add 0.02. For PyTorch's default s is 0.58, so the loss may rise by 0.17. For Xavier s is 1.3, and it may rise by 0.9. The threshold of 0.2 lies above what the first two add on average; a single model may add more.
# </details>


# %%
@torch.no_grad()
def first_loss(model, images, labels):
    model = copy.deepcopy(model).eval()  # without dropout; your model stays as it is
    return cross_entropy(model(images), labels).item()


for setting in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)"):
    loss = first_loss(small_model("weight_init", setting), images, labels)
    print(f"small model, untrained, weights: {setting:18}  first loss {loss:6.3f}")

# %% [markdown]
# **The higher the first loss of these four starts, the higher their cost.** But the sign misses PyTorch's default, which you are likely to meet. And a perfect first loss promises nothing: that of all zero is ln 10.
#
# *Limit:* the first loss sees only the head's weights, because the last norm hides how large those of the blocks are. The ViT paper's own start has Xavier blocks and a head of zeros: its first loss is exactly ln 10, whatever its blocks hold. Our starts draw blocks and head alike, so we cannot say which of the two costs the points.
# {{assert below(runs("weight_init", "N(0, 1)"), runs("weight_init", "Xavier"))}}
# {{assert below(runs("weight_init", "Xavier"), runs("weight_init", "PyTorch's default"))}}
# {{assert below(runs("weight_init", "PyTorch's default"), runs("weight_init", "N(0, 0.02)"))}}
# {{assert all(list(losses) == sorted(losses) for losses in zip(*(at_start("loss", "weight_init", of) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)")), strict=True))}}
# {{assert all((loss > math.log(10) + 0.2) == (of in ("Xavier", "N(0, 1)")) for of in ("N(0, 0.02)", "PyTorch's default", "Xavier", "N(0, 1)", "head zero", "second zero", "all zero") for loss in at_start("loss", "weight_init", of))}}
# {{assert all(abs(loss - math.log(10)) < 1e-4 for loss in at_start("loss", "weight_init", "all zero"))}}
#
# ## What is a look at the start worth?
#
# Here are all fifteen starts and all three signs. *Green* means that the sign is right: it warns of a costly start, or is silent about a harmless one. *Grey* means that it is wrong. *White* is no verdict, because the sign was made for another kind of mistake, or because the cost is not settled. The last column warns if any of the three does. (Costs, two steps and first loss were measured on CIFAR-10, the two signs with three seeds each. The sizes are those of the images that you have loaded, with one seed.)

# %% tags=["hide-input"]
known_signs = read_records("../data/results/start_signs.json")[0]["rows"]


def on_record(kind, name, sign):
    """The mean of a sign over three seeds of the small model, measured on CIFAR-10."""
    start = {"dataset": "cifar10", "budget": "full"}
    start |= {"experiment": EXPERIMENT[kind], "setting": name}
    return mean(sign(row) for row in known_signs if start.items() <= row.items())


warned["two steps"] = {of: on_record(*of, lambda row: row["gradients"][1]) == 0 for of in costs}
above = math.log(10) + 0.2
warned["first loss"] = {of: on_record(*of, lambda row: row["loss"]) > above for of in costs}
SIGNS = ["sizes", "two steps", "first loss"]
ZEROS = {("weights", name) for name in ("all zero", "head zero", "second zero")}
OWN = {  # the starts that each sign was made for
    "sizes": {start for start in costs if start[0] != "weights"},
    "two steps": ZEROS,
    "first loss": {start for start in costs if start[0] == "weights"} - ZEROS,
}
warned["any of these"] = {of: any(warned[sign][of] for sign in SIGNS) for of in costs}


def answer(sign, start):
    """Whether a sign warns of a start; None if it is silent and was made for others."""
    warns = warned[sign][start]
    return None if not warns and start not in OWN.get(sign, costs) else warns


signs = [*SIGNS, "any of these"]
shown = {start: (*cost, [answer(sign, start) for sign in signs]) for start, cost in costs.items()}
diagrams.signs_and_costs(shown, signs, TITLE)

# %% [markdown]
# **Of the eight costly starts, the three signs together catch seven, and each sign catches starts of its own kind. They miss PyTorch's default.** They also warn of two of the six harmless starts: those where every entry is 1.
#
# *Limit:* we chose the starts ourselves, and all thresholds after we had seen the results. The second visit has three more costly starts, of which no sign warns. So in all, the signs catch **seven of eleven**.
# {{assert len({(row.experiment, row.setting) for row in record("start_signs").rows if row.budget == "full" and row.setting != "N(0, 0.02)" and row.experiment != "patch_drowning"}) == 15}}
# {{assert all(second > 0 for name, of in (("position_init", "zeros"), ("position_init", "all 1"), ("class_token_init", "zeros"), ("class_token_init", "all 1"), ("position_init", "N(0, 1)"), ("position_init", "N(0, 10)"), ("patch_position_init", "N(0, 0.02)"), ("patch_position_init", "N(0, 1)"), ("class_token_init", "N(0, 1)"), ("class_token_init", "N(0, 10)"), ("weight_init", "Xavier"), ("weight_init", "PyTorch's default"), ("weight_init", "N(0, 1)")) for _, second in at_start("gradients", name, of))}}
# {{assert all(value < math.log(10) + 0.2 for name in ("position_init", "patch_position_init", "class_token_init") for of in experiment(name) if "frozen" not in of for value in at_start("loss", name, of))}}
#
# ## Is Xavier a mistake, then?
#
# No: the ViT paper starts its blocks with it. Its models are wider. At D = 768 Xavier's deviation is 1/√768 = 0.036, much closer to 0.02 than the 0.10 of our small model. PyTorch's default is 1/√(3 · 768) = 0.021 there, practically our base.
#
# Does the order of the costs hold for another model? We train the tiny model with five seeds for each start. For each seed we subtract a start's accuracy from the base's. The cost is the mean of these five differences, and its ± comes from them alone:


# %% tags=["hide-input"]
settings = ["N(0, 0.02)", "PyTorch's default", "Xavier"]
found = run_experiment("weight_init", budget, 5, dataset, settings=settings, verbose=False)
plans = [plan("weight_init", budget, seed) for seed in range(5)]
print(f"{size_of_model} model, trained here on {dataset.name}")
for setting in settings:
    of = found[setting]
    first = [first_loss(make_model(runs[setting, 1]), images, labels) for runs in plans]
    cost = f"cost {-100 * of.difference:+5.1f} ± {100 * of.difference_width:4.1f} points"
    warns = sum(loss > math.log(10) + 0.2 for loss in first)
    print(
        f"weights: {setting:18}{100 * of.mean:5.1f} ± {100 * of.width:4.1f} %  "
        f"{'the base' if setting == settings[0] else cost:26}  first loss warns with {warns} of 5 seeds"
    )

# %% [markdown]
# In the run saved here the order is reversed: both other starts are *better* than N(0, 0.02), and all warnings of the first loss are false alarms. The two trainings differ in model, images, steps and learning rate, and any of these may turn the order. **So the cost of such a start belongs to a set-up, and a small training cannot choose for a larger one.**
# {{assert all(loss > math.log(10) + 0.2 for loss in at_start("loss", "weight_init", "Xavier", "shapes10", "quick"))}}
#
# The optimizer matters, too. In one run each with AdamW in place of Muon, Xavier lost little, and large vectors still lost many points (second visit).

# %% [markdown] tags=["exercise-only"]
# # Exercises 07 · Pitfalls: how a model starts
#
# They go with notebook [07](../07_pitfalls_initialization.ipynb). If you start here: before its first step a model should give each class the same probability, and all its blocks should get gradients. The exercises measure that on one batch, and one sign more that is often trusted too much.

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
# Hint: The loss is minus the natural logarithm of the probability that the right class got.
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
# Solution: Class token and positions have three axes, the kernel four. Whoever asks for 2 and 1 forgets them, and no error says so: the class token stays as it was drawn. On CIFAR-10 models with a frozen and with a trained class token are alike (notebook 09), but for the positions it cost {{-runs("position_init", "N(0, 0.02), frozen").difference:.1p}} points.


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
# Solution: About 0.5. Notebook 07 shows why: the last norm divides the sum of the token and all it has gathered by a size that is nearly all the token's own. That need not cost points after training.

# %% tags=["exercise-only", "exercise:drowning_std"]
print(spread_at(0.1) / spread_at(0.02))

# solution
# | drowning_std = ...
drowning_std = 0.5
# end of solution

# %% [markdown]
# ## In your own model
#
# Before you train, take one batch. (The functions above use timm's names.)
#
# 1. **Sizes.** If the class token or a position is larger than a patch, start them at zero or from N(0, 0.02).
# 2. **Two steps.** If a block has no gradient in the second step either, look for a pair of matrices that are both zero, and draw one of them at random.
# 3. **First loss.** If it is more than 0.2 above ln(number of classes), train once with smaller weights, too, and keep the better ones. This sign sees only the head, so silence says nothing about the blocks.
#
# A sign is a reason to look; only training tells the cost. So on your own task compare N(0, 0.02), Xavier and your framework's default, at three learning rates each.
#
# **And the two lines of the beginning?** The sizes would have warned you. Of the seven starts of which they warn, four are costly. But you need not know the cost to decide: the better line is free.
#
# ## Questions
#
# <details><summary>The first loss of a new model is exactly ln 10. Will it learn?</summary>
#
# You cannot tell yet: all zero and head zero both begin like this. Take two steps.
# </details>
#
# <details><summary>The sizes warn of a class token of ones. Why is it a false alarm?</summary>
#
# LayerNorm subtracts the mean over the D entries, and a constant is nothing but mean. So no block and no head can see it, and the model gives the same answers as with zeros, but for rounding. (Training makes such tiny differences grow, so the two costs are not exactly equal.)
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
# **Skip this on a first reading.** You can take its sections in any order. They narrow down why a start is costly, but the cause stays unknown. Where a cost or an accuracy has no ±, it comes from one run.
#
# ### A tempting sign: the spread
#
# The bar code of the beginning can be made a number. The *spread* between images is the standard deviation of each column, averaged over the columns. It is 0 when all images look the same to the head, and about 1 at most. **The spread warns below 0.05.**
#
# It sees large positions and large class tokens, as in the picture of section 1. Is the spread, then, the best sign of all? Here is where it differs from the three signs together:


# %% tags=["hide-input"]
@torch.no_grad()
def spread_of(model, images):
    """How much the images differ to the head: the mean deviation of the D numbers that it reads."""
    read = copy.deepcopy(model).eval().forward_features(images)[:, 0]  # (B, D)
    return read.std(dim=0).mean().item()


for (kind, name), (*_, costly) in costs.items():
    small = on_record(kind, name, lambda row: row["spread"]) < 0.05
    if small != warned["any of these"][kind, name]:
        word = {True: "costly", False: "harmless", None: "not settled"}[costly]
        spread, others = ("warns", "silent") if small else ("silent", "warn")
        print(f"{kind + ': ' + name:28}  {word:8}  spread {spread:6}  the three {others}")

# %% [markdown]
# No: **it catches nothing that the three signs miss.** It avoids the false alarms of *all 1*, and has one of its own: the blocks of second zero add nothing at first, so its spread is exactly 0. And many costly starts have no small spread: that of the starred positions is well above 0.05, and that of weights from N(0, 1), Xavier and PyTorch's default is even larger than the base's.
# {{assert max(at_start("spread", "weight_init", "second zero")) == 0}}
# {{assert all(min(at_start("spread", "weight_init", of)) > max(at_start("spread", "weight_init", "N(0, 0.02)")) for of in ("N(0, 1)", "Xavier", "PyTorch's default"))}}
# {{assert all((spread < 0.05) == (of in ("N(0, 1)", "N(0, 10)")) for name in ("position_init", "class_token_init") for of in ("N(0, 0.02)", "zeros", "N(0, 1)", "N(0, 10)", "all 1") for spread in at_start("spread", name, of))}}
# {{assert max(at_start("spread", "weight_init", "all zero")) == 0 and min(at_start("spread", "weight_init", "head zero")) > 0.05}}
# {{assert all(spread > 0.05 for data in ("cifar10", "shapes10") for spread in at_start("spread", "patch_position_init", "N(0, 1)", data))}}
#
# ### Where do large positions lose their points?
#
# Large positions are even worse than none at all. In further runs, positions were held at zero for good (in the row *positions: zeros* they start there and then learn), so that the model could not know where a patch lies. Even so it ended {{distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")):±.1p}} points *ahead* of the model with positions from N(0, 1).
# {{assert runs("position_untrained", "learned").mean == runs("position_init", "N(0, 0.02)").mean}}
# {{assert runs("position_untrained", "none").accuracies == runs("position_init", "zeros, frozen").accuracies}}
# {{assert distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).mean > distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).width}}
# {{assert distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).mean + distance(runs("position_untrained", "none"), runs("position_init", "N(0, 1)")).width > 0.01}}
#
# Large positions are costly even at the patches alone (A below, starred in the figure). Why? There are three suspects:
# - The patch is *outweighed*: the first norm divides it by the size of a position that is three times as large.
# - The positions themselves are large.
# - Whatever enters the blocks is large.
#
# Three more starts take these apart. B adds one trained vector from N(0, 1) to all patches, the same to each. C and D make the patches 50 times larger. All four count from the base of A:
#
# | start | are patches outweighed? | large positions? | large input? | cost in points, on CIFAR-10 |
# |---|---|---|---|---|
# | A: positions N(0, 1) | yes | yes | yes | {{loss(runs("patch_position_init", "N(0, 1)")):±.1p}} |
# | B: one shared vector | yes | no | yes | {{loss(runs("patch_drowning", "N(0, 0.02), a shared part from N(0, 1)")):±.1p}} |
# | C: positions N(0, 1), patches × 50 | no | yes | yes | {{loss(runs("patch_drowning", "N(0, 1), patches × 50")):±.1p}} |
# | D: patches × 50 | no | no | yes | {{loss(runs("patch_drowning", "N(0, 0.02), patches × 50")):±.1p}} |
#
# - Outweighed patches cannot be the only cause: in C and D no patch is outweighed, and yet both cost more than A.
# - Large positions cannot be the only cause: those of B and D are small.
#
# **Only the large input is common to all four.** In B and D, though, it is the small positions that are outweighed, which may cost points for a second reason.
# {{assert below(runs("patch_position_init", "N(0, 1)"), runs("patch_position_init", "N(0, 0.02)"))}}
# {{assert all(len(runs("patch_drowning", of).accuracies) >= 3 for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
# {{assert runs("patch_drowning", "N(0, 0.02)").accuracies == runs("patch_position_init", "N(0, 0.02)").accuracies and all(differs(distance(runs("patch_position_init", "N(0, 1)"), runs("patch_drowning", of))) and runs("patch_drowning", of).mean < runs("patch_position_init", "N(0, 1)").mean for of in ("N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
# {{assert all(loss(runs("patch_drowning", of)).mean - loss(runs("patch_drowning", of)).width > 0.01 for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
#
# The sizes see A. Do the signs see B, C and D?


# %%
for letter, setting in (
    ("B", "N(0, 0.02), a shared part from N(0, 1)"),
    ("C", "N(0, 1), patches × 50"),
    ("D", "N(0, 0.02), patches × 50"),
):
    model = small_model("patch_drowning", setting)
    patch, shared = sizes_at_the_start(model, images)
    loss, spread = first_loss(model, images, labels), spread_of(model, images)
    sizes = f"a patch {patch:5.2f}, shared {max(shared.values()):.2f}"
    second = f"step 2: {two_steps(model, images, labels)[-1]:.2f}"
    print(f"{letter}: {sizes}   {second}   first loss {loss:.2f}   spread {spread:.2f}")

# %% [markdown]
# No sign warns, nor do they on CIFAR-10, with three seeds. The sizes compare everything *with* a patch, so they cannot see that the patches themselves are large (in the base about 0.3), nor that B's patches share a vector.
# {{assert all(second > 0 for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50") for _, second in at_start("gradients", "patch_drowning", of)) and all(len(at_start("loss", "patch_drowning", of)) == 3 and max(at_start("loss", "patch_drowning", of)) < math.log(10) + 0.2 and min(at_start("spread", "patch_drowning", of)) > 0.05 for of in ("N(0, 0.02), a shared part from N(0, 1)", "N(0, 1), patches × 50", "N(0, 0.02), patches × 50"))}}
#
# ### Do the costs stay at other learning rates?
#
# We tried other learning rates on CIFAR-10. Rate 1 is the usual one, {{runs("weight_init", "Xavier").learning_rate:g}} at its highest:
#
# | times the base's rate | 0.3 | 1 | 3 | 9 |
# |---|---|---|---|---|
# | all from N(0, 0.02) | {{reached("position_init_rates", "N(0, 0.02)", 0.3)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 0.02)", 1)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 0.02)", 3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 0.02)", 9)[0]:.1%}} |
# | large positions | {{reached("position_init_rates", "N(0, 1)", 0.3)[0]:.1%}} | {{reached("position_init_rates", "N(0, 1)", 1)[0]:.1%}} | **{{reached("position_init_rates", "N(0, 1)", 3)[0]:.1%}}** | {{reached("position_init_rates", "N(0, 1)", 9)[0]:.1%}} |
# | weights: PyTorch's default | {{reached("weight_init_rates", "PyTorch's default", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "PyTorch's default", 1)[0]:.1%}}** | {{reached("weight_init_rates", "PyTorch's default", 3)[0]:.1%}} | |
# | weights: Xavier | {{reached("weight_init_rates", "Xavier", 0.3)[0]:.1%}} | **{{reached("weight_init_rates", "Xavier", 1)[0]:.1%}}** | {{reached("weight_init_rates", "Xavier", 3)[0]:.1%}} | |
#
# Three times the rate helps large positions and harms the base. Of the weights, N(0, 0.02) is ahead at all three rates. With each start at its own best rate, large positions still lose {{reached("position_init_rates", "N(0, 0.02)", 1)[0] - reached("position_init_rates", "N(0, 1)", 3)[0]:.1p}} points. (The validation images choose the same best rates, which are bold.)
# {{assert reached("position_init_rates", "N(0, 0.02)", 1)[0] == max(reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(max((found.validation_accuracy, rate) for rate in (0.3, 1, 3, 9) for found in recorded("position_init_rates", name, rate)[:1])[1] == best for name, best in (("N(0, 0.02)", 1), ("N(0, 1)", 3)))}}
# {{assert all(max((found.validation_accuracy, rate) for rate in (0.3, 1, 3) for found in recorded("weight_init_rates", name, rate)[:1])[1] == 1 for name in ("Xavier", "PyTorch's default"))}}
# {{assert reached("position_init_rates", "N(0, 1)", 3)[0] == max(reached("position_init_rates", "N(0, 1)", rate)[0] for rate in (0.3, 1, 3, 9))}}
# {{assert all(reached("weight_init_rates", other, rate)[0] < reached("weight_init_rates", "N(0, 0.02)", rate)[0] for other in ("Xavier", "PyTorch's default") for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", "N(0, 0.02)", rate)[0] == reached("position_init_rates", "N(0, 0.02)", rate)[0] for rate in (0.3, 1, 3))}}
# {{assert all(reached("weight_init_rates", other, 1)[0] > reached("weight_init_rates", other, rate)[0] for other in ("N(0, 0.02)", "Xavier", "PyTorch's default") for rate in (0.3, 3))}}
#
# ### Is it the optimizer?
#
# The small model was trained with Muon, which few ViTs use. Its steps have about the same length whatever the gradient, so they change small weights faster. Perhaps this alone puts N(0, 0.02) ahead. If so, a higher rate or more epochs should help Xavier. But a higher rate made Xavier worse, and after more epochs its share of the errors was no smaller (next section).
# {{assert reached("weight_init_rates", "Xavier", 3)[0] < reached("weight_init_rates", "Xavier", 1)[0] and len(recorded("weight_init", "Xavier", budget="long")) == 3}}
#
# With AdamW, at a learning rate of {{recorded("pooling", "class token", budget="adamw")[0].run.training.learning_rate:g}}, the base reaches only {{recorded("pooling", "class token", budget="adamw")[0].accuracy:.1%}}. The rate is the best of three for the base; for the other starts, we searched none:
#
# | start, on CIFAR-10 | cost in points with Muon | with AdamW |
# |---|---|---|
# | weights: PyTorch's default | {{loss(runs("weight_init", "PyTorch's default")):±.1p}} | {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("weight_init", "PyTorch's default", budget="adamw")[0].accuracy:.1p}} |
# | weights: Xavier | {{loss(runs("weight_init", "Xavier")):±.1p}} | {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("weight_init", "Xavier", budget="adamw")[0].accuracy:.1p}} |
# | positions from N(0, 1) | {{loss(runs("position_init", "N(0, 1)")):±.1p}} | {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("position_init", "N(0, 1)", budget="adamw")[0].accuracy:.1p}} |
# | class token from N(0, 10) | {{loss(runs("class_token_init", "N(0, 10)")):±.1p}} | {{recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("class_token_init", "N(0, 10)", budget="adamw")[0].accuracy:.1p}} |
#
# With AdamW, Xavier lost little. But AdamW's steps, too, have about the same length whatever the gradient. So the length of the steps alone cannot explain what Xavier loses with Muon. Large vectors lost many points with both.
# {{assert all(recorded("pooling", "class token", rate=rate, budget="adamw")[0].validation_accuracy < recorded("pooling", "class token", budget="adamw")[0].validation_accuracy for rate in (0.5, 2))}}
# {{assert 0 < recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("weight_init", "Xavier", budget="adamw")[0].accuracy < 0.02 and recorded("weight_init", "PyTorch's default", budget="adamw")[0].accuracy > recorded("pooling", "class token", budget="adamw")[0].accuracy and recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("position_init", "N(0, 1)", budget="adamw")[0].accuracy > 0.05 and recorded("pooling", "class token", budget="adamw")[0].accuracy - recorded("class_token_init", "N(0, 10)", budget="adamw")[0].accuracy > 0.15}}
#
# ### Does longer training heal a bad start?
#
# After more epochs all models are better, so points shrink by themselves. We count *extra errors* in their place: how many more errors a start makes than its base, in per cent of the base's errors.
#
# | start | extra errors after 3 epochs | after {{recorded("class_token_init", "N(0, 0.02)", budget="long")[0].run.training.epochs:d}} epochs (runs) | after {{recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].run.training.epochs:d}} |
# |---|---|---|---|
# | class token from N(0, 10) | {{more_errors("class_token_init", "N(0, 10)"):±.0p}} % | {{more_errors("class_token_init", "N(0, 10)", "long"):±.0p}} % ({{len(runs("class_token_init", "N(0, 10)", budget="long").accuracies):d}}) | {{(1 - recorded("class_token_init", "N(0, 10)", budget="longest")[0].accuracy) / (1 - recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].accuracy) - 1:.0p}} % |
# | large positions | {{more_errors("position_init", "N(0, 1)"):±.0p}} % | {{more_errors("position_init", "N(0, 1)", "long"):±.0p}} % ({{len(runs("position_init", "N(0, 1)", budget="long").accuracies):d}}) | {{(1 - recorded("position_init", "N(0, 1)", budget="longest")[0].accuracy) / (1 - recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].accuracy) - 1:.0p}} % |
# | weights: Xavier | {{more_errors("weight_init", "Xavier"):±.0p}} % | {{more_errors("weight_init", "Xavier", "long"):±.0p}} % ({{len(runs("weight_init", "Xavier", budget="long").accuracies):d}}) | not tried |
#
# **The large class token healed: after {{recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].run.training.epochs:d}} epochs, nothing was left of its harm in this run. Large positions still made more errors. With Xavier, the harm did not shrink from three epochs to 14.** All of this is at the base's rate.
# {{assert 0.05 < (1 - recorded("position_init", "N(0, 1)", budget="longest")[0].accuracy) / (1 - recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].accuracy) - 1 < more_errors("position_init", "N(0, 1)", "long").mean - more_errors("position_init", "N(0, 1)", "long").width}}
# {{assert (1 - recorded("class_token_init", "N(0, 10)", budget="longest")[0].accuracy) / (1 - recorded("class_token_init", "N(0, 0.02)", budget="longest")[0].accuracy) - 1 < 0}}
# {{assert below(more_errors("class_token_init", "N(0, 10)", "long"), more_errors("class_token_init", "N(0, 10)")) and more_errors("class_token_init", "N(0, 10)", "long").mean < more_errors("class_token_init", "N(0, 10)").mean / 2}}
# {{assert not differs(distance(more_errors("position_init", "N(0, 1)"), more_errors("position_init", "N(0, 1)", "long")))}}
# {{assert more_errors("weight_init", "Xavier", "long").mean > more_errors("weight_init", "Xavier").mean}}
