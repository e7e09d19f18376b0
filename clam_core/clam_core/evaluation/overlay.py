"""A policy's chunk drawn over a frame: the end effector's path in the kitchen, and every action over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from clam_core.spec import EnvironmentSpec

Vector = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

PAST = 20  # actions taken before now that are drawn
COLUMNS = 8  # plots of actions side by side
PLOT = 72  # height of one [pixels]
NOW, THEN = (255, 221, 51), (230, 36, 24)  # colours of the path's beginning and end
TAKEN, FORETOLD, PAPER, INK = (120, 120, 120), (214, 60, 20), (250, 250, 250), (60, 60, 60)
LEAST = 0.02
SHIFT = 4  # OpenCV takes parts of a pixel as whole numbers: sixteenths


def write_words(image: Image, words: str) -> None:
    """`words` on a dark band along the upper edge."""
    size = image.shape[0] / 960
    band = round(44 * size) + 4
    image[:band] = image[:band] // 3
    place = (round(14 * size) + 2, round(31 * size) + 2)
    cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)


def draw_path(image: Image, path: Vector) -> None:
    """A line through pixels ``(K+1, 2)``, the first of which is where the end effector is; NaN is left out."""
    count = len(path)
    radius = max(2, round(image.shape[0] / 160))
    ends = [tuple(round(float(x) * (1 << SHIFT)) for x in p - 0.5) if np.isfinite(p).all() else None for p in path]
    for i, (start, end) in enumerate(pairwise(ends)):
        if start and end:
            cv2.line(image, start, end, _colour(i + 1, count), max(1, radius - 1), cv2.LINE_AA, SHIFT)
    for i, end in enumerate(ends):
        if end:
            cv2.circle(image, end, radius << SHIFT, _colour(i, count), -1 if i else 1, cv2.LINE_AA, SHIFT)


def _colour(number: int, count: int) -> tuple[int, ...]:
    share = number / max(count - 1, 1)
    return tuple(round(a + share * (b - a)) for a, b in zip(NOW, THEN, strict=True))


def kitchen_path(spec: EnvironmentSpec, state: Vector, chunk: Vector, height: int, width: int) -> Vector | None:
    """Pixels ``(K+1, 2)`` of the end effector now and after every action of `chunk` ``(K, A)``, as rendered.

    None for an environment whose actions are not the kitchen's joint positions.
    """
    if spec.env != "kitchen":
        return None
    from clam_core.envs.kitchen_projection import end_effector_place, pixels  # needs MuJoCo
    from clam_core.envs.kitchen_spec import CAMERAS

    now = [state[spec.observation.names.index(f"end_effector_{axis}")] for axis in "xyz"]
    places = np.array([now, *(end_effector_place(action[:-1]) for action in chunk)])
    return pixels(places, CAMERAS[0], height, width)


class ActionPlots:
    """A strip of small plots: the last actions taken in grey, the chunk in red from now on.

    The range of an action's plot is what this episode has shown of it so far, and at least `LEAST` of its limits'.
    """

    def __init__(self, spec: EnvironmentSpec, width: int) -> None:
        self._names, self._width = spec.action.names, width
        self._least = LEAST * (np.array(spec.action.high) - np.array(spec.action.low))
        self._reset()
        self.height = PLOT * -(-len(self._names) // COLUMNS)

    def _reset(self) -> None:
        self._low, self._high = np.full(len(self._names), np.inf), np.full(len(self._names), -np.inf)

    def draw(self, taken: Sequence[Vector], chunk: Vector | None) -> Image:
        """The strip ``(height, width, 3)`` after the actions `taken` in this episode, before `chunk` ``(K, A)``."""
        if not taken:
            self._reset()
        past = np.array(taken[-PAST:]).reshape(-1, len(self._names))
        future = np.empty((0, len(self._names))) if chunk is None else chunk
        both = np.concatenate([past, future])
        if len(both):
            self._low, self._high = np.minimum(self._low, both.min(0)), np.maximum(self._high, both.max(0))
        strip = np.full((self.height, self._width, 3), PAPER, dtype=np.uint8)
        columns = min(COLUMNS, len(self._names))
        for i in range(len(self._names)):
            left, top = self._width * (i % columns) // columns, PLOT * (i // columns)
            plot = strip[top : top + PLOT, left : left + self._width // columns]
            self._plot(plot, i, past[:, i], future[:, i])
        return strip

    def _plot(self, plot: Image, number: int, past: Vector, future: Vector) -> None:
        height, width, _ = plot.shape
        cv2.putText(plot, self._names[number], (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.33, INK, 1, cv2.LINE_AA)
        top, bottom, left, right = 20, height - 7, 5, width - 6
        steps = PAST + max(len(future), 1)
        now = left + (right - left) * PAST / steps
        cv2.line(plot, (round(now), top - 4), (round(now), bottom + 3), (205, 205, 205), 1)
        middle = (self._low[number] + self._high[number]) / 2
        half = max(self._high[number] - self._low[number], self._least[number]) / 2
        for values, first, colour in ((past, PAST - len(past), TAKEN), (future, PAST, FORETOLD)):
            if len(values):
                x = left + (right - left) * (first + np.arange(len(values))) / steps
                y = (top + bottom) / 2 - (bottom - top) / 2 * (values - middle) / half
                points = np.round(np.stack([x, y], axis=1) * (1 << SHIFT)).astype(np.int32)
                cv2.polylines(plot, [points], False, colour, 1, cv2.LINE_AA, SHIFT)
                if colour == FORETOLD:
                    for point in points.tolist():
                        cv2.circle(plot, point, 2 << SHIFT, colour, -1, cv2.LINE_AA, SHIFT)
