"""Latent actions as figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from clam_core.pictures.figures import OWN, TRUTH
from clam_core.pictures.latents import Labels, Plane
from clam_core.spec import ActionSpec, EnvironmentSpec

ACTIONS = 12  # dimensions drawn, at most
ROW, Z_ROW = 0.95, 1.7  # inches of an action's plot, and of the latent actions


def draw_episode(
    episode: Labels, scores: Tensor, spec: EnvironmentSpec, label: str | None, plane: Plane | None, title: str
) -> Figure:
    """An episode's latent actions over its true ones, and the plane of all held-out play's beside them.

    `episode` has its actions in the environment's units, `label` is what its own actions are, and `scores` ``(A,)``
    their R² on all held-out play.
    """
    names, units = spec.action.names, spec.action.units
    count = min(len(names), ACTIONS)
    heights = [Z_ROW, *[ROW] * count] if episode.z is not None else [ROW] * count
    figure = Figure(figsize=(13 if plane else 9, max(7.5 if plane else 3.0, sum(heights) + 1.2)), layout="constrained")
    figure.suptitle(title, fontsize=11)
    parts = figure.subfigures(1, 2, width_ratios=(1.6, 1)) if plane else [figure]
    axes = parts[0].subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    seconds = np.arange(len(episode.true)) / spec.rate
    if episode.z is not None:
        _heat(parts[0], axes[0], episode.z, seconds, 1 / spec.rate)
    for axis, i in zip(axes[-count:], range(count), strict=True):
        axis.step(seconds, episode.true[:, i], where="post", color=TRUTH, linewidth=1.4, label="true action")
        if episode.own is not None:
            axis.step(seconds, episode.own[:, i], where="post", color=OWN, linewidth=1.1, label=label)
        axis.set_ylabel(f"{names[i]}\n[{units[i]}]", fontsize=8, rotation=0, ha="right", va="center")
        axis.tick_params(labelsize=7)
        if episode.own is not None:
            axis.set_title(_score(float(scores[i])), fontsize=8, loc="right", pad=2)
    axes[-count].legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, borderpad=0.1)
    axes[-1].set_xlabel("time in the episode [s]", fontsize=8)
    parts[0].align_ylabels(axes)
    if plane:
        square, rest = parts[1].subplots(2, 1, height_ratios=(2.2, 1))
        _plane(square, parts[1], plane, spec.action)
        _scores(rest, names[:count], scores, label)
    return figure


def _heat(figure: Any, axis: Any, z: Tensor, seconds: Any, step: float) -> None:
    standardized = ((z - z.mean(0)) / z.std(0).clamp_min(1e-6)).T
    extent = (0.0, float(seconds[-1]) + step, z.shape[1] - 0.5, -0.5)
    image = axis.imshow(
        standardized, aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5, extent=extent, interpolation="nearest"
    )
    axis.set_ylabel("latent\naction z", fontsize=8, rotation=0, ha="right", va="center")
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.tick_params(labelsize=7)
    bar = figure.colorbar(image, ax=axis, pad=0.01, aspect=12)
    bar.set_label("standardized", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _plane(axis: Any, figure: Any, plane: Plane, spec: ActionSpec) -> None:
    low, high = np.quantile(plane.colour, (0.02, 0.98))
    points = axis.scatter(
        plane.points[:, 0], plane.points[:, 1], c=plane.colour, s=14, cmap="viridis", vmin=low, vmax=high, linewidths=0
    )
    axis.set_xlabel(f"principal direction 1 ({plane.shares[0]:.0%} of the variance)", fontsize=8)
    axis.set_ylabel(f"principal direction 2 ({plane.shares[1]:.0%} of the variance)", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.set_title(f"z of held-out play; linear probe z → action: R² {plane.probe:.2f}", fontsize=9)
    bar = figure.colorbar(points, ax=axis, location="bottom", pad=0.02, aspect=40)
    name, unit = spec.names[plane.dimension], spec.units[plane.dimension]
    bar.set_label(f"true {name} [{unit}], R² {plane.explained:.2f} from the plane", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _scores(axis: Any, names: Sequence[str], scores: Tensor, label: str | None) -> None:
    """Bars of R², from −1 (or worse) to 1."""
    if label is None:
        axis.set_visible(False)
        return
    axis.barh(np.arange(len(names)), scores[: len(names)].nan_to_num(0.0).clamp(-1, 1), color=OWN, height=0.6)
    axis.set_yticks(np.arange(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.axvline(0.0, color=TRUTH, linewidth=0.8)
    axis.set_xlim(-1, 1)
    axis.tick_params(axis="x", labelsize=7)
    axis.set_title(f"{label}: R² on all held-out play", fontsize=9)


def _score(value: float) -> str:
    if np.isnan(value):
        return "never changes"
    return f"R² {value:.2f}" if value > -10 else "R² below −10"
