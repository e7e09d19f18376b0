"""Observations as tensors: what every network takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Observations:
    """Standardized state features and images, with leading dimensions ``(B,)`` or ``(B, T)``.

    Attributes:
        state: ``(..., F)``; F is 0 where only images are used.
        images: ``(..., C, H, W)`` in [0, 1], cameras and stacked frames along C; None without cameras.
        timestep: ``(...)`` whole numbers, the steps since the episode began.
    """

    state: Tensor
    images: Tensor | None
    timestep: Tensor

    def time(self, which: int | slice) -> Observations:
        """The observations at `which` of the time dimension: ``(B, T, …)`` → ``(B, …)`` or ``(B, T', …)``."""
        images = None if self.images is None else self.images[:, which]
        return Observations(self.state[:, which], images, self.timestep[:, which])

    def join(self, other: Observations) -> Observations:
        """One batch from two; images as `augment` has them, the channels of a pixel side by side."""
        images = None
        if self.images is not None and other.images is not None:
            images = torch.cat([part.movedim(-3, -1) for part in (self.images, other.images)]).movedim(-1, -3)
        return Observations(torch.cat([self.state, other.state]), images, torch.cat([self.timestep, other.timestep]))

    def __len__(self) -> int:
        return len(self.state)
