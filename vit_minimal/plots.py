"""Pictures of arrays. Everything here takes numbers, never a model.

Colour maps are fit for colour-blind readers: viridis for amounts, PuOr for signed values.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator

CENTRED = {"ha": "center", "va": "center"}
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")


def as_array(values):
    """Numbers, tensors on any device or lists of them, as a numpy array."""
    return torch.as_tensor(values).detach().cpu().numpy()


def as_picture(image):
    """One image (C, H, W), uint8 or −1 … 1, as matplotlib wants it: (H, W, C) in 0 … 1."""
    image = torch.as_tensor(image).detach().cpu()
    image = image / 255 if image.dtype == torch.uint8 else (image + 1) / 2
    return image.clamp(0, 1).permute(1, 2, 0).squeeze(-1).numpy()


def show(description):
    """Show the figure drawn last, with these words for readers who cannot see it.

    A notebook keeps them beside the picture, as its alternative text.
    """
    if "inline" not in plt.get_backend():  # a window, which has no place for them
        plt.show()
        return
    from IPython.display import display  # it is there wherever figures are drawn inline

    figure = plt.gcf()
    display(figure, metadata={"image/png": {"alt": " ".join(description.split())}})
    plt.close(figure)


def _number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _pictures(count):
    return "a picture" if count == 1 else f"{count} pictures"


def _course(values):
    """A curve in words: where it begins and ends, and where it lies lowest and highest."""
    values = as_array(values)
    text = f"from {_number(values[0])} to {_number(values[-1])}"
    low, high = values.min(), values.max()
    if low < min(values[0], values[-1]) or high > max(values[0], values[-1]):
        text += f", between {_number(low)} and {_number(high)}"
    return text


def luminance(colour):
    """How bright a colour is, 0 … 1 (WCAG 2.2, relative luminance)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def _ink(background):
    """Black or white, whichever is read better: there is a contrast of 4.5 or more for any colour."""
    return "white" if luminance(background) < 0.179 else "black"


def _listed(words):
    return "; ".join(filter(None, words))


def _heading(title):
    return f"{title}: " if title else ""


def _panels(rows, columns, width, height):
    """A figure of panels without axes, and the panels (rows, columns)."""
    figure, panels = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
    )
    for panel in panels.flat:
        panel.axis("off")
    return figure, panels


def show_images(images, titles=None, columns=8, size=1.3, frames=None):
    """Images (n, C, H, W) in a grid, each with its title; `frames` are (left, top, side) in pixels."""
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles or ()), default=0)
    _, axes = _panels(rows, columns, size * columns, (size + 0.2 * lines) * rows)
    for i, image in enumerate(images):
        axes.flat[i].imshow(as_picture(image), cmap="gray")
        if frames:
            _frame(axes.flat[i], *frames[i])
        if titles:
            axes.flat[i].set_title(titles[i], fontsize=9)
    show(_pictures(len(images)) + (f": {_listed(titles)}" if titles else ""))


def _frame(axis, left, top, side):
    corner = left - 0.5, top - 0.5  # pixel 0 is drawn from −0.5 to 0.5
    axis.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=OKABE_ITO[1], lw=2))


def show_patches(patches, grid_size, in_channels=3, size=3.5, numbers=False):
    """Patches (N, C·P·P), laid out in their grid with gaps; `numbers` writes each one's index."""
    rows, columns = grid_size
    side = round((patches.shape[-1] / in_channels) ** 0.5)
    _figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(size, size * rows / columns),
        squeeze=False,
        gridspec_kw={"wspace": 0.12, "hspace": 0.12},
    )
    for i, axis in enumerate(axes.flat):
        axis.imshow(
            as_picture(patches[i].reshape(in_channels, side, side)), cmap="gray", vmin=0, vmax=1
        )
        axis.axis("off")
        if numbers:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axis.text(0.5, 0.5, i, transform=axis.transAxes, fontsize=8, bbox=box, **CENTRED)
    show(f"{len(patches)} patches in {rows} rows and {columns} columns, with gaps between them")


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
):
    """A matrix (rows, columns) as coloured cells, with its numbers written in."""
    matrix = as_array(matrix)
    rows, columns = matrix.shape
    alone = axis is None
    if alone:
        _, axis = plt.subplots(figsize=(size * columns + 1.6, size * rows + 1.0))
    limit = np.abs(matrix).max() or 1.0
    drawn = axis.imshow(
        matrix,
        cmap="PuOr" if signed else "viridis",
        aspect="auto",
        vmin=-limit if signed else 0,
        vmax=limit,
    )
    column_labels = range(columns) if column_labels is None else column_labels
    row_labels = range(rows) if row_labels is None else row_labels
    axis.set_xticks(range(len(column_labels)), column_labels)  # no labels: no ticks either
    axis.set_yticks(range(len(row_labels)), row_labels)
    axis.set(title=title, xlabel=x_label, ylabel=y_label)
    if numbers:
        for (i, j), value in np.ndenumerate(matrix):
            text, colour = f"{value:.2f}".rstrip("0").rstrip("."), drawn.cmap(drawn.norm(value))
            axis.text(j, i, text, color=_ink(colour), fontsize=9, **CENTRED)
    if alone:
        plt.tight_layout()
        show(
            f"{_heading(title)}{rows} × {columns} coloured cells, from {matrix.min():.2g} to {limit:.2g}"
        )


def show_heat(images, maps, titles=None, limit=None, frames=None, size=1.7):
    """Images (n, C, H, W) in a row, and below each its map (n, rows, columns), on one scale.

    The scale ends at `limit`, else at the largest share of all; `frames` are a (row, column) of each
    map.
    """
    maps = as_array(maps)
    figure, axes = _panels(2, len(images), size * len(images) + 0.8, 2 * size + 0.4)
    for i, (image, heat) in enumerate(zip(images, maps, strict=True)):
        axes[0, i].imshow(as_picture(image), cmap="gray")
        drawn = axes[1, i].imshow(heat, cmap="viridis", vmin=0, vmax=limit or maps.max())
        if frames:
            _frame(axes[1, i], left=frames[i][1], top=frames[i][0], side=1)
        if titles:
            axes[0, i].set_title(titles[i], fontsize=9)
    figure.colorbar(drawn, ax=axes[1], label="share of attention", shrink=0.9)
    show(
        f"{_pictures(len(images))}, below each its map of attention, bright where there is most"
        + (f": {_listed(titles)}" if titles else "")
    )


def show_attention(image, maps, frame=None, size=1.6):
    """Maps (L, h, rows, columns) beside their image (C, H, W): a row for each layer, a column for
    each head. Every map has its own scale, whose end stands above it; `frame` is put around one
    (row, column).
    """
    maps = as_array(maps)
    layers, heads = maps.shape[:2]
    _, axes = _panels(layers, heads + 1, size * (heads + 1), (size + 0.25) * layers)
    in_patches = (-0.5, maps.shape[3] - 0.5, maps.shape[2] - 0.5, -0.5)
    axes[0, 0].imshow(as_picture(image), cmap="gray", extent=in_patches)
    for layer, head in np.ndindex(layers, heads):
        axis, shares = axes[layer, head + 1], maps[layer, head]
        axis.imshow(shares, cmap="viridis", vmin=0)
        axis.set_title(f"layer {layer + 1}, head {head + 1}\nup to {shares.max():.0%}", fontsize=9)
    for axis in axes.flat:
        if frame is not None and axis.images:
            _frame(axis, left=frame[1], top=frame[0], side=1)
    show(f"a picture and its maps of attention: {layers} layers in rows, {heads} heads in columns")


def show_similarity_grid(positions, grid_size, title="", size=5.0):
    """Cosine similarity of each patch's position embedding (N, D) to all others, one map a patch."""
    positions = as_array(positions)
    positions = positions / np.linalg.norm(positions, axis=-1, keepdims=True)
    rows, columns = grid_size
    similarity = (positions @ positions.T).reshape(rows, columns, rows, columns)
    figure, axes = _panels(rows, columns, size * 1.15, size * rows / columns)
    for place in np.ndindex(rows, columns):
        drawn = axes[place].imshow(similarity[place], vmin=similarity.min(), vmax=1)
    figure.colorbar(drawn, ax=axes, label="cosine similarity", shrink=0.8)
    figure.suptitle(title)
    figure.supxlabel("column of the patch")
    figure.supylabel("row of the patch")
    show(
        f"{_heading(title)}{rows} × {columns} small maps, each bright where a position is like its own"
    )


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
):
    """Curves by name {name: values}; `dashed` is a (name, height); `log` holds "x", "y" or both.

    The curves differ in marker and stroke as well as in colour; long ones have no markers. Where
    there are `widths` {name: values}, a band reaches so far above and below the curve.
    """
    _, axis = plt.subplots(figsize=size)
    styles = zip(OKABE_ITO, "osd^v", ("-", "--", "-.", ":", "-"), strict=True)
    for (name, values), (colour, marker, stroke) in zip(lines.items(), styles, strict=False):
        marker = marker if len(x) <= 30 else None
        axis.plot(
            x, as_array(values), color=colour, marker=marker, ls=stroke, markersize=4, label=name
        )
        if name in (widths or {}):
            middle, width = as_array(values), as_array(widths[name])
            axis.fill_between(x, middle - width, middle + width, color=colour, alpha=0.2, lw=0)
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
    named = len(lines) + (dashed is not None)
    if named > 2 or widths:
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside: it would hide curves
        axis.figure.set_figwidth(1.4 * size[0])
    elif named > 1:
        axis.legend()
    plt.tight_layout()
    curves = _listed(f"{name} {_course(values)}" for name, values in lines.items())
    show(f"{_heading(title)}{y_label} over {x_label}. {curves}")


def show_dots(groups, x_label, title="", dashed=None, size=(6.0, 0.45), widths=None, dot="run"):
    """Numbers by name {name: values}, a row of dots for each name and a line at their mean, from
    which bars reach `widths` {name: width}, those of 95 % intervals, to both sides; `dashed` is a
    (name, number), and `dot` says what a dot stands for.
    """
    _, axis = plt.subplots(figsize=(size[0], 1.4 + size[1] * len(groups)))
    for row, values in enumerate(groups.values()):
        values = as_array(values)
        axis.plot(values, [row] * len(values), "o", color=OKABE_ITO[0], alpha=0.6)
        axis.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color="black")
        if widths and np.isfinite(width := list(widths.values())[row]):  # not from one seed
            axis.errorbar(values.mean(), row, xerr=width, color="gray", lw=4, alpha=0.5)
    if dashed is not None:
        axis.axvline(dashed[1], color="gray", linestyle=":", label=dashed[0])
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axis.set_yticks(range(len(groups)), list(groups))
    axis.invert_yaxis()
    legend = f"dot: a {dot}, line: mean" + ", grey: its 95 % interval" * bool(widths)
    axis.set(xlabel=f"{x_label}\n({legend})", title=title)
    axis.grid(axis="x", alpha=0.3)
    means = _listed(f"{name} {_number(as_array(values).mean())}" for name, values in groups.items())
    show(f"{_heading(title)}{x_label}, a dot for each {dot}. Means: {means}")


def show_summaries(summaries, title=""):
    """What `experiments.summarize` gives: a dot for each seed, a line at the mean, its interval."""
    show_dots(
        {name: [100 * accuracy for accuracy in of.accuracies] for name, of in summaries.items()},
        "accuracy on test images in %",
        title,
        widths={name: 100 * of.width for name, of in summaries.items()},
    )


def _aligned(number):
    """Three digits or more, also where the last of them are zeros: 0.500, 70.0, 1,234."""
    if number >= 1000:
        return _number(number)
    digits = np.format_float_positional(number, 3, unique=False, fractional=False, trim="k")
    return digits.rstrip(".")


def show_bars(amounts, x_label, title="", size=(6.0, 0.35)):
    """One horizontal bar for each name {name: amount}, with its number."""
    width, height = size
    _, axis = plt.subplots(figsize=(width, 1.2 + height * len(amounts)))
    bars = axis.barh(list(amounts), as_array(list(amounts.values())), color=OKABE_ITO[0])
    axis.bar_label(bars, fmt=_aligned, padding=3)
    axis.margins(x=0.12)
    axis.invert_yaxis()
    axis.set(xlabel=x_label, title=title)
    show(
        f"{_heading(title)}{x_label}: {_listed(f'{name} {_number(of)}' for name, of in amounts.items())}"
    )


def show_paths(paths, height, title="", x_limits=(-10, 4), y_limits=(-3, 3), size=(7.0, 3.2)):
    """Paths by name {name: points (n, 2)} over the contour lines of `height(x, y)`."""
    _, axis = plt.subplots(figsize=size)
    x, y = np.meshgrid(np.linspace(*x_limits, 200), np.linspace(*y_limits, 200))
    axis.contour(x, y, height(x, y), levels=12, colors="lightgray")
    for (name, points), colour, marker in zip(paths.items(), OKABE_ITO, "osd^v", strict=False):
        points = as_array(points)
        axis.plot(points[:, 0], points[:, 1], color=colour, marker=marker, markersize=4, label=name)
    axis.plot(0, 0, "k+", markersize=12)
    axis.set(title=title, xlim=x_limits, ylim=y_limits, xlabel="x", ylabel="y")
    axis.legend(loc="upper right")
    plt.tight_layout()
    show(f"{_heading(title)}paths of {_listed(paths)} over contour lines")
