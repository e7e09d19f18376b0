"""Images with what is looked at laid over them."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from clam_core.pictures.gaze import Gaze, Panel

CELL = 1.55  # inches of an image
FULL = 4  # times the mean of its map is drawn full red, or a larger maximum: a map that is even all over stays pale
_RED = LinearSegmentedColormap.from_list("looked at", [(0.9, 0.1, 0.0, 0.0), (0.9, 0.1, 0.0, 0.65)])


def draw_gazes(gazes: list[Gaze], title: str) -> Figure:
    """One block of rows for every network."""
    columns = max(len(panels) for gaze in gazes for _, panels in gaze.rows)
    heights = [(CELL + 0.35) * len(gaze.rows) + 0.6 for gaze in gazes]
    figure = Figure(figsize=(max(7.5, CELL * columns + 1.2), sum(heights) + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    blocks = figure.subfigures(len(gazes), 1, height_ratios=heights, squeeze=False)[:, 0]
    for block, gaze in zip(blocks, gazes, strict=True):
        block.suptitle(gaze.title, fontsize=9)
        axes = block.subplots(len(gaze.rows), columns, squeeze=False)  # as many for all: one size of images
        for row, (label, panels) in zip(axes, gaze.rows, strict=True):
            row[0].set_ylabel(label, fontsize=8)
            for axis, panel in zip(row, panels, strict=False):
                _draw(axis, panel, gaze.smooth)
            for axis in row[len(panels) :]:
                axis.set_visible(False)
    return figure


def _draw(axis: Any, panel: Panel, smooth: bool) -> None:
    """The redder, the more it is looked at; the image is grey below."""
    height, width, _ = panel.image.shape
    if panel.looks is None:
        axis.imshow(panel.image)
    else:
        axis.imshow(panel.image.mean(-1), cmap="gray", vmin=0, vmax=1)
        full = torch.maximum(panel.looks.max(), FULL * panel.looks.mean()).clamp_min(1e-12)
        axis.imshow(
            panel.looks / full,
            cmap=_RED,
            vmin=0,
            vmax=1,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="bilinear" if smooth else "nearest",
        )
    axis.set_title(panel.title, fontsize=8)
    axis.set(xticks=[], yticks=[])
