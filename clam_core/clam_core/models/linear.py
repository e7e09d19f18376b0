"""Large linear layers in training on a CPU: oneDNN's matrix products, which on AMD are faster than PyTorch's MKL ones.

PyTorch itself asks oneDNN for bfloat16 only. The operator is PyTorch's own but private: without it, on a GPU, under
autocast or `torch.compile`, without gradients and for small layers this is `torch.nn.functional.linear`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

LARGE = 1 << 24  # multiplications, above which the detour through Python costs nothing
_ONE_DNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # absent from builds without oneDNN


class Linear(nn.Linear):
    """`nn.Linear`, computed by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in_features)`` → ``(..., out_features)``."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x ``(..., D)`` · weight ``(E, D)`` transposed + bias ``(E,)`` → ``(..., E)``."""
    if (
        _ONE_DNN is None
        or x.device.type != "cpu"
        or x.dtype != torch.float32
        or x.numel() * weight.shape[0] < LARGE
        or not torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
    ):
        return functional.linear(x, weight, bias)
    output: Tensor = _OneDnnLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return output


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    output: Tensor = _ONE_DNN(x, weight, bias, "none", [], "")
    return output


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        of_x = _product(gradient, weight.t(), None) if ctx.needs_input_grad[0] else None
        of_weight = rows.t().mm(x.reshape(-1, x.shape[-1]))
        return of_x, of_weight, rows.sum(0) if ctx.has_bias else None
