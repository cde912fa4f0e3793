"""For the six core pieces: small changes to the right solution, each of which makes it wrong, and
right solutions that are written otherwise. Bodies of functions in the latter are given in full.
"""

from itertools import permutations

RIGHT_ORDER = (0, 2, 4, 1, 3, 5)
PERMUTE = "patches.permute(0, 2, 4, 1, 3, 5)"

# What is changed, and into what. A pair may be applied to a cell once.
MUTANTS = {
    "patchify": [
        *(
            (PERMUTE, f"patches.permute(0, {', '.join(map(str, order))})")
            for order in permutations(RIGHT_ORDER[1:])
            if order != RIGHT_ORDER[1:]
        ),
        ("B, C, rows, P, columns, P)  #", "B, C, P, rows, P, columns)  #"),
        ("B, C, rows, P, columns, P)  #", "B, C, rows, P, P, columns)  #"),
        ("B, C, rows, P, columns, P)  #", "B, C, columns, P, rows, P)  #"),
        ("rows * columns, C * P * P)", "rows * columns, C, P * P)"),
        ("rows * columns, C * P * P)", "C * P * P, rows * columns)"),
        ("rows * columns, C * P * P)", "rows + columns, -1)"),
        ("patches = images.", "patches = images.flip(2)."),
        ("patches = images.", "patches = images.flip(3)."),
        ("patches = images.", "patches = images.flip(1)."),
        ("patches = images.", "patches = -images."),
        ("patches = images.", "patches = images.float()."),
        ("patches = images.", "patches = images[:1]."),
    ],
    "ClassToken": [
        ("torch.randn(1, count,", "torch.randn(2, count,"),
        ("torch.randn(1, count,", "torch.randn(count, 1,"),
        ("torch.randn(1, count,", "torch.randn(1, 1,"),
        ("count, embed_dim) *", "count + 1, embed_dim) *"),
        ("count, embed_dim) *", "embed_dim, count) *"),
        ("nn.Parameter(", "("),
        ("* 0.02", "* 2"),
        ("self.weight.expand(", "-self.weight.expand("),
        ("self.weight.expand(", "(2 * self.weight).expand("),
        ("self.weight.expand(", "self.weight.detach().expand("),
        ("self.weight.expand(", "self.weight.flip(1).expand("),
        (
            "self.weight.expand(B, -1, -1), tokens",
            "tokens, self.weight.expand(B, -1, -1)",
        ),
        ("-1, -1), tokens]", "-1, -1), tokens[:, 1:]]"),
        ("-1, -1), tokens]", "-1, -1), tokens.flip(1)]"),
        ("dim=1)", "dim=-1)"),
        ("dim=1)", "dim=0)"),
    ],
    "PositionEmbedding": [
        ("num_prefix + grid_size", "grid_size"),
        ("num_prefix + grid_size", "1 + grid_size"),
        ("num_prefix + grid_size", "num_prefix * grid_size"),
        ("grid_size[0] * grid_size[1]", "grid_size[0] * grid_size[0]"),
        ("grid_size[0] * grid_size[1]", "(grid_size[0] + grid_size[1])"),
        ("torch.randn(1, num_tokens, embed_dim)", "torch.randn(num_tokens, embed_dim)"),
        ("torch.randn(1, num_tokens, embed_dim)", "torch.randn(1, embed_dim, num_tokens)"),
        ("nn.Parameter(torch", "(torch"),
        ("tokens + self.weight", "tokens - self.weight"),
        ("tokens + self.weight", "tokens * self.weight"),
        ("tokens + self.weight", "tokens + self.weight.flip(1)"),
        ("tokens + self.weight", "tokens + self.weight[:, :1]"),
        ("tokens + self.weight", "tokens + self.weight.detach()"),
        ("tokens + self.weight", "tokens + 2 * self.weight"),
        ("tokens + self.weight", "self.weight"),
        ("tokens + self.weight", "tokens"),
    ],
    "attention_weights": [
        ("softmax(dim=-1)", "softmax(dim=-2)"),
        ("softmax(dim=-1)", "softmax(dim=0)"),
        ("softmax(dim=-1)", "sigmoid()"),
        ("softmax(dim=-1)", "log_softmax(dim=-1)"),
        (".softmax(dim=-1)", ""),
        ("** 0.5", ""),
        ("** 0.5", "** -0.5"),
        ("** 0.5", "** 0.25"),
        (" / queries.shape[-1] ** 0.5", ""),
        ("queries.shape[-1]", "queries.shape[-2]"),
        ("queries.shape[-1]", "keys.shape[-2]"),
        ("queries.shape[-1]", "queries.shape[0]"),
        ("queries @", "-queries @"),
        ("queries @ keys", "keys @ queries"),
        ("queries @ keys", "queries @ queries"),
        ("queries @ keys", "keys @ keys"),
        ("queries @ keys", "queries.detach() @ keys"),
        ("masked_fill(~mask", "masked_fill(mask"),
        ("masked_fill(~mask", "masked_fill(~mask.mT"),
        ("-torch.inf", "torch.inf"),
        ("-torch.inf", "0.0"),
        ("-torch.inf", "-1.0"),
    ],
    "MultiHeadSelfAttention": [
        ("B, T, self.num_heads, self.head_dim", "B, self.num_heads, T, self.head_dim"),
        ("B, T, self.num_heads, self.head_dim", "B, T, self.head_dim, self.num_heads"),
        ("reshape(heads).transpose(1, 2)", "reshape(heads)"),
        ("attend(queries,", "attend(queries * self.head_dim**0.5,"),
        ("attend(queries,", "attend(queries / self.head_dim**0.5,"),
        ("attend(queries,", "attend(queries * (self.head_dim / self.qkv.in_features) ** 0.5,"),
        ("self.mask, drop_rate", "torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()"),
        ("attend(queries, keys, values", "attend(keys, queries, values"),
        ("attend(queries, keys, values", "attend(queries, values, keys"),
        ("attend(queries, keys, values", "attend(queries, queries, values"),
        ("attend(queries, keys, values", "attend(queries, keys, queries"),
        ("attend(queries, keys, values", "attend(-queries, keys, values"),
        ("out.transpose(1, 2).flatten(2)", "out.reshape(x.shape)"),
        ("out.transpose(1, 2).flatten(2)", "out.permute(0, 2, 3, 1).flatten(2)"),
        ("out.transpose(1, 2).flatten(2)", "out.flip(1).transpose(1, 2).flatten(2)"),
        ("self.proj_drop(self.proj(out))", "out"),
        ("self.proj_drop(self.proj(out))", "self.proj(self.proj(out))"),
        ("self.proj_drop(self.proj(out))", "x + self.proj(out)"),
        ("self.proj_drop(self.proj(out))", "out @ self.proj.weight.T"),
        ("self.proj_drop(self.proj(out))", "self.proj(out.detach())"),
    ],
    "EncoderBlock": [
        (
            "x + drop_path(self.attn(self.norm1(x)), rate)",
            "drop_path(self.attn(self.norm1(x)), rate)",
        ),
        (
            "x + drop_path(self.mlp(self.norm2(x)), rate)",
            "drop_path(self.mlp(self.norm2(x)), rate)",
        ),
        ("x + drop_path(self.attn(", "x - drop_path(self.attn("),
        (
            "x + drop_path(self.mlp(self.norm2(x)), rate)  #",
            "x - drop_path(self.mlp(self.norm2(x)), rate)  #",
        ),
        ("x + drop_path(self.attn(", "self.norm1(x) + drop_path(self.attn("),
        ("x + drop_path(self.attn(", "x + 2 * drop_path(self.attn("),
        ("self.attn(self.norm1(x))", "self.attn(x)"),
        ("self.attn(self.norm1(x))", "self.attn(self.norm2(x))"),
        ("self.attn(self.norm1(x))", "self.norm1(self.attn(x))"),
        ("self.attn(self.norm1(x))", "self.mlp(self.norm1(x))"),
        ("self.attn(self.norm1(x))", "self.attn(self.norm1(x).detach())"),
        ("self.mlp(self.norm2(x))", "self.mlp(x)"),
        ("self.mlp(self.norm2(x))", "self.mlp(self.norm1(x))"),
        ("self.mlp(self.norm2(x))", "self.attn(self.norm2(x))"),
        ("self.mlp(self.norm2(x))", "self.norm2(self.mlp(x))"),
        ("x = x + drop_path(self.attn(", "y = x + drop_path(self.attn("),
    ],
    "VisionTransformer": [
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.blocks(self.pos_drop(x))"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.blocks(self.norm(x))"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.norm(self.blocks(self.norm(x)))"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.norm(self.blocks(self.blocks(x)))"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.norm(self.blocks[:-1](x))"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.norm(x)"),
        ("self.norm(self.blocks(self.pos_drop(x)))", "self.norm(self.blocks(x.detach()))"),
        ("self.pos_embed(self.cls_token(self.reg_token(", "(self.cls_token(self.reg_token("),
        ("self.cls_token(self.reg_token(", "self.reg_token(self.cls_token("),
        ("self.head(x[:, 0])", "self.head(x[:, 1])"),
        ("self.head(x[:, 0])", "self.head(x[:, -1])"),
        ("self.head(x[:, 0])", "self.head(x[0])"),
        ("self.head(x[:, 0])", "self.head(x.mean(dim=1))"),
        ("self.head(x[:, 0])", "-self.head(x[:, 0])"),
        ("x[:, self.num_prefix :]", "x"),
        ("x[:, self.num_prefix :]", "x[:, self.num_prefix + 1 :]"),
        ("x[:, self.num_prefix :]", "x[:, 1:]"),
        ("patches.mean(dim=1)", "patches.sum(dim=1)"),
        ("patches.mean(dim=1)", "patches.amax(dim=1)"),
        ("patches.mean(dim=1)", "patches[:, 0]"),
        ("self.attn_pool(patches) if self.attn_pool else ", ""),
    ],
}

# The body of the last blank, in other words.
ALTERNATIVES = {
    "patchify": [
        """
        return nn_functional.unfold(images.double(), P, stride=P).mT.to(images.dtype)
        """,
        """
        windows = images.unfold(2, P, P).unfold(3, P, P)  # (B, C, H/P, W/P, P, P)
        return windows.permute(0, 2, 3, 1, 4, 5).reshape(B, rows * columns, C * P * P)
        """,
        """
        split = images.reshape(B, C, rows, P, columns, P)
        return torch.einsum('bcrpsq->brscpq', split).reshape(B, rows * columns, -1)
        """,
        """
        corners = [(r, c) for r in range(0, H, P) for c in range(0, W, P)]
        cut = [images[:, :, r : r + P, c : c + P].flatten(1) for r, c in corners]
        return torch.stack(cut, dim=1)
        """,
        """
        eye = torch.eye(C * P * P).reshape(-1, C, P, P).double()
        out = nn_functional.conv2d(images.double(), eye, stride=P)
        return out.flatten(2).transpose(1, 2).to(images.dtype)
        """,
    ],
    "ClassToken": [
        """
        return torch.cat([self.weight.repeat(len(tokens), 1, 1), tokens], dim=1)
        """,
        """
        return torch.cat([self.weight + torch.zeros(len(tokens), 1, 1), tokens], dim=1)
        """,
        """
        return torch.stack([torch.cat([self.weight[0], image]) for image in tokens])
        """,
    ],
    "PositionEmbedding": [
        """
        return self.weight + tokens
        """,
        """
        return torch.add(tokens, self.weight.expand_as(tokens))
        """,
        """
        return torch.stack([image + self.weight[0] for image in tokens])
        """,
    ],
    "attention_weights": [
        """
        return torch.softmax((queries / queries.shape[-1] ** 0.5) @ keys.mT, dim=-1)
        """,
        """
        s = torch.einsum('...qd,...kd->...qk', queries, keys) / math.sqrt(queries.size(-1))
        return s.softmax(-1)
        """,
        """
        s = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
        e = (s - s.amax(dim=-1, keepdim=True)).exp()
        return e / e.sum(-1, keepdim=True)
        """,
        """
        values = torch.eye(keys.shape[-2], dtype=keys.dtype)
        values = values.expand(*keys.shape[:-2], -1, -1)
        return nn_functional.scaled_dot_product_attention(queries, keys, values)
        """,
        """
        s = queries @ keys.mT / math.sqrt(queries.size(-1))
        if mask is not None:
            s = torch.where(mask, s, float('-inf'))
        return torch.softmax(s, -1)
        """,
    ],
    "MultiHeadSelfAttention": [
        """
        q, k, v = self.split_heads(x)
        w = torch.einsum('bhqd,bhkd->bhqk', q, k) / self.head_dim**0.5
        out = torch.einsum('bhqk,bhkd->bqhd', w.softmax(-1), v)
        return self.proj(out.reshape(x.shape))
        """,
        """
        q, k, v = self.split_heads(x)
        out = nn_functional.scaled_dot_product_attention(q, k, v)
        return self.proj(out.permute(0, 2, 1, 3).reshape(*x.shape))
        """,
        """
        q, k, v = self.split_heads(x)
        heads = [attention_weights(q[:, i], k[:, i]) @ v[:, i] for i in range(q.shape[1])]
        return self.proj(torch.cat(heads, dim=-1))
        """,
        """
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        out = (q @ k.mT / self.head_dim**0.5).softmax(-1) @ v
        return self.proj(out.transpose(1, 2).flatten(2))
        """,
    ],
    "EncoderBlock": [
        """
        x = self.attn(self.norm1(x)) + x
        return self.mlp(self.norm2(x)) + x
        """,
        """
        y = torch.add(x, self.attn(self.norm1(x)))
        return torch.add(y, self.mlp(self.norm2(y)))
        """,
        """
        for norm, layer in ((self.norm1, self.attn), (self.norm2, self.mlp)):
            x = x + layer(norm(x))
        return x
        """,
    ],
    "VisionTransformer": [
        """
        x = self.forward_features(images)
        if self.config.pool == 'class':
            return self.head(x)[:, 0]
        patches = x[:, self.num_prefix :]
        if self.config.pool == 'mean':
            return self.head(patches).mean(dim=1)
        return self.head(self.attn_pool(patches))
        """,
        """
        x = self.forward_features(images)
        if self.config.pool == 'class':
            x = x.select(1, 0)
        elif self.attn_pool is not None:
            x = self.attn_pool(x[:, self.num_prefix :])
        else:
            x = x[:, self.num_prefix :].sum(1) / (x.shape[1] - self.num_prefix)
        return self.head(x)
        """,
        """
        x = self.forward_features(images)
        read = {
            'class': lambda: x[:, 0],
            'mean': lambda: torch.einsum('btd->bd', x[:, self.num_prefix :])
            / x[:, self.num_prefix :].shape[1],
            'attention': lambda: self.attn_pool(x[:, self.num_prefix :]),
        }
        return nn_functional.linear(
            read[self.config.pool](), self.head.weight, self.head.bias
        )
        """,
    ],
}
