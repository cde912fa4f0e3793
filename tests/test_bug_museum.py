"""Every exhibit of notebook 13's museum: its check passes the right piece and fails the wrong one."""

import ast
import copy
import re
from dataclasses import replace
from pathlib import Path

import jupytext
import pytest
import torch
from fake_cuda import GPU, fake_gpu
from torch import nn

import silent_bugs
from vit_minimal import MultiHeadSelfAttention, VisionTransformer, ViTConfig
from vit_minimal.attention import attention_weights

SOURCE = Path(__file__).resolve().parents[1] / "notebooks/source/13_silent_bugs.py"
CELLS = [cell for cell in jupytext.read(SOURCE).cells if cell.cell_type == "code"]


def tagged(tag):
    return [cell for cell in CELLS if tag in cell.metadata.get("tags", [])]


EXHIBITS = [cell.source for cell in tagged("bug")]


@pytest.fixture
def museum():
    """What an exhibit finds when its turn comes: the imports of the notebook and the tools."""
    (tools,) = tagged("bug-tools")
    nodes = ast.parse(CELLS[0].source).body
    imports = [ast.unparse(n) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    names = {}
    exec("\n".join([*imports, tools.source]), names)  # noqa: S102
    return names


def calls_of_catch(code):
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return sum(isinstance(call.func, ast.Name) and call.func.id == "catch" for call in calls)


def test_every_numbered_exhibit_has_its_check():
    """An exhibit is a section or the row of a table."""
    text = SOURCE.read_text(encoding="utf-8")
    numbers = re.findall(r"^# (?:###|\|) (\d+)\. ", text, re.MULTILINE)
    checks = sum(map(calls_of_catch, EXHIBITS))
    assert sorted(map(int, numbers)) == list(range(1, checks + 1)) and checks == 17


def test_a_bug_has_one_name():
    """That of its heading or row, in what its check prints, and in the names of the figures."""
    text = SOURCE.read_text(encoding="utf-8")
    found = re.findall(r"^# (?:###|\|) (\d+)\. ([^|\n]+)", text, re.MULTILINE)
    names = {number: name.strip().lower() for number, name in found}
    caught = re.findall(r'bug="(\d+) ([^"]+)"', text)
    (bugs,) = re.findall(r"^BUGS = \{.*?^\}", text, re.MULTILINE | re.DOTALL)
    (attentions,) = re.findall(r"^attentions = \{.*?^\}", text, re.MULTILINE | re.DOTALL)
    (listed,) = re.findall(r"^NAMES = \[.*?^\]", text, re.MULTILINE | re.DOTALL)
    figure = re.findall(r'"(\d+) ([^"]+)"', bugs + attentions + listed)
    assert len(caught) == 17 and len(figure) == 15 + 7 + 17
    for number, name in caught + figure:
        assert re.sub(", (class token|mean pooling)$", "", name).lower() == names[number]


def test_the_exhibits_are_numbered_in_the_order_in_which_they_stand():
    text = SOURCE.read_text(encoding="utf-8")
    numbers = re.findall(r"^# (?:###|\|) (\d+)\. ", text, re.MULTILINE)
    assert numbers == sorted(numbers, key=int)


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda source: source.split("(")[0].split()[-1])
def test_each_check_passes_the_right_piece_and_fails_the_wrong_one(exhibit, museum):
    shown = []

    def catch(check, right, wrong, bug=""):
        shown.append(check)
        for seed in range(5):  # a check must not depend on luck
            torch.manual_seed(seed)
            with torch.no_grad():
                check(right)
                with pytest.raises(AssertionError):
                    check(wrong)

    museum["catch"] = catch
    exec(exhibit, museum)  # noqa: S102
    assert len(shown) == calls_of_catch(exhibit) > 0


def test_a_check_that_notices_nothing_is_itself_caught(museum):
    with pytest.raises(RuntimeError, match="did not notice"):
        museum["catch"](lambda piece: None, right=1, wrong=2)


def test_a_right_piece_that_fails_is_not_passed_over(museum):
    def check(piece):
        assert piece == "wrong"

    with pytest.raises(AssertionError):
        museum["catch"](check, right="right", wrong="wrong")


def test_a_check_gets_the_same_random_numbers_for_both_pieces(museum):
    drawn = {}

    def check(piece):
        drawn.setdefault(piece, torch.rand(1).item())
        assert piece == "right"

    museum["catch"](check, right="right", wrong="wrong")
    assert drawn["right"] == drawn["wrong"]


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (2, 1, 0)])
def test_another_order_inside_a_patch_is_noticed(museum, order):
    (exhibit,) = (source for source in EXHIBITS if "def check_patches" in source)
    exec(exhibit, museum)  # noqa: S102

    def cut(images, P):
        squares = museum["patchify"](images, P).unflatten(2, (3, P, P))
        return squares.permute(0, 1, *(axis + 2 for axis in order)).flatten(2)

    with pytest.raises(AssertionError, match="inside a patch"):
        museum["check_patches"](cut)


@pytest.fixture
def suspicions(museum):
    """The function for the reader's own model."""
    for cell in tagged("own-model"):
        exec(cell.source, museum)  # noqa: S102
    return museum["suspicions"]


class AcrossTheBatch(MultiHeadSelfAttention):
    def forward(self, x):
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


def small(pool="class", across=False, softmax=False, seed=0):
    torch.manual_seed(seed)
    model = VisionTransformer(
        ViTConfig(image_size=8, embed_dim=24, depth=2, num_heads=3, pool=pool)
    )
    for block in model.blocks if across else ():
        block.attn = AcrossTheBatch(24, 3)
    return nn.Sequential(model, nn.Softmax(dim=-1)) if softmax else model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "changes, found",
    [
        ({}, ["nothing found"]),
        ({"pool": "mean"}, ["nothing found"]),
        ({"across": True}, ["all images get the same answer (9, with a class token)"]),
        ({"softmax": True}, ["it ends in a softmax (5)"]),
    ],
)
def test_rounding_raises_no_alarm_and_hides_no_bug(suspicions, dtype, changes, found):
    model = small(**changes).to(dtype)
    assert suspicions(model, torch.randn(4, 3, 8, 8).to(dtype)) == found


def test_rounding_as_coarse_as_tf32_raises_no_alarm(suspicions):
    model = small()
    model.register_forward_hook(lambda *called: called[-1] * (1 + 5e-4 * len(called[1][0])))
    assert suspicions(model, torch.randn(4, 3, 8, 8)) == ["nothing found"]


@pytest.mark.parametrize("seed", range(10))
def test_an_answer_that_depends_on_other_images_is_found(suspicions, seed):
    """Before training, too, when other images move an answer by 1 % or so."""
    found = suspicions(small("mean", across=True, seed=seed), torch.randn(4, 3, 8, 8))
    assert found == ["an answer depends on the other images (9, with mean pooling)"]


def test_one_image_is_not_enough(suspicions):
    with pytest.raises(ValueError, match="at least two images"):
        suspicions(small(), torch.randn(1, 3, 8, 8))
    assert suspicions(small(), torch.randn(2, 3, 8, 8)) == ["nothing found"]


def test_where_no_two_answers_agree_other_images_are_not_blamed(suspicions):
    model = small()
    model.register_forward_hook(lambda *called: nn.functional.dropout(called[-1], training=True))
    found = suspicions(model, torch.randn(4, 3, 8, 8))
    assert found == ["asked twice, it answers differently (14)"]


def test_a_kernel_that_adds_in_another_order_each_time_is_not_called_dropout(suspicions):
    model = small()
    model.register_forward_hook(lambda *called: called[-1] * (1 + 1e-6 * torch.rand(())))
    assert suspicions(model, torch.randn(4, 3, 8, 8)) == ["nothing found"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("pool", ["class", "mean"])
def test_dropout_that_goes_on_is_found_before_training(suspicions, museum, pool, seed):
    """Also where it moves an answer by less than other images or TF32 may."""
    (exhibit,) = (source for source in EXHIBITS if "class AlwaysDrops" in source)
    exec(exhibit, museum)  # noqa: S102
    model = small(pool, seed=seed)
    for block in model.blocks:
        block.attn.__class__, block.attn.attn_drop_rate = museum["AlwaysDrops"], 0.1
    found = suspicions(model, torch.randn(4, 3, 8, 8))
    assert found == ["asked twice, it answers differently (14)"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_called_that(suspicions, value):
    model = small()
    model.register_forward_hook(lambda *called: called[-1] + value)
    found = suspicions(model, torch.randn(4, 3, 8, 8))
    assert found == ["some of its answers are not finite numbers"]


class ReadsTheFirstImage(VisionTransformer):
    def forward(self, images):
        return self.head(self.forward_features(images)[0])


@pytest.mark.parametrize("count", [4, 5])  # as many images as tokens: 5
def test_the_tokens_of_one_image_are_no_answers_for_all(suspicions, count):
    model = ReadsTheFirstImage(small().config)
    assert model.num_tokens == 5
    found = suspicions(model, torch.randn(count, 3, 8, 8))
    assert found == ["not one answer for each image (11)"]


def test_every_suspicion_stays_on_the_device_of_the_model(suspicions):
    """A claimed GPU, where every alarm goes off, since nobody knows the numbers."""
    with fake_gpu((9, 0)):
        model = small(softmax=True).to(GPU)
        found = suspicions(model, torch.randn(4, 3, 8, 8, device=GPU))
    assert "it ends in a softmax (5)" in found


class MovedPositions(VisionTransformer):
    """Exhibit 13: its positions are a copy of a parameter."""

    def __init__(self, config):
        super().__init__(config)
        moved = self.pos_embed._parameters.pop("weight").to(torch.float64)
        self.pos_embed.weight = moved.to(torch.float32)


class ClassTokenForEachPlace(VisionTransformer):
    """Exhibit 15, for four images."""

    def __init__(self, config):
        super().__init__(config)
        self.places = nn.Parameter(torch.randn(4, 1, config.embed_dim))

    def forward(self, images):
        return self.head(self.forward_features(images)[:, :1] + self.places).flatten(0, 1)


NOT_TRAINED = "it computes with parameters that are not in model.parameters() (13 or 16)"


def test_parameters_that_the_model_does_not_know_of_are_found(suspicions):
    images = torch.randn(4, 3, 8, 8)
    assert suspicions(MovedPositions(small().config), images) == [NOT_TRAINED]

    class Listed(BlocksInAList):
        def forward_features(self, images):
            tokens = self.pos_embed(self.cls_token(self.patch_embed(images)))
            for block in self.blocks:
                tokens = block(tokens)
            return self.norm(tokens)

    assert suspicions(Listed(small().config), images) == [NOT_TRAINED]


def test_a_model_that_keeps_its_last_attention_map_is_not_accused(suspicions):
    class Keeps(MultiHeadSelfAttention):
        def forward(self, x):
            queries, keys, values = self.split_heads(x)
            self.last = attention_weights(queries, keys)  # with its graph, so deepcopy refuses it
            return self.proj((self.last @ values).transpose(1, 2).flatten(2))

    model, images = small(), torch.randn(4, 3, 8, 8)
    for block in model.blocks:
        block.attn.__class__ = Keeps
    model(images).sum().backward()
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(model)
    assert suspicions(model, images) == ["nothing found"]


def test_suspicions_leave_the_model_as_it_was(suspicions):
    model, images = small(), torch.randn(4, 3, 8, 8, requires_grad=True)
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    model.head.weight.requires_grad_(False)
    with torch.no_grad():
        found = suspicions(model, images)
    assert found == ["no gradient reaches head.weight: frozen, or not used"]
    assert [module.training for module in model.modules()] == modes
    assert images.grad is None and all(p.grad is None for p in model.parameters())


def test_a_model_that_needs_as_many_images_as_before_gets_a_suspicion(suspicions):
    config, images = small().config, torch.randn(4, 3, 8, 8)
    assert suspicions(ClassTokenForEachPlace(config), images)[0].startswith("not one answer")

    class Stops(ClassTokenForEachPlace):
        def forward(self, images):
            tokens = self.forward_features(images)[:, :1]
            return self.head(torch.cat([self.places, tokens], dim=2))

    (found,) = suspicions(Stops(config), images)
    assert "15?" in found


@pytest.mark.parametrize("name", silent_bugs.BUGS)
def test_of_the_bugs_that_were_trained_these_are_found(suspicions, name):
    expected = {
        "attention across the batch": "all images get the same answer (9, with a class token)",
        "attention across the batch, mean pooling": "an answer depends on the other images (9, "
        "with mean pooling)",
        "softmax twice": "it ends in a softmax (5)",
        "dropout never off": "asked twice, it answers differently (14)",
    }
    changes, put_in = silent_bugs.BUGS[name]
    torch.manual_seed(0)
    model = VisionTransformer(replace(silent_bugs.BASE["quick"].model, **changes))
    put_in(model)
    for p in model.parameters():  # some stand for parameters that nobody trains by frozen ones
        p.requires_grad_()
    found = suspicions(model, torch.randn(4, 3, 32, 32))
    assert found == [expected.get(name, "nothing found")]


@pytest.fixture
def attention_tools(museum):
    """What the cells about one attention define."""
    for source in EXHIBITS:
        exec(source, museum)  # noqa: S102
    for tag in ("own-model", "across", "own-attention", "attentions"):
        for cell in tagged(tag):
            exec(cell.source, museum)  # noqa: S102
    return museum


MOVES, DIFFERS = "does not move along", "not as PyTorch's"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("T", [5, 6, 9])  # with a number of tokens that the heads divide, too
def test_which_bugs_the_checks_of_an_attention_find(attention_tools, seed, T):
    torch.manual_seed(seed)
    tokens, found = 3 * torch.randn(2, T, 24), {}
    for name, attention in attention_tools["attentions"].items():
        for p in attention.parameters():
            nn.init.uniform_(p, -0.2, 0.2)
        reference = attention_tools["pytorch_attention"](attention, 3)
        ask = attention_tools["suspicions_about_attention"]
        found[name.split()[0]] = ask(attention, tokens, reference)
        assert (MOVES in ask(attention, tokens)) == (MOVES in found[name.split()[0]])
    assert found.pop("right") == ["nothing found"]
    both = {number for number, of in found.items() if of == [MOVES, DIFFERS]}
    assert both == {"2", "3", "14"}
    assert all(found[number] == [DIFFERS] for number in found.keys() - both)
    assert found.keys() - both == {"4", "6", "9", "12"}


def test_the_course_s_attention_raises_no_suspicion(attention_tools):
    attention = MultiHeadSelfAttention(24, 3).eval()
    reference = attention_tools["pytorch_attention"](attention, 3)
    found = attention_tools["suspicions_about_attention"](
        attention, 3 * torch.randn(2, 5, 24), reference
    )
    assert found == ["nothing found"]


class BlocksInAList(VisionTransformer):
    """Exhibit 16."""

    def __init__(self, config):
        super().__init__(config)
        blocks = list(self._modules.pop("blocks"))
        self.blocks = blocks


class OneBlock(VisionTransformer):
    """Exhibit 17."""

    def __init__(self, config):
        super().__init__(config)
        self.blocks = nn.ModuleList([self.blocks[0]] * config.depth)


class NormOverTokens(VisionTransformer):
    """Exhibit 10."""

    def __init__(self, config):
        super().__init__(config)
        for block in self.blocks:
            block.norm1 = block.norm2 = nn.LayerNorm((self.num_tokens, config.embed_dim))


def test_what_happens_if_the_weights_of_a_right_model_are_loaded_into_those_that_do_not_fit():
    right, config = small(), small().config
    weights = right.state_dict()
    for kind, missing in ((MovedPositions, "pos_embed"), (BlocksInAList, "blocks")):
        with pytest.raises(RuntimeError, match=f"Unexpected key.*\n?.*{missing}"):
            kind(config).load_state_dict(weights)
        left_out = kind(config).load_state_dict(weights, strict=False).unexpected_keys
        assert left_out == [name for name in weights if name.startswith(missing)]
    for strict in (True, False):
        with pytest.raises(RuntimeError, match="size mismatch"):
            NormOverTokens(config).load_state_dict(weights, strict=strict)


def test_which_bugs_stop_a_right_model_from_loading_the_weights(museum):
    (exhibit,) = (source for source in EXHIBITS if "class NoLastNorm" in source)
    exec(exhibit, museum)  # noqa: S102
    for kind in (MovedPositions, BlocksInAList, NormOverTokens, museum["NoLastNorm"]):
        with pytest.raises(RuntimeError, match=r"Missing key|size mismatch"):
            small().load_state_dict(kind(small().config).state_dict())
    for_each_place = small()
    for_each_place.cls_token.weight = nn.Parameter(torch.randn(4, 1, 24))
    with pytest.raises(RuntimeError, match="size mismatch"):
        small().load_state_dict(for_each_place.state_dict())


def test_a_repeated_block_takes_the_weights_of_all_blocks_and_keeps_the_last():
    right, model = small(), OneBlock(small().config)
    assert model.state_dict().keys() == right.state_dict().keys()
    assert str(model.load_state_dict(right.state_dict())) == "<All keys matched successfully>"
    first, last = right.blocks[0].attn.qkv.weight, right.blocks[-1].attn.qkv.weight
    for block in model.blocks:
        assert torch.equal(block.attn.qkv.weight, last) and not torch.equal(last, first)


@pytest.fixture
def compare(museum):
    """The function that compares two models piece by piece."""
    (cell,) = tagged("own-pieces")
    exec(cell.source, museum)  # noqa: S102
    return museum["compare"]


def test_the_comparison_with_a_reference_names_the_block_with_the_bug(compare, museum, capsys):
    (exhibit,) = (source for source in EXHIBITS if "class NoResidual" in source)
    (cell,) = tagged("reference")
    exec(exhibit, museum)  # noqa: S102
    museum["images"] = torch.randn(4, 3, 8, 8)
    capsys.readouterr()
    exec(cell.source, museum)  # noqa: S102
    said = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(said.values()) == ["same", "same", "differs", "differs", "differs", "differs"]
    assert list(said) == ["patches", "block 1", "block 2", "last norm", "head", "answers"]


def test_the_comparison_sees_answers_of_another_number(compare):
    ours, reference = ReadsTheFirstImage(small().config), small()
    reference.load_state_dict(ours.state_dict())
    found = compare(ours, reference, torch.randn(4, 3, 8, 8))
    assert {piece for piece, said in found.items() if said == "differs"} == {"head", "answers"}


@pytest.mark.parametrize("fails", [False, True])
def test_the_comparison_leaves_a_model_as_it_was(compare, museum, fails):
    model, images = small().train(), torch.randn(4, 3, 8, 8)
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    if fails:
        with pytest.raises(ValueError, match="expected"):
            museum["pieces_of"](model, images[0])
    else:
        compare(model, small(), images)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", silent_bugs.LOADABLE)
def test_where_the_comparison_finds_the_bugs_whose_weights_load(compare, name):
    """In the piece that has the bug; one block, repeated, is the one that it cannot see."""
    expected = {
        "patches by reshape": "patches",
        "softmax twice": "answers",
        "none": None,
        "one block, repeated": None,
    }
    torch.manual_seed(0)
    config = replace(silent_bugs.BASE["quick"].model, **silent_bugs.BUGS[name][0])
    ours, reference = VisionTransformer(config), VisionTransformer(config)
    for module in ours.modules():  # large weights, so that attention is uneven
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -0.2, 0.2)
    silent_bugs.BUGS[name][1](ours)
    if name == "no norm at the end":
        with pytest.raises(RuntimeError, match="Missing key"):
            reference.load_state_dict(ours.state_dict())
        return
    reference.load_state_dict(ours.state_dict())
    found = compare(ours, reference, torch.randn(4, 3, 32, 32))
    first = next((piece for piece, said in found.items() if said == "differs"), None)
    assert first == expected.get(name, "block 1")


def test_the_tools_leave_one_bug_of_the_mystery_and_its_parameters_tell(
    attention_tools, compare, capsys
):
    """Only from a right model's weights does the comparison see it, as the text says."""
    museum = attention_tools
    (cell,), (names,) = tagged("mystery"), tagged("bug-names")
    exec(cell.source, museum)  # noqa: S102
    mystery, images = museum["mystery"].eval(), torch.randn(4, 3, 32, 32)
    right = VisionTransformer(mystery.config)
    count, whole = (sum(p.numel() for p in m.parameters()) for m in (mystery, right))
    assert whole - count == sum(p.numel() for p in right.blocks[0].parameters())
    exec(names.source, museum)  # noqa: S102
    for cell in tagged("asked-mystery"):
        exec(cell.source, museum)  # noqa: S102
    said = capsys.readouterr().out
    asked = [line for line in said.splitlines() if line.startswith("mystery: ")]
    assert asked[:-1] == ["mystery: nothing found"] * (1 + 1 + 2)  # then its weights load
    assert "differs" not in said
    assert "1 left:\n17 one block, repeated" in said
    for p in right.parameters():
        nn.init.uniform_(p, -0.2, 0.2)
    mystery.load_state_dict(right.state_dict())
    found = compare(mystery, right, images)
    assert [found["patches"], found["block 1"]] == ["same", "differs"]
    right.load_state_dict(mystery.state_dict())
    assert set(compare(mystery, right, images).values()) == {"same"}


def test_every_bug_but_one_is_struck_once():
    source = "\n".join(cell.source for cell in tagged("asked-mystery"))
    struck = re.findall(r"^strike\((.+)\)", source, re.MULTILINE)
    assert sorted(int(number) for of in struck for number in of.split(", ")) == [*range(1, 17)]
