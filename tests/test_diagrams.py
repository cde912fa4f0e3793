"""Diagrams: the numbers in them are right, words can be read and none lie on top of each other."""

import inspect
import re
from collections import Counter
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from torch.nn import functional as F

from vit_minimal import (
    TrainingConfig,
    VisionTransformer,
    ViTConfig,
    diagrams,
    fit,
    patchify,
    plots,
    shapes10,
)
from vit_minimal.data import Dataset
from vit_minimal.diagrams import card, class_token, museum, starts
from vit_minimal.diagrams.machines import FORMATS, PARTS_OF_A_RUN

IMAGES, _ = shapes10(2, seed=2)
TOKENS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
QUERY, KEYS = torch.tensor([1.0, 0.5]), torch.tensor([[0.0, 1.0], [1.5, 0.5], [1.5, 1.5]])
VALUES = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
NAMES = ("[class]", "patch 0", "patch 1")
NUMBERS = [2.0, 0.5, 4.0, -1.0, 3.5, 6.0, 1.0, 0.0]
MAPS = torch.rand(5, 64, generator=torch.Generator().manual_seed(0))
READ = torch.tensor(  # by six probes, of four classes
    [
        [0.3, 0.3, 0.2, 0.2],
        [0.1, 0.6, 0.2, 0.1],
        [0.0, 0.2, 0.7, 0.1],
        [0.1, 0.1, 0.6, 0.2],
        [-0.2, 0.1, 0.2, 0.9],
        [0.0, -0.1, 0.0, 1.1],
    ]
)
LOST = (  # the class token cut off in one block, in two ways: points lost
    [[block] for block in range(1, 7)],
    {
        "knock-out": {"mean": [0.4, 1, 2, 3, 6, 38.4], "width": [1] * 6},
        "mean ablation": {"mean": [-0.1, 0, 1, 2, 3, 9.4], "width": [1] * 6},
    },
)
RIGHT = (
    [[], [1, 2], [1, 2, 3, 4, 5, 6]],
    {"right": {"mean": [90, 40, -0.2], "width": [1, 2, 0.1]}},
)
SPEAKS = [0.5, 0.3, 0.1], {"truck": [0.2, -0.6, 2.0], "automobile": [-0.4, 0.5, -1.0]}
PLACED = (  # what a probe reads, what a cut costs, and findings
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 0.9],
    [0.1, 0, -1, -2, -3, -9.4],
    {place: ("it is so", f"{n}.0 ± 0.7") for n, place in enumerate(class_token.PLACES, 1)},
)
LETTERS = ["a", "b", "c", "d"]
OWNERS = np.arange(24).reshape(4, 6) % 6 // 2, np.arange(24).reshape(4, 6) // 8  # of three heads
LABELS = [np.where(owners == 0, "7", "") for owners in OWNERS]

NORMED = {  # class tokens of five images: what they share is small beside what differs, or large
    name: of + torch.randn(5, 96, generator=torch.Generator().manual_seed(1)) / 20
    for name, of in (("a", 0.05), ("b", torch.linspace(-1.7, 1.7, 96)))
}
ADDED = {f"from N(0, {s})": ((0.32, s), (0.02, s)) for s in (0.02, 1)}
STARTS = {  # points, width, costly or not or not settled, and which of five signs warn
    ("patches' positions*", "N(0, 1)"): (10.3, 0.9, True, [True, False, False, True, False]),
    ("weights", "PyTorch's default"): (4.5, 0.7, True, [False] * 5),
    ("class token", "zeros"): (-0.3, 0.7, False, [True, False, False, True, False]),
    ("class token", "N(0, 1)"): (0.7, 0.7, None, [True, False, False, True, True]),
}
SIGNS = "sizes", "two steps", "first loss", "any of these", "spread"
BARE = {start: (*of, ()) for start, (*of, _) in STARTS.items()}

# Each diagram, with whatever changes what is written in it
CASES = {
    "overview": lambda: diagrams.overview(IMAGES[0]),
    "overview, a part": lambda: diagrams.overview(IMAGES[0], "attention"),
    "overview, scores": lambda: diagrams.overview(
        IMAGES[0], scores={"triangle": 0.9, "rectangle": 0.05, "cross": 0.03, "ring": 0.02, "x": 0}
    ),
    "overview, a photo": lambda: diagrams.overview(torch.zeros(3, 224, 224)),
    "patch_sequence": lambda: diagrams.patch_sequence(IMAGES[0], 4),
    "patch_sequence, few": lambda: diagrams.patch_sequence(IMAGES[0, :, :16], 8),
    "patch_sequence, many": lambda: diagrams.patch_sequence(torch.zeros(3, 224, 224), 16),
    "patch_sequence, wide": lambda: diagrams.patch_sequence(torch.zeros(1, 32, 160), 16),
    "memory": lambda: diagrams.memory((4, 6), 2),
    "memory, square": lambda: diagrams.memory((4, 4), 2),
    "axes_of_patchify": lambda: diagrams.axes_of_patchify((1, 1, 4, 6), 2),
    "axes_of_patchify, photos": lambda: diagrams.axes_of_patchify((128, 3, 224, 224), 16),
    "strided_convolution": lambda: diagrams.strided_convolution(
        torch.arange(24).reshape(4, 6), torch.full((2, 2), 0.25), patches=(0, 4)
    ),
    "strided_convolution, square": lambda: diagrams.strided_convolution(
        -np.ones((4, 4)), np.eye(2)
    ),
    "heads_in_memory": lambda: diagrams.heads_in_memory(4, 6, 2),
    "heads_in_memory, three": lambda: diagrams.heads_in_memory(2, 9, 3),
    "attention_by_hand": lambda: diagrams.attention_by_hand(TOKENS, QUERY, KEYS, VALUES, NAMES),
    "attention_by_hand, not scaled": lambda: diagrams.attention_by_hand(
        None, QUERY, KEYS, VALUES, scaled=False
    ),
    "attention_by_hand, large": lambda: diagrams.attention_by_hand(
        *(-9.87 * torch.ones(shape) for shape in ((5, 3), (3,), (5, 3), (5, 3)))
    ),
    "attention_in_tables": lambda: diagrams.attention_in_tables(KEYS - 1, KEYS, VALUES),
    "attention_in_tables, small": lambda: diagrams.attention_in_tables(
        *(torch.randn(2, 1, generator=torch.Generator().manual_seed(n)) for n in range(3))
    ),
    "heads_side_by_side": lambda: diagrams.heads_side_by_side(3, 192),
    "heads_side_by_side, one": lambda: diagrams.heads_side_by_side(1, 64),
    "heads_side_by_side, twelve": lambda: diagrams.heads_side_by_side(12, 768),
    "heads_side_by_side, own maps": lambda: diagrams.heads_side_by_side(4, 48, one_map=False),
    "heads_side_by_side, own maps of twelve": lambda: diagrams.heads_side_by_side(
        12, 768, one_map=False
    ),
    "block": diagrams.block,
    "block, post-norm": lambda: diagrams.block(norm_first=False),
    "stream": lambda: diagrams.stream(9),
    "stream, shallow": lambda: diagrams.stream(2),
    "layer_norm": lambda: diagrams.layer_norm(NUMBERS),
    "layer_norm, twelve": lambda: diagrams.layer_norm(-10 * np.arange(12)),
    "gelu": diagrams.gelu,
    "transfer": diagrams.transfer,
    "transfer, eight": lambda: diagrams.transfer(8, 21_843, 3),
    "transfer, one": lambda: diagrams.transfer(1, 2, 100),
    "layer_decay": diagrams.layer_decay,
    "layer_decay, eight": lambda: diagrams.layer_decay(8, 0.65),
    "layer_decay, one": lambda: diagrams.layer_decay(1, 0.5),
    "probes": lambda: diagrams.probes(6, 192, 10),
    "probes, all places": lambda: diagrams.probes(3, 768, 1000),
    "probes, one block": lambda: diagrams.probes(1, 64, 2),
    "cut_off": lambda: diagrams.cut_off([0.1, 0.2, 0.7], VALUES, [1.0, 1.5]),
    "cut_off, large": lambda: diagrams.cut_off(
        [0.2] * 5, -9.87 * torch.ones(5, 3), -9.87 * torch.ones(3)
    ),
    "reading_blocks": lambda: diagrams.reading_blocks(6, {"Lost": LOST}, 50, "A title", ""),
    "reading_blocks, two": lambda: diagrams.reading_blocks(
        6, {"From here": RIGHT, "From there": RIGHT}, 100
    ),
    "reading_blocks, ±": lambda: diagrams.reading_blocks(
        6, {"From here": RIGHT, "From there": RIGHT}, 100, "A title", "", digits=1
    ),
    "cut_or_late": lambda: diagrams.cut_or_late(6, 4, 4),
    "cut_or_late, shallow": lambda: diagrams.cut_or_late(2, 2, 1),
    "weighed_by_gradient": lambda: diagrams.weighed_by_gradient(*SPEAKS),
    "weighed_by_gradient, six": lambda: diagrams.weighed_by_gradient(
        [0.125] * 6, {"automobile": [-10.5] * 6}
    ),
    "attention_over, framed": lambda: diagrams.attention_over(
        IMAGES[0], MAPS[:2], (8, 8), full=1.0, scale="the highest value of the two", frame=(2, 5)
    ),
    "two_processes": diagrams.two_processes,
    "what_is_saved": diagrams.what_is_saved,
    "float_formats": diagrams.float_formats,
    "gradient_accumulation": diagrams.gradient_accumulation,
    "gradient_accumulation, five": lambda: diagrams.gradient_accumulation(5),
    "training_loop": diagrams.training_loop,
    "curve_gallery": diagrams.curve_gallery,
    "curve_gallery, measured": lambda: diagrams.curve_gallery(
        {3: [[2.31, 2.30]], 5: [torch.linspace(0.1, 1, 9), torch.linspace(0.1, 0.5, 9)]}
    ),
    "descent": lambda: diagrams.descent(
        {"SGD": [[-9, 2], [-5, 0]], "Adam": [[-9, 2], [-4, 1], [0, 0]]}, lambda x, y: x**2 + y**2
    ),
    "even_step": lambda: diagrams.even_step(torch.tensor([[0.3, 1.4], [-0.25, 0.3]])),
    "even_step, falling": lambda: diagrams.even_step([[-0.5, 1.1], [0.9, -0.2]]),
    "class_token_idea": lambda: diagrams.class_token_idea(IMAGES),
    "class_token_places": lambda: diagrams.class_token_places(*PLACED),
    "class_token_places, three blocks": lambda: diagrams.class_token_places(
        [0, 0.1, 1, 1], [-10.5, 2, 0], {"head": ("words " * 6, "without: −10.5 ± 1.0")}
    ),
    "attention_over": lambda: diagrams.attention_over(IMAGES[0], MAPS, (8, 8)),
    "attention_over, images": lambda: diagrams.attention_over(IMAGES, MAPS[:2], (8, 8)),
    "journey": lambda: diagrams.journey(IMAGES[0], MAPS, (8, 8), READ, LETTERS),
    "journey, one block": lambda: diagrams.journey(
        IMAGES[0], MAPS[:1], (8, 8), READ[:2], ["automobile", *LETTERS[1:]], 2, "A title"
    ),
    "owners": lambda: diagrams.owners(*OWNERS, "head", rows="tokens", columns="D = 6 numbers"),
    "owners, panels": lambda: diagrams.owners(
        np.arange(24).reshape(3, 2, 4) // 6,
        np.arange(24).reshape(3, 2, 4) % 4,
        "patch",
        panels=("red", "green", "blue"),
        framed=(0, 2, 1, 4),
    ),
    "amounts": lambda: diagrams.amounts(
        MAPS[:4, :5], MAPS[1:, :5], [f"image {i}" for i in range(4)], range(5), marked=(0, 2)
    ),
    "owners, labels": lambda: diagrams.owners(
        *OWNERS,
        "head",
        rows="tokens",
        columns="D = 6 numbers",
        labels=LABELS,
        key="in a cell: the row",
        title="A title",
    ),
    "amounts, a key": lambda: diagrams.amounts(
        MAPS[:4, :5], MAPS[1:, :5], column_names=range(5), columns="token", key="dark: read a lot"
    ),
    "amounts, bad": lambda: diagrams.amounts(
        np.eye(5),
        np.ones((5, 5)) / 5,
        bad=(0, 1, 5, 5, "should be 0"),
        key="dark: a lot",
        title="A title",
    ),
    "amounts, one row": lambda: diagrams.amounts(
        np.linspace(0, 1, 24)[None], np.zeros((1, 24)), ["answer"], key="white: 0"
    ),
    "weights_of_blocks": lambda: diagrams.weights_of_blocks(
        {
            "right": (range(6), "432 parameters"),
            "11. a Python list": ([None] * 6, "0 parameters"),
            "12. [block] * 6": ([0] * 6, "72 parameters"),
        },
        "A title",
    ),
    "shares": lambda: diagrams.shares(torch.eye(10)[2], torch.eye(10)[2].softmax(0), 2, "classes"),
    "windows": lambda: diagrams.windows(IMAGES[0], (15, 31, 47)),
    "windows, one": lambda: diagrams.windows(IMAGES[0], (8,)),
    "cuts": lambda: diagrams.cuts(IMAGES[0], (2, 4, 8, 16, 32)),
    "cuts, a frame": lambda: diagrams.cuts(IMAGES[0], (4, 8), frame=(8, 4, 4)),
    "cut_class_token": diagrams.cut_class_token,
    "cut_class_token, titled": lambda: diagrams.cut_class_token("A title"),
    "exchange": diagrams.exchange,
    "exchange, titled": lambda: diagrams.exchange(9, "A title"),
    "heads_read": lambda: diagrams.heads_read({"class token": ("x[:, 0]", np.eye(17)[0])}),
    "heads_read, registers": lambda: diagrams.heads_read(
        {"first": ("x[:, 0]", np.eye(69)[0]), "all": ("x.mean(dim=1)", np.ones(69))},
        num_registers=4,
    ),
    "norm_divides": lambda: diagrams.norm_divides(NORMED),
    "norm_divides, one": lambda: diagrams.norm_divides({"large": 850 * NORMED["a"]}),
    "what_adds_up": lambda: diagrams.what_adds_up(ADDED),
    "what_adds_up, one": lambda: diagrams.what_adds_up({"large": ((10.0, 0.0), (3.0, 10.0))}),
    "zero_pairs": diagrams.zero_pairs,
    "signs_and_costs": lambda: diagrams.signs_and_costs(STARTS, SIGNS, "small model"),
    "signs_and_costs, no sign": lambda: diagrams.signs_and_costs(BARE, title="small model"),
    "signs_and_costs, one": lambda: diagrams.signs_and_costs(
        {start: (*of, warns[:1]) for start, (*of, warns) in STARTS.items()}, SIGNS[:1]
    ),
    "signs_and_costs, fifteen": lambda: diagrams.signs_and_costs(
        {
            ("weights", f"start {n}"): (58.9 - n, 3.1, (True, None, False)[n // 5], [True] * 5)
            for n in range(15)
        },
        SIGNS,
    ),
    "attention_over, arrows": lambda: diagrams.attention_over(
        IMAGES[0], MAPS[:3], (8, 8), ["head 1", "head 2", "head 3"], arrows=3
    ),
}


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Draw without a window; each test reads its figure from `plt.gcf()`."""
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())
    yield
    plt.close("all")


def words():
    """The words of the figure, ticks and legend left out, each with what it takes on the card."""
    (axis,) = plt.gcf().axes
    return [(text, text.get_window_extent()) for text in axis.texts if text.get_text()]


def written():
    return [text.get_text() for text, _ in words()]


def test_every_diagram_is_looked_at_here():
    functions = {name for name, _ in inspect.getmembers(diagrams, inspect.isfunction)}
    assert functions == {name.partition(",")[0] for name in CASES}


def contrast(one, other):
    """WCAG 2.2: at least 4.5 for text."""
    darker, brighter = sorted(map(plots.luminance, (one, other)))
    return (brighter + 0.05) / (darker + 0.05)


def strength(text):
    """How strong a text is beside the ink of its card, 0 … 1."""
    return (1 - max(to_rgb(text.get_color()))) / (1 - max(to_rgb(card.INK)))


def background(extent, picture):
    """The usual colour below a text, in a picture (height, width, 3) drawn without words."""
    below = picture[int(extent.y0) : int(extent.y1), int(extent.x0) : int(extent.x1)]
    return np.median(below.reshape(-1, 3), axis=0)


@pytest.mark.parametrize("name", CASES)
def test_words_can_be_read(name):
    CASES[name]()
    figure, (axis,) = plt.gcf(), plt.gcf().axes
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert figure.get_figwidth() == 6.6 and figure.get_figheight() <= 8
    card_of, found = figure.bbox, words()
    boxes = [p.get_window_extent() for p in axis.patches if isinstance(p, FancyBboxPatch)]
    for text, extent in found:
        assert text.get_fontsize() >= 10, text
        assert card_of.x0 + 5 <= extent.x0 and extent.x1 <= card_of.x1 - 5, text
        assert card_of.y0 + 2 <= extent.y0 and extent.y1 <= card_of.y1 - 2, text
        centre = (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2
        for box in (box for box in boxes if box.contains(*centre)):
            assert box.x0 < extent.x0 and extent.x1 < box.x1, text
            assert box.y0 < extent.y0 and extent.y1 < box.y1, text
    corners = np.array([extent.padded(-1).get_points() for _, extent in found])
    low, high = corners[:, None, 0], corners[None, :, 1]
    overlap = (low < high).all(axis=-1)
    pairs = np.argwhere(np.triu(overlap & overlap.T, 1))
    assert not [(found[i][0], found[j][0]) for i, j in pairs]

    if name == "overview, a part":
        return  # the others are faint
    for text, _ in found:
        text.set_visible(False)
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3] / 255
    for text, extent in found:
        signs = not any(map(str.isalnum, text.get_text()))
        if not signs and not text.get_path_effects():  # those have an outline
            assert contrast(text.get_color(), background(extent, picture)) >= 4.5, text


def test_inks_can_be_read():
    roles = (card.PATCH, card.CLASS, card.POSITION, card.ATTENTION, card.MLP, card.HEAD)
    for colour in (*roles, *card.SERIES):
        assert contrast(card.ink_on(colour), colour) >= 4.5
        assert contrast(card.dark(colour), "white") >= 4.5
    assert contrast(card.QUIET, "white") >= 4.5


@pytest.mark.parametrize("name", CASES)
def test_every_diagram_is_described_in_words(name, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    monkeypatch.setattr("IPython.display.display", lambda figure, metadata: shown.append(metadata))
    CASES[name]()
    (metadata,) = shown
    assert len(metadata["image/png"]["alt"].split()) >= 20
    assert not plt.get_fignums()  # shown once, not once more at the end of the cell


@pytest.mark.parametrize("matrix", [[[0.3, 1.4], [-0.25, 0.3]], [[-0.5, 1.1], [0.9, -0.2]]])
def test_the_even_step_keeps_directions_and_sets_both_lengths_to_one(matrix):
    diagrams.even_step(matrix)
    lengths = np.linalg.svd(matrix)[1]
    numbers = [text for text in written() if re.fullmatch(r"\d\.\d", text)]
    assert numbers == ["1.0", "1.0", *(f"{length:.1f}" for length in lengths), "1.0", "1.0"]
    (axis,) = plt.gcf().axes
    wide = [np.ptp(p.get_xy(), axis=0) for p in axis.patches if isinstance(p, Polygon)]
    assert np.allclose(wide[0], wide[2], rtol=0.01)  # two equal circles
    assert np.ptp(wide[0]) < 0.05 and np.ptp(wide[1]) > 2  # and an ellipse between them


def test_the_gallery_draws_measured_curves_in_the_place_of_sketches():
    heights = []
    for runs in (None, {0: [[3.0, 0.0]]}):
        diagrams.curve_gallery(runs)
        (axis,) = plt.gcf().axes
        heights.append([line.get_ydata() for line in axis.lines])
    sketched, measured = heights
    assert len(sketched) == len(measured)
    changed = [k for k, (a, b) in enumerate(zip(*heights, strict=True)) if len(a) != len(b)]
    assert changed == [1] and len(measured[1]) == 2  # after the dotted line of the first frame
    assert measured[1][1] - measured[1][0] == pytest.approx(9.5)  # over the whole frame


@pytest.mark.parametrize("matrix", [[[1.0, 2.0, 3.0]], [[1.0, 2.0], [2.0, 4.0]]])
def test_the_even_step_refuses_what_it_cannot_draw(matrix):
    with pytest.raises(ValueError, match="can be inverted"):
        diagrams.even_step(matrix)


@pytest.mark.parametrize("parts", [2, 4])
def test_the_accumulated_gradient_grows_by_a_layer_with_each_part(parts):
    diagrams.gradient_accumulation(parts)
    (axis,) = plt.gcf().axes
    fills = [to_rgb(p.get_facecolor()) for p in axis.patches if isinstance(p, Rectangle)]
    new, old = to_rgb(card.HEAD), card.tint(card.HEAD, 0.45)
    assert fills.count(new) == parts + 1  # and one in the legend
    assert sum(np.allclose(fill, old) for fill in fills) == parts * (parts - 1) / 2 + 1
    with pytest.raises(ValueError, match="2 to 5 parts, not 6"):
        diagrams.gradient_accumulation(6)


def test_the_overview_counts_patches_tokens_and_numbers():
    diagrams.overview(IMAGES[0])
    patches = patchify(IMAGES[:1], 4)
    shapes = {"(B, 3, 32, 32)", f"(B, {patches.shape[1]}, {patches.shape[2]})", "(B, 65, D)"}
    assert shapes | {"(B, 64, D)", "(1, 65, D)", "(B, 10)"} <= set(written())
    pieces = [image for image in plt.gcf().axes[0].images if image.get_array().shape[0] == 4]
    numbers = [int(text) for text in written() if text.isdigit()]
    assert len(pieces) == len(numbers) == 4
    for piece, number in zip(pieces, numbers, strict=True):
        expected = plots.as_picture(patches[0, number].reshape(3, 4, 4))
        assert np.allclose(piece.get_array(), expected)


@pytest.mark.parametrize("part", ["patches", "class_token", "attention", "model"])
def test_one_part_of_the_overview_is_lit(part):
    diagrams.overview(IMAGES[0], part)
    titles = [text for text, _ in words() if text.get_text()[:3] in ("01 ", "02 ", "03 ", "04 ")]
    lit = [text.get_text() for text in titles if strength(text) == pytest.approx(1)]
    assert len(titles) == 4 and len(lit) == 1
    assert part.split("_")[0] in lit[0]
    faint = [strength(text) for text in titles if text.get_text() not in lit]
    assert faint == pytest.approx([card.FAINT] * 3)


def test_the_head_of_the_overview_can_be_lit_alone():
    diagrams.overview(IMAGES[0], "head")
    strengths = {text.get_text(): strength(text) for text, _ in words()}
    assert strengths["head"] == strengths["class scores"] == pytest.approx(1)
    others = [strengths[name] for name in ("attention", "MLP", "04  the whole model")]
    assert others == pytest.approx([card.FAINT] * 3)


def test_scores_are_those_of_the_best_classes():
    scores = {"a": 0.1, "b": torch.tensor(0.6), "c": 0.05, "d": 0.2, "e": 0.05}
    diagrams.overview(IMAGES[0], scores=scores, num_classes=5)
    assert [name for name in written() if name in scores] == ["b", "d", "a", "c"]
    assert "(B, 5)" in written()


def test_patches_are_drawn_in_their_order():
    diagrams.patch_sequence(IMAGES[0], 8)
    _, *pieces = plt.gcf().axes[0].images
    patches = patchify(IMAGES[:1], 8)[0]
    for piece, patch in zip(pieces, patches, strict=True):
        assert np.allclose(piece.get_array(), plots.as_picture(patch.reshape(3, 8, 8)))
    assert "N = 4 · 4 = 16" in written() and "C·P·P = 192 numbers" in written()


def test_of_many_patches_the_first_and_the_last_are_drawn():
    diagrams.patch_sequence(IMAGES[0], 4)
    _, *pieces = plt.gcf().axes[0].images
    patches = patchify(IMAGES[:1], 4)[0]
    for piece, number in zip(pieces, [*range(11), 60, 61, 62, 63], strict=True):
        expected = plots.as_picture(patches[number].reshape(3, 4, 4))
        assert np.allclose(piece.get_array(), expected)


def cells():
    """The numbers in coloured cells, row by row and from left to right, with their colours."""
    (axis,) = plt.gcf().axes
    found = []
    for text in axis.texts:
        if text.get_text().isdigit():
            x, y = text.get_position()
            (fill,) = {
                p.get_facecolor()
                for p in axis.patches
                if isinstance(p, Rectangle)
                and p.get_facecolor()[3]
                and p.get_zorder() == 2
                and p.get_x() < x < p.get_x() + p.get_width()
                and p.get_y() < y < p.get_y() + p.get_height()
            }
            found.append((int(text.get_text()), fill))
    return found


def test_memory_is_cut_as_torch_cuts_it():
    diagrams.memory((4, 6), 2)
    image = torch.arange(24).reshape(4, 6)
    right = patchify(image[None, None], 2)[0]
    found = cells()
    expected = [image.flatten(), image.flatten(), image.view(6, 4).flatten(), right.flatten()]
    assert [number for number, _ in found] == torch.cat(expected).tolist()
    colours = {number: colour for number, colour in found}
    assert all(colours[number] == colour for number, colour in found)
    for patch in right.tolist():  # one colour each, and six of them
        assert len({colours[number] for number in patch}) == 1
    assert len(set(colours.values())) == 6
    assert "✗ 2 colours in a patch" in written() and "✓ one colour in a patch" in written()


def test_colours_are_counted_in_every_patch():
    diagrams.memory((2, 6), 2)  # by view: 0, 1, 2, 3 then 4, 5, 6, 7 then 8, 9, 10, 11
    assert "✗ 2 colours in a patch" in written()
    diagrams.memory((3, 6), 3)
    assert "✗ 2 colours in a patch" in written()
    diagrams.memory((6, 2), 2)
    assert written().count("✓ one colour in a patch") == 2


def test_axes_are_split_moved_and_joined_as_torch_does_it():
    images = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    diagrams.axes_of_patchify(images.shape, 2)
    names, split = ("B", "C", "H/P", "P", "W/P", "P"), images.reshape(2, 3, 2, 2, 3, 2)
    (axis,) = plt.gcf().axes
    boxes = [text for text in axis.texts if text.get_text().startswith("axis ")]
    boxes = sorted(boxes, key=lambda text: (round(text.get_position()[1]), text.get_position()[0]))
    lines = [text.get_text().splitlines() for text in boxes]
    order = [int(first.removeprefix("axis ")) for first, _ in lines]
    before, after = order[:6], order[6:]
    assert before == [0, 1, 2, 3, 4, 5]
    assert f"permute({after})".replace("[", "").replace("]", "") in [
        " ".join(text.split()).replace("( ", "(") for text in written()
    ]
    for number, (_, length) in zip(order, lines, strict=True):
        assert length == f"{names[number]} = {split.shape[number]}"
    flat = split.permute(after).reshape(2, 6, 12)
    assert torch.equal(flat, patchify(images, 2))
    assert "N = 2 · 3 = 6" in written() and "C·P·P = 3 · 2 · 2 = 12" in written()

    places = {x.get_position()[0]: i for i, x in enumerate(boxes[:6])}
    moves = []
    for patch in axis.patches:
        if isinstance(patch, FancyArrowPatch):
            (x, top), *_, (end, bottom) = patch._path_original.vertices
            if bottom - top > 10 and x in places:
                moves.append((places[x], places[end]))
    assert [number for number, _ in sorted(moves, key=lambda move: move[1])] == after


def test_attention_in_tables_is_torchs():
    queries = KEYS - 1.0
    diagrams.attention_in_tables(queries, KEYS, VALUES)
    shapes = [text for text in written() if text.startswith("(")]
    assert shapes == ["(T, d)", "(d, T)", "(T, T)", "(T, T)", "(T, d)", "(T, d)"]
    weights = torch.softmax(queries @ KEYS.T, dim=-1)
    result = torch.nn.functional.scaled_dot_product_attention(queries, KEYS, VALUES, scale=1)
    tables = [queries, KEYS.T, queries @ KEYS.T, weights, VALUES, result]
    numbers = [float(text) for text in written() if re.fullmatch(r"-?\d*\.?\d+", text)]
    expected = torch.cat([table.flatten() for table in tables])
    torch.testing.assert_close(torch.tensor(numbers), expected, rtol=0, atol=0.051)


def test_heads_are_split_as_torch_splits_them():
    diagrams.heads_in_memory(4, 6, 2)
    x = 10 * torch.arange(4)[:, None] + torch.arange(6)
    wrong, right = x.view(2, 4, 3), x.view(4, 2, 3).transpose(0, 1)
    expected = torch.cat([x.flatten(), x.flatten(), wrong.flatten(), right.flatten()])
    found = cells()
    assert [number for number, _ in found] == expected.tolist()
    assert len(set(found)) == 24  # a number has one colour
    assert len({colour for _, colour in found}) == 4  # one for each token
    assert "view(4, 2, 3).transpose(0, 1)" in written()
    assert "✗ a head holds 2 of 4 tokens" in written()
    assert "✓ a head holds 4 of 4 tokens" in written()


@pytest.mark.parametrize("scaled", [True, False])
def test_attention_by_hand_is_torchs(scaled):
    diagrams.attention_by_hand(TOKENS, QUERY, KEYS, VALUES, NAMES, scaled)
    scale = {} if scaled else {"scale": 1.0}
    result = F.scaled_dot_product_attention(QUERY[None], KEYS, VALUES, **scale)[0]
    scores = KEYS @ QUERY / (2**0.5 if scaled else 1)
    weights = scores.softmax(dim=0)
    found = written()
    for score, weight, name in zip(scores, weights, NAMES, strict=True):
        assert f"{score:.2f}" in found and f"{weight:.3f}" in found
        assert any(text.startswith(f"{name}\n") for text in found)
    assert found[-1].endswith(f"≈ [{result[0]:.2f} {result[1]:.2f}]")
    assert ("q·k / √2" in found) == scaled
    widths = [p.get_width() for p in plt.gcf().axes[0].patches if isinstance(p, Rectangle)]
    for weight in weights.tolist():
        assert any(width == pytest.approx(10 * weight, abs=1e-4) for width in widths)


def test_heads_have_their_width_and_their_maps():
    maps = torch.rand(3, 4, 4)
    diagrams.heads_side_by_side(3, 192, maps)
    assert written().count("(B, T, 64)") == 3 and "tokens  (B, T, 192)" in written()
    (axis,) = plt.gcf().axes
    cells = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_width() < 2.5]
    green = torch.tensor([p.get_facecolor()[1] for p in cells]).reshape(3, 16)  # less where more
    assert torch.equal(green.argsort(dim=1), maps.flatten(1).argsort(dim=1, descending=True))


def test_each_head_may_have_maps_of_its_own():
    diagrams.heads_side_by_side(4, 48, one_map=False)
    assert sum("→ 12" in text for text in written()) == 4
    diagrams.heads_side_by_side(4, 48)
    assert not any("→ 12" in text for text in written())


def test_a_block_is_written_as_in_the_code():
    diagrams.block()
    assert {"x = x + attn(norm1(x))", "x = x + mlp(norm2(x))"} <= set(written())
    diagrams.block(norm_first=False)
    assert {"x = norm1(x + attn(x))", "x = norm2(x + mlp(x))"} <= set(written())


@pytest.mark.parametrize("depth, blocks", [(1, [1]), (5, [1, 2, 3, 4, 5]), (12, [1, 2, 3, 12])])
def test_the_stream_goes_through_its_blocks(depth, blocks):
    diagrams.stream(depth)
    assert [w for w in written() if w.startswith("block")] == [f"block {b}" for b in blocks]
    assert ("…" in written()) == (depth > 5)


def test_layer_norm_is_torchs():
    diagrams.layer_norm(NUMBERS)
    expected = F.layer_norm(torch.tensor(NUMBERS), (8,), eps=1e-6)
    found = written()
    for numbers in (torch.tensor(NUMBERS), expected):
        for number in numbers.tolist():
            assert f"{number:.2f}".replace("-0.00", "0.00").replace("-", "−") in found
    mean, deviation = np.mean(NUMBERS), np.std(NUMBERS)
    for middle, spread in ((mean, deviation), (0, 1)):
        said = [text for text in found if f"mean {middle:.2f}" in text]
        assert len(said) == 1 and said[0].endswith(f"{spread:.2f}")


def test_two_processes_have_a_model_and_a_gradient_each():
    diagrams.two_processes()
    for words, times in (("half the\nimages", 2), ("gradient", 2), ("mean", 1)):
        assert written().count(words) == times
    assert written().count("back to both") == 1


def test_a_run_is_saved_between_two_steps_only():
    diagrams.what_is_saved()
    (axis,) = plt.gcf().axes
    steps = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_width() == 2.6]
    edges = [edge for p in steps for edge in (p.get_x(), p.get_x() + p.get_width())]
    moments = [p for p in axis.patches if isinstance(p, FancyArrowPatch)]
    assert len(moments) == 3
    for moment in moments:
        x, _ = moment.get_path().vertices[0]
        assert not any(p.get_x() + 0.1 < x < p.get_x() + 2.5 for p in steps)
        assert min(abs(x - edge) for edge in edges) < 0.7
    assert {name for parts in PARTS_OF_A_RUN for name, _ in parts} <= set(written())


def test_the_file_that_is_drawn_holds_what_fit_saves(tmp_path):
    images, labels = torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.zeros(4).long()
    data = Dataset(images, labels, images, labels, ("one",), "none")
    model = VisionTransformer(ViTConfig(embed_dim=8, depth=1, num_heads=1))
    config = TrainingConfig(epochs=1, batch_size=4)
    fit(model, data, config, "cpu", checkpoint=tmp_path / "run.pt")
    drawn = {name for parts in PARTS_OF_A_RUN for name, _ in parts}
    assert set(torch.load(tmp_path / "run.pt")) == drawn


def test_float_formats_have_the_bits_that_torch_says():
    diagrams.float_formats()
    for name, (sign, exponent, fraction) in FORMATS.items():
        limits = torch.finfo(getattr(torch, name))
        assert sign + exponent + fraction == limits.bits
        assert 2.0**-fraction == limits.eps
        assert 2.0 ** (2 - 2 ** (exponent - 1)) == limits.smallest_normal
        assert name in written()
    squares = [p for p in plt.gcf().axes[0].patches if isinstance(p, Rectangle)]
    assert len(squares) == 1 + sum(map(sum, FORMATS.values()))  # the card is one too


def test_gelu_is_torchs():
    diagrams.gelu((-2, 0.5))
    (axis,) = plt.gcf().axes
    curves = {line.get_label(): line for line in axis.lines}
    for label, function in (("GELU", F.gelu), ("ReLU", F.relu)):
        (curve,) = (line for name, line in curves.items() if name.startswith(label))
        x, y = torch.tensor(curve.get_xydata()).T
        assert torch.allclose(function(x), y, atol=1e-6)
    at = F.gelu(torch.tensor([-2, 0.5]))
    assert written() == [f"GELU(−2) = −{-at[0]:.2f}", f"GELU(0.5) = {at[1]:.2f}"]


def test_the_class_token_takes_most_where_its_weight_is_largest():
    weights = torch.full((2, 9), 0.05)
    weights[0, 2] = weights[1, 7] = 0.6
    diagrams.class_token_idea(IMAGES, weights)
    arcs = [p for p in plt.gcf().axes[0].patches if isinstance(p, FancyArrowPatch)]
    widths = [
        p.get_linewidth() for p in arcs if to_rgb(p.get_edgecolor()) == to_rgb(card.ATTENTION)
    ]
    assert [int(np.argmax(row)) for row in np.reshape(widths, (2, 9))] == [2, 7]


def test_the_old_class_token_stands_beside_what_it_has_gathered():
    diagrams.class_token_idea(IMAGES)
    squares = [
        p.get_xy()
        for p in plt.gcf().axes[0].patches
        if isinstance(p, Rectangle) and to_rgb(p.get_facecolor()) == to_rgb(card.CLASS) and p.fill
    ]
    before, after = sorted({x for x, _ in squares})
    assert len(squares) == 4 and before < after and written().count("+") == 2


def test_a_shuffled_image_gives_the_class_token_the_same_stripes():
    order = torch.tensor([8, 1, 2, 3, 0, 5, 6, 7, 4])
    image = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(0))
    pieces = torch.nn.functional.unfold(image[None], 3, stride=3)  # (1, 27, 9)
    shuffled = torch.nn.functional.fold(pieces[:, :, order], 9, 3, stride=3)[0]
    both = torch.stack([image, shuffled])
    numbers = torch.stack([torch.arange(9), order])
    diagrams.class_token_idea(both, numbers=numbers, result="the same")
    assert written().count("the same") == 2 and "different" not in written()
    frames = [
        p for p in plt.gcf().axes[0].patches if to_rgb(p.get_edgecolor()) == to_rgb(card.CLASS)
    ]
    assert frames
    stripes = [
        (round(p.get_width(), 6), p.get_facecolor())
        for p in plt.gcf().axes[0].patches
        if isinstance(p, Rectangle) and p.get_height() == 6 and p.get_facecolor()[3] > 0
    ]
    assert len(stripes) == 18 and np.allclose(
        [np.hstack(stripe) for stripe in stripes[:9]],
        [np.hstack(stripe) for stripe in stripes[9:]],
        atol=1e-5,
    )


def test_attention_is_purple_where_there_is_most():
    diagrams.attention_over(IMAGES[0], MAPS, (8, 8), list("abcde"))
    (axis,) = plt.gcf().axes
    layers = [image.get_array() for image in axis.images if image.get_array().shape == (8, 8, 4)]
    for layer, shares in zip(layers, MAPS, strict=True):
        assert np.allclose(layer[..., :3], to_rgb(card.ATTENTION))
        shares = shares.reshape(8, 8)
        assert np.allclose(layer[..., 3], 0.85 * shares / shares.max())
    assert [text for text in written() if text in "abcde"] == list("abcde")
    assert f"full purple: {MAPS[0].max():.1%}" in written()


def test_the_highest_patches_of_a_map_can_be_outlined():
    diagrams.attention_over(IMAGES[0], MAPS[:1], (8, 8), outlined=3)
    (axis,) = plt.gcf().axes
    frames = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_facecolor()[3] == 0]
    left, right, bottom, top = axis.images[-1].get_extent()
    corners = [p.get_xy() for p in frames]
    found = [((x - left) / (right - left) * 8, (y - top) / (bottom - top) * 8) for x, y in corners]
    highest = MAPS[0].topk(3).indices.tolist()
    assert found == [pytest.approx((patch % 8, patch // 8)) for patch in highest]


def test_maps_of_attention_can_share_a_scale():
    full = 2 * MAPS.max()
    diagrams.attention_over(IMAGES[0], MAPS, (8, 8), list("abcde"), full=full)
    (axis,) = plt.gcf().axes
    layers = [image.get_array() for image in axis.images if image.get_array().shape == (8, 8, 4)]
    for layer, shares in zip(layers, MAPS, strict=True):
        assert np.allclose(layer[..., 3], 0.85 * shares.reshape(8, 8) / full)
    assert f"up to {MAPS[0].max():.1%}" in written()
    lowest = max(axis.texts, key=lambda text: text.get_position()[1])
    assert lowest.get_text() == f"full purple: {full:.0%} or more", "once, below all maps"
    assert sum(text.startswith("full purple") for text in written()) == 1


def test_each_map_of_attention_can_have_its_own_image():
    diagrams.attention_over(IMAGES, MAPS[:2], (8, 8), ["a", "b"])
    (axis,) = plt.gcf().axes
    tops = [image.get_extent()[3] for image in axis.images]
    assert tops[0] == tops[1] < tops[2] == tops[3] == tops[4] == tops[5]  # a map lies on its photo
    lefts = [image.get_extent()[0] for image in axis.images]
    assert lefts == [lefts[0], lefts[1], lefts[0], lefts[0], lefts[1], lefts[1]]
    for image, drawn in zip(IMAGES, axis.images, strict=False):
        assert np.allclose(drawn.get_array(), plots.as_picture(image))
    assert [text for text in written() if text in "ab"] == list("ab")


def test_the_journey_lists_what_is_read_best():
    diagrams.journey(IMAGES[0], MAPS, (8, 8), READ, LETTERS, classes=3)
    # d at the end; c leads after two blocks, b after one; a before the first only
    assert [text for text in written() if text in LETTERS] == ["d", "c", "b"]
    numbers = [text for text in written() if re.fullmatch(r"-?\d\.\d\d", text)]
    assert numbers == [
        f"{value:.2f}" for row in READ.tolist() for value in (row[3], row[2], row[1])
    ]
    (axis,) = plt.gcf().axes
    layers = [image.get_array() for image in axis.images if image.get_array().shape == (8, 8, 4)]
    for layer, shares in zip(layers, MAPS, strict=True):
        assert np.allclose(layer[..., 3], 0.85 * shares.reshape(8, 8) / MAPS.max())
    assert f"full purple: {MAPS.max():.0%}" in written()  # in every block


@pytest.mark.parametrize(("depth", "drawn"), [(1, [0, 1]), (3, [0, 1, 2, 3]), (9, [0, 1, 2, 9])])
def test_each_place_has_a_probe_of_its_own(depth, drawn):
    diagrams.probes(depth, 192, 10)
    assert [text for text in written() if text.startswith("probe ")] == [
        f"probe {number}" for number in drawn
    ]
    assert [text for text in written() if text.startswith("after")] == [
        f"after block {number}" for number in drawn[1:]
    ]
    assert ("…" in written()) == (depth > 3)
    assert "(1, 192) · (192, 10) → (1, 10)" in written()


def test_a_class_token_that_is_cut_off_reads_itself_or_the_usual():
    weights, usual = torch.tensor([0.1, 0.2, 0.7]), torch.tensor([1.0, 1.5])
    diagrams.cut_off(weights, VALUES, usual)
    shares = [text for text in written() if text.endswith("%")]
    assert shares == ["10%", "20%", "70%", "100%", "0%", "0%", "10%", "20%", "70%"]
    numbers = [float(text) for text in written() if re.fullmatch(r"-?\d\.\d", text)]
    expected = torch.cat([VALUES.flatten(), weights @ VALUES, VALUES[0], usual])
    torch.testing.assert_close(torch.tensor(numbers), expected, rtol=0, atol=0.051)


def bars():
    """Where each bar begins, how long it is, and where the line at its end begins and ends."""
    (axis,) = plt.gcf().axes
    shades = {card.tint(card.HEAD, share) for share in (0.8, 0.35)}
    found = [
        p for p in axis.patches if isinstance(p, Rectangle) and p.get_facecolor()[:3] in shades
    ]
    lines = [sorted(line.get_xdata()) for line in axis.lines if len(set(line.get_ydata())) == 1]
    return [(bar.get_x(), bar.get_width()) for bar in found], lines


def test_strips_mark_where_the_class_token_reads_and_bars_are_as_long_as_their_numbers():
    diagrams.reading_blocks(6, {"How often it is right": RIGHT}, 100)
    cuts, amounts = RIGHT
    assert written().count("×") == sum(map(len, cuts)) + 1  # and one in the legend
    assert [text for text in written() if text.endswith(" %")] == ["90 %", "40 %", "0 %"]
    found, lines = bars()
    (start,) = {x for x, _ in found}
    widths = np.array([width for _, width in found])
    assert np.allclose(widths / widths[0], np.maximum(amounts["right"]["mean"], 0) / 90)
    assert np.allclose(lines[1], start + widths[0] / 90 * np.array([38, 42]))


def test_with_digits_after_the_point_the_interval_is_written_behind_its_number():
    diagrams.reading_blocks(6, {"How often it is right": RIGHT}, 100, unit="", digits=1)
    numbers = [text for text in written() if "±" in text]
    assert numbers == ["90.0 ± 1.0", "40.0 ± 2.0", "-0.2 ± 0.1"]


def test_a_strip_is_empty_in_just_the_blocks_that_are_cut():
    diagrams.reading_blocks(
        3, {"": ([[1], [2, 3]], {"right": {"mean": [5, 5], "width": [1, 1]}})}, 9
    )
    (axis,) = plt.gcf().axes
    squares = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_width() == 2.4]
    full = card.tint(card.CLASS, 1)
    assert [p.get_facecolor()[:3] == full for p in squares] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_attention_is_weighed_by_the_gradient_and_what_is_negative_becomes_0():
    attention, slopes = SPEAKS
    diagrams.weighed_by_gradient(attention, slopes)
    numbers = [float(text) for text in written() if re.fullmatch(r"\d\.\d\d", text)]
    assert numbers == pytest.approx([0.1, 0, 0.2, 0, 0.15, 0], abs=0.005)


def test_a_map_that_is_no_share_has_words_in_place_of_numbers():
    diagrams.attention_over(
        IMAGES[0], MAPS[:2], (8, 8), full=1.0, scale="the highest", frame=(2, 5)
    )
    assert "full purple: the highest" in written() and not any("%" in text for text in written())
    (axis,) = plt.gcf().axes
    frames = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_facecolor()[3] == 0]
    assert len(frames) == 3  # of the image and of both maps
    left, right, bottom, top = axis.images[0].get_extent()
    assert frames[0].get_xy() == pytest.approx(
        (left + 5 / 8 * (right - left), top + 2 / 8 * (bottom - top))
    )


def test_arrows_lead_to_the_largest_shares_that_do_not_touch():
    shares = torch.zeros(1, 4, 4)
    shares[0, 0, 0], shares[0, 0, 1], shares[0, 3, 3] = 0.5, 0.4, 0.1
    diagrams.attention_over(IMAGES[0], shares, (4, 4), arrows=2)
    (axis,) = plt.gcf().axes
    left, right, bottom, top = axis.images[-1].get_extent()
    arrows = [p for p in axis.patches if isinstance(p, FancyArrowPatch)]
    ends = [p._path_original.vertices[-1] for p in arrows]
    places = [((x - left) / (right - left) * 4, (y - top) / (bottom - top) * 4) for x, y in ends]
    assert places == [pytest.approx((0.5, 0.5)), pytest.approx((3.5, 3.5))]


REFUSED = {
    "part is one of": lambda: diagrams.overview(IMAGES[0], "tail"),
    "a square image whose side 8 divides, not 30": lambda: diagrams.overview(IMAGES[0, :, :30]),
    "patch_size 5 does not divide the image size 32 × 32": lambda: diagrams.patch_sequence(
        IMAGES[0], 5
    ),
    "room for 256 patches, not for 1024": lambda: diagrams.patch_sequence(IMAGES[0], 1),
    "patch_size 4 does not divide the image size 4 × 6": lambda: diagrams.memory((4, 6), 4),
    "room for 24 numbers": lambda: diagrams.memory((6, 6), 2),
    "patch_size 4 does not divide the image size 4 × 30": lambda: diagrams.axes_of_patchify(
        (1, 3, 4, 30), 4
    ),
    "does not divide the image size 4 × 5": lambda: diagrams.strided_convolution(
        np.zeros((4, 5)), np.zeros((2, 2))
    ),
    "not for 36 in 9 of 2 × 2": lambda: diagrams.strided_convolution(
        np.zeros((6, 6)), np.zeros((2, 2))
    ),
    "num_heads 4 does not divide embed_dim 6": lambda: diagrams.heads_in_memory(4, 6, 4),
    "24 numbers, 8 tokens and 2 or 3 heads": lambda: diagrams.heads_in_memory(9, 2, 2),
    "do not fit together": lambda: diagrams.attention_by_hand(TOKENS, QUERY, KEYS, VALUES[:2]),
    r"expected query \(d,\)": lambda: diagrams.attention_by_hand(TOKENS, KEYS, KEYS, VALUES),
    "2 names for 3 tokens": lambda: diagrams.attention_by_hand(
        TOKENS, QUERY, KEYS, VALUES, ["a", "b"]
    ),
    "2 to 5 tokens": lambda: diagrams.attention_by_hand(
        None, torch.ones(2), torch.ones(6, 2), torch.ones(6, 2)
    ),
    "numbers below 100": lambda: diagrams.attention_by_hand(TOKENS, QUERY, KEYS, 100 * VALUES),
    "not 6 of 2": lambda: diagrams.attention_in_tables(*[np.ones((6, 2))] * 3),
    r"of one shape \(T, d\)": lambda: diagrams.attention_in_tables(KEYS, KEYS, VALUES[:2]),
    "num_heads 5 does not divide embed_dim 192": lambda: diagrams.heads_side_by_side(5, 192),
    r"a map \(T, T\) for each of 3 heads": lambda: diagrams.heads_side_by_side(3, 192, MAPS),
    "a depth of 1 or more, not 0": lambda: diagrams.stream(0),
    "a depth of 1 or more, not -1": lambda: diagrams.probes(-1, 192, 10),
    r"weights \(T,\), values \(T, d\)": lambda: diagrams.cut_off([0.5, 0.5], VALUES, [1.0, 1.0]),
    "one or two panels, got 0": lambda: diagrams.reading_blocks(6, {}, 100),
    r"no blocks \[0, 7\]: there are 1 … 6": lambda: diagrams.reading_blocks(
        6, {"": ([[0], [1], [7]], RIGHT[1])}, 100
    ),
    "1 means and widths for 'right'": lambda: diagrams.reading_blocks(
        6, {"": ([[]], RIGHT[1])}, 100
    ),
    r"2 to 6 patches, got \(7,\)": lambda: diagrams.weighed_by_gradient([0.1] * 7, {}),
    r"expected \(2,\) slopes for cat": lambda: diagrams.weighed_by_gradient([1, 1], {"cat": [1]}),
    r"usual \(d,\) of 2 to 5 tokens": lambda: diagrams.cut_off([0.1] * 6, np.ones((6, 2)), [1, 1]),
    "2 to 12 numbers": lambda: diagrams.layer_norm([[1.0, 2.0]]),
    "at least one value": lambda: diagrams.gelu([]),
    "two images": lambda: diagrams.class_token_idea(IMAGES[:1]),
    r"numbers \(2, 9\)": lambda: diagrams.class_token_idea(IMAGES, numbers=[[1], [2]]),
    r"weights \(2, 9\)": lambda: diagrams.class_token_idea(IMAGES, MAPS[:2]),
    "k maps of 7 × 7 patches": lambda: diagrams.attention_over(IMAGES[0], MAPS, (7, 7)),
    "2 images for 5 maps": lambda: diagrams.attention_over(IMAGES, MAPS, (8, 8)),
    "1 to 9 maps of 7 × 7 patches": lambda: diagrams.journey(
        IMAGES[0], MAPS, (7, 7), READ, LETTERS
    ),
    r"scores \(6, 3\): a row more": lambda: diagrams.journey(
        IMAGES[0], MAPS, (8, 8), READ, LETTERS[:3]
    ),
    "room for 1 to 8 blocks, not for 9": lambda: diagrams.transfer(9),
    "1 names for 5 maps": lambda: diagrams.attention_over(IMAGES[0], MAPS, (8, 8), ["a"]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_refused(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
    assert not plt.get_fignums()


@pytest.mark.parametrize("count", [2, 6])
def test_each_path_is_drawn_at_one_scale_below_the_last(count):
    paths = {f"path {i}": torch.rand(4, 2) + i for i in range(count)}
    diagrams.descent(paths, lambda x, y: x**2 + y**2)
    lines = [line for line in plt.gca().lines if line.get_marker() == "o"]
    for line, points in zip(lines, paths.values(), strict=True):
        moved = np.asarray(line.get_xydata()) - line.get_xydata()[0]
        wanted = (points - points[0]).numpy()
        assert np.allclose(moved[:, 0] / 4.2, wanted[:, 0], atol=1e-5)
        assert np.allclose(moved[:, 1] / -4.2, wanted[:, 1], atol=1e-5)
        assert np.isclose(line.get_xydata()[0][0], 4 + 4.2 * (points[0, 0] + 10))


def test_cells_have_the_colour_of_their_owner():
    diagrams.owners(*OWNERS, "head")
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    colours = [to_rgb(p.get_facecolor()) for p in cells]
    expected = [to_rgb(museum.OWNERS[i]) for i in np.concatenate([o.ravel() for o in OWNERS])]
    assert colours == [*expected, *map(to_rgb, museum.OWNERS[:3])]  # then the legend
    for colour in museum.OWNERS:  # the crosses have to stand out
        assert contrast(colour, museum.WRONG) > 2


def test_a_cross_is_on_each_number_that_went_elsewhere():
    right = np.array([[0, 0, 1], [1, 2, 2]])
    diagrams.owners(right, [[0, 1, 1], [1, 2, 0]], "head")
    lines = [line.get_xydata().mean(axis=0) for line in plt.gcf().axes[0].lines]
    assert len(lines) == 2 * (2 + 1)  # two cells of six, and the legend
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    middles = [np.array(p.get_center()) for p in (cells[6 + 1], cells[6 + 5])]
    assert np.allclose(lines[:4:2], middles) and "wrong place" in written()
    plt.close("all")
    diagrams.owners(right, right, "head")
    assert not plt.gcf().axes[0].lines and "wrong place" not in written()


def test_a_title_stands_above_and_moves_nothing():
    places = {}
    for title in ("", "A title"):
        diagrams.owners(*OWNERS, "head", title=title)
        cells = [p for p in plt.gcf().axes[0].patches if p.get_zorder() == 2]
        places[title] = [cell.get_xy() for cell in cells], set(written())
    assert places["A title"][0] == places[""][0]
    assert places["A title"][1] - places[""][1] == {"A title"}


def test_a_frame_is_around_the_same_cells_in_every_panel_of_both_versions():
    diagrams.owners(np.zeros((3, 2, 4)), np.ones((3, 2, 4)), "patch", framed=(0, 1, 2, 3))
    patches = plt.gcf().axes[0].patches
    frames = [p for p in patches if p.get_zorder() == 4]
    cells = [p for p in patches if type(p) is Rectangle and p.get_zorder() == 2]
    assert len(frames) == 2 * 3
    for i, frame in enumerate(frames):
        first, last = cells[8 * i + 1], cells[8 * i + 4 + 2]
        assert np.allclose(frame.get_xy(), first.get_xy())
        end = np.add(last.get_xy(), (last.get_width(), last.get_height()))
        assert np.allclose(np.add(frame.get_xy(), (frame.get_width(), frame.get_height())), end)


def test_what_is_bad_has_a_frame_around_its_cells_and_words_below():
    diagrams.amounts(np.eye(3), np.ones((3, 3)), bad=(1, 0, 3, 2, "should be 0"))
    (frame,) = (p for p in plt.gcf().axes[0].patches if p.get_zorder() == 4)
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    corners = cells[9 + 3], cells[9 + 7]  # the wrong version's (1, 0) and (2, 1)
    assert np.allclose(frame.get_xy(), corners[0].get_xy())
    end = np.add(corners[1].get_xy(), (corners[1].get_width(), corners[1].get_height()))
    assert np.allclose(np.add(frame.get_xy(), (frame.get_width(), frame.get_height())), end)
    assert "should be 0" in written()


def test_a_cross_is_on_each_block_that_has_the_weights_of_another():
    versions = {"right": (range(3), ""), "list": ([None] * 3, ""), "one": ([0] * 3, "")}
    diagrams.weights_of_blocks(versions)
    assert len(plt.gcf().axes[0].lines) == 2 * (0 + 0 + 2)
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    first, *_, last = [to_rgb(cell.get_facecolor()) for cell in cells]
    assert first == last == to_rgb(museum.OWNERS[0])
    assert [w for w in written() if w.isdigit()] == ["0", "1", "2", "0", "0", "0"]


def test_bars_are_as_high_as_shares_and_the_loss_is_that_of_the_answer():
    diagrams.shares([0.0, 1.0], [0.25, 0.75], 1)
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    heights = np.array([cell.get_height() for cell in cells])
    assert np.allclose(heights / heights.max(), [0, 1, 0.25, 0.75])
    assert {"100 %", "75 %", "loss 0.00", "loss 0.29"} <= set(written())


def test_versions_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        diagrams.owners(OWNERS[0], OWNERS[1].T, "head")
    with pytest.raises(ValueError, match="whole numbers"):
        diagrams.owners(OWNERS[0] - 1, OWNERS[1], "head")
    with pytest.raises(ValueError, match="rows, columns"):
        diagrams.amounts(np.ones(3), np.ones(3))


def test_labels_stand_for_crosses_and_say_what_differs():
    labels = [["0", "0", ""], ["1", "", ""]], [["0", "1", ""], ["1", "", ""]]
    diagrams.owners(
        [[0, 0, 1], [0, 1, 1]], [[0, 0, 1], [0, 1, 1]], "head", labels=labels, key="row"
    )
    cells = [t for t in plt.gcf().axes[0].texts if t.get_text() in ("0", "1")]
    assert [t.get_text() for t in cells] == ["0", "0", "1", "0", "1", "1"]
    (frame,) = (p for p in plt.gcf().axes[0].patches if p.get_zorder() == 3)
    assert to_rgb(frame.get_edgecolor()) == to_rgb(museum.WRONG) and frame.get_facecolor()[3] == 0
    squares = [p for p in plt.gcf().axes[0].patches if p.get_zorder() == 2]
    assert np.allclose(frame.get_center(), squares[6 + 1].get_center())
    assert not plt.gcf().axes[0].lines and "row" in written()


def test_amounts_have_their_purple_and_0_has_none():
    diagrams.amounts([[0.0, 0.5]], [[2.0, 0.25]], key="white: 0")
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    amounts = [0, 0.5, 1, 0.25, 0, 0.5, 1]  # the last three are the key
    expected = [card.tint(card.ATTENTION, amount) for amount in amounts]
    assert np.allclose([to_rgb(p.get_facecolor()) for p in cells], expected)


def test_cuts_count_patches_and_refuse_a_size_that_does_not_fit():
    diagrams.cuts(IMAGES[0], (4, 32))
    assert {"64 patches", "1 patch"} <= set(written())
    with pytest.raises(ValueError, match="patch_size 5 does not divide"):
        diagrams.cuts(IMAGES[0], (4, 5))


def test_windows_are_as_large_as_what_is_seen_and_lie_in_both_corners_or_around_the_image():
    diagrams.windows(IMAGES[0], (15, 47))
    (axis,) = plt.gcf().axes
    first, second, large = [p for p in axis.patches if p.get_linewidth() == 2.4]
    pale, upper, lower, *whole = [image.get_extent() for image in axis.images]
    pixel = (pale[1] - pale[0]) / 32
    for small, seen in ((first, upper), (second, lower)):
        assert np.isclose(small.get_width(), 15 * pixel) and np.isclose(
            small.get_height(), 15 * pixel
        )
        assert np.allclose(small.get_xy(), (seen[0], seen[3])), "the frame lies around what is seen"
    assert first.get_xy() == (pale[0], pale[3])
    assert np.allclose([second.get_x() + 15 * pixel, second.get_y() + 15 * pixel], pale[1:3])
    assert np.isclose(large.get_width(), 47 * pixel)
    middle = large.get_x() + large.get_width() / 2
    assert all(np.isclose(middle, np.mean(extent[:2])) for extent in whole) and len(whole) == 2
    with pytest.raises(ValueError, match="square"):
        diagrams.windows(torch.zeros(3, 8, 16), (3,))


def filled(colour):
    """The lengths of the bars of a colour, from top to bottom."""
    found = [p for p in plt.gcf().axes[0].patches if isinstance(p, Rectangle)]
    found = [p for p in found if np.allclose(to_rgb(p.get_facecolor()), to_rgb(colour))]
    return [p.get_width() for p in sorted(found, key=lambda p: (p.get_y(), p.get_x()))]


def test_the_norm_divides_what_tokens_share_and_what_differs():
    diagrams.norm_divides(NORMED)
    (_, *shared), (_, *spread) = (
        filled(card.CLASS),
        filled(card.PATCH),
    )  # the first is of the legend
    for k, tokens in enumerate(NORMED.values()):
        normed = F.layer_norm(tokens, tokens.shape[-1:], eps=0)
        centred = tokens - tokens.mean(dim=1, keepdim=True)
        for at, of in ((2 * k, centred), (2 * k + 1, normed)):
            root_mean_square = of.mean(dim=0).square().mean().sqrt().item()
            assert shared[at] / max(shared) == pytest.approx(root_mean_square / 1.0, rel=0.1)
            assert spread[at] / shared[at] == pytest.approx(
                of.std(dim=0).mean().item() / root_mean_square, rel=1e-4
            )
    with pytest.raises(ValueError, match="not constant"):
        diagrams.norm_divides({"nothing": torch.ones(3, 4)})


def test_what_adds_up_is_drawn_to_one_scale():
    diagrams.what_adds_up(ADDED)
    held, own, positions = filled(card.PATCH), filled(card.CLASS), filled(card.POSITION)
    assert np.allclose(np.divide(held, own), 16) and np.allclose(held, held[0])
    assert np.allclose(positions, np.array([1, 1, 50, 50]) * positions[0])


def test_a_sign_is_right_if_it_warns_of_what_is_costly_and_of_nothing_that_is_harmless():
    diagrams.signs_and_costs(STARTS, SIGNS)
    said = written()
    counts = [text for text in said if re.fullmatch(r"\d of \d", text)]
    assert [int(count[0]) for count in counts] == [1, 0, 0, 1, 0, 1, 0, 0, 1, 0]
    assert [int(count[-1]) for count in counts] == 5 * [2] + 5 * [1]
    groups = [said.index(of) for of in ("costly, warned of", "not settled", "harmless, warned of")]
    assert groups == sorted(groups)
    assert groups[1] < said.index("class token: N(0, 1)") < groups[2]
    assert said.index("class token: zeros") > groups[2]
    assert {"10.3 ± 0.9", "\N{MINUS SIGN}0.3 ± 0.7"} <= set(said)
    warned = {text.get_position()[1]: [] for text, _ in words() if text.get_text() == "warns"}
    for text, _ in words():
        if text.get_text() in ("warns", "silent"):
            warned.setdefault(text.get_position()[1], []).append(text.get_text() == "warns")
    assert [row for _, row in sorted(warned.items())] == [
        STARTS[start][3]
        for start in (*list(STARTS)[:2], ("class token", "N(0, 1)"), ("class token", "zeros"))
    ]
    (axis,) = plt.gcf().axes
    fills = [to_rgb(p.get_facecolor()) for p in axis.patches if isinstance(p, Rectangle)]
    right, wrong = fills.count(to_rgb(starts.RIGHT)) - 1, fills.count(to_rgb(starts.WRONG)) - 1
    assert (right, wrong) == (2 + 3, 8 + 2)  # beside those of the legend
    assert sum(text.get_fontweight() == "bold" and text.get_text() in ("warns", "silent")
               for text, _ in words()) == wrong  # fmt: skip


def test_a_sign_that_is_silent_about_what_it_was_not_made_for_is_neither_right_nor_wrong():
    rows = {("weights", f"{word}, {n}"): (3.0, 1.0, costly, [silent])
            for word, costly in (("costly", True), ("harmless", False))
            for n, silent in enumerate((False, None))}  # fmt: skip
    diagrams.signs_and_costs(rows, SIGNS[:1])
    (axis,) = plt.gcf().axes
    fills = [to_rgb(p.get_facecolor()) for p in axis.patches if isinstance(p, Rectangle)]
    right, wrong = fills.count(to_rgb(starts.RIGHT)) - 1, fills.count(to_rgb(starts.WRONG)) - 1
    assert (right, wrong) == (2, 1)
    assert written().count("silent") == 4 and written().count("0 of 2") == 2


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_fewer_signs_the_longer_the_bars_of_the_costs(count):
    kept = {start: (*of, warns[:count]) for start, (*of, warns) in STARTS.items()}
    diagrams.signs_and_costs(kept, SIGNS[:count])
    (axis,) = plt.gcf().axes
    bars = [p for p in axis.patches if to_rgb(p.get_facecolor()) == to_rgb(card.QUIET)]
    costs = sorted(max(points, 0) for points, *_ in STARTS.values())
    lengths = sorted(bar.get_width() for bar in bars)
    assert np.allclose(np.divide(lengths, lengths[-1]), np.divide(costs, costs[-1]))
    left_of_signs = 65 - 6.35 * count
    assert left_of_signs - 2 < max(bar.get_x() + bar.get_width() for bar in bars) < left_of_signs
    said = written()
    assert ("costly" in said) == (count == 0) and ("costly, warned of" in said) == (count > 0)
    assert said.count("warns") + said.count("silent") == count * len(STARTS)
    assert ("the sign is right" in said) == (count > 0)


def test_costs_beside_four_signs_or_more_are_numbers_without_bars():
    for count in (4, 5):
        kept = {start: (*of, warns[:count]) for start, (*of, warns) in STARTS.items()}
        diagrams.signs_and_costs(kept, SIGNS[:count])
        (axis,) = plt.gcf().axes
        assert not [p for p in axis.patches if to_rgb(p.get_facecolor()) == to_rgb(card.QUIET)]
        assert "10.3 ± 0.9" in written()


def test_each_way_to_cut_a_class_token_off_crosses_its_own_arrows_out():
    diagrams.cut_class_token()
    arrows = [p for p in plt.gcf().axes[0].patches if isinstance(p, FancyArrowPatch)]
    colours = card.ATTENTION, card.QUIET, card.HEAD, card.LINE
    kinds = [to_rgb(c) for c in colours] + [to_rgb(card.tint(c, card.FAINT)) for c in colours]
    inks = [kinds.index(to_rgb(p.get_edgecolor())) for p in arrows]
    assert inks[:5] == [0, 1, 3, 3, 7], "the legend"
    # Each panel begins with the class token's arrow to itself, and has one to the head
    starts = [i for i in range(5, len(inks)) if inks[i : i + 2] == [0, 2]]
    panels = [inks[i:j] for i, j in zip(starts, [*starts[1:], len(inks)], strict=True)]
    counted = [[panel.count(kind) for kind in range(8)] for panel in panels]
    assert counted == [
        [4, 3, 1, 2, 0, 0, 0, 0],
        [4, 3, 1, 1, 0, 0, 0, 1],
        [4, 3, 1, 0, 0, 0, 0, 2],
        [1, 3, 1, 2, 3, 0, 0, 0],
        [4, 0, 1, 2, 0, 3, 0, 0],
    ]
    crosses = [text.get_position() for text, _ in words() if text.get_text() == "×"]
    places = Counter((x > 34, int(y // 26)) for x, y in crosses)
    assert places == {(True, 0): 1, (False, 1): 1, (True, 1): 2, (False, 2): 3, (True, 2): 3}


def test_what_is_exchanged_before_the_blocks_comes_out_exchanged():
    diagrams.exchange(3)
    said = written()
    assert [said[i : i + 2] for i in range(2, 10, 2)] == [[n, f"{n}\N{PRIME}"] for n in "c123"]
    assert [said[i : i + 2] for i in range(12, 20, 2)] == [[n, f"{n}\N{PRIME}"] for n in "1c23"]
    rows = {
        n: text.get_position()
        for text, _ in words()
        if (n := text.get_text()) in ("c", "c\N{PRIME}")
    }
    assert rows["c"][0] == rows["c\N{PRIME}"][0], "the class token comes out where it went in"


def test_a_class_token_reads_in_all_blocks_before_a_cut_or_in_the_last_alone():
    diagrams.cut_or_late(6, 4, 4)
    (axis,) = plt.gcf().axes
    inks = [to_rgb(p.get_edgecolor()) for p in axis.patches if isinstance(p, FancyArrowPatch)]
    reading = [sum(np.allclose(i, card.tint(card.ATTENTION, s)) for i in inks) for s in (1, 0.3)]
    assert reading == [2 * (3 + 1), 2 * 3]  # two patches each, and not what it has itself
    patches_read = sum(np.allclose(ink, to_rgb(card.QUIET)) for ink in inks)
    among, the_class_token = 2 * (6 + 4), 2 * (6 + 1)  # each other, and it where there is one
    assert patches_read == among + the_class_token
    fills = [to_rgb(p.get_facecolor()) for p in axis.patches if isinstance(p, Rectangle)]
    assert fills.count(to_rgb(card.CLASS)) == 7 + 2
    crosses = [text.get_position()[0] for text, _ in words() if text.get_text() == "×"]
    assert [int((x - 3) / (52 / 6)) + 1 for x in crosses] == [4, 5, 6]
    with pytest.raises(ValueError, match="no block 7 of 6"):
        diagrams.cut_or_late(6, 7, 4)


def test_each_finding_has_its_number_at_its_place_and_bars_are_as_long_as_their_numbers():
    diagrams.class_token_places(*PLACED)
    (axis,) = plt.gcf().axes
    written = Counter(text.get_text() for text, _ in words())
    assert all(written[str(n)] == 2 for n in range(1, 8)), "in the model and in the list"
    assert all(written[f"{n}.0 ± 0.7"] == 1 for n in range(1, 8))
    assert all(written[number] == 1 for number in ("90", "+0.1", "0.0", "−9.4"))
    bars = [p for p in axis.patches if isinstance(p, Rectangle)]
    read = [p for p in bars if to_rgb(p.get_facecolor()) == to_rgb(card.CLASS)]
    read = [p.get_height() for p in read if p.get_linewidth() == 0]
    assert np.allclose(np.array(read) / read[-1], np.array(PLACED[0]) / 0.9)
    cut = [p for p in bars if np.allclose(to_rgb(p.get_facecolor()), card.tint(card.HEAD, 0.8))]
    cut = [p.get_height() for p in cut]
    assert np.allclose(np.array(cut) / cut[-1], [0, 0, *np.array([1, 2, 3, 9.4]) / 9.4])
    places = {
        text.get_text(): text.get_position()
        for text, _ in words()
        if text.get_text() in "1234567" and text.get_position()[1] < 17
    }
    blocks = {t.get_text(): t.get_position()[0] for t, _ in words() if "block " in t.get_text()}
    assert places["5"][0] == pytest.approx(blocks["block 6"]), "the last block"
    assert places["1"][0] < blocks["block 1"] < blocks["block 6"] < places["6"][0]
    with pytest.raises(ValueError, match="no places"):
        diagrams.class_token_places(*PLACED[:2], {"nowhere": ("a", "b")})
    with pytest.raises(ValueError, match="a probe more"):
        diagrams.class_token_places(PLACED[0][1:], *PLACED[1:])


def test_heads_are_drawn_over_what_they_read():
    diagrams.heads_read({"one": ("x[:, 1]", np.eye(5)[1]), "all": ("x.mean(dim=1)", np.ones(5))})
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    filled = [to_rgb(p.get_facecolor()) != (1, 1, 1) for p in cells[-10:]]  # after tokens, legend
    assert filled == [False, True, False, False, False] + 5 * [True]
    arrows = [p for p in plt.gcf().axes[0].patches if isinstance(p, FancyArrowPatch)]
    starts = [arrow.get_path().vertices[0][0] for arrow in arrows]
    for start, read in zip(starts, (cells[-9], cells[-5]), strict=True):
        assert read.get_x() < start < read.get_x() + read.get_width(), "under what is read"


def test_a_token_that_a_model_does_not_have_has_no_cell():
    weights = np.array([np.nan, 1, 1, 1, 1])
    diagrams.heads_read({"one": ("x[:, 0]", np.eye(5)[0]), "mean": ("x.mean(dim=1)", weights)})
    cells = [p for p in plt.gcf().axes[0].patches if type(p) is Rectangle and p.get_zorder() == 2]
    assert len({round(cell.get_y(), 3) for cell in cells[-4:]}) == 1
    assert {cell.get_x() for cell in cells[-4:]} == {cell.get_x() for cell in cells[-8:-4]}
    assert "1/4 each" in written()


def test_with_layer_decay_each_part_is_paler_than_the_one_behind_it():
    diagrams.layer_decay(4, 0.5)
    (axis,) = plt.gcf().axes
    boxes = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_linewidth() > 1]
    plain, decayed = boxes[:6], boxes[6:]  # an embedding, four blocks, a head
    assert len(decayed) == 6 and all(
        a.get_x() == b.get_x() for a, b in zip(plain, decayed, strict=True)
    )
    pale = [
        np.mean(to_rgb(with_decay.get_facecolor())) - np.mean(to_rgb(one.get_facecolor()))
        for one, with_decay in zip(plain, decayed, strict=True)
    ]
    assert pale[-1] == pytest.approx(0), "the head learns at the whole rate"
    assert all(front > back for front, back in pairwise(pale[1:])), "the blocks, front to back"
