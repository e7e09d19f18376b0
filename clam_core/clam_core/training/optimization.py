"""Optimizer, learning-rate schedule and moving average of one training stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clam_core.training.config import OptimizationConfig


def make_optimizer(parameters: list[nn.Parameter], options: OptimizationConfig) -> torch.optim.Optimizer:
    """The optimizer of `OptimizationConfig`, fused: one pass over the weights."""
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    return kind(
        parameters, lr=options.learning_rate, eps=options.epsilon, weight_decay=options.weight_decay, fused=True
    )


def make_schedule(optimizer: torch.optim.Optimizer, options: OptimizationConfig) -> LRScheduler:
    """The learning-rate schedule of `OptimizationConfig`."""
    if options.schedule == "one_cycle":
        return OneCycleLR(optimizer, max_lr=options.learning_rate, total_steps=options.updates + 1)
    return LambdaLR(optimizer, lambda done: min(1.0, (done + 1) / max(1, options.warmup)))


def clip_gradients(parameters: list[nn.Parameter], limit: float) -> None:
    """`clip_grad_norm_`, which multiplies gradients by 1 where there is nothing to clip; on a CPU that is left out.

    A `limit` of 0 clips nothing.
    """
    if limit == 0:
        return
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if norm.is_cuda or not norm <= limit:
        nn.utils.clip_grads_with_norm_(parameters, limit, norm)


_ema: Any = get_ema_multi_avg_fn  # untyped in torch


class MovingAverage:
    """Exponential moving average of some modules' weights; does nothing for a decay of 0."""

    def __init__(self, modules: list[nn.Module], decay: float) -> None:
        self._modules = nn.ModuleList(modules)
        self._average: AveragedModel | None = None
        if decay > 0:
            self._average = AveragedModel(self._modules, multi_avg_fn=_ema(decay))

    def update(self) -> None:
        """Take the weights after an update into the average."""
        if self._average is not None:
            self._average.update_parameters(self._modules)

    @torch.no_grad()
    def adopt(self) -> None:
        """Make the average the modules' weights."""
        if self._average is not None:
            for own, average in self._pairs():
                own.copy_(average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The modules have the average's weights inside, and their own again after."""
        if self._average is None:
            yield
            return
        own = [parameter.detach().clone() for parameter in self._modules.parameters()]
        self.adopt()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self._modules.parameters(), own, strict=True):
                    parameter.copy_(value)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {} if self._average is None else dict(self._average.state_dict())

    def load_state(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        if self._average is not None:
            self._average.load_state_dict(state)

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        assert self._average is not None
        return zip(self._modules.parameters(), self._average.module.parameters(), strict=True)
