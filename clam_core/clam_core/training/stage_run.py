"""One stage of a run: updates, held-out metrics, best and latest checkpoints, early stopping."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from clam_core.deploy.device import computes_bf16
from clam_core.errors import ClamError
from clam_core.methods.base import Method
from clam_core.methods.stage import Losses, Stage
from clam_core.models.lam import LatentActionModel
from clam_core.training.checkpoint import Position, load_best, save_best, save_checkpoint
from clam_core.training.distributed import Process, parallel
from clam_core.training.metrics import MetricsLog
from clam_core.training.optimization import MovingAverage, clip_gradients, make_optimizer, make_schedule

_log = logging.getLogger(__name__)


#: A training in steps: each is a stage that waits for its next update; the last held-out metrics are returned.
Steps = Generator["StageRun", Losses, dict[str, float]]


@dataclass(frozen=True)
class Surroundings:
    """What the stages of a run share: `state()` goes into every checkpoint, see `Trainer`."""

    method: Method
    process: Process
    checkpoints: Path
    log: MetricsLog
    state: Callable[[], dict[str, Any]] = dict
    roll_out: Callable[[], dict[str, float]] | None = None


class StageRun:
    """The state of one stage: optimizer, schedule, moving average, best held-out error so far."""

    def __init__(self, around: Surroundings, stage: Stage, number: int) -> None:
        self.around, self.stage, self.number = around, stage, number
        self.method, self.process, self.config = around.method, around.process, around.method.config
        self.checkpoints, self.log = around.checkpoints, around.log
        self.parameters = [p for module in stage.modules for p in module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, stage.optimization)
        self.schedule = make_schedule(self.optimizer, stage.optimization)
        self.bf16 = self.config.bf16 and computes_bf16(self.process.device)
        self.best, self.stale, self.warned = math.inf, 0, False
        self.metrics: dict[str, float] = {}
        self.next = 0  # the update that it waits for

    def steps(self, state: dict[str, Any] | None, position: Position) -> Steps:
        """The updates that are left: it yields itself, somebody does update `next` and sends the losses."""
        stage, options = self.stage, self.stage.optimization
        done = position.update if state is not None else 0
        if state is None:
            stage.begin()
        if done == options.updates:
            return self._measured()
        self.prepare()
        if state is not None:
            self._restore(state)
        started = time.monotonic()
        hidden = None if self.process.writes else True
        for update in tqdm(range(done + 1, options.updates + 1), desc=stage.name, unit="update", disable=hidden):
            self.next = update
            losses = yield self
            last = update == options.updates
            if last or update % self.config.log_every == 0:
                self._log(update, losses, (time.monotonic() - started) / (update - done))
            if last or update % self.config.evaluate_every == 0:
                self._evaluate(update)
                last = last or 0 < options.early_stopping <= self.stale
            self._roll_out(update, last)
            if last:
                break
            if self._is_checkpoint_due(update):
                self._save(Position(self.number, update))
        self._finish()
        return self.metrics

    def _is_checkpoint_due(self, update: int) -> bool:
        """Alike in all processes: rank 0's clock counts."""
        if update % self.config.checkpoint_every == 0:
            return True
        if not self.config.checkpoint_seconds or update % self.config.log_every:
            return False
        return bool(self.process.first(time.monotonic() - self.saved_at > self.config.checkpoint_seconds))

    def prepare(self) -> None:
        """What the first update needs."""
        self.saved_at = time.monotonic()
        _set_mode(self.method, self.stage, training=True)
        self.average = MovingAverage(self.stage.modules, self.stage.optimization.ema)
        self.loss = parallel(self.stage, self.process)
        if self.config.compile:
            for module in self.stage.modules:
                for part in (module.idm, module.fdm) if isinstance(module, LatentActionModel) else (module,):
                    part.compile()

    def update(self, update: int) -> Losses:
        """One gradient step."""
        with self.autocast():
            losses: Losses = self.loss(update)
        self.optimizer.zero_grad()
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        self.descend()
        return losses

    def autocast(self) -> torch.autocast:
        """The precision in which losses are computed."""
        return torch.autocast(self.process.device.type, torch.bfloat16, enabled=self.bf16)

    def descend(self) -> None:
        """What follows a backward pass."""
        clip_gradients(self.parameters, self.stage.optimization.clip_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        self.average.update()

    def _log(self, update: int, losses: Losses, seconds: float) -> None:
        values = self.process.mean(losses)
        if not all(math.isfinite(value) for value in values.values()):
            kept = f" (the last checkpoint in '{self.checkpoints}' is kept)" if self.checkpoints.exists() else ""
            raise ClamError(
                f"the {self.stage.name} loss became {values} at update {update}; lower learning_rate, and check the "
                f"dataset with `clam inspect`{kept}"
            )
        rates = {
            "learning_rate": float(self.schedule.get_last_lr()[0]),
            "updates_per_second": 1 / seconds,
            "eta_seconds": (self.stage.optimization.updates - update) * seconds,
        }
        self.log.write(self.number, self.stage.name, update, values | rates)

    def _evaluate(self, update: int) -> None:
        """Held-out metrics of the averaged weights, in evaluation mode; the best so far are kept."""
        _set_mode(self.method, self.stage, training=False)
        with self.average.applied():
            self.metrics = self._measured()
            # Of the first process: all must stop alike, and what a network counts of its own batches may differ.
            error = self.process.first(self.metrics.get(self.stage.criterion))
            if error is None:
                self._warn()
            else:
                better = error < self.best
                self.best, self.stale = (error, 0) if better else (self.best, self.stale + 1)
                if better and self.process.writes:
                    save_best(self.checkpoints, Position(self.number, update), self.method)
        self.log.write(self.number, self.stage.name, update, self.metrics)
        _set_mode(self.method, self.stage, training=True)

    def _measured(self) -> dict[str, float]:
        """Held-out metrics; those that are not defined for the data, NaN, are left out."""
        return {name: value for name, value in self.stage.metrics().items() if not math.isnan(value)}

    def _warn(self) -> None:
        options = self.stage.optimization
        if not self.warned and self.process.writes and (options.early_stopping or options.select == "best"):
            self.warned = True
            _log.warning(
                "stage %s: nothing is held out (%s), so early_stopping and select=best have nothing to judge by",
                self.stage.name,
                f"data.held_out={self.config.data.held_out:g} of few episodes",
            )

    def _roll_out(self, update: int, last: bool) -> None:
        every, roll_out = self.config.rollouts.every, self.around.roll_out
        due = every > 0 and (update % every == 0 or last)
        if not (self.stage.deployable and due and roll_out and self.process.writes):
            return
        _set_mode(self.method, self.stage, training=False)
        with self.average.applied(), torch.random.fork_rng():
            self.log.write(self.number, self.stage.name, update, roll_out())
        _set_mode(self.method, self.stage, training=True)

    def _finish(self) -> None:
        """The weights to keep become the method's; the checkpoint says that the stage is done."""
        _set_mode(self.method, self.stage, training=False)
        self.average.adopt()
        if self.stage.optimization.select == "best" and math.isfinite(self.best):
            self.process.barrier()
            load_best(self.checkpoints, self.number, self.method)
            self.metrics = self._measured()
        self._save(Position(self.number, self.stage.optimization.updates))

    def _save(self, position: Position) -> None:
        state = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state(),
            "best": self.best,
            "stale": self.stale,
            **self.around.state(),
        }
        if self.process.writes:
            save_checkpoint(self.checkpoints, position, self.method, state)
        self.process.barrier()
        self.saved_at = time.monotonic()

    def _restore(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.average.load_state(state["average"])
        self.best, self.stale = state["best"], state["stale"]


def _set_mode(method: nn.Module, stage: Stage, *, training: bool) -> None:
    """Only what `stage` trains is ever in training mode."""
    method.eval()
    for module in stage.modules:
        module.train(training)
