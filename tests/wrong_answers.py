"""Wrong answers to the exercises, as readers write them: what is changed in the solution, and into
what; and some words of the diagnosis that this mistake, and no other of the exercise, must get.
"""

PATCHIFY = "patches.permute(0, 2, 4, 1, 3, 5)"
BACK = "images.permute(0, 3, 1, 4, 2, 5)"
CONV = "F.conv2d(images, kernel, bias, stride=patch_size)"
NEW_CLASS_TOKEN = "torch.randn(1, count, embed_dim) * 0.02"
POSITIONS = "torch.randn(1, num_tokens, embed_dim) * 0.02"
SCORES = "queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5"
HEADS = "x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2)"
SPLIT = "reshape(heads).transpose(1, 2)"
ATTEND = "attend(queries, keys, values, self.mask, drop_rate)"
EQ_2 = "x + drop_path(self.attn(self.norm1(x)), rate)"
EQ_3 = "x + drop_path(self.mlp(self.norm2(x)), rate)"
EQ_1 = "self.pos_embed(self.cls_token(self.reg_token(self.patch_embed(images))))"
ENCODER = "self.norm(self.blocks(self.pos_drop(x)))"
STACK = "nn.Sequential(*(EncoderBlock(config) for _ in range(config.depth)))"
RETURN_COPIES = """from copy import deepcopy
    block = EncoderBlock(config)
    return nn.Sequential(*(deepcopy(block) for _ in range(config.depth)))"""

COSINE = "peak * (1 + math.cos(math.pi * share)) / 2"
MIXED = "share[:, None] * targets + (1 - share[:, None]) * targets[order]"
NORM = "get_total_norm([p.grad for p in block.parameters()]).item()"
LAYER_NORM = "F.layer_norm(x, x.shape[-1:], scale, shift)"


def answers(solution, *wrong):
    """Values in the place of the solution's, each with some words of its diagnosis."""
    return [(solution, value, words) for value, words in wrong]


WRONG = {
    # ---- 00
    "sequence_length": answers(
        "(32 // 8) ** 2 + 1",
        ("16", "one token more"),
        ("32 // 8 + 1", "both sides"),
        ("65", "at P = 4"),
        ("32 * 32 + 1", "each pixel"),
        ("18", "not it"),
        ("'seventeen'", "expected a number"),
    ),
    "guessing_loss": answers(
        "-torch.tensor(1 / 10).log().item()",
        ("torch.tensor(1 / 10).log().item()", "the sign"),
        ("-torch.tensor(1 / 10).log10()", "base 10"),
        ("0.1", "the share that it gives"),
        ("3.32", "base 2"),
    ),
    "accuracy": [
        ("argmax(dim=1)", "argmax(dim=0)[: len(labels)]", "wrong axis"),
        (".mean().item()", ".sum().item()", "the number of images"),
        (".mean().item()", ".mean()", ".item()"),
        (".item()", ".item() * 100", "per cent"),
        ("==", "!=", "*wrong* images"),
        ("return ", "", "returns nothing"),
    ],
    "learning_rate": answers(
        "2e-3",
        ("1e-5", "too small"),
        ("0.5", "too large"),  # the cell has tried this rate already
        ("0", "positive"),
        ("5", "stay below 1"),
    ),
    # ---- 01
    "patch_of_pixel": answers(
        "(row // patch_size) * (width // patch_size) + column // patch_size",
        ("(column // patch_size) * (width // patch_size) + row // patch_size", "column by column"),
        ("(row // patch_size) * width + column // patch_size", "not W"),
        ("(row // patch_size) * patch_size + column // patch_size", "not P"),
        ("(row % patch_size) * (width // patch_size) + column % patch_size", "within the patch"),
        ("(row / patch_size) * (width / patch_size) + column / patch_size", "fraction"),
    ),
    "patchify": [
        (PATCHIFY, "patches.permute(0, 4, 2, 1, 3, 5)", "column by column"),
        (PATCHIFY, "patches.permute(0, 2, 4, 3, 5, 1)", "channels come last"),
        (PATCHIFY, "patches.permute(0, 2, 4, 1, 5, 3)", "mirrored along its diagonal"),
        (PATCHIFY, "patches", "no number was moved"),
        (PATCHIFY, "patches.permute(0, 3, 5, 1, 2, 4)", "grid and pixels are exchanged"),
        (PATCHIFY, "patches.permute(0, 1, 2, 4, 3, 5)", "channels come first"),
        ("return patches.reshape(", "return patches.view(", "`reshape` copies if it must"),
        ("rows * columns, C * P * P)", "rows, columns, C * P * P)", "the grid is kept"),
        ("patches = images.reshape", "patches = images.float().reshape", "torch.float32, expected"),
        ("patches = images", "images *= 2\n    patches = images", "in place"),
        ("patch_grid((H, W), P)", "H // P, W // P", "Leave the line with patch_grid"),
    ],
    "unpatchify": [
        (BACK, "images", "nothing was moved"),
        (BACK, "images.permute(0, 3, 2, 4, 1, 5)", "the image's diagonal"),
        (BACK, "images.permute(0, 3, 1, 5, 2, 4)", "its own diagonal"),
        (BACK, "images.permute(0, 3, 4, 1, 5, 2)", "the grid comes first"),
        (BACK, "images.permute(0, 2, 4, 1, 3, 5)", "patchify's permute once more"),
        ("if rows * columns != N or", "if False and", "Leave the two lines that raise"),
    ],
    "patch_tokens": [
        (
            "images.shape[1], patch_size, patch_size)",
            "patch_size, patch_size, images.shape[1]).permute(0, 3, 1, 2)",
            "runs over (C, P, P)",
        ),
        ("patch_size, patch_size)\n", "patch_size, patch_size).mT\n", "no transpose is needed"),
        (CONV, "F.conv2d(images, kernel, stride=patch_size)", "bias is missing"),
        (CONV, "F.conv2d(images, kernel, bias)", "windows overlap"),
        (".flatten(2).transpose(1, 2)", ".flatten(2)", "(B, D, N)"),
        (".flatten(2).transpose(1, 2)", "", "the grid is kept"),
        (
            ".flatten(2).transpose(1, 2)",
            ".reshape(len(images), -1, len(weight))",
            "by transpose, not by reshape",
        ),
    ],
    "unfolded": [
        ("columns.transpose(1, 2)", "columns", "still stand in columns"),
        (", stride=patch_size)", ")", "without a stride"),
        ("columns.transpose(1, 2)", "columns.transpose(0, 1)", "moves the batch"),
        ("F.unfold(images,", "F.unfold(images.mT,", "transposes the images"),
    ],
    # ---- 02
    "ClassToken": [
        (NEW_CLASS_TOKEN, "torch.randn(3, count, embed_dim) * 0.02", "batch size in its shape"),
        (NEW_CLASS_TOKEN, "torch.randn(1, 1, embed_dim) * 0.02", "`count` is ignored"),
        (NEW_CLASS_TOKEN, "torch.randn(1, embed_dim) * 0.02", "one axis for the batch"),
        (f"nn.Parameter({NEW_CLASS_TOKEN})", NEW_CLASS_TOKEN, "plain tensor"),
        (NEW_CLASS_TOKEN, "torch.randn(1, count, embed_dim)", "standard deviation"),
        ("self.weight = ", "self.token = ", "no parameter `weight`"),
        (
            "[self.weight.expand(B, -1, -1), tokens]",
            "[tokens, self.weight.expand(B, -1, -1)]",
            "comes last",
        ),
        (
            "torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)",
            "tokens + self.weight[:, :1]",
            "added to every patch",
        ),
        (
            "torch.cat([self.weight.expand(B, -1, -1), tokens], dim=1)",
            "torch.cat([self.weight, tokens], dim=1)",
            "it raises RuntimeError",
        ),
        ("-1, -1), tokens]", "-1, -1), tokens[:, 1:]]", "the place of the first patch"),
        ("self.weight.expand(", "self.weight.detach().expand(", "gradient"),
    ],
    "PositionEmbedding": [
        ("num_prefix + grid_size", "grid_size", "none for the class token"),
        ("num_prefix + grid_size", "1 + grid_size", "`num_prefix` is ignored"),
        ("grid_size[0] * grid_size[1]", "grid_size[0] + grid_size[1]", "not their sum"),
        (POSITIONS, "torch.randn(num_tokens, embed_dim) * 0.02", "no axis for the batch"),
        (f"nn.Parameter({POSITIONS})", POSITIONS, "plain tensor"),
        ("tokens + self.weight", "tokens * self.weight", "multiplied"),
        ("tokens + self.weight", "tokens - self.weight", "subtracted"),
        (
            "tokens + self.weight",
            "torch.cat([tokens[:, :1], tokens[:, 1:] + self.weight[:, 1:]], dim=1)",
            "gets no position",
        ),
        ("return tokens + self.weight", "tokens += self.weight\n        return tokens", "in place"),
    ],
    "numbers_before_block_1": answers(
        "192 + 65 * 192",
        ("65 * 192", "one of two is missing"),
        ("64 * 192", "the patches alone"),
        ("65 + 192", "positions are vectors"),
        ("128 * (192 + 65 * 192)", "one for each image"),
    ),
    "embedded": answers(
        "torch.cat([in_front, patches], dim=1) + positions",
        ("torch.cat([in_front, patches + positions[:, 1:]], dim=1)", "has no position"),
        ("torch.cat([patches, in_front], dim=1) + positions", "come last"),
        ("torch.cat([in_front, patches], dim=1) + positions[:, :1]", "row 0 is for token 0"),
        ("torch.cat([in_front, patches + positions[:, 1:]], dim=1) + positions", "twice"),
    ),
    "shuffled_patches": answers(
        '"a"',
        ('"b"', "not even a little"),
        ('"c"', "never knew the order"),
        ('" D "', "nothing can raise"),
        ('"e"', "one of the letters"),
    ),
    # ---- 03
    "attention_weights": [
        ("softmax(dim=-1)", "softmax(dim=-2)", "columns sum to 1"),
        (" / queries.shape[-1] ** 0.5", "", "are not divided by √d"),
        ("** 0.5", "** 1.0", "divided by d"),
        ("/ queries.shape[-1] ** 0.5", "* queries.shape[-1] ** 0.5", "are multiplied"),
        ("/ queries.shape[-1]", "/ queries.shape[-2]", "divided by √T"),
        (".softmax(dim=-1)", "", "these are the scores"),
        (
            "return scores.softmax(dim=-1)",
            "e = scores.exp()\n    return e / e.sum(dim=-1, keepdim=True)",
            "overflow",
        ),
        ("keys.transpose(-2, -1)", "keys.transpose(0, -1)", "it raises"),
        ("queries @", "queries.detach() @", "gradient"),
        ("masked_fill(~mask", "masked_fill(mask", "and wrong with one"),
    ],
    "split_heads": [
        (HEADS, "x.reshape(B, num_heads, T, D // num_heads)", "some tokens"),
        (HEADS, "x.reshape(B, T, num_heads, D // num_heads)", "transpose is missing"),
        (HEADS, "x.reshape(B, T, -1, num_heads).permute(0, 3, 1, 2)", "(d, h)"),
        (HEADS, "x.reshape(B, T, num_heads, -1).permute(0, 2, 3, 1)", "(B, h, d, T)"),
        (HEADS, HEADS + ".flatten(0, 1)", "into the batch"),
    ],
    "score_size": answers(
        "64**0.5",
        ("64", "the variance"),
        ("1.0", "*after* the division"),
        ("0", "the mean"),
        ("1 / 8", "multiplies with"),
    ),
    "MultiHeadSelfAttention": [
        (
            SPLIT,
            "reshape(B, self.num_heads, T, -1)",
            "split by a reshape alone",
        ),
        (ATTEND, "(queries @ keys.mT).softmax(dim=-1) @ values", "not divided by √d"),
        (
            ATTEND,
            "(queries @ keys.mT / self.qkv.in_features**0.5).softmax(dim=-1) @ values",
            "divides by √D",
        ),
        (
            ATTEND,
            "(queries @ keys.mT / self.head_dim**0.5).softmax(dim=-2) @ values",
            "their columns do",
        ),
        ("out.transpose(1, 2).flatten(2)", "out.reshape(x.shape)", "without the transpose"),
        ("self.proj_drop(self.proj(out))", "out", "`proj`, is not used"),
        (
            "queries, keys, values = self.split",
            "keys, queries, values = self.split",
            "queries and keys",
        ),
        (
            "queries, keys, values = self.split",
            "queries, values, keys = self.split",
            "keys and values",
        ),
        ("self.proj_drop(self.proj(out))", "x + self.proj(out)", "input is added"),
    ],
    "merge_heads": answers(
        "heads.transpose(1, 2).flatten(2)",
        ("heads.sum(dim=1)", "summed"),
        ("heads.permute(0, 2, 3, 1).flatten(2)", "interleaved"),
        ("heads.transpose(1, 2)", "flatten the last two"),
        ("heads.flatten(1, 2)", "stacked as if they were tokens"),
    ),
    "blind_mask": answers(
        '"a"',
        ('"b"', "but it sees them"),
        ('"c"', "nobody sees it"),
        ('"d"', "only itself"),
    ),
    # ---- 04
    "EncoderBlock": [
        (EQ_2, "drop_path(self.attn(self.norm1(x)), rate)", "missing in Eq. 2"),
        (EQ_3, "drop_path(self.mlp(self.norm2(x)), rate)", "missing in Eq. 3"),
        (EQ_2, "x + self.attn(x)", "norm1 is missing"),
        (EQ_3, "x + self.mlp(x)", "norm2 is missing"),
        (EQ_3, "x + self.mlp(self.norm1(x))", "norm1 is used twice"),
        (EQ_2, "self.norm1(x) + self.attn(self.norm1(x))", "the residual stream itself"),
        (EQ_2, "self.norm1(x + self.attn(x))", "norm1 is applied to the sum"),
    ],
    "VisionTransformer": [
        (ENCODER, "self.blocks(self.pos_drop(x))", "after the last block is missing"),
        (ENCODER, "self.blocks(self.norm(x))", "stands before the blocks"),
        ("x[:, 0]", "x[:, 1]", "the first patch"),
        ("x[:, 0]", "x[:, -1]", "the last token"),
        ("x[:, 0]", "x[0]", "the first image"),
        ("x[:, 0]", "x.mean(dim=1)", "mean runs over all tokens"),
        ("self.head(x[:, 0])", "x[:, 0]", "head is missing"),
        (EQ_1, "self.cls_token(self.reg_token(self.patch_embed(images)))", "are not added"),
        (
            EQ_1,
            "self.pos_embed(self.reg_token(self.cls_token(self.patch_embed(images))))",
            "the order is class, registers, patches",
        ),
        ("x[:, self.num_prefix :]", "x", "registers too"),
        ("x[:, self.num_prefix :]", "x[:, 1:]", "first patch is left out"),
        ("self.attn_pool(patches) if self.attn_pool else ", "", "attention pooling is not used"),
        ("self.head(x[:, 0])", "self.head(x[:, 0]).softmax(dim=-1)", "probabilities"),
    ],
    "parameters_of": [
        ("D + (N + 1) * D", "(N + 1) * D", "D numbers are missing"),
        (" + 2 * D + head", " + head", "norm after the last block"),
        ("L * (2 * 2 * D", "L * (2 * D", "two norms, not one"),
        (" + (D * D + D)", "", "`proj`"),
        ("(D * hidden + hidden) + (hidden * D + D)", "2 * D * hidden", "biases of the MLP"),
        ("+ config.num_classes", "", "bias of the head"),
        ("L * (2 * 2 * D + attention + mlp)", "L * 4 * D + attention + mlp", "one block"),
        (" + 2 * D + head", " + 2 * D", "the head is missing"),
    ],
    "stack": [
        (STACK, "[EncoderBlock(config) for _ in range(config.depth)]", "a list is not a module"),
        (STACK, "nn.ModuleList(EncoderBlock(config) for _ in range(config.depth))", "ModuleList"),
        ("range(config.depth)", "range(config.depth - 1)", "too many or too few"),
        (f"return {STACK}", RETURN_COPIES, "copies of one block"),
        (STACK, "nn.Sequential(EncoderBlock(config))", "single block"),
    ],
    "times_as_many_weights": answers(
        "(257 / 65) ** 2",
        ("16", "the class token is in both"),
        ("4", "number of patches"),
        ("257 / 65", "by how much T grows"),
        ("2", "both sides of the image"),
        ("8", "both sides of the table"),
    ),
    # ---- 05
    "learning_rate_at": [
        (
            "peak * (step + 1) / warmup_steps",
            "peak * step / warmup_steps",
            "wasted at a rate of zero",
        ),
        ("peak * (step + 1) / warmup_steps", "peak", "no warm-up"),
        (COSINE, "peak * math.cos(math.pi * share)", "below zero"),
        (COSINE, "peak * math.cos(math.pi / 2 * share)", "a quarter of a cosine"),
        (COSINE, "peak * (1 - share)", "falls in a line"),
        (COSINE, "peak * (1 + math.cos(180 * share)) / 2", "takes radians"),
        (COSINE, "peak", "stays at the peak"),
        (COSINE, "peak * (1 + math.cos(math.pi * step / total_steps)) / 2", "over all steps"),
    ],
    "validation_split": answers(
        "images[:-held_out], labels[:-held_out], images[-held_out:], labels[-held_out:]",
        ("images, labels, images[-held_out:], labels[-held_out:]", "trained on too"),
        (
            "images[held_out:], labels[held_out:], images[:held_out], labels[:held_out]",
            "the first images",
        ),
        (
            "images[-held_out:], labels[-held_out:], images[:-held_out], labels[:-held_out]",
            "are exchanged",
        ),
        (
            "images[:-held_out], images[-held_out:], labels[:-held_out], labels[-held_out:]",
            "the order is wrong",
        ),
        (
            "images[:held_out], labels[:held_out], images[held_out:], labels[held_out:]",
            "not the number to train on",
        ),
    ),
    "share_right": [
        ("/ len(images)", "/ len(images.split(batch_size))", "number of batches"),
        (" / len(images)", "", "the number of right answers"),
        ("/ len(images)", "/ (len(images.split(batch_size)) * batch_size)", "as a full one"),
        ("right += ", "right = ", "expected"),
    ],
    "training_step": [
        (
            "optimizer.zero_grad()\n    loss.backward()\n",
            "loss.backward()\n    optimizer.zero_grad()\n",
            "do not move as they should",
        ),
        ("    optimizer.step()\n", "    optimizer.step()\n    optimizer.step()\n", "two steps"),
        ("model(images), labels", "model(images).softmax(dim=1), labels", "wants logits"),
        ("model(images), labels", "model(images), labels, reduction='sum'", "summed"),
    ],
    # ---- 06
    "class_token_map": [
        ("maps[:, :, 0, 1:]", "maps[:, :, 1:, 0]", "who attends *to*"),
        ("maps[:, :, 0, 1:]", "maps[:, :, 0, :-1]", "own share is in it"),
        ("maps[:, :, 0, 1:]", "maps[:, :, 1, 1:]", "what the first patch"),
        ("maps[:, :, 0, 1:]", "maps.mean(dim=1)[:, 0, 1:]", "one picture for each"),
        (".unflatten(-1, (rows, columns))", "", "not folded up"),
        ("(rows, columns))", "(columns, rows)).mT", "mirrored"),
    ],
    "rollout": [
        ("(weights + eye) / 2 @", "weights @", "residual path is missing"),
        ("maps.mean(dim=2):", "maps.mean(dim=2).flip(0):", "wrong order"),
        ("(weights + eye) / 2 @", "(weights + eye) @", "not halved"),
        ("maps.mean(dim=2)", "maps.amax(dim=2)", "largest head"),
        ("reach[:, 0, 1:]", "reach[:, 1:, 0]", "what the class token gives"),
        ("reach[:, 0, 1:]", "reach[:, 0]", "still in it"),
        ("maps.mean(dim=2):", "maps.mean(dim=2)[-1:]:", "last layer alone"),
    ],
    "probe_scores": [
        (
            "asked @ torch.linalg.lstsq(known, targets)",
            "features @ torch.linalg.lstsq(train_features, targets)",
            "the bias is missing",
        ),
        (".solution", ".solution.argmax(dim=0)", "it raises"),
        ("asked @", "known @", "scores of the training images"),
        (
            "torch.eye(num_classes)[train_labels]",
            "train_labels[:, None].float()",
            "fitted as numbers",
        ),
        (
            "return asked @ torch.linalg.lstsq(known, targets).solution",
            "return (asked @ torch.linalg.lstsq(known, targets).solution).argmax(dim=1)",
            "these are the classes",
        ),
        (
            "return asked @ torch.linalg.lstsq(known, targets).solution",
            "return (asked @ torch.linalg.lstsq(known, targets).solution).T",
            "are exchanged",
        ),
    ],
    "without_looking": answers(
        "scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)",
        ("scores.masked_fill(hidden[:, None], -torch.inf).softmax(dim=-1)", "hide keys"),
        ("scores.masked_fill(hidden, 0.0).softmax(dim=-1)", "like any other"),
        ("scores.masked_fill(~hidden, -torch.inf).softmax(dim=-1)", "what should be seen"),
        ("scores.softmax(dim=-1).masked_fill(hidden, -torch.inf)", "the softmax comes first"),
    ),
    "what_follows": answers(
        '"b"',
        ('"a"', "not what the value says"),
        ('"c"', "have to be tried"),
        ('"D"', "after several"),
    ),
    # ---- 07
    "start_loss": answers(
        "-torch.tensor(1 / 100).log().item()",
        ("2.303", "for ten classes"),
        ("0.01", "the probability of each class"),
        ("2", "base 10"),
        ("6.64", "base 2"),
        ("-4.605", "the sign"),
    ),
    "gradient_by_block": [
        (NORM, "sum(p.grad.norm() for p in block.parameters()).item()", "added up"),
        (NORM, "sum(p.grad.square().sum() for p in block.parameters()).item()", "root is missing"),
        (NORM, "block.norm1.weight.grad.norm().item()", "only one tensor"),
        (
            NORM,
            "get_total_norm([p.grad for p in block.parameters() if p.ndim > 1]).item()",
            "only matrices",
        ),
        (NORM, "max(p.grad.abs().max() for p in block.parameters()).item()", "largest number"),
        ("loss.backward()", "pass", "no gradients yet"),
    ],
    "spread_between_images": [
        ("std(dim=0)", "std(dim=1)", "one token"),
        ("tokens[:, 0]", "tokens", "all tokens are in it"),
        ("tokens[:, 0]", "tokens[0]", "the first image"),
        ("std(dim=0)", "var(dim=0)", "the variance"),
        (".std(dim=0).mean()", ".std()", "all numbers at once"),
        (".mean().item()", "", "average them"),
    ],
    "parameter_groups": [
        (' or name.startswith(("cls_token", "reg_token", "pos_embed"))', "", "now all are trained"),
        ('"reg_token", "pos_embed"', '"reg_token"', "the positions do"),
        ("parameter.ndim < 2", "parameter.ndim != 2", "does not shrink"),
        ("parameter.ndim < 2 or", "False and", "norms and biases too"),
        ('"cls_token", "reg_token"', '"cls_token"', "registers shrink"),
        ("if parameter.ndim < 2 or", "if True or", "nothing shrinks"),
    ],
    "drowning_std": answers(
        "0.5",
        ("0.02", "too small"),
        ("10", "too large"),
        ("-1", "positive"),
        ("'large'", "a number"),
    ),
    # ---- 08
    "tokens_of": answers(
        "(height // patch_size) * (width // patch_size) + num_prefix",
        ("(height // patch_size) * (width // patch_size)", "in front are missing"),
        ("(height // patch_size) * (width // patch_size) + 1", "whatever `num_prefix` says"),
        ("height * width // patch_size + num_prefix", "along both sides"),
        ("height // patch_size + width // patch_size + num_prefix", "not added"),
        ("(height // patch_size) ** 2 + num_prefix", "square"),
    ),
    "block_flops": [
        ("return linear + attention", "return (linear + attention) // 2", "two operations"),
        ("return linear + attention", "return linear", "2·T²·D each"),
        ("2 * (2 * T * T * D)", "2 * T * T * D", "one of two"),
        ("4 * D * D +", "3 * D * D +", "`proj`"),
        ("2 * mlp_ratio * D", "mlp_ratio * D", "up and down"),
        ("4 * D * D +", "2 * D * D +", "three maps"),
    ],
    "epochs_in_the_same_time": answers(
        "3 * 2.8",
        ("12", "equal FLOPs"),
        ("3", "equal epochs"),
        ("2.8", "there are three"),
        ("3 / 2.8", "the other way round"),
    ),
    "resized_positions": [
        ("unflatten(2, old_grid)", "unflatten(2, old_grid[::-1])", "rows and columns"),
        (
            "patches.transpose(1, 2).unflatten(2, old_grid)",
            "patches.reshape(1, -1, *old_grid)",
            "a reshape alone",
        ),
        ('"bicubic"', '"bilinear"', "this is bilinear"),
        (
            "torch.cat([first, picture",
            "torch.cat([picture[:, :, 0, 0][:, None], picture",
            "only index 0 is wrong",
        ),
        (
            "[first, picture.flatten(2).transpose(1, 2)]",
            "[picture.flatten(2).transpose(1, 2)]",
            "is lost",
        ),
        (
            "[first, picture.flatten(2).transpose(1, 2)]",
            "[picture.flatten(2).transpose(1, 2), first]",
            "stands at the end",
        ),
    ],
    "tokens_to_grid": [
        ("(rows, columns))", "(columns, rows))", "columns are exchanged"),
        ("(rows, columns))", "(columns, rows)).mT", "mirrored"),
        ("tokens.transpose(1, 2).unflatten(2,", "tokens.unflatten(1,", "channels come last"),
        (".unflatten(2, (rows, columns))", "", "not folded up"),
    ],
    # ---- 09
    "mean_of_patches": [
        ("tokens[:, num_prefix:]", "tokens", "patches begin at"),
        ("tokens[:, num_prefix:]", "tokens[:, 1:]", "the registers are in it"),
        (".mean(", ".sum(", "the sum"),
        ("dim=1", "dim=2", "over the D numbers"),
        ("dim=1", "dim=0", "over the batch"),
        (".mean(dim=1)", ".sum(dim=1) / tokens.shape[1]", "all tokens"),
    ],
    "attention_pool": [
        (" / x.shape[-1] ** 0.5", "", "not divided"),
        ("softmax(dim=1)", "softmax(dim=0)", "over the images"),
        (".softmax(dim=1)", "", "no softmax"),
        ("(weights[..., None] * x).sum(dim=1)", "x.mean(dim=1)", "plain mean"),
        ("(weights[..., None] * x).sum(dim=1)", "weights", "these are the shares"),
        ("* x).sum(dim=1)", "* x).mean(dim=1)", "sum to 1 already"),
    ],
    "normalized": [
        (LAYER_NORM, "F.layer_norm(x, x.shape[-1:])", "are not used"),
        ("scale, shift)\n", "shift, scale)\n", "are exchanged"),
        (LAYER_NORM, "F.layer_norm(x.mT, x.shape[1:2]).mT * scale + shift", "over the tokens"),
        (
            LAYER_NORM,
            "(x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * scale + shift",
            "divides by D",
        ),
        (LAYER_NORM, "(x - x.mean(-1, keepdim=True)) * scale + shift", "nothing is divided"),
    ],
    "loss_of": answers(
        "F.cross_entropy(logits, labels)",
        ("F.cross_entropy(logits.sigmoid(), labels)", "squeezes"),
        ("F.cross_entropy(logits, labels, reduction='sum')", "added up"),
        ("F.cross_entropy(logits, labels, reduction='none')", "one loss for each"),
        ("-F.cross_entropy(logits, labels)", "minus the logarithm"),
    ),
    "token_read": answers(
        "same.index(True)",
        ("0", "what it should read"),
        ("5", "number of the patch"),
        ("1", "the usual slip"),
        ("17", "number of tokens"),
    ),
    "unseen_patch": answers(
        "felt.unflatten(1, (4, 4)).unflatten(0, (4, 4)).sum(dim=(1, 3)).argmin().item()",
        ("10", "token n + 1 is patch n"),
        ("6", "counted row by row"),
        ("0", "Measure all 16"),
    ),
    "heads_it_has": [
        ("heads_it_has = num_heads", "heads_it_has = 3", "what was asked for"),
        (
            "heads_it_has = num_heads",
            "heads_it_has = 24 // num_heads",
            "how many numbers a head has",
        ),
        ("heads_it_has = num_heads", "heads_it_has = 24", "one head for each number"),
    ],
    # ---- 10
    "interval": [
        ("statistics.stdev", "statistics.pstdev", "it is n − 1"),
        (" / math.sqrt(len(values))", "", "for a single further run"),
        ("math.sqrt(len(values))", "len(values)", "divided by n:"),
        ("t * statistics", "statistics", "t is not used"),
        ("t * statistics", "1.96 * statistics", "1.96"),
        ("t * statistics", "2 * t * statistics", "whole width"),
    ],
    "paired_difference": answers(
        "interval([b - a for a, b in zip(first, second, strict=True)], t)",
        ("interval([a - b for a, b in zip(first, second, strict=True)], t)", "the sign"),
        (
            "(statistics.mean(second) - statistics.mean(first), interval(second, t)[1])",
            "with the width of the second",
        ),
        (
            (
                "(statistics.mean(second) - statistics.mean(first),"
                " interval(second, t)[1] + interval(first, t)[1])"
            ),
            "are added",
        ),
        (
            (
                "(statistics.mean(second) - statistics.mean(first),"
                " (interval(second, t)[1]**2 + interval(first, t)[1]**2)**0.5)"
            ),
            "as if the two were independent",
        ),
    ),
    "receptive_field": [
        ("field, step = 1, 1", "field, step = 0, 1", "sees itself"),
        ("field += (kernel - 1) * step", "field += (kernel - 1)", "are not counted"),
        (
            "field += (kernel - 1) * step\n        step *= stride",
            "step *= stride\n        field += (kernel - 1) * step",
            "*after* it",
        ),
        ("(kernel - 1) * step", "kernel // 2 * step", "one side"),
        ("return field", "return math.prod(kernel_sizes)", "multiplied"),
    ],
    "what_to_say": answers(
        '"c"',
        ('"a"', "2 points would fit"),
        ('"b"', "within the interval"),
        ('"d"', "does not fit"),
    ),
    "control": answers(
        '"b"', ('"a"', "firmer"), ('"c"', "another thing"), ('"d"', "where it begins")
    ),
    # ---- 11
    "times_as_fast": answers(
        "1 / (0.3 + 0.7 / 8)",
        ("8", "the other 30 % do not change"),
        ("5.6", "add the times that remain"),
        ("5.9", "0.3 stays, 0.7 becomes shorter"),
        ("1 / 0.3", "no time at all"),
        ("0.3 + 0.7 / 8", "how long a step takes now"),
        ("1 / (0.7 + 0.3 / 8)", "the shares are exchanged"),
    ),
    "Snapshot": [
        ("copy.deepcopy(model.state_dict())", "model.state_dict()", "the model's weights in the"),
        (
            "copy.deepcopy(optimizer.state_dict())",
            "optimizer.state_dict()",
            "the optimizer's memory in the",
        ),
        (
            "optimizer.load_state_dict(copy.deepcopy(self.optimizer))",
            "pass",
            "begins without its memory",
        ),
        ("torch.set_rng_state(self.random)", "pass", "the random numbers are others"),
        ("return self.step", "return 0", "begins again at step 0"),
        ("model.load_state_dict(self.model)", "pass", "weights are not brought back"),
        ("return self.step", "pass", "expected the number of steps"),
    ],
    "scaled_step": [
        ("gradient /= scale", "pass", "not divided by the scale"),
        ("    if finite:\n", "    if True:\n", "though a gradient is infinite"),
        ("all(bool(gradient.isfinite().all()) for gradient in gradients)", "True", "nobody looks"),
        ("(scale * loss).backward()", "loss.backward()", "is not multiplied before"),
        ("    optimizer.zero_grad()\n", "", "gradients of the step before"),
        ("return finite", "return not finite", "turned round"),
    ],
    "shared_gradient": [
        ("/ sum(sizes)", "/ len(sizes)", "by the number of processes"),
        (" / sum(sizes)", "", "number of all images"),
        ("n * gradient", "gradient / n", "expected"),
        ("return sum(weighted) / sum(sizes)", "return sum(gradients)", "added up and not averaged"),
    ],
    # ---- 12
    "as_probe": [
        ("    model.requires_grad_(False)\n", "", "nothing is frozen"),
        ("    return model", "    model.requires_grad_(False)\n    return model", "frozen too"),
        (
            "    model.head = nn.Linear(model.head.in_features, num_classes)\n",
            "",
            "still there, and frozen",
        ),
        ("return model", "return model.head", "should be a nn.Linear afterwards"),
        ("return model", "return None", "returns nothing"),
        ("model.requires_grad_(False)", "model.norm.weight.data.zero_()", "have changed"),
        (
            "nn.Linear(model.head.in_features",
            "nn.Linear(num_classes",
            "as many numbers as there are",
        ),
    ],
    "nearest_labels": [
        ("labels[similarity.argmax(dim=1)]", "similarity.argmax(dim=1)", "not yet their labels"),
        (
            "F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1)",
            "asked @ known",
            "so long ones win",
        ),
        (
            "F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T",
            "-torch.cdist(asked, known)",
            "by distance",
        ),
        ("argmax", "argmin", "the farthest"),
        ("dim=-1", "dim=0", "wrong axis"),
    ],
    "rates_of_blocks": [
        ("for i in range(depth + 2)]", "for i in range(depth + 2)][::-1]", "turned round"),
        ("(depth + 1 - i)", "(depth + 2 - i)", "too small"),
        ("range(depth + 2)", "range(1, depth + 2)", "embedding is missing"),
        ("range(depth + 2)", "range(depth + 1)", "head is missing"),
        ("(depth + 1 - i)", "max(depth - i, 0)", "same rate as the head"),
        ("decay ** (", "decay * (", "factor at every step"),
    ],
    "confident_mistakes": [
        ("places = places[is_wrong[places]]", "places = places", "right answers are among"),
        ("!= labels", "== labels", "these are the right answers"),
        ("descending=True", "descending=False", "descending order"),
        ("logits.softmax(dim=1)", "logits", "only beside the others"),
        (
            "certainty.argsort(descending=True)\n    places = places[is_wrong[places]]",
            "certainty[is_wrong].argsort(descending=True)",
            "places among all images",
        ),
    ],
    "split_by_photo": [
        (
            "return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()",
            "return is_test.nonzero().flatten(), (~is_test).nonzero().flatten()",
            "exchanged",
        ),
        ("photos[order[", "photos[torch.arange(len(photos))[", "every seed"),
        (
            "return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()",
            "return photo_of[~is_test].unique(), photo_of[is_test].unique()",
            "numbers of the photos",
        ),
        (
            "(~is_test).nonzero().flatten(), is_test.nonzero().flatten()",
            "~is_test, is_test",
            "not True and False",
        ),
    ],
    "first_suspect": answers(
        '"b"', ('"a"', "at 97 %"), ('"c"', "spare classes"), ('"d"', "nobody asks")
    ),
    # ---- 15
    "mixup": [
        (MIXED, "targets", "the targets are not"),
        (
            "weight = share.",
            "share = 1 - share\n    weight = share.",
            "`share` is what an image keeps",
        ),
        ("share.reshape(-1, 1, 1, 1)", "share", "it raises"),
        ("(1 - share[:, None]) * targets[order]", "targets[order]", "number 1 of what it gives"),
        ("(1 - weight) * images[order]", "images[order]", "at index 0 of"),
        (
            MIXED,
            "(1 - share[:, None]) * targets + share[:, None] * targets[order]",
            "the targets have the shares exchanged",
        ),
    ],
    "smoothed_share": answers(
        "1 - 0.1 + 0.1 / 10",
        ("0.9", "gets its part"),
        ("0.1", "taken away"),
        ("0.01", "each *other* class"),
        ("1", "without smoothing"),
    ),
    # ---- 17
    "ViT": [
        (" / math.sqrt(q.shape[-1])", "", "not divided by √d"),
        ("F.gelu(", "F.relu(", "is ReLU"),
        ("self.norm(x)[:, 0]", "self.norm(x).mean(dim=1)", "the mean of all tokens"),
        ("self.norm(x)[:, 0]", "self.norm(x.mean(dim=1))", "the norm comes after it"),
        ("x = x + self.attn(self.norm1(x))", "x = self.attn(self.norm1(x))", "missing in Eq. 2"),
        (
            "x = x + self.attn(self.norm1(x))",
            "y = self.norm1(x); x = y + self.attn(y)",
            "adds to norm1(x) and not to x",
        ),
        ("self.blocks(x + self.pos_embed)", "self.blocks(x)", "no position is added"),
        ("nn.Sequential(*blocks)", "list(blocks)", "does not look into a plain list"),
        ("self.head = nn.Linear(", "self.classifier = nn.Linear(", "Not in the list: classifier"),
        ("super().__init__()\n        N = ", "N = ", "begins with `super().__init__()`"),
        ("(weights @ v).transpose(1, 2)", "(weights @ v)", "puts other tokens side by side"),
    ],
    "trained": answers(
        "trained_on(x, labels, num_epochs=7)",
        ("ViT", "this is the class"),
        ("ViT()", "Guessing is right for 10 %"),
        ("trained_on(images[:1000] / 255, labels[:1000], 1)", "Did the training see `x`"),
        ("3", "expected a trained model"),
        ("nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5))", "expected logits"),
        ("nn.Linear(3, 10)", "it raises RuntimeError"),
    ),
    "causes": answers(
        '{"A": 5, "B": 2, "C": 6, "D": 3, "E": 1, "F": 4}',
        ('{"A": 6, "B": 2, "C": 6, "D": 3, "E": 1, "F": 4}', "A: not 6"),
        ('{"A": 5, "B": 2, "C": 6, "D": 1, "E": 3, "F": 4}', "4 of 6 are right"),
        ('{"A": 5, "B": 2, "C": 6, "D": 3, "E": 1, "F": "saw"}', "F: choose one of 1, 2"),
        ('{"A": 5}', "with the keys 'A', 'B'"),
    ),
    "conclusions": answers(
        '{"a": "yes", "b": "no", "c": "yes", "d": "no", "e": "yes", "f": "no"}',
        ('{k: "no" for k in "abcdef"}', "one example is enough"),
        ('{k: "yes" for k in "abcdef"}', "the table does not say which"),
        ('{k: "perhaps" for k in "abcdef"}', "choose one of 'yes', 'no'"),
        ('"b"', "expected a dictionary"),
    ),
    # ---- 16
    "rebuild": [
        ("@ kept @ kept.T + mean", "@ kept", "the same matrix, transposed"),
        ("@ kept.T + mean", "@ kept.T", "is missing at the end"),
        ("(patches - mean) @", "patches @", "not subtracted before"),
        ("[:, -k:]", "[:, :k]", "least variance"),
        ("[:, -k:]", "[-k:].T", "are columns"),
        ("training_patches.mean(dim=0)", "patches.mean(dim=0)", "that are rebuilt"),
        ("training_patches.mean(dim=0)", "training_patches.mean()", "a mean of its own"),
    ],
    "noise_of_a_mean": answers(
        "32 / 64**0.5",
        ("32 / 64", "by its root"),
        ("32", "of one pixel"),
        ("32 * 8", "of the sum"),
        ("8", "for a patch of 4 × 4"),
    ),
    "noisy": [
        (".clamp(0, 255).to(torch.uint8)", ".clamp(0, 255)", "still that of the noise"),
        (".clamp(0, 255)", ".clamp(max=255)", "below 0"),
        (".clamp(0, 255)", ".clamp(min=0)", "above 255"),
        ("(images + noise).clamp(0, 255)", "(images + noise.clamp(0, 255))", "not the noise"),
    ],
}
