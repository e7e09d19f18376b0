"""Statistics that LeRobot keeps of every feature, per episode and of the whole dataset; policies normalize by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
SAMPLED_IMAGES = 32  # images of an episode that count
SAMPLED_SIDE = 150  # pixels of an image's side that count

#: Statistic → value of one feature; ``(D,)``, for images ``(3, 1, 1)``, and ``count`` ``(1,)``.
Stats = dict[str, npt.NDArray[Any]]


def feature_stats(values: npt.NDArray[Any]) -> Stats:
    """Statistics of ``(N, D)`` or ``(N,)`` numbers, each ``(D,)``."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return _stats(rows, len(values))


def image_stats(images: npt.NDArray[np.uint8]) -> Stats:
    """Statistics of the color channels of ``(N, H, W, 3)`` images in 0…1, each ``(3, 1, 1)``, from a sample."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), SAMPLED_IMAGES)).astype(int))
    stride = max(1, -(-max(images.shape[1:3]) // SAMPLED_SIDE))
    pixels = images[chosen][:, ::stride, ::stride].reshape(-1, 3) / 255.0
    stats = _stats(pixels, len(chosen))
    return {name: value if name == "count" else value.reshape(3, 1, 1) for name, value in stats.items()}


def _stats(rows: npt.NDArray[np.float64], count: int) -> Stats:
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([count]),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }


def combined(parts: Sequence[Stats]) -> Stats:
    """Statistics of all episodes from each one's, as LeRobot combines them: quantiles are means of the episodes'."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)

    def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.average(values, axis=0, weights=counts))

    def stack(name: str) -> npt.NDArray[np.float64]:
        return np.stack([part[name] for part in parts])

    total = mean(stack("mean"))
    variance = mean(stack("std") ** 2 + (stack("mean") - total) ** 2)
    return {
        "min": stack("min").min(axis=0),
        "max": stack("max").max(axis=0),
        "mean": total,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
        **{name: mean(stack(name)) for name in QUANTILES},
    }
