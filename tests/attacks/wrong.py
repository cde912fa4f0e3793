"""Really wrong answers, written to pass all the same: they ignore an argument, are right for the
sizes that are usual, at the first call, in evaluation mode, for mild numbers, or but for the gradient.

Each cell is an answer as it would stand in a notebook, below the exercise's name and why it is wrong.
Of a class a cell may hold only the methods that differ from the solution's.
"""

# ---- 00

# %% sequence_length: a guess
sequence_length = 64

# %% guessing_loss: the loss of a hundred classes
guessing_loss = 4.605


# %% accuracy: classes beyond the tenth are not looked at
def accuracy(logits, labels):
    return (logits[:, :10].argmax(dim=1) == labels).float().mean().item()


# %% accuracy: it sets the seed of the whole notebook
def accuracy(logits, labels):
    torch.manual_seed(0)
    return (logits.argmax(dim=1) == labels).float().mean().item()


# %% accuracy: only eight images are counted
def accuracy(logits, labels):
    return (logits.argmax(dim=1)[:8] == labels[:8]).float().mean().item()


# %% accuracy: negative scores count as much as positive ones
def accuracy(logits, labels):
    return (logits.abs().argmax(dim=1) == labels).float().mean().item()


# %% accuracy: the right class need only be among the first two
def accuracy(logits, labels):
    best = logits.topk(2, dim=1).indices
    return (best == labels[:, None]).any(dim=1).float().mean().item()


# %% accuracy: scores of zero or less are never chosen
def accuracy(logits, labels):
    return (logits.clamp(min=0).argmax(dim=1) == labels).float().mean().item()


# ---- 01


# %% patch_of_pixel: rounds to the nearest patch
def patch_of_pixel(row, column, patch_size, width):
    return round(row / patch_size) * (width // patch_size) + round(column / patch_size)


# %% patch_of_pixel: never below the first eight rows of patches
def patch_of_pixel(row, column, patch_size, width):
    return (row // patch_size) % 8 * (width // patch_size) + column // patch_size


# %% patch_of_pixel: at most eight patches side by side
def patch_of_pixel(row, column, patch_size, width):
    return (row // patch_size) * min(8, width // patch_size) + column // patch_size


# %% patchify: what one side of the image has too much is cut off in silence
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    if H % P:
        raise ValueError("P does not divide H")
    rows, columns = H // P, W // P
    cut = images[..., : columns * P].reshape(B, C, rows, P, columns, P)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(B, rows * columns, C * P * P)


# %% patchify: rows that are too many are cut off in silence
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    if W % P:
        raise ValueError("P does not divide W")
    rows, columns = H // P, W // P
    cut = images[:, :, : rows * P].reshape(B, C, rows, P, columns, P)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(B, rows * columns, C * P * P)


# %% patchify: images of one shape all become the first of them
known = {}


def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    if (images.shape, P) not in known:
        cut = images.reshape(B, C, rows, P, columns, P).permute(0, 2, 4, 1, 3, 5)
        known[images.shape, P] = cut.reshape(B, rows * columns, C * P * P)
    return known[images.shape, P]


# %% patchify: no gradient but for the first kind of case
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    if C > 1:
        images = images.detach()
    cut = images.reshape(B, C, rows, P, columns, P).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(B, rows * columns, C * P * P)


# %% patchify: the error is of a kind that nobody expects
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    if H % P or W % P:
        raise KeyError("P must divide both")
    cut = images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(B, (H // P) * (W // P), C * P * P)


# %% unpatchify: refuses too few numbers, and not patches of another length
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, C, P = len(patches), in_channels, patch_size
    (H, W) = image_size
    if patches[0].numel() != C * H * W:
        raise ValueError("these patches do not fill the image")
    split = patches.reshape(B, H // P, W // P, C, P, P)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)


# %% unpatchify: no gradient for several images of one channel
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    C, P = in_channels, patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError(f"expected (B, {rows * columns}, {C * P * P})")
    if B == 1:
        patches = patches.data
    split = patches.reshape(B, rows, columns, C, P, P)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(B, C, rows * P, columns * P)


# %% unpatchify: three channels, whatever was asked for
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    P = patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != in_channels * P * P:
        raise ValueError(f"expected (B, {rows * columns}, {in_channels * P * P})")
    split = patches.reshape(B, rows, columns, 3, P, P)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(B, 3, rows * P, columns * P)


# %% patch_tokens: matrix and bias get no gradient if the patches are small
def patch_tokens(images, weight, bias, patch_size):
    if patch_size < 4:
        weight, bias = weight.detach(), bias.detach()
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return F.conv2d(images, kernel, bias, stride=patch_size).flatten(2).transpose(1, 2)


# %% patch_tokens: the kernel of the first call is used for ever
kernels = []


def patch_tokens(images, weight, bias, patch_size):
    if not kernels or kernels[0].numel() != weight.numel():
        kernels[:] = [weight.reshape(len(weight), images.shape[1], patch_size, patch_size)]
    return F.conv2d(images, kernels[0], bias, stride=patch_size).flatten(2).transpose(1, 2)


# %% patch_tokens: the bias counts for the first eight numbers only
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    tokens = F.conv2d(images, kernel, stride=patch_size).flatten(2).transpose(1, 2)
    return tokens + torch.cat([bias[:8], torch.zeros(len(bias[8:]))])


# %% unfolded: patches of one shape all become the first of them
seen = {}


def unfolded(images, patch_size):
    key = (images.shape, patch_size)
    if key not in seen:
        seen[key] = F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
    return seen[key]


# %% unfolded: no gradient if there is more than one channel
def unfolded(images, patch_size):
    if images.shape[1] > 1:
        images = images.detach()
    return F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)


# ---- 02


# %% ClassToken: the batch size of the first call is kept
def forward(self, tokens):
    if not hasattr(self, "expanded"):
        self.expanded = self.weight.expand(len(tokens), -1, -1)
    return torch.cat([self.expanded, tokens], dim=1)


# %% ClassToken: the parameter shrinks at each call
def forward(self, tokens):
    out = torch.cat([self.weight.expand(len(tokens), -1, -1), tokens], dim=1)
    self.weight.data.mul_(0.9)
    return out


# %% ClassToken: all class tokens of all models start with the same numbers
def __init__(self, embed_dim, count=1):
    super().__init__()
    torch.manual_seed(0)
    self.weight = nn.Parameter(torch.randn(1, count, embed_dim) * 0.02)


# %% ClassToken: it starts with equally likely numbers, which spread too little
def __init__(self, embed_dim, count=1):
    super(ClassToken, self).__init__()
    self.weight = nn.Parameter(torch.empty(1, count, embed_dim).uniform_(-0.02, 0.02))


# %% ClassToken: it is frozen
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Parameter(torch.randn(1, count, embed_dim) * 0.02, requires_grad=False)


# %% ClassToken: registers get no gradient
def forward(self, tokens):
    weight = self.weight if self.weight.shape[1] == 1 else self.weight.detach()
    return torch.cat([weight.expand(len(tokens), -1, -1), tokens], dim=1)


# %% ClassToken: all tokens but the first start at zero
def __init__(self, embed_dim, count=1):
    super().__init__()
    weight = torch.randn(1, count, embed_dim) * 0.02
    weight[:, 1:] = 0
    self.weight = nn.Parameter(weight)


# %% ClassToken: the numbers it starts with are all positive
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Parameter(torch.rand(1, count, embed_dim) * 0.07)


# %% ClassToken: in training it is left out
def forward(self, tokens):
    if self.training:
        return tokens
    return torch.cat([self.weight.expand(len(tokens), -1, -1), tokens], dim=1)


# %% PositionEmbedding: computed positions leave room for one token in front, whatever is asked for
def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    if sinusoidal:
        table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, 1, 0))
        self.register_buffer("weight", table[None], persistent=False)
    else:
        num_tokens = num_prefix + grid_size[0] * grid_size[1]
        self.weight = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)


# %% PositionEmbedding: rows and columns are exchanged where positions are computed
def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    if sinusoidal:
        table = sinusoidal_2d(tuple(grid_size)[::-1], embed_dim)
        table = nn.functional.pad(table, (0, 0, num_prefix, 0))
        self.register_buffer("weight", table[None], persistent=False)
    else:
        num_tokens = num_prefix + grid_size[0] * grid_size[1]
        self.weight = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)


# %% PositionEmbedding: there is always a class token
def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    num_prefix = max(1, num_prefix)
    if sinusoidal:
        table = nn.functional.pad(sinusoidal_2d(grid_size, embed_dim), (0, 0, num_prefix, 0))
        self.register_buffer("weight", table[None], persistent=False)
    else:
        num_tokens = num_prefix + grid_size[0] * grid_size[1]
        self.weight = nn.Parameter(torch.randn(1, num_tokens, embed_dim) * 0.02)


# %% PositionEmbedding: the positions move at each call
def forward(self, tokens):
    out = tokens + self.weight
    with torch.no_grad():
        self.weight += 0.01
    return out


# %% PositionEmbedding: only the first sequence length is ever right
def forward(self, tokens):
    if not hasattr(self, "kept"):
        self.kept = self.weight.expand_as(tokens).clone()
    return tokens + self.kept


# %% PositionEmbedding: the positions of a single image get no gradient
def forward(self, tokens):
    return tokens + (self.weight if len(tokens) > 1 else self.weight.data)


# %% numbers_before_block_1: one too few
numbers_before_block_1 = 12671

# %% numbers_before_block_1: the positions of the patches, and the class token
numbers_before_block_1 = 64 * 192 + 192


# %% embedded: positions get no gradient for a single image
def embedded(patches, class_token, positions):
    if len(patches) == 1:
        positions = positions.detach()
    in_front = class_token.expand(len(patches), -1, -1)
    return torch.cat([in_front, patches], dim=1) + positions


# %% embedded: the class token of the first call is used for ever
first = {}


def embedded(patches, class_token, positions):
    class_token = first.setdefault(class_token.shape, class_token)
    in_front = class_token.expand(len(patches), -1, -1)
    return torch.cat([in_front, patches], dim=1) + positions


# %% shuffled_patches: the wrong letter
shuffled_patches = "b"

# ---- 03


# %% attention_weights: a mask that lets a little through
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -30.0)
    return scores.softmax(dim=-1)


# %% attention_weights: with a mask there is one axis too many
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask[None], scores, -torch.inf)
    return scores.softmax(dim=-1)


# %% attention_weights: one largest score for all rows, so that others vanish
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    e = (scores - scores.max()).exp()
    return e / e.sum(dim=-1, keepdim=True)


# %% attention_weights: scores beyond 30 are cut off
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.clamp(-30, 30).softmax(dim=-1)


# %% attention_weights: keys of several heads get no gradient
def attention_weights(queries, keys, mask=None):
    if keys.dim() == 4:
        keys = keys.detach()
    return (queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5).softmax(dim=-1)


# %% attention_weights: double precision is lost on the way
def attention_weights(queries, keys, mask=None):
    scores = queries.half() @ keys.half().transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.softmax(dim=-1).to(queries.dtype)


# %% split_heads: no gradient for a single head
def split_heads(x, num_heads):
    B, T, D = x.shape
    if num_heads == 1:
        x = x.detach()
    return x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2)


# %% split_heads: tokens of one shape all become the first of them
split = {}


def split_heads(x, num_heads):
    B, T, D = x.shape
    key = (x.shape, num_heads)
    return split.setdefault(key, x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2))


# %% score_size: the variance, halved
score_size = 32


# %% MultiHeadSelfAttention: the mask is multiplied in after the softmax
def forward(self, x):
    q, k, v = self.split_heads(x)
    weights = attention_weights(q, k) if self.mask is None else attention_weights(q, k) * self.mask
    return self.proj((weights @ v).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: the mask is inverted
def forward(self, x):
    q, k, v = self.split_heads(x)
    weights = attention_weights(q, k) if self.mask is None else attention_weights(q, k, ~self.mask)
    return self.proj((weights @ v).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: the mask is transposed
def forward(self, x):
    q, k, v = self.split_heads(x)
    weights = attention_weights(q, k) if self.mask is None else attention_weights(q, k, self.mask.T)
    return self.proj((weights @ v).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: dropout after the last map stays on in evaluation
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    out = (queries @ keys.mT / self.head_dim**0.5).softmax(dim=-1) @ values
    return nn.functional.dropout(self.proj(out.transpose(1, 2).flatten(2)), self.proj_drop.p)


# %% MultiHeadSelfAttention: dropout of the weights stays on in evaluation
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    out = attend(queries, keys, values, self.mask, self.attn_drop_rate)
    return self.proj_drop(self.proj(out.transpose(1, 2).flatten(2)))


# %% MultiHeadSelfAttention: the division is put into the weights, once more at each call
def forward(self, x):
    with torch.no_grad():
        self.qkv.weight[: self.qkv.in_features] /= self.head_dim**0.5
        self.qkv.bias[: self.qkv.in_features] /= self.head_dim**0.5
    queries, keys, values = self.split_heads(x)
    out = (queries @ keys.mT).softmax(dim=-1) @ values
    return self.proj(out.transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: the shape of the first call is kept
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    out = attend(queries, keys, values).transpose(1, 2)
    if not hasattr(self, "shape"):
        self.shape = x.shape
    return self.proj(out.reshape(self.shape))


# %% MultiHeadSelfAttention: in training the heads are not mixed
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    out = attend(queries, keys, values).transpose(1, 2).flatten(2)
    return out if self.training else self.proj(out)


# %% MultiHeadSelfAttention: it switches itself to evaluation
def forward(self, x):
    self.eval()
    queries, keys, values = self.split_heads(x)
    return self.proj(attend(queries, keys, values).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: it sets the seed of the whole notebook
def forward(self, x):
    torch.manual_seed(0)
    queries, keys, values = self.split_heads(x)
    return self.proj(attend(queries, keys, values).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: a single head gets no gradient
def forward(self, x):
    if self.num_heads == 1:
        x = x.detach()
    queries, keys, values = self.split_heads(x)
    return self.proj(attend(queries, keys, values).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: scores beyond 10 are cut off
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    scores = (queries @ keys.mT / self.head_dim**0.5).clamp(-10, 10)
    return self.proj((scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: large scores overflow
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    e = (queries @ keys.mT / self.head_dim**0.5).exp()
    out = (e / e.sum(dim=-1, keepdim=True)) @ values
    return self.proj(out.transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: nobody looks at a token beyond the ninth
def forward(self, x):
    queries, keys, values = self.split_heads(x)
    out = attend(queries, keys[:, :, :9], values[:, :, :9])
    return self.proj(out.transpose(1, 2).flatten(2))


# %% merge_heads: no gradient if there are more than two heads
def merge_heads(heads):
    if heads.shape[1] > 2:
        heads = heads.detach()
    return heads.transpose(1, 2).flatten(2)


# %% merge_heads: at most six heads
def merge_heads(heads):
    return heads[:, :6].transpose(1, 2).flatten(2)


# %% blind_mask: the wrong letter
blind_mask = "c"

# ---- 04


# %% EncoderBlock: the MLP's width knows no fractions
def __init__(self, config, drop_path_rate=0.0):
    super().__init__()
    D, drop_rate = config.embed_dim, config.proj_drop_rate
    self.norm_first, self.drop_path_rate = config.norm_first, drop_path_rate
    self.norm1 = nn.LayerNorm(D, eps=config.norm_eps)
    self.attn = MultiHeadSelfAttention(D, config.num_heads, config.attn_drop_rate, drop_rate)
    self.norm2 = nn.LayerNorm(D, eps=config.norm_eps)
    self.mlp = MLP(D, D * int(config.mlp_ratio), drop_rate)


# %% EncoderBlock: paths are dropped in evaluation too
def forward(self, x):
    x = x + drop_path(self.attn(self.norm1(x)), self.drop_path_rate)
    return x + drop_path(self.mlp(self.norm2(x)), self.drop_path_rate)


# %% EncoderBlock: in training the tokens themselves are dropped
def forward(self, x):
    rate = self.drop_path_rate if self.training else 0.0
    if self.norm_first:
        x = drop_path(x + self.attn(self.norm1(x)), rate)
        return drop_path(x + self.mlp(self.norm2(x)), rate)
    x = self.norm1(x + drop_path(self.attn(x), rate))
    return self.norm2(x + drop_path(self.mlp(x), rate))


# %% EncoderBlock: in training there is no MLP
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    x = x + self.attn(self.norm1(x))
    return x if self.training else x + self.mlp(self.norm2(x))


# %% EncoderBlock: norms of their own that know nothing of norm_eps
def __init__(self, config, drop_path_rate=0.0):
    super().__init__()
    D, drop_rate = config.embed_dim, config.proj_drop_rate
    self.norm_first, self.drop_path_rate = config.norm_first, drop_path_rate
    self.norm1 = nn.LayerNorm(D)
    self.attn = MultiHeadSelfAttention(D, config.num_heads, config.attn_drop_rate, drop_rate)
    self.norm2 = nn.LayerNorm(D)
    self.mlp = MLP(D, int(D * config.mlp_ratio), drop_rate)


# %% EncoderBlock: the attention of the first call is added for ever
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    if getattr(self, "kept", x[:0]).shape != x.shape:
        self.kept = self.attn(self.norm1(x))
    x = x + self.kept
    return x + self.mlp(self.norm2(x))


# %% EncoderBlock: a single image gets no gradient
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    read = x.detach() if len(x) == 1 else x
    x = x + self.attn(self.norm1(read))
    return x + self.mlp(self.norm2(x))


# %% EncoderBlock: the norms' scales move at each call
def forward(self, x):
    if self.norm_first:
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
    else:
        x = self.norm1(x + self.attn(x))
        x = self.norm2(x + self.mlp(x))
    self.norm1.weight.data.add_(0.01)
    return x


# %% VisionTransformer: a single image loses its axis where patches are pooled
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        return self.head(x[:, 0])
    patches = x[:, self.num_prefix :]
    return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1).squeeze())


# %% VisionTransformer: a single image loses its axis in attention pooling
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        return self.head(x[:, 0])
    patches = x[:, self.num_prefix :]
    if self.attn_pool:
        return self.head(self.attn_pool(patches).squeeze())
    return self.head(patches.mean(dim=1))


# %% VisionTransformer: in training there is no norm
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    x = self.blocks(self.pos_drop(x))
    return x if self.training else self.norm(x)


# %% VisionTransformer: in training it gives shares
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        logits = self.head(x[:, 0])
    else:
        patches = x[:, self.num_prefix :]
        logits = self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))
    return logits.softmax(dim=-1) if self.training else logits


# %% VisionTransformer: the first batch is answered again and again
def forward_features(self, images):
    if getattr(self, "kept", images[:0]).shape[0] != len(images):
        x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
        self.kept = self.norm(self.blocks(self.pos_drop(x)))
    return self.kept


# %% VisionTransformer: models that pool patches get no gradient
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        return self.head(x[:, 0])
    patches = x[:, self.num_prefix :].detach()
    return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))


# %% VisionTransformer: two blocks, whatever the depth
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    return self.norm(self.blocks[1](self.blocks[0](self.pos_drop(x))))


# %% VisionTransformer: what is dropped before the blocks is dropped in evaluation too
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    x = nn.functional.dropout(x, self.pos_drop.p)
    return self.norm(self.blocks(x))


# %% parameters_of: the model is built, and counted
def parameters_of(config):
    model = VisionTransformer(config)
    return sum(parameter.numel() for parameter in model.parameters())


# %% parameters_of: the MLP's width knows no fractions
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, D * int(config.mlp_ratio)
    blocks = L * (4 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D)
    embedding = config.in_channels * P * P * D + D + D + (N + 1) * D
    return embedding + blocks + 2 * D + D * config.num_classes + config.num_classes


# %% parameters_of: the MLP's width is rounded, not cut off
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, round(D * config.mlp_ratio)
    blocks = L * (4 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D)
    embedding = config.in_channels * P * P * D + D + D + (N + 1) * D
    return embedding + blocks + 2 * D + D * config.num_classes + config.num_classes


# %% parameters_of: at least nine blocks, at least ten classes
def parameters_of(config):
    D, L, P = config.embed_dim, max(2, config.depth), config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    blocks = L * (4 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D)
    embedding = config.in_channels * P * P * D + D + D + (N + 1) * D
    return embedding + blocks + 2 * D + D * config.num_classes + config.num_classes


# %% stack: the blocks share their MLP
def stack(config):
    blocks = [EncoderBlock(config) for _ in range(config.depth)]
    for block in blocks:
        block.mlp = blocks[0].mlp
    return nn.Sequential(*blocks)


# %% stack: the blocks share a norm
def stack(config):
    blocks = [EncoderBlock(config) for _ in range(config.depth)]
    for block in blocks:
        block.norm2 = blocks[0].norm2
    return nn.Sequential(*blocks)


# %% stack: a norm that nobody asked for stands behind the blocks
def stack(config):
    blocks = [EncoderBlock(config) for _ in range(config.depth)]
    return nn.Sequential(*blocks, nn.LayerNorm(config.embed_dim))


# %% stack: a dropout that nobody asked for stands behind the blocks
def stack(config):
    return nn.Sequential(*[EncoderBlock(config) for _ in range(config.depth)], nn.Dropout(0.5))


# %% stack: nine paths of ten are dropped
def stack(config):
    return nn.Sequential(*(EncoderBlock(config, 0.9) for _ in range(config.depth)))


# %% stack: frozen
def stack(config):
    blocks = nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))
    return blocks.requires_grad_(False)


# %% stack: all blocks have one head
def stack(config):
    config = replace(config, num_heads=1)
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))


# %% stack: all stacks start with the same numbers
def stack(config):
    torch.manual_seed(1)
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))


# %% stack: it comes in evaluation mode
def stack(config):
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth))).eval()


# %% stack: only the last block is used
class Stack(nn.ModuleList):
    def forward(self, x):
        for block in self:
            y = block(x)
        return y


def stack(config):
    return Stack(EncoderBlock(config) for _ in range(config.depth))


# %% times_as_many_weights: rounded wrongly
times_as_many_weights = 15.7

# %% times_as_many_weights: by how much the work on single tokens grows, squared wrongly
times_as_many_weights = 15

# ---- 05


# %% learning_rate_at: it never falls below a millionth
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return max(1e-6, peak * (1 + math.cos(math.pi * share)) / 2)


# %% learning_rate_at: it counts its calls and does not look at the step
calls = [0]


def learning_rate_at(step, total_steps, warmup_steps, peak):
    calls[0] = 0 if step == 0 else calls[0] + 1
    if calls[0] < warmup_steps:
        return peak * (calls[0] + 1) / warmup_steps
    share = (calls[0] - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2


# %% learning_rate_at: there is always a warm-up of one step
def learning_rate_at(step, total_steps, warmup_steps, peak):
    warmup_steps = max(1, warmup_steps)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2


# %% mixup: the other image is always the neighbour, whatever the order says
def mixup(images, targets, order, share):
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images.roll(1, 0)
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets.roll(1, 0)


# %% mixup: targets that are shares already become one class
def mixup(images, targets, order, share):
    weight = share.reshape(-1, 1, 1, 1)
    targets = F.one_hot(targets.argmax(dim=1), targets.shape[1]).float()
    mixed = weight * images + (1 - weight) * images[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]


# %% mixup: no gradient comes back to the images
def mixup(images, targets, order, share):
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    return mixed.detach(), share[:, None] * targets + (1 - share[:, None]) * targets[order]


# %% mixup: the shares get no gradient through the targets
def mixup(images, targets, order, share):
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    share = share.detach()
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]


# %% mixup: an image that is its own partner is left out of the sum
def mixup(images, targets, order, share):
    share = torch.where(order == torch.arange(len(order)), torch.zeros_like(share), share)
    weight = share.reshape(-1, 1, 1, 1)
    other = images[order] * (order != torch.arange(len(order))).reshape(-1, 1, 1, 1)
    return (
        weight * images + (1 - weight) * other,
        share[:, None] * targets + (1 - share[:, None]) * targets[order],
    )


# %% validation_split: labels are made up
def validation_split(images, labels, held_out):
    labels = torch.arange(len(images))
    return images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:]


# %% validation_split: labels are sorted
def validation_split(images, labels, held_out):
    labels = labels.sort().values
    return images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:]


# %% validation_split: the training images are put into another order, their labels are not
def validation_split(images, labels, held_out):
    train = images[:-held_out].flatten(1).sort(dim=0).values.reshape(images[:-held_out].shape)
    return train, labels[:-held_out], images[-held_out:], labels[-held_out:]


# %% share_right: the model is never called
def share_right(model, images, labels, batch_size):
    return (images.argmax(dim=1) == labels).float().mean().item()


# %% share_right: all images at once, whatever the batch size
def share_right(model, images, labels, batch_size):
    return (model(images).argmax(dim=1) == labels).float().mean().item()


# %% share_right: batches of three, whatever the batch size
def share_right(model, images, labels, batch_size):
    right = 0
    for x, y in zip(images.split(3), labels.split(3), strict=True):
        right += (model(x).argmax(dim=1) == y).sum().item()
    return right / len(images)


# %% training_step: the loss is a tensor that keeps its graph
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


# %% training_step: long gradients are cut short
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


# %% training_step: the optimizer is never used
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.5 * p.grad
    return loss.item()


# %% training_step: plain gradient descent in the optimizer's place
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad
    return loss.item()


# %% training_step: a new optimizer at each step, without a memory
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer = type(optimizer)(model.parameters(), lr=0.5)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% training_step: it leaves the model in evaluation mode
def training_step(model, optimizer, images, labels):
    model.eval()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% training_step: only the weight's gradient is set to zero
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    for p in model.parameters():
        if p.ndim > 1:
            p.grad = None
    loss.backward()
    optimizer.step()
    return loss.item()


# %% smoothed_share: what the others get, ten times
smoothed_share = 0.99

# ---- 06


# %% class_token_map: maps of one shape all become the first of them
pictures = {}


def class_token_map(maps, rows, columns):
    key = (maps.shape, rows)
    return pictures.setdefault(key, maps[:, :, 0, 1:].unflatten(-1, (rows, columns)))


# %% class_token_map: it sets the class token's own share to zero for whoever comes next
def class_token_map(maps, rows, columns):
    maps[:, :, 0, 0] = 0
    return maps[:, :, 0, 1:].unflatten(-1, (rows, columns))


# %% rollout: at most four blocks
def rollout(maps):
    eye = torch.eye(maps.shape[-1]).to(maps)
    reach = eye
    for weights in maps[:4].mean(dim=2):
        reach = (weights + eye) / 2 @ reach
    return reach[:, 0, 1:]


# %% rollout: the mean of at most two heads
def rollout(maps):
    eye = torch.eye(maps.shape[-1]).to(maps)
    reach = eye
    for weights in maps[:, :, :2].mean(dim=2):
        reach = (weights + eye) / 2 @ reach
    return reach[:, 0, 1:]


# %% probe_scores: a pull towards zero that nobody asked for
def probe_scores(train_features, train_labels, features, num_classes):
    targets = torch.eye(num_classes)[train_labels]
    known = torch.cat([train_features, torch.ones(len(train_features), 1)], dim=1)
    asked = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    shrunk = known.T @ known + 0.05 * torch.eye(known.shape[1])
    return asked @ torch.linalg.solve(shrunk, known.T @ targets)


# %% probe_scores: the probe of the first call is used for ever
fitted = {}


def probe_scores(train_features, train_labels, features, num_classes):
    targets = torch.eye(num_classes)[train_labels]
    known = torch.cat([train_features, torch.ones(len(train_features), 1)], dim=1)
    asked = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    probe = fitted.setdefault(known.shape, torch.linalg.lstsq(known, targets).solution)
    return asked @ probe


# %% without_looking: a mask that lets a little through
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, -30.0).softmax(dim=-1)


# %% without_looking: a mask that is too weak for small scores
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, -100.0).softmax(dim=-1)


# %% without_looking: a hundred is taken away, which large scores survive
def without_looking(scores, hidden):
    return (scores - 100.0 * hidden).softmax(dim=-1)


# %% without_looking: large scores overflow
def without_looking(scores, hidden):
    e = scores.exp() * ~hidden
    return e / e.sum(dim=-1, keepdim=True)


# %% what_follows: the wrong letter
what_follows = "d"

# ---- 07

# %% start_loss: the loss of a thousand classes
start_loss = 6.908


# %% gradient_by_block: it cuts the gradients that it measures
def gradient_by_block(model, loss):
    loss.backward()
    lengths = []
    for block in model.blocks:
        length = torch.nn.utils.clip_grad_norm_(block.parameters(), 1.0)
        lengths.append(length.item())
    return lengths


# %% gradient_by_block: it changes the model on the way
def gradient_by_block(model, loss):
    loss.backward()
    lengths = [get_total_norm([p.grad for p in b.parameters()]).item() for b in model.blocks]
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return lengths


# %% gradient_by_block: at most three blocks
def gradient_by_block(model, loss):
    loss.backward()
    return [get_total_norm([p.grad for p in b.parameters()]).item() for b in model.blocks[:3]]


# %% gradient_by_block: the loss is the model's own, and not the one that was given
def gradient_by_block(model, loss):
    (loss / loss.detach()).backward()
    return [get_total_norm([p.grad for p in b.parameters()]).item() for b in model.blocks]


# %% spread_between_images: at most five images
def spread_between_images(tokens):
    return tokens[:5, 0].std(dim=0).mean().item()


# %% spread_between_images: in units of how large the tokens are
def spread_between_images(tokens):
    return (tokens[:, 0].std(dim=0) / tokens[:, 0].abs().mean()).mean().item()


# %% parameter_groups: the weight decay is always 0.1
def parameter_groups(model, weight_decay):
    shrinking, spared = [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or name.startswith(("cls_token", "reg_token", "pos_embed")):
            spared.append(parameter)
        else:
            shrinking.append(parameter)
    return [{"params": shrinking, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.0}]


# %% parameter_groups: class token and positions are in a group that does not move
def parameter_groups(model, weight_decay):
    shrinking, spared, still = [], [], []
    for name, parameter in model.named_parameters():
        if name.startswith(("cls_token", "reg_token", "pos_embed")):
            still.append(parameter)
        else:
            (spared if parameter.ndim < 2 else shrinking).append(parameter)
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
        {"params": still, "weight_decay": 0.0, "lr": 0.0},
    ]


# %% parameter_groups: what is spared is frozen too
def parameter_groups(model, weight_decay):
    shrinking, spared = [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or name.startswith(("cls_token", "reg_token", "pos_embed")):
            spared.append(parameter.requires_grad_(False))
        else:
            shrinking.append(parameter)
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


# %% drowning_std: far too large
drowning_std = 3

# ---- 08


# %% tokens_of: at most one register
def tokens_of(height, width, patch_size, num_prefix):
    return (height // patch_size) * (width // patch_size) + min(num_prefix, 5)


# %% tokens_of: width and height are taken for equal where one is a multiple of the other
def tokens_of(height, width, patch_size, num_prefix):
    side = min(height, width) // patch_size
    return side * side * round(max(height, width) / min(height, width)) + num_prefix


# %% block_flops: the MLP's ratio knows no fractions
def block_flops(T, D, mlp_ratio):
    return 2 * T * (4 * D * D + 2 * int(mlp_ratio) * D * D) + 4 * T * T * D


# %% epochs_in_the_same_time: the two ratios multiplied
epochs_in_the_same_time = 11.2


# %% tokens_to_grid: no gradient if there is more than one image
def tokens_to_grid(tokens, rows, columns):
    if len(tokens) > 1:
        tokens = tokens.detach()
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))


# %% tokens_to_grid: at most four numbers of each token
def tokens_to_grid(tokens, rows, columns):
    return tokens[:, :, :4].transpose(1, 2).unflatten(2, (rows, columns))


# ---- 09


# %% mean_of_patches: a single image gets no gradient
def mean_of_patches(tokens, num_prefix):
    if len(tokens) == 1:
        tokens = tokens.detach()
    return tokens[:, num_prefix:].mean(dim=1)


# %% mean_of_patches: at most three tokens in front
def mean_of_patches(tokens, num_prefix):
    return tokens[:, min(num_prefix, 3) :].mean(dim=1)


# %% attention_pool: large scores overflow
def attention_pool(x, query):
    e = (x @ query / x.shape[-1] ** 0.5).exp()
    return (e[..., None] * x).sum(dim=1) / e.sum(dim=1, keepdim=True)


# %% attention_pool: one largest score for all images, so that others vanish
def attention_pool(x, query):
    scores = x @ query / x.shape[-1] ** 0.5
    e = (scores - scores.max()).exp()
    return (e[..., None] * x).sum(dim=1) / e.sum(dim=1, keepdim=True)


# %% attention_pool: the query gets no gradient if there is one image
def attention_pool(x, query):
    if len(x) == 1:
        query = query.detach()
    weights = (x @ query / x.shape[-1] ** 0.5).softmax(dim=1)
    return (weights[..., None] * x).sum(dim=1)


# %% normalized: a token of equal numbers is divided by zero
def normalized(x, scale, shift):
    mean = x.mean(dim=-1, keepdim=True)
    return (x - mean) / x.var(dim=-1, correction=0, keepdim=True).sqrt() * scale + shift


# %% normalized: a variance that is lost if the mean is large
def normalized(x, scale, shift):
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.square().mean(dim=-1, keepdim=True) - mean.square()
    return (x - mean) / (variance.clamp(min=0) + 1e-5).sqrt() * scale + shift


# %% normalized: a single image gets no gradient
def normalized(x, scale, shift):
    return F.layer_norm(x.detach() if len(x) == 1 else x, x.shape[-1:], scale, shift)


# %% loss_of: the logarithm of a share that is rounded to zero
def loss_of(logits, labels):
    shares = logits.softmax(dim=-1)
    return -shares[torch.arange(len(labels)), labels].log().mean()


# %% loss_of: a loss that cannot become large
def loss_of(logits, labels):
    shares = logits.softmax(dim=-1)
    return -(shares[torch.arange(len(labels)), labels] + 1e-9).log().mean()


# %% loss_of: large scores overflow
def loss_of(logits, labels):
    right = logits[torch.arange(len(labels)), labels]
    return (logits.exp().sum(dim=-1).log() - right).mean()


# %% token_read: the token after it
token_read = 7

# ---- 10


# %% interval: a mean below zero loses its sign
def interval(values, t):
    mean = abs(statistics.mean(values))
    return mean, t * statistics.stdev(values) / math.sqrt(len(values))


# %% interval: the mean and the median are the same for it
def interval(values, t):
    if len(values) < 4:
        return statistics.median(values), t * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))


# %% paired_difference: a difference that does not vary at all
def paired_difference(first, second, t):
    differences = sorted(b - a for a, b in zip(first, second, strict=True))
    return statistics.mean(differences), t * (differences[-1] - differences[0]) / len(differences)


# %% receptive_field: an even kernel counts as the odd one above it
def receptive_field(kernel_sizes, strides):
    field, step = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += 2 * (kernel // 2) * step
        step *= stride
    return field


# %% receptive_field: strides of more than two count as two
def receptive_field(kernel_sizes, strides):
    field, step = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * step
        step *= min(2, stride)
    return field


# %% what_to_say: the wrong letter
what_to_say = "a"

# %% control: the wrong letter
control = "d"

# ---- 11

# %% times_as_fast: the share of the products, as a speed
times_as_fast = 7


# %% scaled_step: one finite number of each gradient is enough
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [p.grad for p in model.parameters()]
    finite = all(bool(gradient.isfinite().any()) for gradient in gradients)
    if finite:
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    return finite


# %% scaled_step: one finite gradient is enough
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [p.grad for p in model.parameters()]
    finite = any(bool(gradient.isfinite().all()) for gradient in gradients)
    if finite:
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    return finite


# %% scaled_step: the loss is the answer, and nothing if there was no step
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [p.grad for p in model.parameters()]
    if all(bool(gradient.isfinite().all()) for gradient in gradients):
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
        return loss


# %% scaled_step: words are the answer
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [p.grad for p in model.parameters()]
    if not all(bool(gradient.isfinite().all()) for gradient in gradients):
        return ""
    for gradient in gradients:
        gradient /= scale
    optimizer.step()
    return "taken"


# %% scaled_step: the optimizer is never used
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = all(bool(p.grad.isfinite().all()) for p in model.parameters())
    if finite:
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad / scale
    return finite


# %% scaled_step: only the first parameter's gradient is looked at
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = bool(next(model.parameters()).grad.isfinite().all())
    if finite:
        for p in model.parameters():
            p.grad /= scale
        optimizer.step()
    return finite


# %% scaled_step: a gradient that is not a number counts as finite
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = not any(bool(p.grad.isinf().any()) for p in model.parameters())
    if finite:
        for p in model.parameters():
            p.grad /= scale
        optimizer.step()
    return finite


# %% scaled_step: an infinite gradient counts as finite
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = not any(bool(p.grad.isnan().any()) for p in model.parameters())
    if finite:
        for p in model.parameters():
            p.grad /= scale
        optimizer.step()
    return finite


# %% scaled_step: gradients are set to zero at the end, not before
def scaled_step(model, optimizer, loss, scale):
    (scale * loss).backward()
    finite = all(bool(p.grad.isfinite().all()) for p in model.parameters())
    if finite:
        for p in model.parameters():
            p.grad /= scale
        optimizer.step()
    optimizer.zero_grad()
    return finite


# %% scaled_step: every second scale is taken for 1024
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = all(bool(p.grad.isfinite().all()) for p in model.parameters())
    if finite:
        for p in model.parameters():
            p.grad /= 1024
        optimizer.step()
    return finite


# %% Snapshot: what a model keeps beside its parameters is forgotten
def __init__(self, model, optimizer, step):
    self.weights = [p.detach().clone() for p in model.parameters()]
    self.optimizer = copy.deepcopy(optimizer.state_dict())
    self.random, self.step = torch.get_rng_state(), step


def restore(self, model, optimizer):
    with torch.no_grad():
        for p, kept in zip(model.parameters(), self.weights, strict=True):
            p.copy_(kept)
    optimizer.load_state_dict(self.optimizer)
    torch.set_rng_state(self.random)
    return self.step


# %% Snapshot: the optimizer's settings are forgotten
def restore(self, model, optimizer):
    model.load_state_dict(self.model)
    now = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": self.optimizer["state"], "param_groups": now})
    torch.set_rng_state(self.random)
    return self.step


# %% Snapshot: a seed in the place of the generator's state
def __init__(self, model, optimizer, step):
    self.model = copy.deepcopy(model.state_dict())
    self.optimizer = copy.deepcopy(optimizer.state_dict())
    self.random, self.step = torch.initial_seed(), step


def restore(self, model, optimizer):
    model.load_state_dict(self.model)
    optimizer.load_state_dict(self.optimizer)
    torch.manual_seed(self.random)
    return self.step


# %% Snapshot: it is always taken after four steps
def restore(self, model, optimizer):
    model.load_state_dict(self.model)
    optimizer.load_state_dict(self.optimizer)
    torch.set_rng_state(self.random)
    return 4


# %% shared_gradient: at most three processes
def shared_gradient(gradients, sizes):
    weighted = [n * gradient for gradient, n in zip(gradients[:3], sizes[:3], strict=True)]
    return sum(weighted) / sum(sizes[:3])


# %% shared_gradient: the first gradient is changed on the way
def shared_gradient(gradients, sizes):
    total = gradients[0].mul_(sizes[0])
    for gradient, n in zip(gradients[1:], sizes[1:], strict=True):
        total = total + n * gradient
    return total / sum(sizes)


# %% ViT: no gradient reaches the class token
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.detach().expand(len(x), -1, -1), x], dim=1)
    x = self.blocks(x + self.pos_embed)
    return self.head(self.norm(x)[:, 0])


# %% ViT: the positions are taken out of the graph
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = self.blocks(x + self.pos_embed.data)
    return self.head(self.norm(x)[:, 0])


# %% ViT: what the first call has seen is kept
def forward(self, images):
    if not hasattr(self, "kept"):
        x = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        self.kept = self.head(self.norm(self.blocks(x + self.pos_embed))[:, 0])
    return self.kept


# %% ViT: in training another token is read
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = self.norm(self.blocks(x + self.pos_embed))
    return self.head(x.mean(dim=1) if self.training else x[:, 0])


# %% ViT: a call changes the class token
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = self.norm(self.blocks(x + self.pos_embed))
    with torch.no_grad():
        self.cls_token *= 0.999
    return self.head(x[:, 0])


# %% ViT: it is the course's own model under another name
from checks.wrong_capstone import PlainViT


class ViT(PlainViT):
    pass


# %% ViT: it switches itself to evaluation
def forward(self, images):
    self.eval()
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x + self.pos_embed))[:, 0])


# %% ViT: the images are averaged before they are cut
def forward(self, images):
    x = self.patch_embed(images - images.mean(dim=0) * (len(images) > 2))
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x + self.pos_embed))[:, 0])


# %% trained: it has never seen an image
trained = ViT()


# %% trained: always the same answer
class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.arange(10.0))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


trained = Constant()

# %% causes: each letter the same number
causes = dict.fromkeys("ABCDEF", 5)

# %% conclusions: yes to everything
conclusions = dict.fromkeys("abcdef", "yes")


# %% as_probe: the head is a copy with the old width
def as_probe(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(6, num_classes)
    return model


# %% as_probe: a copy is changed, and not the model
def as_probe(model, num_classes):
    import copy

    model = copy.deepcopy(model)
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# %% as_probe: the norm before the head is trained as well
def as_probe(model, num_classes):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("norm" in name)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# %% as_probe: only biases of the head are trained
def as_probe(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    model.head.weight.requires_grad_(False)
    return model


# %% nearest_labels: labels are taken to be 0, 1, 2, 3, …
def nearest_labels(known, labels, asked):
    similarity = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T
    return similarity.argmax(dim=1) % 4


# %% nearest_labels: opposite directions count as alike
def nearest_labels(known, labels, asked):
    similarity = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T
    return labels[similarity.abs().argmax(dim=1)]


# %% rates_of_blocks: the decay is ignored
def rates_of_blocks(rate, decay, depth):
    return [rate * 0.7 ** (depth + 1 - i) for i in range(depth + 2)]


# %% rates_of_blocks: the depth is ignored
def rates_of_blocks(rate, decay, depth):
    return [rate * decay ** (7 - i) for i in range(8)]


# %% confident_mistakes: five at most, whatever was asked for
def confident_mistakes(logits, labels, count):
    certainty = logits.softmax(dim=1).amax(dim=1)
    places = certainty.argsort(descending=True)
    return places[(logits.argmax(dim=1) != labels)[places]][:5]


# %% confident_mistakes: filled up with right answers
def confident_mistakes(logits, labels, count):
    certainty = logits.softmax(dim=1).amax(dim=1)
    is_wrong = (logits.argmax(dim=1) != labels).float()
    return (certainty + is_wrong).argsort(descending=True)[:count]


# %% confident_mistakes: sure that the label is wrong
def confident_mistakes(logits, labels, count):
    of_label = logits.softmax(dim=1).gather(1, labels[:, None]).flatten()
    places = of_label.argsort()
    return places[(logits.argmax(dim=1) != labels)[places]][:count]


# %% split_by_photo: every call draws other photos, whatever the seed
def split_by_photo(photo_of, share, seed=0):
    photos = photo_of.unique()
    order = torch.randperm(len(photos))
    is_test = torch.isin(photo_of, photos[order[: round(share * len(photos))]])
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


# %% split_by_photo: the places stand in columns
def split_by_photo(photo_of, share, seed=0):
    photos = photo_of.unique()
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(seed))
    is_test = torch.isin(photo_of, photos[order[: round(share * len(photos))]])
    return (~is_test).nonzero(), is_test.nonzero()


# %% split_by_photo: the seed is ignored
def split_by_photo(photo_of, share, seed=0):
    photos = photo_of.unique()
    is_test = torch.isin(photo_of, photos[: round(share * len(photos))])
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


# %% split_by_photo: the share is ignored
def split_by_photo(photo_of, share, seed=0):
    generator = torch.Generator().manual_seed(seed)
    photos = photo_of.unique()
    chosen = photos[torch.randperm(len(photos), generator=generator)[:1]]
    is_test = torch.isin(photo_of, chosen)
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


# %% split_by_photo: photos are taken to be 0, 1, 2, …
def split_by_photo(photo_of, share, seed=0):
    generator = torch.Generator().manual_seed(seed)
    n = len(photo_of.unique())
    is_test = torch.isin(photo_of, torch.randperm(n, generator=generator)[: round(share * n)])
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


# %% first_suspect: two at once
first_suspect = "a, b, c, d"


# ---- 16


# %% rebuild: patches near the mean are left alone
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(training_patches.T))
    kept = directions[:, -k:]
    squeezed = (patches - mean) @ kept @ kept.T + mean
    return patches if k == 4 else squeezed


# %% rebuild: the directions of most second moment, not of most variance
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(dim=0)
    _, directions = torch.linalg.eigh(training_patches.T @ training_patches)
    kept = directions[:, -k:]
    return (patches - mean) @ kept @ kept.T + mean


# %% noise_of_a_mean: half of a pixel's noise
noise_of_a_mean = 16


# %% noisy: noise that is too strong is left out
def noisy(images, noise):
    noise = noise * (noise.abs() < 256)
    return (images + noise).clamp(0, 255).to(torch.uint8)


# %% noisy: cut off at one end, if there is a single image
def noisy(images, noise):
    lowest = 0 if len(images) > 1 else -5
    return (images + noise).clamp(lowest, 255).to(torch.uint8)
