"""Predicted next observations as figures: images side by side, or states as changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from clam_core.pictures.figures import OWN, TRIVIAL
from clam_core.pictures.gaze import views
from clam_core.pictures.reconstruction import Predictions

CELL = 1.75  # inches of an image
PLOTS = 6  # state entries whose changes are plotted
POINTS = 1500  # at most, in one plot
BARS = 40  # state entries whose errors are shown


@dataclass(frozen=True)
class _Row:
    """One camera of one transition: pictures and error maps, in the order of the columns."""

    label: str
    pictures: list[Tensor]
    wrong: list[npt.NDArray[np.float32]]
    mse: list[float]


def draw_images(shown: Predictions, labels: Sequence[str], cameras: tuple[str, ...], title: str) -> Figure:
    """A row for every transition and camera; `labels` say which transitions.

    Where features of the images are predicted, their errors are drawn beside the images.
    """
    rows = [_row(shown, i, camera, label, cameras) for i, label in enumerate(labels) for camera in range(len(cameras))]
    heads = ["o(t): the trivial copy", "o(t+1): truth", *(["prediction"] if shown.pixels else [])]
    heads += ["|prediction − truth|", "|copy − truth|"]
    figure = Figure(figsize=(len(heads) * CELL + 1.4, (CELL + 0.2) * len(rows) + 0.8), layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(len(rows), len(heads), squeeze=False)
    everything = np.concatenate([wrong.ravel() for row in rows for wrong in row.wrong])
    scale = Normalize(0, max(float(np.quantile(everything, 0.999)), 1e-3))
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, fontsize=9)
    for line, row in zip(axes, rows, strict=True):
        line[0].set_ylabel(row.label, fontsize=8)
        for axis, picture in zip(line, row.pictures, strict=False):
            axis.imshow(picture)
        for axis, wrong, mse in zip(line[-2:], row.wrong, row.mse, strict=True):
            drawn = axis.imshow(wrong, cmap="inferno", norm=scale)
            axis.set_xlabel(f"MSE {mse:.1e}", fontsize=8)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    bar = figure.colorbar(drawn, ax=axes[:, -2:], location="right", shrink=min(1.0, 4 / len(rows)), pad=0.02)
    bar.set_label(f"absolute error, mean of {'R, G, B' if shown.pixels else 'the features'}", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _row(shown: Predictions, number: int, camera: int, label: str, cameras: tuple[str, ...]) -> _Row:
    assert shown.images is not None
    pictures = [views(image, cameras)[camera] for image in shown.images[number]]
    if shown.pixels:
        pictures.append(views(shown.predicted[number], cameras)[camera])
    frames = shown.images.shape[2] // 3  # all cameras' stacked ones; the newest of a camera is its last
    current, truth, predicted = (
        x[number].chunk(len(cameras))[camera][-x.shape[1] // frames :]
        for x in (shown.current, shown.truth, shown.predicted)
    )
    wrong = [(guess - truth).abs().mean(0).numpy() for guess in (predicted, current)]
    mse = [float((guess - truth).square().mean()) for guess in (predicted, current)]
    return _Row(f"{label}\n{cameras[camera]}" if len(cameras) > 1 else label, pictures, wrong, mse)


def draw_states(found: Predictions, names: Sequence[str], title: str) -> Figure:
    """Errors of all state entries, and true and predicted changes of those that change most."""
    error, trivial = ((x - found.truth).square().mean(0).numpy() for x in (found.predicted, found.current))
    order = np.argsort(-trivial)[:BARS]
    height = max(5.2, 0.24 * len(order) + 1.6)
    figure = Figure(figsize=(12.5, height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.7))
    _bars(left.subplots(), [names[i] for i in order], error[order], trivial[order])
    plots = right.subplots(2, 3)
    for axis in plots.flat:
        axis.set_visible(False)
    for axis, entry in zip(plots.flat, order[:PLOTS].tolist(), strict=False):
        axis.set_visible(True)
        _changes(axis, found, entry, names[entry])
    figure.axes[1].legend(fontsize=7, loc="upper left")
    right.suptitle("change from o(t) to o(t+1), standardized", fontsize=9)
    return figure


def _bars(axis: Any, names: Sequence[str], error: Any, trivial: Any) -> None:
    places = np.arange(len(names))
    axis.barh(places - 0.2, np.maximum(error, 1e-12), 0.4, color=OWN, label="prediction")
    axis.barh(places + 0.2, np.maximum(trivial, 1e-12), 0.4, color=TRIVIAL, label="trivial copy of o(t)")
    axis.set_yticks(places, names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xscale("log")
    low = min(float(x[x > 1e-9].min(initial=1.0)) for x in (error, trivial))
    axis.set_xlim(left=low / 3)
    axis.set_xlabel("mean squared error of the standardized entry", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.legend(fontsize=8, loc="lower right")


def _changes(axis: Any, found: Predictions, entry: int, name: str) -> None:
    every = max(1, len(found.truth) // POINTS)
    current, truth, predicted = (x[::every, entry].numpy() for x in (found.current, found.truth, found.predicted))
    true, foretold = truth - current, predicted - current
    ends = [float(true.min()), float(true.max())]
    axis.plot(ends, ends, color="#999999", linewidth=1, label="truth")
    axis.plot(ends, [0, 0], color=TRIVIAL, linewidth=1.5, label="trivial copy")
    axis.plot(true, foretold, ".", color=OWN, markersize=3, alpha=0.4, label="prediction")
    axis.set_title(name, fontsize=9)
    axis.set_xlabel("true", fontsize=8)
    axis.set_ylabel("predicted", fontsize=8)
    axis.tick_params(labelsize=7)
