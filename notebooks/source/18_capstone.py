# %% [markdown] tags=["exercise-only"]
# # 18 · Capstone: a ViT from an empty cell
#
# Everything so far came in pieces, and each piece had its blank. Here you get a signature and an empty cell. You write the whole model, train it, and then do what comes after training: read its curves, read someone else's table, and see how far five minutes will take you.
#
# | | |
# |---|---|
# | You need | notebooks 01 to 05, or a ViT that you have written before |
# | Time to read | about 10 minutes, and two hours to solve |
# | What it costs | a minute or two of training on a laptop; five more for each entry on the leaderboard |

# %% tags=["exercise-only"]
import math
import time
from pathlib import Path

import torch
from skimage import data
from torch import nn
from torch.nn import functional as F

from checks import check
from checks.curves import draw_curves
from checks.leaderboard import enter, measure, show_board
from checks.milestones import shipped_weights
from vit_minimal import load_image, shapes10
from vit_minimal.augment import normalize
from vit_minimal.data import CIFAR10_CLASSES

# %% [markdown] tags=["exercise:ViT"]
# Write a Vision Transformer: images (B, C, H, W) → logits (B, K), for square images. Use whatever `torch` has, and nothing from this course, timm or torchvision. Add as many helper classes and cells as you like. The check copies the course's weights into your model and compares what comes out. For this the parameters have to be named and shaped as in the list below, which is timm's. So your model will be able to load weights that others have trained.
#
# | parameter | shape |
# |---|---|
# | `cls_token` | (1, 1, D) |
# | `pos_embed` | (1, T, D), row 0 belongs to the class token; T = N + 1 |
# | `patch_embed.proj.weight`, `.bias` | (D, C, P, P), (D,): those of an `nn.Conv2d` |
# | `blocks.0.norm1.weight`, `.bias` | (D,): those of an `nn.LayerNorm`; `blocks.1. …` for the next block, and so on |
# | `blocks.0.attn.qkv.weight`, `.bias` | (3D, D), (3D,): first all queries, then all keys, then all values; in each, head after head |
# | `blocks.0.attn.proj.weight`, `.bias` | (D, D), (D,) |
# | `blocks.0.norm2.weight`, `.bias` | (D,) |
# | `blocks.0.mlp.fc1.weight`, `.bias` | (rD, D), (rD,), where r is `mlp_ratio`; rD is rounded down if it is no whole number |
# | `blocks.0.mlp.fc2.weight`, `.bias` | (D, rD), (D,) |
# | `norm.weight`, `.bias` | (D,): the norm after the last block |
# | `head.weight`, `.bias` | (K, D), (K,) |
#
# A dot in a name is a module inside a module: `patch_embed.proj` is the attribute `proj` of the module `patch_embed`. Blocks are pre-norm, and the MLP has a GELU. The ε of the norms may stay at PyTorch's default.
#
# There are seven milestones, and the check names the next one. The first compares names and shapes, so run it as soon as `__init__` stands. For the others it copies the weights. In the middle ones it sets some of them to zero, so that those parts add nothing. So a `forward` without attention passes the early ones, and an attention that is a plain mean passes some more. The last one uses all weights.
#
# Hint: Begin with `__init__` alone and run the check: it compares your `named_parameters()` with the list and says what is missing or has another shape. Then write `forward` along the four equations of [notebook 04](../04_vision_transformer.ipynb), and note the shape behind each line.
#
# Hint: Five classes are a good size: one for the patches, one for the attention, one for the MLP, one for the block, and the model. The attention is the longest, with six shapes: (B, T, 3D), three of (B, h, T, d), (B, h, T, T), (B, h, T, d), (B, T, D).
#
# Solution: Fewer than sixty lines, and the same numbers as the package.


# %% tags=["exercise-only", "exercise:ViT"]
# solution
# | # Your helper classes come here, or in cells above.
class PatchEmbed(nn.Module):
    def __init__(self, patch_size, in_channels, embed_dim):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)  # (B, N, D)


class Attention(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        B, T, D = x.shape
        qkv = self.qkv(x).reshape(B, T, 3, self.num_heads, D // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, h, T, d) each
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, embed_dim, num_heads, mlp_ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim)
        self.attn = Attention(embed_dim, num_heads)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, int(embed_dim * mlp_ratio))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))  # Eq. 2
        return x + self.mlp(self.norm2(x))  # Eq. 3


# end of solution


class ViT(nn.Module):
    """Images (B, in_channels, image_size, image_size) → logits (B, num_classes)."""

    def __init__(
        self,
        image_size=32,
        patch_size=8,
        in_channels=3,
        num_classes=10,
        embed_dim=64,
        depth=3,
        num_heads=4,
        mlp_ratio=2.0,
    ):
        # solution
        # | # Your code comes here.
        # | ...
        super().__init__()
        N = (image_size // patch_size) ** 2
        self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, N + 1, embed_dim) * 0.02)
        blocks = (Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(embed_dim)
        self.head = nn.Linear(embed_dim, num_classes)
        # end of solution

    def forward(self, images):
        # solution
        # | # Your code comes here.
        # | ...
        x = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = self.blocks(x + self.pos_embed)  # Eq. 1 to 3
        return self.head(self.norm(x)[:, 0])  # Eq. 4
        # end of solution


# %% [markdown] tags=["exercise-only"]
# The names were worth the trouble. The weights of the *shipped model* (6 blocks, D = 192, P = 4), which the course trained on CIFAR-10 for {{record("cifar10_cpu_long").seconds:time}}, fit your class. So your code can use what that training has learned. (If the exercise above is still open, `ViT` is the course's own here.) Do you remember the cat of notebook 00?

# %% tags=["exercise-only", "shows"]
model = ViT(32, 4, 3, 10, embed_dim=192, depth=6, num_heads=3, mlp_ratio=2.0).eval()
model.load_state_dict(shipped_weights())

cat = load_image(Path(data.__file__).with_name("chelsea.png"), 32)  # uint8 (3, 32, 32)
with torch.inference_mode():
    probabilities = model(normalize(cat[None])).softmax(dim=1)[0]
for i in probabilities.argsort(descending=True)[:3].tolist():
    print(f"{CIFAR10_CLASSES[i]:12}{probabilities[i]:.0%}")

# %% [markdown] tags=["exercise:trained"]
# Now train a model of your class on Shapes-10, from scratch. `images` and `labels` are 4,000 drawings, and how you train is up to you: optimizer, learning rate, batch size, number of epochs, and the size of the model. Hand in the trained model. The check shows it 1,000 new drawings as `normalize(images)`, numbers from −1 to 1, so train on such numbers (`x` below). Its milestones are an accuracy of 20 %, 40 % and 60 %, and chance level is 10 %. Print the mean loss of each epoch, so that you see where you are. A larger model may take the check a minute.
#
# Hint: The loop is that of [notebook 05](../05_training_on_cifar10.ipynb): a random batch, `F.cross_entropy(model(x), y)`, `zero_grad`, `backward`, `step`. AdamW with a rate of 1e-3 is a good first try. Which patch size makes a step cheap?
#
# Hint: The defaults of `ViT` above (P = 8) are small, and will do. If the loss is still falling when you stop, then train longer. If it stays at 2.30 for two epochs, look at your batches and at the rate. A rate that climbs over the first steps and falls to zero at the end (`torch.optim.lr_scheduler.OneCycleLR`) is worth several points.
#
# Solution: AdamW, batches of 50, seven epochs. There are many other ways.

# %% tags=["exercise-only", "exercise:trained"]
images, labels = shapes10(4_000, seed=0)  # uint8 (4000, 3, 32, 32), int64 (4000,)
x = normalize(images)


# solution
# | trained = ...  # a model of your class `ViT`, after training
def trained_on(x, labels, num_epochs, batch_size=50, rate=3e-3):
    torch.manual_seed(0)
    model, num_steps = ViT(), num_epochs * len(x) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, num_steps, pct_start=0.1)
    for i in range(num_epochs):
        losses = []
        for batch in torch.randperm(len(x)).split(batch_size):
            loss = F.cross_entropy(model(x[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {i + 1}: the mean loss is {sum(losses) / len(losses):.2f}")
    return model


trained = trained_on(x, labels, num_epochs=7)
# end of solution

# %% [markdown] tags=["exercise:causes"]
# *Read the curve.* The same small ViT was trained seven times on Shapes-10, once as it should be, and six times with one thing wrong. These are real runs, one seed each, and the panels end at a loss of 5: what is higher is cut off. Which of the six causes made which curve? Give each letter its number.
#
# 1. The learning rate is far too small.
# 2. The learning rate is far too large.
# 3. The model ends in a softmax, and the loss applies one as well.
# 4. The batches come in the order of the classes, without shuffling.
# 5. There are far too few training images: 100.
# 6. The validation images are not normalised in the way of the training images.
#
# Write all six down before you run the check. And what would you do about each?
#
# Hint: Ask of each panel: where does the blue curve end, compared with the healthy one, and where does the orange one end, compared with the blue one?
#
# Hint: In two panels blue goes well and orange does not. In which of them is blue *the same curve* as in the healthy panel, and in which does it fall where the healthy one never comes? Two panels leap. In which of them does blue fall again and again far below the dotted line in between, as if something had been learned and was lost? Of the two flat ones, only one falls at all: compare them with the dotted line.
#
# Solution: In A and C only the held-out images suffer. With 100 training images (A) blue goes to zero, because they are learned by heart. With other numbers at the validation's input (C) blue is the healthy curve itself: nothing is wrong with the training. In B a huge rate leaps, both curves at once, and between the leaps the model is at chance level. E does not move at all, which is a tiny rate. D looks much like it, but it does learn, only slowly: a softmax gives probabilities from 0 to 1, and a second one makes of them a loss between ln(1 + 9/e) ≈ 1.46 and ln(9 + e) ≈ 2.46, so there is little to gain. F is a saw, because the model learns in every moment that there is only one class, and forgets it when the next one comes. It leaps even higher later on, and in the end it has given up and stays at chance level. What we would do:
# - A: more images, or augmentation.
# - B and E: another rate, 1e-3 to begin with, and factors of three from there.
# - C: one function that prepares the images, for training and validation alike.
# - D: take the softmax out of the model, since the loss has its own.
# - F: shuffle the images before each epoch.

# %% tags=["exercise-only", "shows"]
draw_curves()

# %% tags=["exercise-only", "exercise:causes"]
# solution
# | causes = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ...}  # numbers from 1 to 6
causes = {"A": 5, "B": 2, "C": 6, "D": 3, "E": 1, "F": 4}
# end of solution

# %% [markdown] tags=["exercise:conclusions"]
# *Read the table.* Plain ViTs on CIFAR-10, trained from scratch, as the projects report them; [notebook 05](../05_training_on_cifar10.ipynb) has the links. Each figure is one run, judged on the same 10,000 test images. So two kinds of luck are in it, that of the seed and that of the test images.
#
# | project | accuracy | how it was trained |
# |---|---|---|
# | tintn | 75.5 % | |
# | UvA tutorial 15 | 75.6 % | |
# | kentaroy47 | 80 % | 200 epochs |
# | kentaroy47 | 89 % | the same for 1,000 epochs |
# | ViT-Lite-7/4 | 91.4 % | |
# | Lee et al. | 93.6 % | 100 epochs of three variants of each image |
# | vitookit | 95.7 % | 200 epochs of three variants of each image, P = 2 |
# | vitookit | 96.9 % | the same with the input enlarged to 64 × 64 |
#
# Which of these sentences may you conclude from the table? Answer "yes" or "no".
#
# - **a.** A plain ViT can classify more than 95 % of the test images correctly without having seen any other pictures.
# - **b.** The UvA tutorial's code is better than tintn's.
# - **c.** With kentaroy47's recipe, 1,000 epochs give more than 200 do.
# - **d.** The architecture of Lee et al. is better than that of ViT-Lite.
# - **e.** On these images the last model makes about an eighth of the mistakes that the first one makes.
# - **f.** Of photographs of cats and ships that you take yourself, the last model will recognise about 97 in 100.
#
# Hint: For each sentence ask: what else differs between the two rows? And how large is the difference, compared with the luck? That of the test images has the standard error √(p·(1 − p) / 10,000). That of the seed cannot be seen in one run; in the trainings of notebook 05, the three seeds of the better recipes lie one or two points apart.
#
# Hint: That is 0.43 points at 75 %, and less at 97 %. "Can" asks for one example only. "Better" asks for two rows that differ in nothing else.
#
# Solution: Yes to a, c and e; no to b, d and f. What table would settle d? Both architectures, trained by one recipe, with several seeds.

# %% tags=["exercise-only", "exercise:conclusions"]
# solution
# | conclusions = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...}  # "yes" or "no"
conclusions = {"a": "yes", "b": "no", "c": "yes", "d": "no", "e": "yes", "f": "no"}
# end of solution

# %% [markdown] tags=["exercise-only"]
# ## The project: five minutes
#
# What is the best accuracy that you can reach in five minutes of training, with 2,000 drawings and no others? Everything is allowed that happens inside of `train`: other sizes and other patches, augmentation, another optimizer, an average of the weights, something that is no ViT at all. Not allowed are other images than those that `train` is given, and weights that were trained before. (`shapes10` would draw you as many images as you like, so do not call it in there.)
#
# The cell below is a plain beginning. `measure` tries it out without entering anything. It sets the last 400 of the 2,000 drawings aside, trains on the others, and judges the model on the 400. Compare your ideas by that and not by the board: its 2,000 test images are the same for everybody, and whoever enters thirty times has begun to train on them. An entry trains on all 2,000.
#
# Ten seconds show that your code runs, and little more. A short trial favours models that start fast: one finer model had hardly left chance level after 40 seconds, and in its full entry it classified four drawings out of five correctly. So give each idea 60 seconds, and the whole 300 when two are close.


# %% tags=["exercise-only", "shows"]
def train(images, labels, seconds):
    """A model, after training for so many seconds at most; images uint8 (n, 3, 32, 32), labels (n,)."""
    end = time.perf_counter() + 0.95 * seconds  # a little reserve
    x, model = normalize(images), ViT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    while time.perf_counter() < end:
        batch = torch.randint(len(x), (50,))
        loss = F.cross_entropy(model(x[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


tried = measure(train, seconds=10)  # (accuracy, the seconds it took, model)

# %% [markdown] tags=["exercise-only"]
# When you are content, enter it. This trains for the full five minutes, judges the model, and adds a line to the file; `show_board` prints where the file lies, and all entries. In a workshop the file lies in a folder that all machines see. Without one, everybody enters into a file of their own, and someone puts the files end to end. An entry that took too long, that has no name, or whose logits are no numbers is refused with the reason. Remove the `#` first.

# %% tags=["exercise-only", "shows"]
BOARD = "leaderboard.jsonl"  # or "/a/folder/that/all/see/leaderboard.jsonl"
# enter(BOARD, "your name", train, note="what you did")
show_board(BOARD)

# %% [markdown] tags=["exercise-only"]
# Two entries whose intervals (the ±) overlap by a lot have not been told apart by 2,000 images. And five minutes on your machine are not five minutes on another one, so the board names the machines.
#
# ## Farewell
#
# You began with the pixels of one image, and here is a Vision Transformer of your own. You can train it, look inside, doubt a claim about it, and find its bugs. Now take it to your own pictures. Have fun!
