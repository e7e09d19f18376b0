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

from clam_core.models.mapped import mapped

LARGE = 1 << 25  # multiplications, from which on the detour through Python costs nothing
_ONE_DNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # absent from builds without oneDNN


class Linear(nn.Linear):
    """`nn.Linear`, computed by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in_features)`` → ``(..., out_features)``."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x ``(..., D)`` · weight ``(E, D)`` transposed + bias ``(E,)`` → ``(..., E)``."""
    if not by_one_dnn(x, weight):
        return functional.linear(x, weight, bias)
    output: Tensor = _OneDnnLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return output


def by_one_dnn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN computes x ``(..., D)`` · weight ``(E, D)`` transposed."""
    return (
        _ONE_DNN is not None
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and x.numel() * weight.shape[0] >= LARGE
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not mapped()
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """oneDNN's `linear`, which autograd does not see."""
    output: Tensor = _ONE_DNN(x, weight, bias, "none", [], "")
    return output


def weight_gradient(gradient: Tensor, x: Tensor) -> Tensor:
    """Of the output ``(N, E)``, and x ``(N, D)`` → of the weight ``(E, D)``; MKL is ahead where E ≥ D."""
    return product(gradient.t(), x.t()) if gradient.shape[1] < x.shape[1] else gradient.t().mm(x)


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        of_x = product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        of_weight = weight_gradient(rows, x.reshape(-1, x.shape[-1]))
        return of_x, of_weight, rows.sum(0) if ctx.has_bias else None
