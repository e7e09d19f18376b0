"""Metrics of a run: ``metrics.jsonl`` for scripts, TensorBoard (and, if wanted, Weights & Biases) for people."""

from __future__ import annotations

import importlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from clam_core.errors import ClamError

_HEADER = ("stage", "name", "update", "time")


class MetricsLog:
    """One JSON line per call of `write`: ``{"stage", "name", "update", "time", <metric>: value, …}``.

    `keep_until` (stage number, update) is where a resumed run goes on: what was logged after it is dropped. A log
    that does not `writes` (another process of a distributed run does) takes everything and keeps nothing. `wandb`
    names a Weights & Biases project.

    Raises:
        ClamError: `wandb` is asked for but not installed.
    """

    def __init__(
        self, run: Path, writes: bool = True, keep_until: tuple[int, int] | None = None, wandb: str | None = None
    ) -> None:
        self._writes = writes
        if not writes:
            return
        self._wandb = _start_wandb(wandb, run, keep_until is not None) if wandb else None
        path = run / "metrics.jsonl"
        kept: list[dict[str, Any]] = []
        if keep_until is not None and path.exists():
            kept = [line for line in read_metrics(run) if (line["stage"], line["update"]) <= keep_until]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", buffering=1)
        shutil.rmtree(run / "tensorboard", ignore_errors=True)  # it cannot drop what a resumed run does again
        self._board = SummaryWriter(str(run / "tensorboard"))
        for line in kept:
            self._show(line["name"], line["update"], {k: v for k, v in line.items() if k not in _HEADER}, line["time"])

    def write(self, stage: int, name: str, update: int, values: Mapping[str, float]) -> None:
        """Log scalars of one update of stage number `stage`, called `name`; nothing for no values."""
        if not values or not self._writes:
            return
        now = time.time()
        header = {"stage": stage, "name": name, "update": update, "time": now}
        self._file.write(json.dumps({**header, **values}) + "\n")
        self._show(name, update, values, now)
        if self._wandb is not None:
            named = {f"{name}/{metric}": value for metric, value in values.items()}
            self._wandb.log({**named, f"{name}/update": update})

    def _show(self, name: str, update: int, values: Mapping[str, float], when: float) -> None:
        for metric, value in values.items():
            self._board.add_scalar(f"{name}/{metric}", value, update, walltime=when)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writes:
            self._file.close()
            self._board.close()
            if self._wandb is not None:
                self._wandb.finish(exit_code=0 if kind is None else 1)


def _start_wandb(project: str, run: Path, resumed: bool) -> Any:
    try:
        wandb: Any = importlib.import_module("wandb")
    except ImportError as error:
        raise ClamError(f"wandb={project} asked for, but wandb is not installed; pip install wandb") from error
    path = run / "wandb_id"
    if not (resumed and path.is_file()):
        path.write_text(uuid.uuid4().hex)  # a run trained anew in the same folder is another one
    started = wandb.init(project=project, name=run.name, id=path.read_text(), dir=str(run), resume="allow")
    for pattern in ("lam", "decoder", "idm", "encoder", "latent_policy", "policy"):
        started.define_metric(f"{pattern}/*", step_metric=f"{pattern}/update")
    return started


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """All lines of a run's ``metrics.jsonl``; a last line cut by a kill is left out."""
    return read_lines(run / "metrics.jsonl")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All records of a JSONL file; a last line cut by a kill is left out."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
