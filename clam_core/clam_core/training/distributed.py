"""Data-parallel training under ``torchrun``: one process per device, gradients averaged (DDP)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from clam_core.deploy.device import resolve_device
from clam_core.methods.stage import Losses, Stage


@dataclass(frozen=True)
class Process:
    """This process among `world`; `rank` 0 alone writes files."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            distributed.barrier()

    def mean(self, values: Losses) -> dict[str, float]:
        """Scalars, averaged over the processes."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.world > 1:
            distributed.all_reduce(stacked)
        return dict(zip(values, (stacked / self.world).tolist(), strict=True))

    def first(self, value: float | None) -> float | None:
        """That of rank 0; None where it has none, as then nobody has."""
        if self.world == 1 or value is None:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def gather(self, state: Tensor) -> list[Tensor]:
        """The `state` (CPU bytes) of every process, in order of rank."""
        if self.world == 1:
            return [state]
        device = self.device if self.device.type == "cuda" else torch.device("cpu")
        states = [torch.empty_like(state, device=device) for _ in range(self.world)]
        distributed.all_gather(states, state.to(device))
        return [state.cpu() for state in states]


@contextmanager
def join_processes(device_name: str) -> Iterator[Process]:
    """The process group that ``torchrun`` started (NCCL on GPUs, gloo on CPUs), or this process alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device = resolve_device(device_name)
    if world == 1:
        yield Process(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    # The others wait while the first one rolls out, which may take longer than the usual 10 minutes.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    try:
        yield Process(device, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


class StageLoss(nn.Module):
    """A stage's loss as a module, which is what DDP wraps: it knows the modules that the stage trains."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.trained = nn.ModuleList(stage.modules)
        self.stage = stage

    def forward(self, update: int) -> Losses:
        """The losses of one update."""
        return self.stage.loss(*self.stage.draw(update))


def parallel(stage: Stage, process: Process) -> nn.Module:
    """`stage`'s loss; with several processes, one whose backward pass averages the gradients over them."""
    loss = StageLoss(stage)
    if process.world == 1:
        return loss
    # Not every update uses every weight: the action decoder learns every K-th only (Algorithm 1, line 7).
    return DistributedDataParallel(loss, find_unused_parameters=True, forward_sync_buffers=False)
