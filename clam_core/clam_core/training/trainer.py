"""The one trainer: runs the stages of any method, logs, evaluates, checkpoints, resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from clam_core.methods.base import Method
from clam_core.methods.stage import Datasets
from clam_core.training.checkpoint import Position, load_checkpoint, save_checkpoint
from clam_core.training.distributed import Process
from clam_core.training.lam_from import LamSource
from clam_core.training.metrics import MetricsLog
from clam_core.training.stage_run import StageRun, Steps, Surroundings
from clam_core.whole import write_whole


class Trainer:
    """Trains `method` on `data` in the run folder `run`; `resume` continues from its newest checkpoint.

    `roll_out` plays the actor in its environment, for evaluation during policy training. `until` names the stage
    after which to stop.
    """

    lam_from: str | None  # the run that this one took over from

    def __init__(
        self,
        method: Method,
        data: Datasets,
        run: Path,
        process: Process,
        *,
        resume: bool = False,
        until: str | None = None,
        roll_out: Callable[[], dict[str, float]] | None = None,
    ) -> None:
        self.method, self.data, self.run, self.process = method, data, run, process
        self.resume, self.until, self.roll_out = resume, until, roll_out
        self._begin({})

    def take_over(self, source: LamSource) -> None:
        """Begin the run folder with what `source` learned before its policy, and its log; `steps` goes on there."""
        position = source.give(self.method)
        self.lam_from = str(source.run)
        state = self._state()
        if self.process.writes:
            write_whole(self.run / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in source.log))
            save_checkpoint(self.run / "checkpoints", position, self.method, state)
        self.process.barrier()
        self.resume = True

    def steps(self) -> Steps:
        """Run the stages; returns the last held-out metrics, prefixed with the stage's name."""
        checkpoints = self.run / "checkpoints"
        loaded = load_checkpoint(checkpoints, self.method) if self.resume else None
        position, state = loaded if loaded else (Position(0, 0), None)
        if state is None:
            self.method.fit_features(self.data)
        else:
            self._restore_generators(state["generators"])
        keep_until = (position.stage, position.update) if loaded else None
        self._begin(state or {})
        final = self.metrics
        with MetricsLog(self.run, self.process.writes, keep_until, self.method.config.wandb) as log:
            around = Surroundings(self.method, self.process, checkpoints, log, self._state, self.roll_out)
            for number, stage in enumerate(self.method.eval().stages(self.data)):
                if number >= position.stage:
                    left = state if number == position.stage else None
                    metrics = yield from StageRun(around, stage, number).steps(left, position)
                    final.update({f"{stage.name}/{name}": value for name, value in metrics.items()})
                if stage.name == self.until:
                    return final
        return final

    def _begin(self, state: Mapping[str, Any]) -> None:
        """Go on from what the earlier stages, and earlier calls, gave."""
        self.metrics = dict(state.get("metrics", {}))
        self.lam_from = state.get("lam_from")
        self._earlier, self._started = float(state.get("seconds", 0.0)), time.monotonic()

    @property
    def seconds(self) -> float:
        """What the training took so far, also before it was interrupted."""
        return self._earlier + time.monotonic() - self._started

    def _state(self) -> dict[str, Any]:
        """What a checkpoint holds besides the state of a stage."""
        came_from = {} if self.lam_from is None else {"lam_from": self.lam_from}
        return {"generators": self.generators(), "metrics": dict(self.metrics), "seconds": self.seconds} | came_from

    def generators(self) -> dict[str, Any]:
        """State of every random stream, in every process."""
        states: dict[str, Any] = {
            "sampler": self.method.sampler.state().cpu(),
            "cpu": self.process.gather(torch.get_rng_state()),
        }
        if self.process.device.type == "cuda":
            states["cuda"] = self.process.gather(torch.cuda.get_rng_state(self.process.device))
        return states

    def _restore_generators(self, states: dict[str, Any]) -> None:
        """Exact where the run goes on with as many processes as before; a further one keeps its own seed."""
        self.method.sampler.load_state(states["sampler"])
        rank = self.process.rank
        if rank < len(states["cpu"]):
            torch.set_rng_state(states["cpu"][rank])
        if self.process.device.type == "cuda" and rank < len(states.get("cuda", ())):
            torch.cuda.set_rng_state(states["cuda"][rank], self.process.device)
