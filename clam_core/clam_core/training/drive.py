"""Driving trainings, which are steps that wait for their next update: one alone, or several side by side."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from clam_core.methods.stage import Drawn, Losses
from clam_core.training.stack import Stack, stackable
from clam_core.training.stage_run import StageRun, Steps

Metrics = dict[str, float]
_log = logging.getLogger(__name__)


def drive(steps: Steps) -> Metrics:
    """Do every update of one training; returns its last held-out metrics."""
    with closing(steps):
        try:
            run = next(steps)
            while True:
                run = steps.send(run.update(run.next))
        except StopIteration as stop:
            metrics: Metrics = stop.value
            return metrics


def drive_together(trainings: Sequence[Steps], device: torch.device) -> list[Metrics | Exception]:
    """Do every update of several trainings of one method on `device`, in lockstep and stacked where they can be.

    Each keeps its own random numbers: it draws the batches that it would draw alone (what the networks draw, as for
    dropout and Gaussian latent actions, comes from the first one's). One that fails, or ends its stage early, does not
    stop the others; those that are ahead, as after a resume, wait. Where stacking fails they go on one by one. Returns
    the last held-out metrics of each, or why it failed.
    """
    trains: list[_Training] = []
    stack: Stack | None = None
    one_by_one = False
    try:
        trains += [_Training(steps, device) for steps in trainings]
        while group := _next(trains):
            if one_by_one or len(group) == 1 or not all(stackable(run) for _, run in group):
                for training, _ in group:
                    training.update()
                continue
            try:
                stack = _stacked(stack, [run for _, run in group])
                draws = [(training, run, training.draw()) for training, run in group]
                drawn = [(training, run, batches) for training, run, batches in draws if batches is not None]
                if not drawn:
                    continue
                stack = _stacked(stack, [run for _, run, _ in drawn])
                with drawn[0][0].randomness():
                    losses = stack.backward([batches for *_, batches in drawn])
            except Exception as error:  # of memory, or of an operator that cannot be mapped over
                reason = (str(error) or type(error).__name__).splitlines()[0]
                _log.warning("these runs cannot be trained as a stack, so one by one: %s", reason)
                one_by_one = True
                _dissolve(stack)
                continue
            for (training, *_), own in zip(drawn, losses, strict=True):
                training.descend(own)
    finally:
        for training in trains:
            training.close()
    return [training.outcome for training in trains]


def _stacked(stack: Stack | None, runs: Sequence[StageRun]) -> Stack:
    """A stack of `runs`: `stack`, if it is one of these, which is dissolved else."""
    if stack is not None and stack.runs == tuple(runs):
        return stack
    _dissolve(stack)
    return Stack(runs)


def _dissolve(stack: Stack | None) -> None:
    if stack is not None:
        stack.dissolve()


def _next(trains: Sequence[_Training]) -> list[tuple[_Training, StageRun]]:
    """Those that wait for the earliest update that any of them waits for."""
    waiting = [(training, training.run) for training in trains if training.run is not None]
    place = min(((run.number, run.next) for _, run in waiting), default=None)
    return [(training, run) for training, run in waiting if (run.number, run.next) == place]


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

    def draw(self) -> Drawn | None:
        """The batches of the next update; None if that fails."""
        assert self.run is not None
        with self._attempt():
            return self.run.stage.draw(self.run.next)
        return None

    def update(self) -> None:
        """The next update, alone."""
        run = self.run
        assert run is not None
        with self._attempt():
            self.run = self._steps.send(run.update(run.next))

    def descend(self, losses: Losses) -> None:
        """The rest of an update whose gradients and `losses` are known."""
        run = self.run
        assert run is not None
        with self._attempt():
            run.descend()
            self.run = self._steps.send(losses)

    def close(self) -> None:
        """End it, wherever it is."""
        self._steps.close()

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """The training's end, or failure, inside."""
        try:
            with self.randomness():
                yield
        except StopIteration as stop:
            self.run, self.outcome = None, stop.value
        except Exception as error:
            _log.exception("a training failed")
            self.close()
            # Its frames hold networks and data, which the others may need the memory of.
            self.run, self.outcome = None, error.with_traceback(None)
            error.__cause__ = error.__context__ = None

    @contextmanager
    def randomness(self) -> Iterator[None]:
        """PyTorch's random generators are this training's inside."""
        with torch.random.fork_rng(self._devices):
            if self._random is not None:
                torch.set_rng_state(self._random[0])
                for device, state in zip(self._devices, self._random[1], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self._random = torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in self._devices]
