"""The transformer layer's feedforward half, whose hidden activations are the largest tensors of a training step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from clam_core.models.config import TransformerConfig
from clam_core.models.dropout import Dropout, keep_mask
from clam_core.models.linear import Linear, by_one_dnn, product, weight_gradient
from clam_core.models.mlp import activation


class FeedForward(nn.Module):
    """Linear, activation, dropout, linear."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.hidden = Linear(config.dim, config.feedforward_dim)
        self.activation = activation(config.activation)
        self.dropout = Dropout(config.dropout)
        self.output = Linear(config.feedforward_dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., dim)`` → ``(..., dim)``."""
        output: Tensor
        if isinstance(self.activation, nn.GELU) and self.dropout.p < 1 and by_one_dnn(x, self.hidden.weight):
            dropout = self.dropout.p if self.training else 0.0
            weights = self.hidden.weight, self.hidden.bias, self.output.weight, self.output.bias
            output = _InPlaceFeedForward.apply(x, *weights, dropout)  # type: ignore[no-untyped-call]
        else:
            output = self.output(self.dropout(self.activation(self.hidden(x))))
        return output


class _InPlaceFeedForward(torch.autograd.Function):
    """The same with GELU: dropout and both gradients of the hidden activations overwrite what nobody reads again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, dropout: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        hidden = product(rows, w1, b1)
        mask = keep_mask(hidden.shape, dropout, hidden.dtype) if dropout > 0 else torch.ones(())
        active = functional.gelu(hidden).mul_(mask)
        ctx.save_for_backward(rows, hidden, mask, active, w1, w2)
        return product(active, w2, b2).view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, hidden, mask, active, w1, w2 = ctx.saved_tensors
        shape, gradient = gradient.shape, gradient.reshape(-1, gradient.shape[-1])
        of_hidden = product(gradient, w2.t()).mul_(mask)
        torch.ops.aten.gelu_backward.grad_input(of_hidden, hidden, grad_input=of_hidden)
        of_first = weight_gradient(of_hidden, rows), of_hidden.sum(0)
        of_second = weight_gradient(gradient, active), gradient.sum(0)
        return product(of_hidden, w1.t()).view(shape), *of_first, *of_second, None
