"""Images before the networks: resizing and stacking, the same in training and in deployment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from clam_core.models.mapped import mapped

NEIGHBOURHOOD = 5  # [pixels]
STILL = 1e-3  # a mean change of images in [0, 1] that is noise


def resize(images: Tensor, size: int) -> Tensor:
    """Images ``(N, C, H, W)`` → ``(N, C, size, size)`` by area interpolation; uint8 stays uint8."""
    if images.shape[-2:] == (size, size):
        return images
    if images.dtype != torch.uint8:
        return interpolate(images, size=(size, size), mode="area")
    return interpolate(images.float(), size=(size, size), mode="area").round().to(torch.uint8)


def in_unit_range(images: Tensor) -> Tensor:
    """uint8 images as numbers in [0, 1]; others as they are."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def stack_frames(frames: Tensor, cameras: int) -> Tensor:
    """S frames of V cameras ``(..., S, V·3, H, W)`` → ``(..., V·S·3, H, W)``, camera by camera, oldest frame first."""
    if frames.shape[-4] == 1:
        return frames.squeeze(-4)
    *leading, stack, _, height, width = frames.shape
    apart = frames.reshape(*leading, stack, cameras, 3, height, width)
    return apart.transpose(-5, -4).flatten(-5, -3)


def relative_change(before: Tensor, after: Tensor) -> Tensor:
    """How much changed around each pixel, by the picture's mean: ``(B, L, C, H, W)``, the same → ``(B, L, 1, H, W)``.

    1 on average, less where (nearly) nothing in the picture changed: its noise is not worth predicting.
    """
    change = (after - before).abs().mean(2).flatten(0, 1).unsqueeze(1)
    around = avg_pool2d(change, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2)
    relative = around / (around.mean((-2, -1), keepdim=True) + STILL)
    return relative.view(*before.shape[:2], 1, *before.shape[-2:])


def channels_last(images: Tensor) -> Tensor:
    """Images ``(B, C, H, W)`` in the order of memory in which convolutions and pooling are fastest.

    On a CPU max-pooling is 10 times as fast, an update of an IMPALA-CNN takes a sixth less time and one of a ResNet a
    tenth; GPUs prefer it too.
    """
    return images if mapped() else images.contiguous(memory_format=torch.channels_last)
