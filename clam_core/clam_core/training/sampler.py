"""Which transitions a batch holds: one random stream of its own, shared by all processes of a distributed run."""

from __future__ import annotations

import torch
from torch import Tensor

from clam_core.errors import ClamError


class Sampler:
    """Draws indices uniformly with replacement.

    Every process draws the whole batch from the same stream and takes its own share, so that the effective batch is
    the same for any number of processes.
    """

    def __init__(self, seed: int, device: torch.device, rank: int = 0, world: int = 1) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device, self._rank, self._world = device, rank, world

    def draw(self, count: int, batch_size: int) -> Tensor:
        """This process's share of `batch_size` indices below `count`.

        Raises:
            ClamError: the batch cannot be shared out evenly.
        """
        if batch_size % self._world:
            raise ClamError(
                f"batch_size {batch_size} is not divisible by {self._world} processes; choose a multiple of it"
            )
        whole = torch.randint(count, (batch_size,), generator=self._generator, device=self._device)
        return whole[self._rank :: self._world]

    def state(self) -> Tensor:
        """For a checkpoint."""
        return self._generator.get_state()

    def load_state(self, state: Tensor) -> None:
        """Inverse of `state`."""
        self._generator.set_state(state)
