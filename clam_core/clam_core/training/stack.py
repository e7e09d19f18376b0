"""Stages of several runs, stacked: one forward and one backward pass for all of them.

A GPU that trains a small network waits for its next kernel most of the time, and one kernel for three networks takes
no longer than one for a single network. `torch.func.vmap` maps one method's loss over the weights of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from clam_core.errors import ClamError
from clam_core.methods.stage import Losses
from clam_core.models.latent_space import LatentSpace
from clam_core.training.config import Config, DataConfig, OptimizationConfig
from clam_core.training.stage_run import StageRun
from clam_core.training.transitions import Batch


class Stack:
    """Runs that all wait for the same update of the same stage of one method, with networks of the same shapes.

    Each run draws its own batches, and has its own gradients, optimizer and schedule; the loss is that of the first
    one's configuration. While they are stacked, the weights of a run are views of the stacked ones; `dissolve` ends
    that.

    Raises:
        ClamError: the runs' configurations differ in more than seed, data and optimization, or their networks' shapes.
    """

    def __init__(self, runs: Sequence[StageRun]) -> None:
        self.runs = tuple(runs)
        self._named = [{f"method.{name}": tensor for name, tensor in _tensors(run.method)} for run in runs]
        first = self._named[0]
        if any(_kind(run.config) != _kind(runs[0].config) for run in runs):
            raise ClamError("their configurations differ in more than seed, data and optimization")
        if any(_shapes(named) != _shapes(first) for named in self._named):
            raise ClamError("their networks have different shapes")
        trained = {id(parameter) for parameter in runs[0].parameters}
        self._stacked = {
            name: torch.stack([named[name].detach() for named in self._named]).requires_grad_(id(tensor) in trained)
            for name, tensor in first.items()
        }
        self._trained = [name for name, tensor in first.items() if id(tensor) in trained]
        for number, named in enumerate(self._named):
            for name, tensor in named.items():
                tensor.data = self._stacked[name].detach()[number]
        self._loss = _Loss(runs[0])

    def backward(self, draws: Sequence[Sequence[Batch]]) -> list[Losses]:
        """Gradients of every run for the batches that it drew; returns their losses."""
        templates = draws[0]
        drawn = [_stacked(batches) for batches in zip(*draws, strict=True)]

        def loss(weights: dict[str, Tensor], tensors: list[dict[str, Tensor]]) -> Losses:
            batches = [batch.with_tensors(own) for batch, own in zip(templates, tensors, strict=True)]
            losses: Losses = functional_call(self._loss, weights, tuple(batches))
            return losses

        with self.runs[0].autocast():
            losses = vmap(loss, randomness="different")(self._stacked, drawn)
        for name in self._trained:
            self._stacked[name].grad = None
        losses["loss"].sum().backward()  # type: ignore[no-untyped-call]
        for number, named in enumerate(self._named):
            for name in self._trained:
                gradient = self._stacked[name].grad
                named[name].grad = None if gradient is None else gradient[number]
        return [{name: values[number].detach() for name, values in losses.items()} for number in range(len(self.runs))]

    def dissolve(self) -> None:
        """The weights of each run become its own again."""
        for named in self._named:
            for tensor in named.values():
                tensor.data = tensor.detach().clone()
                tensor.grad = None


def stackable(run: StageRun) -> bool:
    """Whether `run` may be stacked: compiled networks and codebooks that follow their inputs cannot be mapped over."""
    parts = (part for module in [*run.stage.modules, *run.stage.fixed] for part in module.modules())
    return not (run.config.compile or any(isinstance(part, LatentSpace) and part.config.follows for part in parts))


def _kind(config: Config) -> Config:
    """`config` without what each run of a stack may have of its own."""
    return replace(
        config,
        seed=0,
        data=DataConfig(),
        lam_training=OptimizationConfig(batch_size=config.lam_training.batch_size),
        grounding_training=OptimizationConfig(batch_size=config.grounding_training.batch_size),
        policy_training=OptimizationConfig(batch_size=config.policy_training.batch_size),
    )


class _Loss(nn.Module):
    """The loss of a run's stage as a function of all weights and buffers of its method."""

    def __init__(self, run: StageRun) -> None:
        super().__init__()
        self.method = run.method
        self._loss = run.stage.loss

    def forward(self, *batches: Batch) -> Losses:
        return self._loss(*batches)


def _tensors(method: nn.Module) -> Iterable[tuple[str, Tensor]]:
    yield from method.named_parameters()
    yield from method.named_buffers()


def _shapes(named: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in named.items()}


def _stacked(batches: Sequence[Batch]) -> dict[str, Tensor]:
    tensors = [batch.tensors() for batch in batches]
    return {name: torch.stack([own[name] for own in tensors]) for name in tensors[0]}
