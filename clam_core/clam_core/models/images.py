"""Images before the networks: resizing and stacking, the same in training and in deployment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize(images: Tensor, size: int) -> Tensor:
    """Images ``(N, C, H, W)`` → ``(N, C, size, size)`` by area interpolation; uint8 stays uint8."""
    if images.shape[-2:] == (size, size):
        return images
    if images.dtype != torch.uint8:
        return interpolate(images, size=(size, size), mode="area")
    return interpolate(images.float(), size=(size, size), mode="area").round().to(torch.uint8)


def stack_frames(frames: Tensor, cameras: int) -> Tensor:
    """S frames of V cameras ``(..., S, V·3, H, W)`` → ``(..., V·S·3, H, W)``, camera by camera, oldest frame first."""
    if frames.shape[-4] == 1:
        return frames.squeeze(-4)
    *leading, stack, _, height, width = frames.shape
    apart = frames.reshape(*leading, stack, cameras, 3, height, width)
    return apart.transpose(-5, -4).flatten(-5, -3)
