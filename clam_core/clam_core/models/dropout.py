"""Dropout with cheap random numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clam_core.models.mapped import mapped

_LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """`nn.Dropout`; on a CPU the masks come from 16 random bits per element.

    PyTorch draws a 32-bit number per element on one thread (unless the CPU is Intel's), which takes as long as a
    transformer layer's matrix products. One 64-bit number serves four elements here; p is rounded to a multiple of
    1 / 65536, and the kept elements are scaled by exactly what that p asks for.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(...)`` → ``(...)``."""
        if x.device.type != "cpu" or not self.training or not 0 < self.p < 1 or mapped():
            return functional.dropout(x, self.p, self.training)
        return x * keep_mask(x.shape, self.p, x.dtype)


def keep_mask(shape: torch.Size, p: float, dtype: torch.dtype) -> Tensor:
    """0 with probability `p`, else 1 / (1 − p), with p rounded to a multiple of 1 / 65536; from torch's generator."""
    dropped = round(p * _LEVELS)
    count = shape.numel()
    lowest = torch.iinfo(torch.int64).min
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(lowest, None)
    levels = bits.view(torch.int16)[:count].view(shape).to(torch.float32)
    return levels.ge_(dropped - _LEVELS // 2).mul_(_LEVELS / (_LEVELS - dropped)).to(dtype)
