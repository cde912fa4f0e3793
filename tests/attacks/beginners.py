"""Honest mistakes of people who write such a thing for the first time. All are wrong; what matters is
what they are told: the cause, at least something that does not hold, or only that numbers differ.

Each cell is an answer as it would stand in a notebook, below the exercise's name and what went wrong.
Of a class a cell may hold only the methods that differ from the solution's.
"""

# ---- 00

# %% sequence_length: rows and columns are added
sequence_length = 4 + 4 + 1

# %% sequence_length: patches of 4 pixels, without the class token
sequence_length = 64

# %% guessing_loss: the loss of the other nine classes, added up
guessing_loss = 9 * 0.105

# %% guessing_loss: minus the logarithm of nine tenths
guessing_loss = 0.105


# %% accuracy: a sum over the classes first
def accuracy(logits, labels):
    return (logits.sum(dim=1).argmax() == labels).float().mean().item()


# %% accuracy: counts, and as a tensor
def accuracy(logits, labels):
    return (logits.argmax(dim=1) == labels).sum()


# %% accuracy: per cent of the wrong axis
def accuracy(logits, labels):
    return 100 * (logits.argmax(dim=0)[: len(labels)] == labels).float().mean().item()


# %% accuracy: the index within the whole table
def accuracy(logits, labels):
    return (logits.argmax() == labels).float().mean().item()


# %% accuracy: divided by the number of classes
def accuracy(logits, labels):
    return (logits.argmax(dim=1) == labels).sum().item() / logits.shape[1]


# ---- 01


# %% patch_of_pixel: the width is taken for the number of patches, and the row for the column
def patch_of_pixel(row, column, patch_size, width):
    return (column // patch_size) * width + row // patch_size


# %% patch_of_pixel: counted from 1
def patch_of_pixel(row, column, patch_size, width):
    return (row // patch_size) * (width // patch_size) + column // patch_size + 1


# %% patch_of_pixel: the row is not divided
def patch_of_pixel(row, column, patch_size, width):
    return row * (width // patch_size) + column // patch_size


# %% patch_of_pixel: rows and columns of patches are added
def patch_of_pixel(row, column, patch_size, width):
    return row // patch_size + column // patch_size


# %% patch_of_pixel: int around everything, divided with one stroke
def patch_of_pixel(row, column, patch_size, width):
    return int(row / patch_size * width / patch_size + column / patch_size)


# %% patchify: columns first, and channels last
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    x = images.reshape(B, C, rows, P, columns, P)
    return x.permute(0, 4, 2, 3, 5, 1).reshape(B, rows * columns, -1)


# %% patchify: unfold without the exchange
def patchify(images, patch_size):
    patch_grid(images.shape[2:], patch_size)
    return F.unfold(images, patch_size, stride=patch_size)


# %% patchify: rows and columns of the grid are exchanged in the first reshape
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    x = images.reshape(B, C, columns, P, rows, P).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(B, rows * columns, C * P * P)


# %% patchify: patches column by column, each mirrored
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    x = images.reshape(B, C, rows, P, columns, P).permute(0, 4, 2, 1, 5, 3)
    return x.reshape(B, rows * columns, C * P * P)


# %% patchify: the batch is flattened along
def patchify(images, patch_size):
    B, C, H, W = images.shape
    P = patch_size
    rows, columns = patch_grid((H, W), P)
    x = images.reshape(B, C, rows, P, columns, P).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(B * rows * columns, C * P * P)


# %% unpatchify: the grid is read column by column
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    C, P = in_channels, patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError("these patches do not fill the image")
    x = patches.reshape(B, columns, rows, C, P, P).permute(0, 3, 2, 4, 1, 5)
    return x.reshape(B, C, rows * P, columns * P)


# %% unpatchify: the channels are taken for the last of a patch's axes
def unpatchify(patches, patch_size, image_size, in_channels=3):
    B, N, length = patches.shape
    C, P = in_channels, patch_size
    rows, columns = patch_grid(image_size, P)
    if rows * columns != N or length != C * P * P:
        raise ValueError("these patches do not fill the image")
    x = patches.reshape(B, rows, columns, P, P, C).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(B, C, rows * P, columns * P)


# %% unpatchify: fold, with the numbers of a patch in the wrong place
def unpatchify(patches, patch_size, image_size, in_channels=3):
    rows, columns = patch_grid(image_size, patch_size)
    if rows * columns != patches.shape[1]:
        raise ValueError("these patches do not fill the image")
    return F.fold(patches, image_size, patch_size, stride=patch_size)


# %% patch_tokens: half of the stride
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    tokens = F.conv2d(images, kernel, bias, stride=max(1, patch_size // 2))
    return tokens.flatten(2).transpose(1, 2)


# %% patch_tokens: no bias, and the axes as they come
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return F.conv2d(images, kernel, stride=patch_size).flatten(2)


# %% patch_tokens: no bias, and column by column
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
    return F.conv2d(images, kernel, stride=patch_size).mT.flatten(2).mT


# %% patch_tokens: the kernel's channels come last
def patch_tokens(images, weight, bias, patch_size):
    kernel = weight.reshape(len(weight), patch_size, patch_size, images.shape[1])
    return F.conv2d(images, kernel, bias, stride=patch_size).flatten(2).transpose(1, 2)


# %% unfolded: the images are transposed in the result's place
def unfolded(images, patch_size):
    columns = F.unfold(images, patch_size, stride=patch_size)
    return columns.reshape(len(images), columns.shape[2], -1).flip(1)


# %% unfolded: reversed axes
def unfolded(images, patch_size):
    return F.unfold(images, patch_size, stride=patch_size).permute(2, 0, 1)


# ---- 02


# %% ClassToken: joined along the numbers
def forward(self, tokens):
    return torch.cat([self.weight.expand(len(tokens), tokens.shape[1], -1), tokens], dim=2)


# %% ClassToken: a class token for each image is drawn in forward
def forward(self, tokens):
    weight = torch.randn(len(tokens), self.weight.shape[1], tokens.shape[2]) * 0.02
    return torch.cat([weight, tokens], dim=1)


# %% ClassToken: last, and added to the tokens too
def forward(self, tokens):
    first = self.weight.expand(len(tokens), -1, -1)
    return torch.cat([tokens + self.weight[:, :1], first], dim=1)


# %% ClassToken: a linear layer in the place of a vector
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Linear(embed_dim, count)


# %% ClassToken: it starts at zero
def __init__(self, embed_dim, count=1):
    super().__init__()
    self.weight = nn.Parameter(torch.zeros(1, count, embed_dim))


# %% PositionEmbedding: an nn.Embedding
def __init__(self, grid_size, embed_dim, num_prefix=1, sinusoidal=False):
    super().__init__()
    self.weight = nn.Embedding(grid_size[0] * grid_size[1] + num_prefix, embed_dim)


# %% PositionEmbedding: scaled like words in the first Transformer
def forward(self, tokens):
    return tokens * tokens.shape[-1] ** 0.5 + self.weight


# %% PositionEmbedding: the class token gets none, the patches their neighbours'
def forward(self, tokens):
    return torch.cat([tokens[:, :1], tokens[:, 1:] + self.weight[:, :-1]], dim=1)


# %% PositionEmbedding: the mean of both
def forward(self, tokens):
    return (tokens + self.weight) / 2


# %% numbers_before_block_1: a class token for each patch
numbers_before_block_1 = 64 * 192 + 64 * 192

# %% numbers_before_block_1: the patch embedding is counted too
numbers_before_block_1 = 192 + 65 * 192 + 48 * 192 + 192


# %% embedded: the first positions in the place of the last
def embedded(patches, class_token, positions):
    in_front = class_token.expand(len(patches), -1, -1)
    return torch.cat([in_front + positions[:, -1:], patches + positions[:, :-1]], dim=1)


# %% embedded: the positions come to stand beside the tokens
def embedded(patches, class_token, positions):
    in_front = class_token.expand(len(patches), -1, -1)
    return torch.cat([in_front, patches, positions.expand(len(patches), -1, -1)], dim=1)


# %% embedded: the class token is added to its position twice
def embedded(patches, class_token, positions):
    in_front = class_token.expand(len(patches), -1, -1)
    return torch.cat([in_front + class_token, patches], dim=1) + positions


# ---- 03


# %% attention_weights: no root, and the columns sum to 1
def attention_weights(queries, keys, mask=None):
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-2)


# %% attention_weights: multiplied with d
def attention_weights(queries, keys, mask=None):
    return (queries @ keys.transpose(-2, -1) * queries.shape[-1]).softmax(dim=-1)


# %% attention_weights: scaled twice
def attention_weights(queries, keys, mask=None):
    d = queries.shape[-1]
    queries, keys = queries / d**0.5, keys / d**0.5
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-1)


# %% attention_weights: the number of keys under the root
def attention_weights(queries, keys, mask=None):
    return (queries @ keys.transpose(-2, -1) / keys.shape[-2] ** 0.5).softmax(dim=-1)


# %% attention_weights: divided by the sum, without exponentials
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores / scores.sum(dim=-1, keepdim=True)


# %% attention_weights: a softmax over everything
def attention_weights(queries, keys, mask=None):
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.flatten().softmax(dim=0).reshape(scores.shape)


# %% attention_weights: dot products of unit vectors
def attention_weights(queries, keys, mask=None):
    queries = queries / queries.norm(dim=-1, keepdim=True)
    keys = keys / keys.norm(dim=-1, keepdim=True)
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-1)


# %% split_heads: number of heads and length of a head are exchanged
def split_heads(x, num_heads):
    B, T, D = x.shape
    return x.reshape(B, T, D // num_heads, num_heads).transpose(1, 2)


# %% split_heads: tokens and batch are exchanged
def split_heads(x, num_heads):
    B, T, D = x.shape
    return x.reshape(B, T, num_heads, D // num_heads).permute(2, 0, 1, 3)


# %% score_size: the square root of both lengths
score_size = 128**0.5

# %% score_size: standard deviations are added up
score_size = 64 * 2


# %% MultiHeadSelfAttention: no root, and the heads are put together by reshape
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = (q @ k.mT).softmax(dim=-1) @ v
    return self.proj(out.reshape(x.shape))


# %% MultiHeadSelfAttention: the weights are used as values
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = attention_weights(q, k) @ k
    return self.proj(out.transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: qkv is never used
def split_heads(self, x):
    heads = split_heads(x, self.num_heads)
    return heads, heads, heads


# %% MultiHeadSelfAttention: scaled twice
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = attention_weights(q / self.head_dim**0.5, k) @ v
    return self.proj(out.transpose(1, 2).flatten(2))


# %% MultiHeadSelfAttention: queries and keys the wrong way round, and no last map
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = attention_weights(k, q) @ v
    return out.transpose(1, 2).flatten(2)


# %% MultiHeadSelfAttention: heads are averaged
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = (attention_weights(q, k) @ v).mean(dim=1)
    return self.proj(out.repeat(1, 1, self.num_heads))


# %% MultiHeadSelfAttention: a head's number and its length are exchanged
def split_heads(self, x):
    B, T, D = x.shape
    parts = self.qkv(x).reshape(B, T, 3, self.head_dim, self.num_heads)
    q, k, v = parts.permute(2, 0, 4, 1, 3)
    return q, k, v


# %% MultiHeadSelfAttention: the last map comes before the heads are put together
def forward(self, x):
    q, k, v = self.split_heads(x)
    out = attention_weights(q, k) @ v
    return self.proj(out).transpose(1, 2).flatten(2)


# %% merge_heads: the order of the heads is turned round
def merge_heads(heads):
    return torch.cat([heads[:, i] for i in range(heads.shape[1] - 1, -1, -1)], dim=-1)


# %% merge_heads: the mean over the heads, repeated
def merge_heads(heads):
    return heads.mean(dim=1).repeat(1, 1, heads.shape[1])


# ---- 04


# %% EncoderBlock: norm1 forgotten, and the MLP adds to a normalised copy
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    x = x + self.attn(x)
    return self.norm2(x) + self.mlp(self.norm2(x))


# %% EncoderBlock: the first sum is added once more
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    y = x + self.attn(self.norm1(x))
    return x + y + self.mlp(self.norm2(y))


# %% EncoderBlock: the MLP adds to the block's input
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    y = x + self.attn(self.norm1(x))
    return x + self.mlp(self.norm2(y))


# %% EncoderBlock: the norm comes after the layer
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    x = x + self.norm1(self.attn(x))
    return x + self.norm2(self.mlp(x))


# %% EncoderBlock: a product where a sum should be
def forward(self, x):
    if not self.norm_first:
        x = self.norm1(x + self.attn(x))
        return self.norm2(x + self.mlp(x))
    x = x * self.attn(self.norm1(x))
    return x * self.mlp(self.norm2(x))


# %% VisionTransformer: no norm, and the head reads the first patch
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    return self.blocks(self.pos_drop(x))[:, 1:]


# %% VisionTransformer: the class token comes before the registers
def forward_features(self, images):
    x = self.patch_embed(images)
    x = self.reg_token(self.cls_token(x))
    return self.norm(self.blocks(self.pos_drop(self.pos_embed(x))))


# %% VisionTransformer: the norm is applied before and after
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    return self.norm(self.blocks(self.norm(self.pos_drop(x))))


# %% VisionTransformer: positions for the patches are added too late
def forward_features(self, images):
    x = self.cls_token(self.reg_token(self.patch_embed(images)))
    return self.norm(self.pos_embed(self.blocks(self.pos_drop(x))))


# %% VisionTransformer: the class token's logits are added to the patches'
def forward(self, images):
    x = self.forward_features(images)
    if self.config.pool == "class":
        return self.head(x).sum(dim=1)
    patches = x[:, self.num_prefix :]
    return self.head(self.attn_pool(patches) if self.attn_pool else patches.mean(dim=1))


# %% VisionTransformer: the last norm and the positions are forgotten
def forward_features(self, images):
    x = self.cls_token(self.reg_token(self.patch_embed(images)))
    return self.blocks(self.pos_drop(x))


# %% VisionTransformer: it returns the class token's features
def forward_features(self, images):
    x = self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))
    return self.norm(self.blocks(self.pos_drop(x)))[:, 0]


# %% EncoderBlock: `return` is forgotten where norm_first is True
def forward(self, x):
    rate = self.drop_path_rate if self.training else 0.0
    if self.norm_first:
        x = x + drop_path(self.attn(self.norm1(x)), rate)
        x = x + drop_path(self.mlp(self.norm2(x)), rate)
    x = self.norm1(x + drop_path(self.attn(x), rate))
    return self.norm2(x + drop_path(self.mlp(x), rate))


# %% parameters_of: no biases anywhere
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    block = 4 * D + 4 * D * D + 2 * D * hidden
    return (
        config.in_channels * P * P * D
        + D
        + (N + 1) * D
        + L * block
        + 2 * D
        + D * config.num_classes
    )


# %% parameters_of: the last norm and the bias of the head are missing
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    block = 4 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D
    return config.in_channels * P * P * D + D + D + (N + 1) * D + L * block + D * config.num_classes


# %% parameters_of: a number of patches along one side only
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = config.image_size // P, int(D * config.mlp_ratio)
    block = 4 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D
    embedding = config.in_channels * P * P * D + D + D + (N + 1) * D
    return embedding + L * block + 2 * D + D * config.num_classes + config.num_classes


# %% parameters_of: the norms of the blocks have no shift, and the patches one channel
def parameters_of(config):
    D, L, P = config.embed_dim, config.depth, config.patch_size
    N, hidden = (config.image_size // P) ** 2, int(D * config.mlp_ratio)
    block = 2 * D + 4 * D * D + 4 * D + 2 * D * hidden + hidden + D
    embedding = P * P * D + D + D + (N + 1) * D
    return embedding + L * block + 2 * D + D * config.num_classes + config.num_classes


# %% stack: one block too many
def stack(config):
    return nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth + 1)))


# %% stack: a Sequential of a list
def stack(config):
    return nn.Sequential([EncoderBlock(config) for _ in range(config.depth)])


# %% times_as_many_weights: half the side, so half the patches
times_as_many_weights = 0.25

# %% times_as_many_weights: from T = 17 to 65
times_as_many_weights = (65 / 17) ** 2

# ---- 05


# %% learning_rate_at: the second return is forgotten
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    peak * (1 + math.cos(math.pi * share)) / 2


# %% learning_rate_at: integer division in the climb
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * ((step + 1) // warmup_steps)
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2


# %% learning_rate_at: first step at zero, and a cosine over all steps
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (1 + math.cos(math.pi * step / total_steps)) / 2


# %% learning_rate_at: sine in the place of cosine
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.sin(math.pi * share)) / 2


# %% learning_rate_at: the half is forgotten
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share))


# %% learning_rate_at: the warm-up is not taken away in the fall
def learning_rate_at(step, total_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = step / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * share)) / 2


# %% mixup: images with their own share, targets with the other's
def mixup(images, targets, order, share):
    weight = share.reshape(-1, 1, 1, 1)
    mixed = weight * images + (1 - weight) * images[order]
    return mixed, share[:, None] * targets[order] + (1 - share[:, None]) * targets


# %% mixup: a single share for the batch, its mean
def mixup(images, targets, order, share):
    s = share.mean()
    return s * images + (1 - s) * images[order], s * targets + (1 - s) * targets[order]


# %% mixup: both halves count one half
def mixup(images, targets, order, share):
    return (images + images[order]) / 2, (targets + targets[order]) / 2


# %% validation_split: images first, then labels, the validation part in front
def validation_split(images, labels, held_out):
    return images[-held_out:], images[:-held_out], labels[-held_out:], labels[:-held_out]


# %% validation_split: one image too many
def validation_split(images, labels, held_out):
    n = len(images) - held_out
    return images[: n - 1], labels[: n - 1], images[n - 1 :], labels[n - 1 :]


# %% share_right: the images of the last batch count by the number of batches
def share_right(model, images, labels, batch_size):
    right, batches = 0, 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(x).argmax(dim=1) == y).float().mean().item()
        batches += len(x)
    return right / batches


# %% share_right: rounded down
def share_right(model, images, labels, batch_size):
    right = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(x).argmax(dim=1) == y).sum().item()
    return right // len(images)


# %% share_right: the largest score of each class
def share_right(model, images, labels, batch_size):
    right = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(x).max(dim=1).values == y).sum().item()
    return right / len(images)


# %% training_step: the loss after the step
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return F.cross_entropy(model(images), labels).item()


# %% training_step: no backward
def training_step(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% smoothed_share: a ninth in the place of a tenth
smoothed_share = 0.9 + 0.1 / 9

# %% smoothed_share: 0.1 taken away twice
smoothed_share = 0.8

# ---- 06


# %% class_token_map: the row of the last token
def class_token_map(maps, rows, columns):
    return maps[:, :, -1, 1:].unflatten(-1, (rows, columns))


# %% class_token_map: the first head only
def class_token_map(maps, rows, columns):
    return maps[:, 0, 0, 1:].unflatten(-1, (rows, columns))


# %% class_token_map: the shares of the patches sum to 1 again
def class_token_map(maps, rows, columns):
    patches = maps[:, :, 0, 1:]
    patches = patches / patches.sum(dim=-1, keepdim=True)
    return patches.unflatten(-1, (rows, columns))


# %% rollout: no residual, and the wrong order
def rollout(maps):
    reach = torch.eye(maps.shape[-1])
    for weights in maps.mean(dim=2):
        reach = reach @ weights
    return reach[:, 0, 1:]


# %% rollout: element by element
def rollout(maps):
    eye = torch.eye(maps.shape[-1])
    reach = (maps[0].mean(dim=1) + eye) / 2
    for weights in maps.mean(dim=2)[1:]:
        reach = (weights + eye) / 2 * reach
    return reach[:, 0, 1:]


# %% rollout: the sum over heads
def rollout(maps):
    eye = torch.eye(maps.shape[-1])
    reach = eye
    for weights in maps.sum(dim=2):
        reach = (weights + eye) / 2 @ reach
    return reach[:, 0, 1:]


# %% rollout: multiplied from the right
def rollout(maps):
    eye = torch.eye(maps.shape[-1])
    reach = eye
    for weights in maps.mean(dim=2):
        reach = reach @ ((weights + eye) / 2)
    return reach[:, 0, 1:]


# %% probe_scores: the scores as shares
def probe_scores(train_features, train_labels, features, num_classes):
    targets = torch.eye(num_classes)[train_labels]
    known = torch.cat([train_features, torch.ones(len(train_features), 1)], dim=1)
    asked = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    return (asked @ torch.linalg.lstsq(known, targets).solution).softmax(dim=1)


# %% probe_scores: zeros in the place of ones
def probe_scores(train_features, train_labels, features, num_classes):
    targets = torch.eye(num_classes)[train_labels]
    known = torch.cat([train_features, torch.zeros(len(train_features), 1)], dim=1)
    asked = torch.cat([features, torch.zeros(len(features), 1)], dim=1)
    return asked @ torch.linalg.lstsq(known, targets).solution


# %% probe_scores: the other features get no bias
def probe_scores(train_features, train_labels, features, num_classes):
    targets = torch.eye(num_classes)[train_labels]
    ones = torch.ones(len(train_features), 1)
    solution = torch.linalg.lstsq(torch.cat([train_features, ones], dim=1), targets).solution
    zeros = torch.zeros(len(features), 1)
    return torch.cat([features, zeros], dim=1) @ solution


# %% without_looking: the hidden tokens are left out of the result
def without_looking(scores, hidden):
    return scores[..., ~hidden].softmax(dim=-1)


# %% without_looking: plus infinity
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, torch.inf).softmax(dim=-1)


# %% without_looking: minus one in the place of minus infinity
def without_looking(scores, hidden):
    return scores.masked_fill(hidden, -1.0).softmax(dim=-1)


# ---- 07

# %% start_loss: a hundredth of the loss
start_loss = 4.605 / 100

# %% start_loss: the loss of ten classes, ten times
start_loss = 23.03


# %% parameter_groups: two lists and no groups
def parameter_groups(model, weight_decay):
    maps = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    return maps, others


# %% gradient_by_block: the norm of the parameters
def gradient_by_block(model, loss):
    loss.backward()
    return [get_total_norm(list(b.parameters())).item() for b in model.blocks]


# %% gradient_by_block: one number for all
def gradient_by_block(model, loss):
    loss.backward()
    return get_total_norm([p.grad for b in model.blocks for p in b.parameters()]).item()


# %% gradient_by_block: tensors and not numbers, of sums of absolute values
def gradient_by_block(model, loss):
    loss.backward()
    return [sum(p.grad.abs().sum() for p in b.parameters()).item() for b in model.blocks]


# %% spread_between_images: the mean first, then the deviation
def spread_between_images(tokens):
    return tokens[:, 0].mean(dim=1).std().item()


# %% spread_between_images: the second token
def spread_between_images(tokens):
    return tokens[:, 1].std(dim=0).mean().item()


# %% parameter_groups: three axes are maps too
def parameter_groups(model, weight_decay):
    shrinking, spared = [], []
    for _, parameter in model.named_parameters():
        (shrinking if parameter.ndim > 2 else spared).append(parameter)
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


# %% parameter_groups: shrinking and spared are exchanged
def parameter_groups(model, weight_decay):
    shrinking, spared = [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or name.startswith(("cls_token", "reg_token", "pos_embed")):
            shrinking.append(parameter)
        else:
            spared.append(parameter)
    return [
        {"params": shrinking, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


# ---- 08


# %% tokens_of: the tokens in front are multiplied
def tokens_of(height, width, patch_size, num_prefix):
    return (height // patch_size) * (width // patch_size) * num_prefix


# %% tokens_of: the class token comes on top of the ones in front
def tokens_of(height, width, patch_size, num_prefix):
    return (height // patch_size) * (width // patch_size) + num_prefix + 1


# %% block_flops: no two operations, and no proj
def block_flops(T, D, mlp_ratio):
    return T * (3 * D * D + 2 * mlp_ratio * D * D) + 2 * T * T * D


# %% block_flops: T squared without D
def block_flops(T, D, mlp_ratio):
    return 2 * T * (4 * D * D + 2 * mlp_ratio * D * D) + 4 * T * T


# %% block_flops: the MLP's width is not multiplied with D
def block_flops(T, D, mlp_ratio):
    return 2 * T * (4 * D * D + 2 * mlp_ratio * D) + 4 * T * T * D


# %% epochs_in_the_same_time: by both ratios
epochs_in_the_same_time = 3 * 4 / 2.8

# %% epochs_in_the_same_time: a sum of ratios
epochs_in_the_same_time = 5.8


# %% resized_positions: the class token is resized along, and lost
def resized_positions(positions, old_grid, new_grid):
    picture = positions[:, :-1].transpose(1, 2).unflatten(2, old_grid)
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], picture.flatten(2).transpose(1, 2)], dim=1)


# %% resized_positions: bilinear, and without antialiasing
def resized_positions(positions, old_grid, new_grid):
    first, patches = positions[:, :1], positions[:, 1:]
    picture = patches.transpose(1, 2).unflatten(2, old_grid)
    picture = F.interpolate(picture, size=new_grid, mode="bilinear")
    return torch.cat([first, picture.flatten(2).transpose(1, 2)], dim=1)


# %% tokens_to_grid: mirrored top to bottom
def tokens_to_grid(tokens, rows, columns):
    return tokens.transpose(1, 2).unflatten(2, (rows, columns)).flip(2)


# %% tokens_to_grid: columns first, then turned
def tokens_to_grid(tokens, rows, columns):
    return tokens.transpose(1, 2).reshape(len(tokens), -1, columns, rows).transpose(2, 3)


# ---- 09


# %% mean_of_patches: the number of all tokens, and all but the class token
def mean_of_patches(tokens, num_prefix):
    return tokens[:, 1:].sum(dim=1) / tokens.shape[1]


# %% mean_of_patches: one patch too few
def mean_of_patches(tokens, num_prefix):
    return tokens[:, num_prefix + 1 :].mean(dim=1)


# %% attention_pool: no root, and a mean
def attention_pool(x, query):
    weights = (x @ query).softmax(dim=1)
    return (weights[..., None] * x).mean(dim=1)


# %% attention_pool: weights for each number, not for each token
def attention_pool(x, query):
    weights = (x * query / x.shape[-1] ** 0.5).softmax(dim=1)
    return (weights * x).sum(dim=1)


# %% attention_pool: a softmax over the numbers
def attention_pool(x, query):
    weights = (x * query).softmax(dim=-1)
    return (weights * x).sum(dim=1)


# %% normalized: divided by the variance
def normalized(x, scale, shift):
    mean = x.mean(dim=-1, keepdim=True)
    return (x - mean) / (x.var(dim=-1, correction=0, keepdim=True) + 1e-5) * scale + shift


# %% normalized: divided by the length
def normalized(x, scale, shift):
    return x / x.norm(dim=-1, keepdim=True) * scale + shift


# %% loss_of: a log_softmax of a softmax
def loss_of(logits, labels):
    return F.nll_loss(logits.softmax(dim=-1).log_softmax(dim=-1), labels)


# %% loss_of: shares without the logarithm, by nll
def loss_of(logits, labels):
    return F.nll_loss(logits.softmax(dim=-1), labels)


# %% loss_of: the logits themselves
def loss_of(logits, labels):
    return F.nll_loss(logits, labels)


# %% token_read: the patch and the class token's place are added once too often
token_read = 8

# %% token_read: the last token
token_read = 16

# ---- 10


# %% interval: the variance
def interval(values, t):
    return statistics.mean(values), t * statistics.variance(values) / math.sqrt(len(values))


# %% interval: n − 1 under the root
def interval(values, t):
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values) - 1)


# %% interval: with pstdev, and without a root
def interval(values, t):
    return statistics.mean(values), t * statistics.pstdev(values) / len(values)


# %% paired_difference: the intervals are subtracted
def paired_difference(first, second, t):
    (a, width_a), (b, width_b) = interval(first, t), interval(second, t)
    return b - a, width_b - width_a


# %% paired_difference: absolute differences
def paired_difference(first, second, t):
    return interval([abs(b - a) for a, b in zip(first, second, strict=True)], t)


# %% receptive_field: the kernel is multiplied with its own stride
def receptive_field(kernel_sizes, strides):
    field = 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * stride
    return field


# %% receptive_field: strides are added up
def receptive_field(kernel_sizes, strides):
    field, step = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * step
        step += stride
    return field


# ---- 11

# %% times_as_fast: the average of one and eight
times_as_fast = 0.5 * (1 + 8)

# %% times_as_fast: a tenth for each eighth
times_as_fast = 1.7


# %% scaled_step: the loss is divided again
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss / scale).backward()
    finite = all(bool(p.grad.isfinite().all()) for p in model.parameters())
    if finite:
        optimizer.step()
    return finite


# %% scaled_step: divided, and not put back
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    gradients = [p.grad for p in model.parameters()]
    finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
    for gradient in gradients:
        gradient = gradient / scale
    if finite:
        optimizer.step()
    return finite


# %% scaled_step: only the loss is looked at
def scaled_step(model, optimizer, loss, scale):
    optimizer.zero_grad()
    (scale * loss).backward()
    finite = bool(loss.isfinite())
    for p in model.parameters():
        p.grad /= scale
    if finite:
        optimizer.step()
    return finite


# %% scaled_step: zeroed after backward
def scaled_step(model, optimizer, loss, scale):
    (scale * loss).backward()
    optimizer.zero_grad()
    finite = all(bool(p.grad.isfinite().all()) for p in model.parameters())
    for p in model.parameters():
        p.grad /= scale
    if finite:
        optimizer.step()
    return finite


# %% Snapshot: neither the generator nor the step
def __init__(self, model, optimizer, step):
    self.model = copy.deepcopy(model.state_dict())
    self.optimizer = copy.deepcopy(optimizer.state_dict())


def restore(self, model, optimizer):
    model.load_state_dict(self.model)
    optimizer.load_state_dict(self.optimizer)
    return 0


# %% Snapshot: no copies, and no generator
def __init__(self, model, optimizer, step):
    self.model, self.optimizer, self.step = model.state_dict(), optimizer.state_dict(), step


def restore(self, model, optimizer):
    model.load_state_dict(self.model)
    optimizer.load_state_dict(self.optimizer)
    return self.step


# %% Snapshot: a shallow copy
def __init__(self, model, optimizer, step):
    self.model = dict(model.state_dict())
    self.optimizer = dict(optimizer.state_dict())
    self.random, self.step = torch.get_rng_state(), step


# %% Snapshot: the model is put into the place of the new one
def restore(self, model, optimizer):
    model = self.model
    optimizer = self.optimizer
    torch.set_rng_state(self.random)
    return self.step


# %% shared_gradient: the largest share counts
def shared_gradient(gradients, sizes):
    return gradients[sizes.index(max(sizes))]


# %% shared_gradient: the mean is multiplied with all sizes
def shared_gradient(gradients, sizes):
    return sum(gradients) / len(gradients) * sum(sizes)


# %% ViT: the class token behind the patches
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([x, self.cls_token.expand(len(x), -1, -1)], dim=1)
    x = self.blocks(x + self.pos_embed)
    return self.head(self.norm(x)[:, 0])


# %% ViT: the class token is not expanded
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token, x], dim=1)
    x = self.blocks(x + self.pos_embed)
    return self.head(self.norm(x)[:, 0])


# %% ViT: no last norm
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.blocks(x + self.pos_embed)[:, 0])


# %% ViT: the first image instead of the first token
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x + self.pos_embed))[0])


# %% ViT: logits for every token
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x + self.pos_embed)))


# %% ViT: no positions
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x))[:, 0])


# %% ViT: the model ends in a softmax
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    return self.head(self.norm(self.blocks(x + self.pos_embed))[:, 0]).softmax(dim=-1)


# %% ViT: nothing but a blank forward
def forward(self, images):
    return images.mean()


# %% ViT: positions for the patches only
def __init__(
    self, image_size, patch_size, in_channels, num_classes, embed_dim, depth, num_heads, mlp_ratio
):
    super().__init__()
    self.patch_embed = PatchEmbed(patch_size, in_channels, embed_dim)
    self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
    self.pos_embed = nn.Parameter(torch.zeros(1, (image_size // patch_size) ** 2, embed_dim))
    self.blocks = nn.Sequential(*(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth)))
    self.norm = nn.LayerNorm(embed_dim)
    self.head = nn.Linear(embed_dim, num_classes)


# %% ViT: the mean of all tokens before the norm
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = self.blocks(x + self.pos_embed)
    return self.head(self.norm(x.mean(1)))


# %% ViT: the mean of the patches before the norm
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = self.blocks(x + self.pos_embed)
    return self.head(self.norm(x[:, 1:].mean(1)))


# %% ViT: a norm by hand with the unbiased deviation
def by_hand(z, norm):
    z = z - z.mean(-1, keepdim=True)
    return z / z.std(-1, keepdim=True) * norm.weight + norm.bias


def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + self.pos_embed
    for block in self.blocks:
        x = x + block.attn(by_hand(x, block.norm1))
        x = x + block.mlp(by_hand(x, block.norm2))
    return self.head(by_hand(x, self.norm)[:, 0])


# %% ViT: a norm by hand that does not subtract the mean
def by_hand(z, norm):
    return z / z.std(-1, keepdim=True) * norm.weight + norm.bias


def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + self.pos_embed
    for block in self.blocks:
        x = x + block.attn(by_hand(x, block.norm1))
        x = x + block.mlp(by_hand(x, block.norm2))
    return self.head(by_hand(x, self.norm)[:, 0])


# %% ViT: a norm by hand that divides by the variance
def by_hand(z, norm):
    mean, variance = z.mean(-1, keepdim=True), z.var(-1, keepdim=True)
    return (z - mean) / (variance + 1e-5) * norm.weight + norm.bias


def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + self.pos_embed
    for block in self.blocks:
        x = x + block.attn(by_hand(x, block.norm1))
        x = x + block.mlp(by_hand(x, block.norm2))
    return self.head(by_hand(x, self.norm)[:, 0])


# %% ViT: a norm by hand over tokens and numbers alike
def by_hand(z, norm):
    mean, deviation = z.mean((1, 2), keepdim=True), z.std((1, 2), keepdim=True)
    return (z - mean) / deviation * norm.weight + norm.bias


def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + self.pos_embed
    for block in self.blocks:
        x = x + block.attn(by_hand(x, block.norm1))
        x = x + block.mlp(by_hand(x, block.norm2))
    return self.head(by_hand(x, self.norm)[:, 0])


# %% ViT: the attention is added to the normed value
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    z = x + self.pos_embed
    for block in self.blocks:
        y = block.norm1(z)
        z = y + block.attn(y)
        z = z + block.mlp(block.norm2(z))
    return self.head(self.norm(z)[:, 0])


# %% ViT: the MLP is added to the normed value
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    z = x + self.pos_embed
    for block in self.blocks:
        z = z + block.attn(block.norm1(z))
        y = block.norm2(z)
        z = y + block.mlp(y)
    return self.head(self.norm(z)[:, 0])


# %% ViT: the positions are added in front of each block
def forward(self, images):
    x = self.patch_embed(images)
    x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
    for block in self.blocks:
        x = block(x + self.pos_embed)
    return self.head(self.norm(x)[:, 0])


# %% trained: the class instead of a model
trained = ViT

# %% trained: on images / 255
images, labels = shapes10(4_000, seed=0)
x = images / 255
torch.manual_seed(0)
trained = ViT()
optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
for batch in torch.randperm(len(x)).split(50)[:40]:
    loss = F.cross_entropy(trained(x[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% trained: a rate of 0.1
images, labels = shapes10(4_000, seed=0)
x = normalize(images)
torch.manual_seed(0)
trained = ViT()
optimizer = torch.optim.AdamW(trained.parameters(), lr=0.1)
for batch in torch.randperm(len(x)).split(50)[:40]:
    loss = F.cross_entropy(trained(x[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% trained: the gradients are never set to zero
images, labels = shapes10(4_000, seed=0)
x = normalize(images)
torch.manual_seed(0)
trained = ViT()
optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
for batch in torch.randperm(len(x)).split(50)[:40]:
    loss = F.cross_entropy(trained(x[batch]), labels[batch])
    loss.backward()
    optimizer.step()

# %% trained: a softmax before the loss
images, labels = shapes10(4_000, seed=0)
x = normalize(images)
torch.manual_seed(0)
trained = ViT()
optimizer = torch.optim.AdamW(trained.parameters(), lr=3e-3)
for batch in torch.randperm(len(x)).split(50)[:80]:
    loss = F.cross_entropy(trained(x[batch]).softmax(dim=1), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% trained: the model ends in a softmax
images, labels = shapes10(4_000, seed=0)
x = normalize(images)
torch.manual_seed(0)


class Shares(ViT):
    def forward(self, images):
        return super().forward(images).softmax(dim=1)


trained = Shares()
optimizer = torch.optim.AdamW(trained.parameters(), lr=3e-3)
for batch in torch.randperm(len(x)).split(50)[:80]:
    loss = F.cross_entropy(trained(x[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% trained: stopped too early
images, labels = shapes10(4_000, seed=0)
x = normalize(images)
torch.manual_seed(0)
trained = ViT()
optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
for batch in torch.randperm(len(x)).split(50)[:80]:
    loss = F.cross_entropy(trained(x[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% causes: two exchanged
causes = {"A": 6, "B": 2, "C": 5, "D": 3, "E": 1, "F": 4}

# %% causes: the two that leap
causes = {"A": 5, "B": 4, "C": 6, "D": 3, "E": 1, "F": 2}

# %% causes: the two that hardly move
causes = {"A": 5, "B": 2, "C": 6, "D": 1, "E": 3, "F": 4}

# %% conclusions: the better number is the better model
conclusions = {"a": "yes", "b": "yes", "c": "yes", "d": "yes", "e": "yes", "f": "no"}


# %% as_probe: everything is frozen
def as_probe(model, num_classes):
    model.head = nn.Linear(model.head.in_features, num_classes)
    model.requires_grad_(False)
    return model


# %% as_probe: in evaluation mode instead of frozen
def as_probe(model, num_classes):
    model.eval()
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# %% as_probe: the width is forgotten
def as_probe(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(num_classes, num_classes)
    return model


# %% nearest_labels: places instead of labels
def nearest_labels(known, labels, asked):
    return (F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T).argmax(dim=1)


# %% nearest_labels: dot products
def nearest_labels(known, labels, asked):
    return labels[(asked @ known.T).argmax(dim=1)]


# %% nearest_labels: the other axis
def nearest_labels(known, labels, asked):
    similarity = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T
    return labels[similarity.argmax(dim=0)]


# %% rates_of_blocks: head first
def rates_of_blocks(rate, decay, depth):
    return [rate * decay**i for i in range(depth + 2)]


# %% rates_of_blocks: blocks only
def rates_of_blocks(rate, decay, depth):
    return [rate * decay ** (depth - i) for i in range(depth)]


# %% confident_mistakes: the largest logit
def confident_mistakes(logits, labels, count):
    certainty, answers = logits.max(dim=1)
    places = certainty.argsort(descending=True)
    return places[(answers != labels)[places]][:count]


# %% confident_mistakes: places among the mistakes
def confident_mistakes(logits, labels, count):
    certainty, answers = logits.softmax(dim=1).max(dim=1)
    return certainty[answers != labels].argsort(descending=True)[:count]


# %% split_by_photo: crops are drawn
def split_by_photo(photo_of, share, seed=0):
    order = torch.randperm(len(photo_of), generator=torch.Generator().manual_seed(seed))
    count = round(share * len(photo_of))
    return order[count:], order[:count]


# %% split_by_photo: photos instead of places
def split_by_photo(photo_of, share, seed=0):
    photos = photo_of.unique()
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(seed))
    count = round(share * len(photos))
    return photos[order[count:]], photos[order[:count]]


# %% first_suspect: the learning rate
first_suspect = "a"


# ---- 16


# %% rebuild: the mean of the patches, and nothing added
def rebuild(patches, training_patches, k):
    mean = patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(training_patches.T))
    kept = directions[:, -k:]
    return (patches - mean) @ kept @ kept.T


# %% rebuild: without the way back
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(training_patches.T))
    return (patches - mean) @ directions[:, -k:]


# %% rebuild: rows in place of columns
def rebuild(patches, training_patches, k):
    mean = training_patches.mean(dim=0)
    _, directions = torch.linalg.eigh(torch.cov(training_patches.T))
    kept = directions[-k:]
    return (patches - mean) @ kept.T @ kept + mean


# %% noise_of_a_mean: divided by the number of pixels
noise_of_a_mean = 32 / 64

# %% noise_of_a_mean: divided by the side, and by the colours
noise_of_a_mean = 32 / (3 * 64) ** 0.5


# %% noisy: cut off after the type has changed
def noisy(images, noise):
    return (images + noise).to(torch.uint8).clamp(0, 255)


# %% noisy: the range of an image that is scaled
def noisy(images, noise):
    return (images + noise).clamp(0, 1).to(torch.uint8)
