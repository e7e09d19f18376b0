"""The one trainer: runs the stages of any method, logs, checkpoints, resumes."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from clam_core.errors import ClamError
from clam_core.methods.base import Datasets, Losses, Method, Stage
from clam_core.training.checkpoint import Position, load_checkpoint, save_checkpoint
from clam_core.training.config import OptimizationConfig
from clam_core.training.metrics import MetricsLog


class Trainer:
    """Trains `method` on `data` in the run folder `run`; `resume` continues from its newest checkpoint."""

    def __init__(self, method: Method, data: Datasets, run: Path, *, resume: bool = False) -> None:
        self.method, self.data, self.run = method, data, run
        self.checkpoints = run / "checkpoints"
        self.resume = resume

    def fit(self) -> dict[str, float]:
        """Run all stages; returns the last held-out metrics, prefixed with the stage's name."""
        loaded = load_checkpoint(self.checkpoints, self.method) if self.resume else None
        position, state = loaded if loaded else (Position(0, 0), None)
        if loaded is None:
            self.method.fit_features(self.data)
        final: dict[str, float] = {}
        with MetricsLog(self.run, keep_until=loaded and (position.stage, position.update)) as log:
            for number, stage in enumerate(self.method.stages(self.data)):
                if number < position.stage:
                    continue
                done = position.update if number == position.stage else 0
                metrics = self._fit_stage(number, stage, done, state, log)
                final |= {f"{stage.name}/{name}": value for name, value in metrics.items()}
                state = None
        return final

    def _fit_stage(
        self,
        number: int,
        stage: Stage,
        done: int,
        state: dict[str, dict[str, object]] | None,
        log: MetricsLog,
    ) -> dict[str, float]:
        config, options = self.method.config, stage.optimization
        optimizer = torch.optim.AdamW(
            stage.parameters, lr=options.learning_rate, eps=options.epsilon, weight_decay=options.weight_decay
        )
        schedule = make_schedule(optimizer, options)
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
        started, metrics = time.monotonic(), stage.metrics() if done == options.updates else {}
        progress = tqdm(range(done + 1, options.updates + 1), desc=stage.name, unit="update", disable=None)
        for update in progress:
            losses = self._update(stage, update, optimizer, schedule)
            if update % config.log_every == 0 or update == options.updates:
                values = {name: float(value.detach()) for name, value in losses.items()}
                self._check_finite(stage.name, update, values)
                speed = (update - done) / (time.monotonic() - started)
                rates = {"learning_rate": float(schedule.get_last_lr()[0]), "updates_per_second": speed}
                log.write(number, stage.name, update, values | rates)
                progress.set_postfix(loss=f"{values['loss']:.4g}")
            if update % config.evaluate_every == 0 or update == options.updates:
                metrics = stage.metrics()
                log.write(number, stage.name, update, metrics)
            if update % config.checkpoint_every == 0 or update == options.updates:
                position = Position(number, update)
                save_checkpoint(self.checkpoints, position, self.method, optimizer.state_dict(), schedule.state_dict())
        return metrics

    @staticmethod
    def _update(stage: Stage, update: int, optimizer: torch.optim.Optimizer, schedule: LRScheduler) -> Losses:
        losses = stage.loss(update)
        optimizer.zero_grad()
        torch.autograd.backward(losses["loss"])
        nn.utils.clip_grad_norm_(stage.parameters, stage.optimization.clip_grad_norm)
        optimizer.step()
        schedule.step()
        return losses

    def _check_finite(self, stage: str, update: int, values: dict[str, float]) -> None:
        if not all(math.isfinite(value) for value in values.values()):
            raise ClamError(
                f"the {stage} loss became {values} at update {update}; lower learning_rate, and check the dataset "
                f"with `clam inspect` (the last checkpoint in '{self.checkpoints}' is kept)"
            )


def make_schedule(optimizer: torch.optim.Optimizer, options: OptimizationConfig) -> LRScheduler:
    """The learning-rate schedule of `OptimizationConfig`."""
    if options.schedule == "one_cycle":
        return OneCycleLR(optimizer, max_lr=options.learning_rate, total_steps=options.updates + 1)
    return LambdaLR(optimizer, lambda done: min(1.0, (done + 1) / max(1, options.warmup)))
