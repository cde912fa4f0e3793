"""Pictures of arrays. Everything here takes numbers, never a model.

Colour maps are fit for colour-blind readers: viridis for amounts, PuOr for signed values.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator

AMOUNTS, SIGNED = "viridis", "PuOr"
BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}  # for a legend that would hide curves

# Those of Okabe and Ito's eight colours that stand out from white by a contrast of 3 or more
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
MARKERS = ("o", "s", "d", "^", "v", "P", "X")
STROKES = ("-", "--", "-.", ":")


def curve_style(index):
    """Colour, marker and stroke of a figure's curve 0, 1, 2, …: those of 140 curves all differ, and
    colour and stroke alone those of 20.
    """
    return {
        "color": OKABE_ITO[index % len(OKABE_ITO)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": STROKES[index % len(STROKES)],
    }


def as_array(values):
    """Numbers, tensors on any device or lists of them, as a numpy array."""
    return torch.as_tensor(values).detach().cpu().numpy()


def as_picture(image):
    """One image (C, H, W), uint8 or −1 … 1, as matplotlib wants it: (H, W, C) in 0 … 1."""
    image = torch.as_tensor(image).detach().cpu()
    image = image / 255 if image.dtype == torch.uint8 else (image + 1) / 2
    return image.float().clamp(0, 1).permute(1, 2, 0).squeeze(-1).numpy()


def luminance(colour):
    """How bright a colour is, 0 … 1 (WCAG 2.2, relative luminance)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def show(description, title="", parts=()):
    """Show the figure drawn last, with these words for readers who cannot see it.

    A notebook keeps them beside the picture, as its alternative text: the title, the description
    and what there is to say of its parts.
    """
    if "inline" not in plt.get_backend():  # a window, which has no place for them
        plt.show()
        return
    from IPython.display import display  # it is there wherever figures are drawn inline

    words = ": ".join(filter(None, [title, description, "; ".join(filter(None, parts))]))
    figure = plt.gcf()
    display(figure, metadata={"image/png": {"alt": " ".join(words.split())}})
    plt.close(figure)


def _number(value):
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _course(values):
    """A curve in words: where it begins and ends, and where it lies lowest and highest."""
    values = as_array(values)
    text = f"from {_number(values[0])} to {_number(values[-1])}"
    low, high = values.min(), values.max()
    if low < min(values[0], values[-1]) or high > max(values[0], values[-1]):
        text += f", between {_number(low)} and {_number(high)}"
    return text


def show_images(images, titles=None, columns=8, size=1.3, frames=None, words=""):
    """Images (n, C, H, W) in a grid, each with its title; `frames` are (left, top, side) in pixels.
    `words` say what they show, for readers who cannot see them.
    """
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles or ()), default=0)
    inches = size * columns, (size + 0.2 * lines) * rows
    _, panels = plt.subplots(rows, columns, figsize=inches, squeeze=False, layout="constrained")
    for panel in panels.flat:
        panel.axis("off")
    for i, (image, panel) in enumerate(zip(images, panels.flat, strict=False)):  # the rest is empty
        panel.imshow(as_picture(image), cmap="gray")
        panel.set_title(titles[i] if titles else "", fontsize=9)
        if frames:
            left, top, side = frames[i]
            corner = left - 0.5, top - 0.5  # pixel 0 is drawn from −0.5 to 0.5
            look = {"fill": False, "edgecolor": OKABE_ITO[1], "lw": 2}
            panel.add_patch(Rectangle(corner, side, side, **look))
    count = "a picture" if len(images) == 1 else f"{len(images)} pictures"
    show(words or count, parts=titles or ())


def show_matrix(
    matrix,
    row_labels=None,
    column_labels=None,
    title="",
    numbers=True,
    size=0.62,
    axis=None,
    signed=False,
    x_label="",
    y_label="",
    limit=None,
    colours=None,
    decimals=None,
):
    """A matrix (rows, columns) as coloured cells, with its numbers written in.

    The colours end at `limit`, else at the largest number; `colours` is a colour map of matplotlib.
    Numbers have so many `decimals`, else up to two. A cell whose number is NaN stays empty.
    """
    matrix = as_array(matrix)
    rows, columns = matrix.shape
    alone = axis is None
    if alone:
        _, axis = plt.subplots(figsize=(size * columns + 1.6, size * rows + 1.0))
    limit = limit or np.nanmax(np.abs(matrix)) or 1.0
    lowest, usual = (-limit, SIGNED) if signed else (0, AMOUNTS)
    drawn = axis.imshow(matrix, cmap=colours or usual, aspect="auto", vmin=lowest, vmax=limit)
    column_labels = range(columns) if column_labels is None else column_labels
    row_labels = range(rows) if row_labels is None else row_labels
    axis.set_xticks(range(len(column_labels)), column_labels)  # no labels: no ticks either
    axis.set_yticks(range(len(row_labels)), row_labels)
    axis.set(title=title, xlabel=x_label, ylabel=y_label)
    if numbers:
        for (i, j), value in np.ndenumerate(matrix):
            if np.isnan(value):
                continue
            # One of the two inks has a contrast of 4.5 or more with any colour
            ink = "white" if luminance(drawn.cmap(drawn.norm(value))) < 0.179 else "black"
            text = f"{value:z.{2 if decimals is None else decimals}f}"  # z: no "-0"
            if decimals is None:
                text = text.rstrip("0").rstrip(".")
            axis.text(j, i, text, color=ink, fontsize=9, ha="center", va="center")
    if alone:
        plt.tight_layout()
        scale = f"from {np.nanmin(matrix):.2g} to {limit:.2g}"
        show(f"{rows} × {columns} coloured cells, {scale}", title)


def show_similarity_grid(positions, grid_size, title="", limits=None, frame=None):
    """Cosine similarity of each patch's position embedding (N, D) to all others, one map a patch.

    The colours run through the `limits` (lowest, highest), else from the smallest similarity to 1;
    limits as far below 0 as above give those of signed values.
    With a `frame` (row, column), that map has a frame, and in each map so has its own place.
    """
    positions = as_array(positions)
    positions = positions / np.linalg.norm(positions, axis=-1, keepdims=True)
    rows, columns = grid_size
    similarity = (positions @ positions.T).reshape(rows, columns, rows, columns)
    tall, wide = rows + 1, columns + 1  # a map and the gap after it
    tiles = np.full((rows, tall, columns, wide), np.nan)
    tiles[:, :rows, :, :columns] = similarity.transpose(0, 2, 1, 3)
    picture = tiles.reshape(rows * tall, columns * wide)[:-1, :-1]
    figure, axis = plt.subplots(figsize=(5.75, 5 * rows / columns), layout="constrained")
    lowest, highest = limits or (similarity.min(), 1)
    colours = SIGNED if lowest == -highest else AMOUNTS
    drawn = axis.imshow(picture, cmap=colours, vmin=lowest, vmax=highest)
    if frame is not None:
        empty = {"fill": False, "clip_on": False}
        ink = "white" if colours == SIGNED else "black"  # to be seen on the colour of 1
        for r, c in np.ndindex(rows, columns):
            own = tall * r + r, wide * c + c
            corner = own[1] - 0.5, own[0] - 0.5  # pixel 0 is drawn from −0.5 to 0.5
            axis.add_patch(Rectangle(corner, 1, 1, edgecolor=ink, lw=0.8, **empty))
        corner = wide * frame[1] - 1, tall * frame[0] - 1  # in the gaps around the map
        look = {"edgecolor": OKABE_ITO[1], "lw": 2.5, **empty}
        axis.add_patch(Rectangle(corner, columns + 1, rows + 1, **look))
    axis.set_xticks(wide * np.arange(columns) + (columns - 1) / 2, range(columns))
    axis.set_yticks(tall * np.arange(rows) + (rows - 1) / 2, range(rows))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set(title=title, xlabel="column of the patch", ylabel="row of the patch")
    figure.colorbar(drawn, ax=axis, label="cosine similarity", shrink=0.8)
    show(f"{rows} × {columns} small maps, each strongest where a position is like its own", title)


def show_lines(
    x,
    lines,
    x_label,
    y_label,
    title="",
    dashed=None,
    log="",
    from_zero=False,
    widths=None,
    size=(6.0, 3.2),
    axis=None,
):
    """Curves by name {name: values}; `dashed` is a (name, height); `log` holds "x", "y" or both.

    The curves differ in marker and stroke as well as in colour; long ones have no markers. Where
    there are `widths` {name: values}, a band reaches so far above and below the curve. They are
    drawn on `axis`, if there is one, and not shown.
    """
    alone = axis is None
    if alone:
        _, axis = plt.subplots(figsize=size)
    widths = widths or {}
    for index, (name, values) in enumerate(lines.items()):
        values, style = as_array(values), curve_style(index)
        if len(x) > 30:
            style["marker"] = None
        axis.plot(x, values, **style, markersize=4, label=name)
        if name in widths:
            width = as_array(widths[name])
            band = {"color": style["color"], "alpha": 0.2, "linewidth": 0}
            axis.fill_between(x, values - width, values + width, **band)
    if dashed is not None:
        axis.axhline(dashed[1], color="black", linestyle=":", linewidth=1, label=dashed[0])
    if "x" in log:
        axis.set_xscale("log")
        axis.set_xticks(list(x), [f"{value:,}" for value in x])
        axis.set_xticks([], minor=True)
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))  # epochs, steps, blocks
    if "y" in log:
        axis.set_yscale("log")
        low, high = axis.get_ylim()
        few = high > 5_000 * low  # then powers of ten are enough
        axis.yaxis.set_major_locator(LogLocator(subs=(1,) if few else (1, 2, 5), numticks=12))
        axis.yaxis.set_major_formatter("{x:,.10g}")
        axis.yaxis.set_minor_formatter("")
    if from_zero:
        axis.set_ylim(0, 1.05 * axis.get_ylim()[1])
    axis.set(xlabel=x_label, ylabel=y_label, title=title)
    axis.grid(alpha=0.3)
    labels = axis.get_legend_handles_labels()[1]
    if not alone:
        axis.legend()
        return
    if len(labels) > 2 or widths:
        axis.legend(**BESIDE)
        axis.figure.set_figwidth(1.4 * size[0])
    elif len(labels) == 2:
        axis.legend()
    plt.tight_layout()
    curves = "; ".join(f"{name} {_course(values)}" for name, values in lines.items())
    show(f"{y_label} over {x_label}. {curves}", title)


def show_dots(groups, x_label, title="", dot="run", axis=None):
    """Numbers by name {name: values}, a row of dots for each name and a line at their mean; `dot`
    says what a dot stands for. On an `axis` they are drawn, not shown.
    """
    alone = axis is None
    if alone:
        _, axis = plt.subplots(figsize=(6, 1.4 + 0.45 * len(groups)))
    means = {name: as_array(values).mean() for name, values in groups.items()}
    for row, (name, values) in enumerate(groups.items()):
        values = as_array(values)
        axis.plot(values, [row] * len(values), "o", color=OKABE_ITO[0], alpha=0.6)
        axis.plot([means[name]] * 2, [row - 0.3, row + 0.3], color="black")
    axis.set_yticks(range(len(groups)), list(groups))
    if not axis.yaxis_inverted():  # the panel beside it may have done so for both
        axis.invert_yaxis()
    axis.set(xlabel=f"{x_label}\n(dot: a {dot}, line: mean)", title=title)
    axis.grid(axis="x", alpha=0.3)
    if not alone:
        return
    listed = "; ".join(f"{name} {_number(mean)}" for name, mean in means.items())
    show(f"{x_label}, a dot for each {dot}. Means: {listed}", title)
