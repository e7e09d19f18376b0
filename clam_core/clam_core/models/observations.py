"""Observations as tensors: what every network takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clam_core.models.mapped import mapped


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
        """One batch from two; the channels of a pixel stay side by side in memory, where `augment` laid them."""
        images = None
        if self.images is not None and other.images is not None:
            parts = self.images, other.images
            images = torch.cat(parts) if mapped() else torch.cat([p.movedim(-3, -1) for p in parts]).movedim(-1, -3)
        return Observations(torch.cat([self.state, other.state]), images, torch.cat([self.timestep, other.timestep]))

    def __len__(self) -> int:
        return len(self.state)
