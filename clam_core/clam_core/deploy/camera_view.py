"""What a camera saw in training, and how much another picture looks like it: told by edges that stay where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

BLUR = 0.8 / 64  # of a picture's height: what is finer than that says nothing about where a camera looks
LEAST_EDGE = 4.0  # [of 255]: weaker ones are noise
LEAST_COLOUR = 8.0  # [of 255]: mean difference of red and blue below which a scene has no colours to speak of
TINY = 1e-6


@dataclass(frozen=True)
class CameraView:
    """`pictures` ``(N, H, W, 3)`` uint8 of training, the first ones of episodes' beginnings; a camera that looks as it
    did has a similarity of at least `threshold`.

    `right` is the lowest similarity of training's own pictures, `wrong` the highest of wrongly placed cameras, both as
    `clam_core.deploy.view_calibration` found them.
    """

    pictures: Picture
    threshold: float
    right: float
    wrong: float

    @property
    def size(self) -> tuple[int, int]:
        """Height and width [pixels]."""
        return int(self.pictures.shape[1]), int(self.pictures.shape[2])

    def similarity(self, picture: Picture) -> float:
        """How much `picture` ``(H, W, 3)`` looks like training, −1 to 1; 0 for a picture without edges.

        The cosine between edge directions here and in training. An edge counts as much as it stays the same in all
        training pictures, so that things and arms may be elsewhere; its strength hardly counts, so that light may
        change.

        Raises:
            ValueError: another size than training's.
        """
        if picture.shape != self.pictures.shape[1:]:
            raise ValueError(f"picture of shape {picture.shape}, the training pictures have {self.pictures.shape[1:]}")
        edges, (mean, weight) = _edges(picture), self._edges
        lengths = float((weight * edges**2).sum()) * float((weight * mean**2).sum())
        return float((weight * edges * mean).sum() / np.sqrt(lengths)) if lengths > TINY else 0.0

    def colour_agreement(self, picture: Picture) -> float:
        """Cosine between red minus blue here and in training, −1 to 1: near −1 where these two are exchanged.

        1 where training saw hardly any colour.
        """
        here, there = _red_minus_blue(picture), np.mean([_red_minus_blue(own) for own in self.pictures], axis=0)
        if np.abs(there).mean() < LEAST_COLOUR or np.abs(here).mean() < LEAST_COLOUR:
            return 1.0
        return float((here * there).sum() / np.sqrt((here**2).sum() * (there**2).sum()))

    @cached_property
    def _edges(self) -> tuple[Field, Field]:
        """Mean edges of training ``(H, W, 3, 2)`` and the weight of each ``(H, W, 3, 1)``."""
        every = np.stack([_edges(picture) for picture in self.pictures])
        mean: Field = every.mean(0)
        strength = np.linalg.norm(every, axis=-1).mean(0) + TINY
        weight: Field = (np.linalg.norm(mean, axis=-1) / strength) ** 2
        return mean, weight[..., None]


def _edges(picture: Picture) -> Field:
    """Gradient of each colour ``(H, W, 3, 2)``; those stronger than usual have a length of nearly 1."""
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), max(0.5, BLUR * picture.shape[0]))
    gradient = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], axis=-1)
    strength = np.linalg.norm(gradient, axis=-1, keepdims=True)
    edges: Field = gradient / (strength + strength.mean() + LEAST_EDGE)
    return edges


def _red_minus_blue(picture: Picture) -> npt.NDArray[Any]:
    return picture[..., 0].astype(np.float32) - picture[..., 2]
