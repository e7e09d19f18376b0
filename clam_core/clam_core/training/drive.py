"""Driving trainings, which are steps that wait for their next update: one alone, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from clam_core.methods.base import Drawn, Losses
from clam_core.training.stack import Stack, stackable
from clam_core.training.stage_run import StageRun, Steps

Metrics = dict[str, float]


def drive(steps: Steps) -> Metrics:
    """Do every update of one training; returns its last held-out metrics."""
    try:
        run = next(steps)
        while True:
            run = steps.send(run.update(run.next))
    except StopIteration as stop:
        metrics: Metrics = stop.value
        return metrics


def drive_together(trainings: Sequence[Steps], device: torch.device) -> list[Metrics | Exception]:
    """Do every update of several trainings of one method on `device`, in lockstep and stacked where they can be.

    Each keeps its own random numbers: what it draws is what it would draw alone. One that fails, or ends its stage
    early, does not stop the others; those that are ahead, as after a resume, wait. Returns the last held-out metrics
    of each, or why it failed.
    """
    trains = [_Training(steps, device) for steps in trainings]
    stack: Stack | None = None
    while waiting := [(training, training.run) for training in trains if training.run is not None]:
        place = min((run.number, run.next) for _, run in waiting)
        group = [(training, run) for training, run in waiting if (run.number, run.next) == place]
        runs = tuple(run for _, run in group)
        if stack is not None and stack.runs != runs:
            stack.dissolve()
            stack = None
        if len(runs) == 1 or not all(stackable(run) for run in runs):
            for training, _ in group:
                training.update()
            continue
        stack = stack or Stack(runs)
        for (training, _), losses in zip(group, stack.update([training.draw() for training, _ in group]), strict=True):
            training.send(losses)
    return [training.outcome for training in trains]


class _Training:
    """One of several trainings, with random numbers of its own; `run` waits for an update, None when it has ended."""

    def __init__(self, steps: Steps, device: torch.device) -> None:
        self._steps = steps
        self._devices = [device] if device.type == "cuda" else []
        self._random: tuple[torch.Tensor, list[torch.Tensor]] | None = None
        self.run: StageRun | None = None
        self.outcome: Metrics | Exception = {}
        with self._attempt():
            self.run = next(self._steps)

    def draw(self) -> Drawn:
        """The batches of the next update."""
        assert self.run is not None
        with self._randomness():
            return self.run.stage.draw(self.run.next)

    def update(self) -> None:
        """The next update, alone."""
        run = self.run
        assert run is not None
        with self._attempt():
            self.run = self._steps.send(run.update(run.next))

    def send(self, losses: Losses) -> None:
        """Go on after an update that was done."""
        with self._attempt():
            self.run = self._steps.send(losses)

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """The training's end, or failure, inside."""
        try:
            with self._randomness():
                yield
        except StopIteration as stop:
            self.run, self.outcome = None, stop.value
        except Exception as error:
            self.run, self.outcome = None, error

    @contextmanager
    def _randomness(self) -> Iterator[None]:
        """PyTorch's random generators are this training's inside."""
        with torch.random.fork_rng(self._devices):
            if self._random is not None:
                torch.set_rng_state(self._random[0])
                for device, state in zip(self._devices, self._random[1], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self._random = torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in self._devices]
