"""Right answers that are written otherwise than the solution, as careful readers write them.

Each cell is an answer as it would stand in a notebook, below the exercise's name and what is other
about it. Of a class a cell may hold only the methods that differ from the solution's.
"""

# ---- 00

# %% sequence_length: a number of NumPy
import numpy

sequence_length = numpy.int64(17)

# %% sequence_length: a fraction that is whole
from fractions import Fraction

sequence_length = Fraction(32 * 32, 64) + 1

# %% guessing_loss: rounded to two digits behind the point
guessing_loss = 2.303

# %% guessing_loss: a number of NumPy in single precision
import numpy

guessing_loss = numpy.float32(numpy.log(10))


# %% accuracy: counted in a loop
def accuracy(logits, labels):
    right = 0
    for scores, label in zip(logits, labels, strict=True):
        right += int(scores.argmax() == label)
    return right / len(labels)


# %% accuracy: a number of NumPy
def accuracy(logits, labels):
    return (logits.numpy().argmax(axis=1) == labels.numpy()).mean()


# %% accuracy: a number of NumPy in single precision
import numpy


def accuracy(logits, labels):
    return numpy.float32((logits.argmax(1) == labels).float().mean())


# %% accuracy: a fraction
from fractions import Fraction


def accuracy(logits, labels):
    return Fraction((logits.argmax(-1) == labels).sum().item(), len(labels))


# %% accuracy: the second argument by name only
def accuracy(logits, *, labels):
    return (logits.max(dim=1).indices == labels).float().mean().item()


# %% learning_rate: a number of NumPy
import numpy

learning_rate = numpy.float64(1e-3)

# ---- 01


# %% patch_of_pixel: with divmod
def patch_of_pixel(row, column, patch_size, width):
    (patch_row, _), (patch_column, _) = divmod(row, patch_size), divmod(column, patch_size)
    return patch_row * (width // patch_size) + patch_column


# %% patch_of_pixel: counted
def patch_of_pixel(row, column, patch_size, width):
    corners = [(r, c) for r in range(0, row + 1, patch_size) for c in range(0, width, patch_size)]
    return corners.index((row - row % patch_size, column - column % patch_size))


# %% patch_of_pixel: whole numbers of NumPy
import numpy


def patch_of_pixel(row, column, patch_size, width):
    numbers = numpy.arange(width // patch_size * (row // patch_size + 1))
    return numbers.reshape(-1, width // patch_size)[row // patch_size, column // patch_size]


# %% patchify: the axes stand in a list of another cell
ORDER = [0, 2, 4, 1, 3, 5]


def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    return images.reshape(B, C, rows, P, columns, P).permute(ORDER).reshape(B, rows * columns, -1)


# %% patchify: a module without parameters from another cell
flatten = nn.Flatten(2) if "nn" in globals() else torch.nn.Flatten(2)


def patchify(images, patch_size):
    rows, columns = patch_grid(images.shape[2:], patch_size)
    windows = images.unfold(2, patch_size, patch_size).unfold(3, patch_size, patch_size)
    return flatten(windows.permute(0, 2, 3, 1, 4, 5).flatten(1, 2))


# %% patchify: with chunks and stacks
def patchify(images, patch_size):
    rows, columns = patch_grid(images.shape[2:], patch_size)
    stripes = images.chunk(rows, dim=2)
    squares = [square for stripe in stripes for square in stripe.chunk(columns, dim=3)]
    return torch.stack([square.flatten(1) for square in squares], dim=1)


# %% patchify: an ellipsis as an index
def patchify(images, patch_size):
    P = patch_size
    rows, columns = patch_grid(images.shape[2:], P)
    cut = [
        images[..., r * P : r * P + P, c * P : c * P + P].flatten(1)
        for r in range(rows)
        for c in range(columns)
    ]
    return torch.stack(cut, 1)


# %% patchify: the ellipsis has a name
def patchify(images, patch_size):
    P = patch_size
    everything = ...
    rows, columns = patch_grid(images.shape[2:], P)
    stripes = [images[everything, r * P : r * P + P, :] for r in range(rows)]
    cut = [s[everything, c * P : c * P + P].flatten(1) for s in stripes for c in range(columns)]
    return torch.stack(cut, 1)


# %% patchify: the patch size by name only
def patchify(images, *, patch_size):
    B, C, H, W = images.shape
    rows, columns = patch_grid((H, W), patch_size)
    split = images.reshape(B, C, rows, patch_size, columns, patch_size)
    return split.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


# %% unpatchify: put down square by square
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    C, P, (H, W) = in_channels, patch_size, image_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError("these patches do not fill the image")
    squares = patches.unflatten(2, (C, P, P)).unbind(1)
    stripes = [torch.cat(squares[r * columns : (r + 1) * columns], dim=3) for r in range(rows)]
    return torch.cat(stripes, dim=2)


# %% unpatchify: with F.fold
def unpatchify(patches, patch_size, image_size, in_channels=3):
    if patches.shape[2] != in_channels * patch_size**2:
        raise ValueError("patches of another length")
    rows, columns = patch_grid(image_size, patch_size)
    if rows * columns != patches.shape[1]:
        raise ValueError("another number of patches")
    return F.fold(patches.mT, image_size, patch_size, stride=patch_size)


# %% unpatchify: two permutations, one after the other
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    P = patch_size
    rows, columns = patch_grid(image_size, P)
    if (N, length) != (rows * columns, in_channels * P * P):
        raise ValueError("these patches do not fill the image")
    x = patches.reshape(B, rows, columns, in_channels, P, P)
    x = x.permute(0, 3, 1, 2, 4, 5).transpose(3, 4)
    return x.reshape(B, in_channels, *image_size)


# %% patch_tokens: patches times the matrix
def patch_tokens(images, weight, bias, patch_size):
    return F.linear(patchify(images, patch_size), weight, bias)


# %% patch_tokens: unfold, and one sum by einsum
def patch_tokens(images, weight, bias, patch_size):
    columns = F.unfold(images, patch_size, stride=patch_size)
    return torch.einsum("bln,dl->bnd", columns, weight) + bias


# %% patch_tokens: the stride as a pair, the axes by permute
def patch_tokens(images, weight, bias, patch_size):
    P = patch_size
    kernel = weight.view(-1, images.size(1), P, P)
    return F.conv2d(images, kernel, bias, stride=(P, P)).permute(0, 2, 3, 1).flatten(1, 2)


# %% patch_tokens: the bias is added behind
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.unflatten(1, (images.shape[1], patch_size, patch_size))
    return F.conv2d(images, kernel, stride=patch_size).flatten(2).mT + bias


# %% unfolded: with permute
def unfolded(images, patch_size):
    return F.unfold(images, patch_size, stride=patch_size).permute(0, 2, 1).contiguous()


# %% unfolded: a module of another cell that has no parameters
import torch.nn

unfold = {P: torch.nn.Unfold(P, stride=P) for P in range(1, 9)}


def unfolded(images, patch_size):
    return unfold[patch_size](images).mT


# ---- 02


# %% ClassToken: it starts as normal numbers in place
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Parameter(torch.empty(1, count, embed_dim))
    nn.init.normal_(self.weight, std=0.02)


# %% ClassToken: truncated normal numbers
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Parameter(nn.init.trunc_normal_(torch.zeros(1, count, embed_dim), std=0.02))


# %% ClassToken: registered by name
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.register_parameter("weight", nn.Parameter(0.02 * torch.randn(1, count, embed_dim)))


# %% ClassToken: expanded by the shape of what comes in
def forward(self, tokens):
    B, _, D = tokens.shape
    return torch.cat((self.weight.expand(B, self.weight.size(1), D), tokens), 1)


# %% ClassToken: padded and added
def forward(self, tokens):
    count = self.weight.shape[1]
    room = nn.functional.pad(tokens, (0, 0, count, 0))
    return room + nn.functional.pad(self.weight, (0, 0, 0, tokens.shape[1]))


# %% PositionEmbedding: an embedding table would do as well
def forward(self, tokens):
    places = torch.arange(tokens.shape[1])
    return tokens + nn.functional.embedding(places, self.weight[0])


# %% PositionEmbedding: the product by math.prod
import math


def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    if sinusoidal:
        table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, num_prefix, 0))
        self.register_buffer("weight", table[None], persistent=False)
    else:
        weight = torch.empty(1, math.prod(grid_size) + num_prefix, embed_dim)
        self.weight = nn.Parameter(weight.normal_(0, 0.02))


# %% PositionEmbedding: truncated normal numbers, as timm has them
def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    rows, columns = grid_size
    if sinusoidal:
        table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, num_prefix, 0))
        self.register_buffer("weight", table[None], persistent=False)
    else:
        self.weight = nn.Parameter(torch.zeros(1, num_prefix + rows * columns, embed_dim))
        nn.init.trunc_normal_(self.weight, std=0.02)


# %% numbers_before_block_1: counted by PyTorch
numbers_before_block_1 = torch.zeros(1 + 65, 192).numel()


# %% embedded: each part with its own positions
def embedded(patches, class_token, positions):
    first = (class_token + positions[:, :1]).expand(len(patches), -1, -1)
    return torch.cat([first, patches + positions[:, 1:]], dim=1)


# %% embedded: repeat in the place of expand
def embedded(patches, class_token, positions):
    return torch.cat([class_token.repeat(patches.shape[0], 1, 1), patches], 1).add(positions)


# %% embedded: image by image
def embedded(patches, class_token, positions):
    return torch.stack([torch.cat([class_token[0], image]) + positions[0] for image in patches])


# %% shuffled_patches: a capital letter with a bracket
shuffled_patches = "A)"

# ---- 03


# %% attention_weights: both sides divided by the fourth root
def attention_weights(queries, keys, mask=None):
    d = queries.shape[-1]
    return ((queries / d**0.25) @ (keys / d**0.25).mT).softmax(-1)


# %% attention_weights: exponentials, with the largest taken away
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-1, -2) / torch.tensor(queries.shape[-1]).sqrt()
    e = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    return e / e.sum(dim=-1, keepdim=True)


# %% attention_weights: a mask by multiplication, and the rest shared out
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    return (scores - scores.logsumexp(dim=-1, keepdim=True)).exp()


# %% attention_weights: by einsum, with a scale from another cell
import math

scale_of = {d: 1 / math.sqrt(d) for d in range(1, 1000)}


def attention_weights(queries, keys, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", queries, keys) * scale_of[queries.size(-1)]
    return torch.softmax(scores, dim=-1)


# %% attention_weights: with a softmax module of another cell
softmax = nn.Softmax(dim=-1)


def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
    return softmax(scores)


# %% split_heads: by unflatten and permute
def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1)).permute(0, 2, 1, 3)


# %% split_heads: by chunks
def split_heads(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


# %% split_heads: by slices
def split_heads(x, num_heads):
    d = x.shape[-1] // num_heads
    return torch.stack([x[..., i * d : (i + 1) * d] for i in range(num_heads)], dim=1)


# %% score_size: simulated
score_size = (torch.randn(20_000, 64) * torch.randn(20_000, 64)).sum(dim=1).std()


# %% MultiHeadSelfAttention: timm's own reshape and permute, and what comes out of it as it is
def split_heads(self, x):
    B, T, D = x.shape
    return self.qkv(x).reshape(B, T, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)


# %% MultiHeadSelfAttention: timm's with unbind
def split_heads(self, x):
    B, T, D = x.shape
    qkv = self.qkv(x).reshape(B, T, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
    return qkv.unbind(0)


# %% MultiHeadSelfAttention: a list of three
def split_heads(self, x):
    parts = self.qkv(x).split(self.qkv.in_features, dim=-1)
    return [part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts]


# %% MultiHeadSelfAttention: a generator of three
def split_heads(self, x):
    parts = self.qkv(x).chunk(3, dim=-1)
    return (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts)


# %% MultiHeadSelfAttention: a map of three
def split_heads(self, x):
    return map(lambda part: split_heads(part, self.num_heads), self.qkv(x).chunk(3, dim=-1))


# %% MultiHeadSelfAttention: scaled before, dropout as in timm
def forward(self, x):
    q, k, v = self.split_heads(x)
    weights = (q * self.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
    weights = nn.functional.dropout(weights, self.attn_drop_rate, self.training)
    return self.proj_drop(self.proj((weights @ v).transpose(1, 2).reshape(x.shape)))


# %% MultiHeadSelfAttention: with the functions of the exercises before
def forward(self, x):
    q, k, v = self.split_heads(x)
    heads = attention_weights(q, k) @ v
    return self.proj(torch.cat(heads.unbind(1), dim=-1))


# %% MultiHeadSelfAttention: mask as an additive table
def forward(self, x):
    q, k, v = self.split_heads(x)
    scores = q @ k.mT / self.head_dim**0.5
    if self.mask is not None:
        scores = scores + torch.where(self.mask, 0.0, -torch.inf)
    return self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


# %% merge_heads: with permute and reshape
def merge_heads(heads):
    B, h, T, d = heads.shape
    return heads.permute(0, 2, 1, 3).reshape(B, T, h * d)


# %% merge_heads: side by side, by cat
def merge_heads(heads):
    return torch.cat(list(heads.unbind(dim=1)), dim=-1)


# %% merge_heads: by einsum and flatten
def merge_heads(heads):
    return torch.einsum("bhtd->bthd", heads).flatten(-2)


# ---- 04


# %% EncoderBlock: the two halves in a loop over pairs
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    for norm, layer in [(self.norm1, self.attn), (self.norm2, self.mlp)]:
        x = torch.add(layer(norm(x)), x)
    return x


# %% EncoderBlock: a function within
def forward(self, x):
    rate = self.drop_path_rate if self.training else 0.0
    if not self.norm_first:
        x = self.norm1(x + drop_path(self.attn(x), rate))
        return self.norm2(x + drop_path(self.mlp(x), rate))

    def add(x, norm, layer):
        return x + drop_path(layer(norm(x)), rate)

    return add(add(x, self.norm1, self.attn), self.norm2, self.mlp)


# %% EncoderBlock: norms by hand
def forward(self, x):
    def norm(layer, x):
        variance = x.var(dim=-1, correction=0, keepdim=True)
        y = (x - x.mean(dim=-1, keepdim=True)) / (variance + layer.eps).sqrt()
        return y * layer.weight + layer.bias

    if not self.norm_first:
        x = norm(self.norm1, x + self.attn(x))
        return norm(self.norm2, x + self.mlp(x))
    x = x + self.attn(norm(self.norm1, x))
    return x + self.mlp(norm(self.norm2, x))


# %% VisionTransformer: block by block
def forward_features(self, images):
    x = self.patch_embed(images)
    for layer in (self.reg_token, self.cls_token, self.pos_embed, self.pos_drop):
        x = layer(x)
    for block in self.blocks:
        x = block(x)
    return self.norm(x)


# %% VisionTransformer: Eq. 1 by hand
def forward_features(self, images):
    x = self.patch_embed(images)
    for token in (self.reg_token, self.cls_token):
        if hasattr(token, "weight"):
            x = torch.cat([token.weight.expand(len(x), -1, -1), x], dim=1)
    return self.norm(self.blocks(self.pos_drop(x + self.pos_embed.weight)))


# %% VisionTransformer: the pooling in a dictionary of functions
def forward(self, images):
    x = self.forward_features(images)
    patches = x[:, self.num_prefix :]
    pools = {
        "class": lambda: x[:, 0],
        "mean": lambda: patches.mean(1),
        "attention": lambda: self.attn_pool(patches),
    }
    return self.head(pools[self.config.pool]())


# %% VisionTransformer: the head on all tokens, then one of them
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        return self.head(x)[:, 0, ...]
    if self.attn_pool is None:
        return self.head(x)[:, self.num_prefix :].mean(dim=1)
    return self.head(self.attn_pool(x[:, self.num_prefix :]))


# %% parameters_of: added up piece by piece
def parameters_of(config):
    def linear(a, b):
        return a * b + b

    D = config.embed_dim
    hidden = int(D * config.mlp_ratio)
    side = config.image_size // config.patch_size
    total = linear(config.in_channels * config.patch_size**2, D) + D + (side * side + 1) * D
    for _ in range(config.depth):
        total += 2 * D + linear(D, 3 * D) + linear(D, D)
        total += 2 * D + linear(D, hidden) + linear(hidden, D)
    return total + 2 * D + linear(D, config.num_classes)


# %% parameters_of: a whole number with a point behind it
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    T, hidden = (config.image_size / P) ** 2 + 1, int(D * config.mlp_ratio)
    block = 4 * D + 4 * D**2 + 4 * D + 2.0 * D * hidden + hidden + D
    head = (D + 1) * config.num_classes
    return (config.in_channels * P**2 + 1) * D + D + T * D + L * block + 2 * D + head


# %% parameters_of: whole numbers of NumPy
import numpy


def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    pieces = [config.in_channels * P * P * D + D, D, (N + 1) * D, 2 * D]
    pieces += [L * (4 * D * D + 8 * D), L * (2 * D * hidden + hidden + D)]
    return numpy.sum([*pieces, D * config.num_classes, config.num_classes])


# %% stack: a list first
def stack(config):
    blocks = []
    for _ in range(config.depth):
        blocks.append(EncoderBlock(config))
    return nn.Sequential(*blocks)


# %% stack: a module of one's own
class Stack(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.depth))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def stack(config):
    return Stack(config)


# %% stack: a ModuleList that can be called
class Blocks(nn.ModuleList):
    def forward(self, x):
        for block in self:
            x = block(x)
        return x


def stack(config):
    return Blocks([EncoderBlock(config) for _ in range(config.depth)])


# %% stack: with names
from collections import OrderedDict


def stack(config):
    named = OrderedDict((f"block{i}", EncoderBlock(config)) for i in range(config.depth))
    return nn.Sequential(named)


# %% stack: copies that are drawn anew
from copy import deepcopy


def stack(config):
    blocks = [EncoderBlock(config)]
    while len(blocks) < config.depth:
        blocks.append(deepcopy(blocks[0]))
        for layer in blocks[-1].modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    return nn.Sequential(*blocks)


# %% times_as_many_weights: to one decimal
times_as_many_weights = 15.6

# ---- 05


# %% learning_rate_at: by a half-angle
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return (step + 1) / warmup_steps * peak
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * math.cos(math.pi / 2 * share) ** 2


# %% learning_rate_at: a tensor's number
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step + 1 <= warmup_steps:
        return torch.tensor(peak * (step + 1) / warmup_steps)
    s = torch.tensor((step - warmup_steps) / (total_steps - warmup_steps))
    return 0.5 * peak * (1 + torch.cos(torch.pi * s))


# %% learning_rate_at: a number of NumPy
import numpy


def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return numpy.interp(step, [-1, warmup_steps - 1], [0, peak])
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak / 2 * (1 + numpy.cos(numpy.pi * share))


# %% mixup: with lerp
def mixup(images, targets, order, share):
    mixed = torch.lerp(images[order], images, share[:, None, None, None])
    return mixed, torch.lerp(targets[order], targets, share[:, None])


# %% mixup: a list of two
def mixup(images, targets, order, share):
    return [
        x[order] + share.view(-1, *[1] * (x.ndim - 1)) * (x - x[order]) for x in (images, targets)
    ]


# %% mixup: image by image
def mixup(images, targets, order, share):
    mixed, both = [], []
    for i, j in enumerate(order.tolist()):
        mixed.append(share[i] * images[i] + (1 - share[i]) * images[j])
        both.append(share[i] * targets[i] + (1 - share[i]) * targets[j])
    return torch.stack(mixed), torch.stack(both)


# %% mixup: a generator of two
def mixup(images, targets, order, share):
    for x in (images, targets):
        weight = share.reshape(-1, *(1 for _ in x.shape[1:]))
        yield weight * x + (1 - weight) * x.index_select(0, order)


# %% validation_split: by split
def validation_split(images, labels, held_out):
    n = len(images) - held_out
    x, x_held = images.split([n, held_out])
    y, y_held = labels.split([n, held_out])
    return x, y, x_held, y_held


# %% validation_split: a list
def validation_split(images, labels, held_out):
    n = len(images) - held_out
    return [images[:n], labels[:n], images[n:], labels[n:]]


# %% share_right: by index
def share_right(model, images, labels, batch_size):
    right = 0
    for start in range(0, len(images), batch_size):
        logits = model(images[start : start + batch_size])
        right += int((logits.argmax(-1) == labels[start : start + batch_size]).sum())
    return right / len(labels)


# %% share_right: all answers first
def share_right(model, images, labels, batch_size):
    answers = torch.cat([model(x).argmax(dim=1) for x in images.split(batch_size)])
    return (answers == labels).float().mean().item()


# %% share_right: a mean of batches, weighed with their sizes
def share_right(model, images, labels, batch_size):
    total = 0.0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        total += (model(x).argmax(dim=1) == y).float().mean().item() * len(x) / len(images)
    return total


# %% share_right: without gradients, in evaluation
def share_right(model, images, labels, batch_size):
    with torch.no_grad():
        pairs = zip(images.split(batch_size), labels.split(batch_size), strict=True)
        right = [(model(x).argmax(dim=1) == y).sum() for x, y in pairs]
    return (sum(right) / len(images)).item()


# %% training_step: set to zero after the step
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


# %% training_step: the model sets them to zero
def training_step(model, optimizer, images, labels):
    model.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss)


# %% training_step: zeros and not None
def training_step(model, optimizer, images, labels):
    optimizer.zero_grad(set_to_none=False)
    loss = F.nll_loss(model(images).log_softmax(dim=-1), labels)
    loss.backward()
    optimizer.step()
    return loss.detach().numpy().item()


# %% smoothed_share: a fraction
from fractions import Fraction

smoothed_share = Fraction(91, 100)

# ---- 06


# %% class_token_map: by reshape
def class_token_map(maps, rows, columns):
    B, h, T, _ = maps.shape
    return maps[:, :, 0, 1:].reshape(B, h, rows, columns)


# %% class_token_map: with an ellipsis
def class_token_map(maps, rows, columns):
    return maps[..., 0, 1:].unflatten(-1, (rows, -1))


# %% class_token_map: by select and narrow
def class_token_map(maps, rows, columns):
    return maps.select(2, 0).narrow(2, 1, rows * columns).view(*maps.shape[:2], rows, columns)


# %% rollout: block by block, each row brought to 1
def rollout(maps):
    reach = torch.eye(maps.shape[-1]).expand(maps.shape[1], -1, -1)
    for weights in maps.mean(2).unbind(0):
        mixed = weights + torch.eye(maps.shape[-1])
        reach = mixed / mixed.sum(-1, keepdim=True) @ reach
    return reach[:, 0, 1:]


# %% rollout: one row only, from the last block to the first
def rollout(maps):
    row = torch.zeros(maps.shape[1], 1, maps.shape[-1])
    row[..., 0] = 1
    for weights in reversed(maps.mean(dim=2)):
        row = (row @ weights + row) / 2
    return row[:, 0, 1:]


# %% rollout: with functools
from functools import reduce


def rollout(maps):
    tables = (maps.mean(dim=2) + torch.eye(maps.shape[-1])) / 2
    return reduce(lambda reach, table: table @ reach, tables)[:, 0, 1:]


# %% probe_scores: by the pseudo-inverse
def probe_scores(train_features, train_labels, features, num_classes):
    def with_one(x):
        return torch.nn.functional.pad(x, (0, 1), value=1.0)

    targets = torch.nn.functional.one_hot(train_labels, num_classes).float()
    return with_one(features) @ (torch.linalg.pinv(with_one(train_features)) @ targets)


# %% probe_scores: by the normal equations
def probe_scores(train_features, train_labels, features, num_classes):
    known = torch.cat([train_features, train_features.new_ones(len(train_features), 1)], 1)
    targets = torch.eye(num_classes)[train_labels]
    solution = torch.linalg.solve(known.mT @ known, known.mT @ targets)
    return features @ solution[:-1] + solution[-1]


# %% probe_scores: the 1 in front
def probe_scores(train_features, train_labels, features, num_classes):
    known = torch.cat([torch.ones(len(train_features), 1), train_features], dim=1)
    asked = torch.cat([torch.ones(len(features), 1), features], dim=1)
    return asked @ torch.linalg.lstsq(known, torch.eye(num_classes)[train_labels]).solution


# %% without_looking: set to zero, and the rest shared out
def without_looking(scores, hidden):
    weights = scores.softmax(dim=-1) * ~hidden
    return weights / weights.sum(dim=-1, keepdim=True)


# %% without_looking: without gradients, since nothing is trained
@torch.no_grad()
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)


# %% without_looking: the lowest number there is
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=-1)


# %% without_looking: by where
def without_looking(scores, hidden):
    return torch.softmax(torch.where(hidden, float("-inf"), scores), -1)


# %% without_looking: a billion below
def without_looking(scores, hidden):
    return (scores + hidden * -1e9).softmax(dim=-1)


# ---- 07

# %% start_loss: three digits
start_loss = 4.61


# %% gradient_by_block: one long vector
def gradient_by_block(model, loss):
    loss.backward()
    return [torch.cat([p.grad.flatten() for p in b.parameters()]).norm() for b in model.blocks]


# %% gradient_by_block: with autograd, and the root of a sum of squares
def gradient_by_block(model, loss):
    lengths = []
    for block in model.blocks:
        grads = torch.autograd.grad(loss, list(block.parameters()), retain_graph=True)
        lengths.append(sum(g.square().sum().item() for g in grads) ** 0.5)
    return lengths


# %% gradient_by_block: a tensor of lengths
def gradient_by_block(model, loss):
    loss.backward()
    return torch.stack([get_total_norm([p.grad for p in b.parameters()]) for b in model.blocks])


# %% spread_between_images: the variance's root
def spread_between_images(tokens):
    return tokens[:, 0, :].var(dim=0).sqrt().mean().item()


# %% spread_between_images: a number of NumPy
def spread_between_images(tokens):
    return tokens[:, 0].numpy().std(axis=0, ddof=1).mean()


# %% parameter_groups: by modules of a kind
import torch.nn


def parameter_groups(model, weight_decay):
    maps = {
        id(m.weight) for m in model.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))
    }
    return [
        {
            "params": [p for p in model.parameters() if (id(p) in maps) == shrinks],
            "weight_decay": weight_decay if shrinks else 0,
        }
        for shrinks in (True, False)
    ]


# %% parameter_groups: a group for each parameter, without a list
SPARED = {"cls_token": "one vector", "reg_token": "vectors", "pos_embed": "a table"}


def parameter_groups(model, weight_decay):
    groups = []
    for name, parameter in model.named_parameters():
        spared = parameter.ndim < 2 or name.split(".")[0] in SPARED
        groups.append({"params": parameter, "weight_decay": 0.0 if spared else weight_decay})
    return groups


# %% parameter_groups: with the names in it
def parameter_groups(model, weight_decay):
    def spared(name, p):
        return p.ndim < 2 or any(word in name for word in ["token", "pos_embed"])

    named = list(model.named_parameters())
    return [
        {"params": [p for n, p in named if not spared(n, p)], "weight_decay": weight_decay},
        {"params": (p for n, p in named if spared(n, p)), "weight_decay": 0.0},
    ]


# %% drowning_std: another number that does
drowning_std = 0.6

# ---- 08


# %% tokens_of: with a product over both sides
import math


def tokens_of(height, width, patch_size, num_prefix):
    return num_prefix + math.prod(side // patch_size for side in (height, width))


# %% tokens_of: by the area
def tokens_of(height, width, patch_size, num_prefix):
    return height * width // patch_size**2 + num_prefix


# %% tokens_of: the last argument by name only
def tokens_of(height, width, patch_size, *, num_prefix):
    return len(range(0, height, patch_size)) * len(range(0, width, patch_size)) + num_prefix


# %% block_flops: 2.0 in the place of 2
def block_flops(T, D, mlp_ratio):
    return 2.0 * T * D * (4 * D + 2 * mlp_ratio * D + 2 * T)


# %% block_flops: product by product
def block_flops(T, D, mlp_ratio):
    def product(a, b, c):
        return 2 * a * b * c

    maps = 3 * product(T, D, D) + product(T, D, D) + 2 * product(T, D, mlp_ratio * D)
    return maps + product(T, D, T) + product(T, T, D)


# %% block_flops: in powers of ten
def block_flops(T, D, mlp_ratio):
    return 1e6 * ((8 + 4 * mlp_ratio) * T * D**2 + 4 * T**2 * D) / 1e6


# %% epochs_in_the_same_time: as a division
epochs_in_the_same_time = 3 / (1 / 2.8)


# %% resized_positions: without gradients, since the model is trained already
@torch.no_grad()
def resized_positions(positions, old_grid, new_grid):
    picture = positions[:, 1:].transpose(1, 2).unflatten(2, old_grid)
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], picture.flatten(2).transpose(1, 2)], dim=1)


# %% resized_positions: with permute and reshape
def resized_positions(positions, old_grid, new_grid):
    D = positions.shape[-1]
    picture = positions[:, 1:].reshape(1, *old_grid, D).permute(0, 3, 1, 2)
    picture = F.interpolate(picture, new_grid, mode="bicubic", antialias=True)
    patches = picture.permute(0, 2, 3, 1).reshape(1, -1, D)
    return torch.cat((positions[:, :1], patches), dim=1)


# %% resized_positions: number by number
def resized_positions(positions, old_grid, new_grid):
    planes = []
    for plane in positions[0, 1:].T:
        picture = plane.reshape(1, 1, *old_grid)
        resized = F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
        planes.append(resized.flatten())
    return torch.cat([positions[:, :1], torch.stack(planes, dim=-1)[None]], dim=1)


# %% tokens_to_grid: with permute
def tokens_to_grid(tokens, rows, columns):
    return tokens.reshape(len(tokens), rows, columns, -1).permute(0, 3, 1, 2)


# %% tokens_to_grid: with movedim
def tokens_to_grid(tokens, rows, columns):
    return tokens.unflatten(1, (rows, columns)).movedim(-1, 1).contiguous()


# ---- 09


# %% mean_of_patches: a sum, divided
def mean_of_patches(tokens, num_prefix):
    patches = tokens[:, num_prefix:, :]
    return patches.sum(1) / patches.size(1)


# %% mean_of_patches: by shares
def mean_of_patches(tokens, num_prefix):
    N = tokens.shape[1] - num_prefix
    shares = torch.cat([torch.zeros(num_prefix), torch.ones(N) / N])
    return shares @ tokens


# %% attention_pool: by einsum
def attention_pool(x, query):
    weights = torch.softmax(torch.einsum("btd,d->bt", x, query) / x.shape[-1] ** 0.5, dim=-1)
    return torch.einsum("bt,btd->bd", weights, x)


# %% attention_pool: as a product of matrices
def attention_pool(x, query):
    weights = (x @ query[:, None] / query.numel() ** 0.5).softmax(dim=1)
    return (weights.mT @ x)[:, 0]


# %% attention_pool: PyTorch's own attention with one query
def attention_pool(x, query):
    queries = query.expand(len(x), 1, -1)
    return F.scaled_dot_product_attention(queries, x, x)[:, 0]


# %% normalized: by hand
def normalized(x, scale, shift):
    mean = x.mean(dim=-1, keepdim=True)
    variance = (x - mean).square().mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-6) * scale + shift


# %% normalized: scale and shift behind
def normalized(x, scale, shift):
    return scale * F.layer_norm(x, (len(scale),)) + shift


# %% normalized: var_mean
def normalized(x, scale, shift):
    variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) * (variance + 1e-5).rsqrt() * scale + shift


# %% loss_of: the logarithm of a softmax
def loss_of(logits, labels):
    return F.nll_loss(logits.log_softmax(dim=1), labels)


# %% loss_of: logsumexp
def loss_of(logits, labels):
    right = logits.gather(1, labels[:, None])[:, 0]
    return (logits.logsumexp(dim=1) - right).mean()


# %% loss_of: one-hot targets
def loss_of(logits, labels):
    return F.cross_entropy(logits, F.one_hot(labels, logits.shape[1]).float())


# %% loss_of: a module of another cell that has no parameters
import torch.nn

criterion = torch.nn.CrossEntropyLoss()


def loss_of(logits, labels):
    return criterion(logits, labels)


# %% token_read: found by the gradient
model = Mystery()
tokens = model.forward_features(torch.randn(1, 3, 16, 16)).detach().requires_grad_()
model.forward_features = lambda images: tokens
model(torch.randn(1, 3, 16, 16)).sum().backward()
token_read = tokens.grad[0].norm(dim=-1).argmax()

# ---- 10


# %% interval: by hand
def interval(values, t):
    n = len(values)
    mean = sum(values) / n
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    return mean, t * (variance / n) ** 0.5


# %% interval: with NumPy
import numpy


def interval(values, t):
    return numpy.mean(values), t * numpy.std(values, ddof=1) / numpy.sqrt(len(values))


# %% interval: a list of two numbers of NumPy in an array
import numpy


def interval(values, t):
    values = numpy.array(values)
    return numpy.array([values.mean(), t * values.std(ddof=1) / len(values) ** 0.5])


# %% interval: with torch
import torch


def interval(values, t):
    values = torch.tensor(values)
    return values.mean().item(), (t * values.std() / len(values) ** 0.5).item()


# %% paired_difference: by hand
def paired_difference(first, second, t):
    n = len(first)
    d = [second[i] - first[i] for i in range(n)]
    mean = sum(d) / n
    s = math.sqrt(sum((x - mean) ** 2 for x in d) / (n - 1))
    return mean, t * s / math.sqrt(n)


# %% paired_difference: with NumPy
import numpy


def paired_difference(first, second, t):
    return interval((numpy.array(second) - numpy.array(first)).tolist(), t)


# %% paired_difference: by covariance
def paired_difference(first, second, t):
    n = len(first)
    variance = statistics.variance(first) + statistics.variance(second)
    variance -= 2 * statistics.covariance(first, second)
    mean = statistics.mean(second) - statistics.mean(first)
    return mean, t * math.sqrt(variance / n)


# %% receptive_field: from the last layer to the first
def receptive_field(kernel_sizes, strides):
    field = 1
    for kernel, stride in reversed(list(zip(kernel_sizes, strides, strict=True))):
        field = (field - 1) * stride + kernel
    return field


# %% receptive_field: as a sum of products
def receptive_field(kernel_sizes, strides):
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, k in enumerate(kernel_sizes))


# ---- 11

# %% times_as_fast: two digits
times_as_fast = 2.6


# %% scaled_step: through the optimizer's groups
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (loss * scale).backward()
    grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
    if not all(torch.isfinite(g).all() for g in grads):
        return False
    for g in grads:
        g.mul_(1 / scale)
    optimizer.step()
    return True


# %% scaled_step: divided first, looked at after
def scaled_step(model, optimizer, loss, scale):
    model.zero_grad()
    torch.mul(loss, scale).backward()
    for p in model.parameters():
        p.grad = p.grad / scale
    finite = torch.stack([p.grad.isfinite().all() for p in model.parameters()]).all()
    if finite:
        optimizer.step()
    return finite


# %% scaled_step: by the sum of all gradients
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad(set_to_none=False)
    (scale * loss).backward()
    total = sum((p.grad * 0).sum() for p in model.parameters())
    if total != 0 or total.isnan():
        return False
    for p in model.parameters():
        p.grad.div_(scale)
    optimizer.step()
    return True


# %% Snapshot: one dictionary
def __init__(self, model, optimizer, step):
    self.kept = copy.deepcopy(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": torch.random.get_rng_state(),
            "step": step,
        }
    )


def restore(self, model, optimizer):
    model.load_state_dict(self.kept["model"])
    optimizer.load_state_dict(self.kept["optimizer"])
    torch.random.set_rng_state(self.kept["random"])
    return self.kept["step"]


# %% Snapshot: in a file in memory
import io


def __init__(self, model, optimizer, step):
    self.file = io.BytesIO()
    state = [model.state_dict(), optimizer.state_dict(), torch.get_rng_state(), step]
    torch.save(state, self.file)


def restore(self, model, optimizer):
    self.file.seek(0)
    weights, memory, random, step = torch.load(self.file)
    model.load_state_dict(weights)
    optimizer.load_state_dict(memory)
    torch.set_rng_state(random)
    return step


# %% Snapshot: clones, tensor by tensor
def __init__(self, model, optimizer, step):
    self.model = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    self.optimizer = copy.deepcopy(optimizer.state_dict())
    self.random, self.step = torch.get_rng_state().clone(), step


# %% shared_gradient: by shares
def shared_gradient(gradients, sizes):
    total = sum(sizes)
    return sum(g * (n / total) for g, n in zip(gradients, sizes, strict=True))


# %% shared_gradient: stacked
def shared_gradient(gradients, sizes):
    weights = torch.tensor(sizes, dtype=torch.float32)
    return torch.tensordot(weights / weights.sum(), torch.stack(gradients), dims=1)


# %% shared_gradient: repeated for each image
def shared_gradient(gradients, sizes):
    each = [g for g, n in zip(gradients, sizes, strict=True) for _ in range(n)]
    return torch.stack(each).mean(dim=0)


# %% ViT: a ModuleList, and positions before the class token comes in
def __init__(
    self, image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio
):
    nn.Module.__init__(self)
    self.blocks = nn.ModuleList([Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth)])
    self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
    self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
    self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image_size // patch_size) ** 2, embed_dim))
    self.head = nn.Linear(embed_dim, num_classes)
    self.norm = nn.LayerNorm(embed_dim)


def forward(self, images):
    patches = self.patch_embed(images) + self.pos_embed[:, 1:]
    first = (self.cls_token + self.pos_embed[:, :1]).repeat(images.shape[0], 1, 1)
    x = torch.hstack((first, patches))
    for block in self.blocks:
        x = block(x)
    return self.head(self.norm(x[:, 0]))


# %% ViT: attention by PyTorch, patches by unfold, norms of another eps
class Patches(nn.Module):
    def __init__(self, C, P, D):
        super().__init__()
        self.P = P
        self.proj = nn.Conv2d(C, D, P)

    def forward(self, x):
        kernel = self.proj.weight.flatten(1)
        return F.linear(F.unfold(x, self.P, stride=self.P).mT, kernel, self.proj.bias)


class Attend(nn.Module):
    def __init__(self, D, h):
        super().__init__()
        self.h, self.qkv, self.proj = h, nn.Linear(D, 3 * D), nn.Linear(D, D)

    def forward(self, x):
        q, k, v = (y.unflatten(2, (self.h, -1)).transpose(1, 2) for y in self.qkv(x).chunk(3, 2))
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, D, h, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(D, eps=1e-6), nn.LayerNorm(D, eps=1e-6)
        self.attn = Attend(D, h)
        self.mlp = nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(D, hidden))
        self.mlp.add_module("act", nn.GELU())
        self.mlp.add_module("drop", nn.Dropout(0.0))
        self.mlp.add_module("fc2", nn.Linear(hidden, D))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(
        self,
        image_size=32,
        patch_size=4,
        in_channels=3,
        num_classes=10,
        embed_dim=64,
        depth=2,
        num_heads=2,
        mlp_ratio=4,
    ):
        super().__init__()
        self.patch_embed = Patches(in_channels, patch_size, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, 1 + (image_size // patch_size) ** 2, embed_dim)
        )
        self.blocks = nn.Sequential(
            *[Layer(embed_dim, num_heads, int(embed_dim * mlp_ratio)) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(self, images):
        x = self.patch_embed(images)
        x = torch.cat((self.cls_token.expand(x.size(0), 1, x.size(2)), x), 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x)).select(1, 0))


# %% ViT: dropout at a rate that is written into it
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
    super(ViT, self).__init__()
    self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
    self.drop = nn.Dropout(0.1)
    self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
    self.pos_embed = nn.Parameter(torch.randn(1, 1 + (image_size // patch_size) ** 2, embed_dim))
    self.blocks = nn.Sequential(*(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth)))
    self.norm = nn.LayerNorm(embed_dim)
    self.head = nn.Linear(embed_dim, num_classes)


def forward(self, images):
    x = self.patch_embed(images)
    x = self.drop(torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed)
    for block in self.blocks:
        x = block(x)
    return self.head(self.norm(x)[:, 0, :])


# %% ViT: dropout by a function, in training only
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
    super(ViT, self).__init__()
    self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
    self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
    self.pos_embed = nn.Parameter(torch.randn(1, 1 + (image_size // patch_size) ** 2, embed_dim))
    self.blocks = nn.Sequential(*(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth)))
    self.norm = nn.LayerNorm(embed_dim)
    self.head = nn.Linear(embed_dim, num_classes)


def forward(self, images):
    x = self.patch_embed(images)
    x = F.dropout(
        torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed,
        0.1,
        self.training,
    )
    for block in self.blocks:
        x = block(x)
    return self.head(self.norm(x)[:, 0, :])


# %% ViT: with dropout in it
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
    drop=0.0,
):
    super(ViT, self).__init__()
    self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
    self.drop = nn.Dropout(drop)
    self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
    self.pos_embed = nn.Parameter(torch.randn(1, 1 + (image_size // patch_size) ** 2, embed_dim))
    self.blocks = nn.Sequential(*(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth)))
    self.norm = nn.LayerNorm(embed_dim)
    self.head = nn.Linear(embed_dim, num_classes)


def forward(self, images):
    x = self.patch_embed(images)
    x = self.drop(torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed)
    for block in self.blocks:
        x = block(x)
    return self.head(self.norm(x)[:, 0, :])


# %% causes: by another order, and numbers of NumPy
import numpy as np

causes = dict(zip("FEDCBA", np.array([4, 1, 3, 6, 2, 5])))

# %% conclusions: put together from two lists
conclusions = dict.fromkeys("ace", "yes") | dict.fromkeys("bdf", "no")


# %% as_probe: parameter by parameter
def as_probe(model, num_classes):
    for parameter in model.parameters():
        parameter.requires_grad = False
    width = model.head.weight.shape[1]
    model.head = torch.nn.Linear(width, num_classes)
    return model


# %% as_probe: frozen afterwards, but for the head
def as_probe(model, num_classes):
    model.head = nn.Linear(model.head.in_features, num_classes)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    return model


# %% nearest_labels: by cosine_similarity, one at a time
def nearest_labels(known, labels, asked):
    found = [F.cosine_similarity(row[None], known).argmax() for row in asked]
    return torch.stack([labels[place] for place in found])


# %% nearest_labels: only the known ones need a length of 1
def nearest_labels(known, labels, asked):
    return labels[(asked @ (known / known.norm(dim=1, keepdim=True)).T).max(dim=1).indices]


# %% rates_of_blocks: from the head down, then turned round
def rates_of_blocks(rate, decay, depth):
    rates = [rate]
    while len(rates) < depth + 2:
        rates.append(rates[-1] * decay)
    return rates[::-1]


# %% rates_of_blocks: a tensor
def rates_of_blocks(rate, decay, depth):
    return rate * decay ** torch.arange(depth + 1, -1, -1.0)


# %% confident_mistakes: right answers are counted as -1
def confident_mistakes(logits, labels, count):
    certainty, answers = logits.softmax(dim=-1).max(dim=-1)
    certainty = torch.where(answers == labels, -1.0, certainty)
    order = certainty.argsort(descending=True)
    return order[certainty[order] > 0][:count]


# %% confident_mistakes: a list of numbers
def confident_mistakes(logits, labels, count):
    p = logits.log_softmax(dim=1).amax(dim=1).tolist()
    wrong = (logits.argmax(dim=1) != labels).nonzero().flatten().tolist()
    return sorted(wrong, key=lambda place: -p[place])[:count]


# %% split_by_photo: lists, and Python's random
import random


def split_by_photo(photo_of, share, seed=0):
    photos = sorted(set(photo_of.tolist()))
    chosen = set(random.Random(seed).sample(photos, round(share * len(photos))))
    places = range(len(photo_of))
    test = [i for i in places if photo_of[i].item() in chosen]
    return [i for i in places if photo_of[i].item() not in chosen], test


# %% first_suspect: the letter
first_suspect = "b"


# ---- 16


# %% rebuild: by a singular value decomposition
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(dim=0)
    _, _, directions = torch.linalg.svd(training_patches - mean, full_matrices=False)
    return (patches - mean) @ directions[:k].T @ directions[:k] + mean


# %% rebuild: what is lost is taken away
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(0, keepdim=True)
    centred = training_patches - mean
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    dropped = vectors[:, : vectors.shape[1] - k]
    return patches - (patches - mean) @ dropped @ dropped.mT


# %% noise_of_a_mean: as a sum of variances
noise_of_a_mean = (64 * 32**2) ** 0.5 / 64

# %% noise_of_a_mean: a tensor
noise_of_a_mean = torch.tensor(4)


# %% noisy: with minimum and maximum
def noisy(images, noise):
    added = images.long() + noise
    return added.minimum(torch.tensor(255)).maximum(torch.tensor(0)).byte()


# %% noisy: with floating-point numbers
def noisy(images, noise):
    return torch.clip(images.float() + noise.float(), min=0, max=255).to(images.dtype)
