"""Metrics of a run: ``metrics.jsonl`` for scripts and TensorBoard event files for people."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class MetricsLog:
    """One JSON line per call of `write`: ``{"stage", "name", "update", "time", <metric>: value, …}``.

    `keep_until` (stage number, update) is where a resumed run goes on: what was logged after it is dropped.
    """

    def __init__(self, run: Path, keep_until: tuple[int, int] | None = None) -> None:
        path = run / "metrics.jsonl"
        kept = []
        if keep_until is not None and path.exists():
            kept = [line for line in read_metrics(run) if (line["stage"], line["update"]) <= keep_until]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", buffering=1)
        self._board = SummaryWriter(str(run / "tensorboard"))

    def write(self, stage: int, name: str, update: int, values: Mapping[str, float]) -> None:
        """Log scalars of one update of stage number `stage`, called `name`; nothing for no values."""
        if not values:
            return
        header = {"stage": stage, "name": name, "update": update, "time": time.time()}
        self._file.write(json.dumps({**header, **values}) + "\n")
        for metric, value in values.items():
            self._board.add_scalar(f"{name}/{metric}", value, update)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """All lines of a run's ``metrics.jsonl``; a last line cut by a kill is left out."""
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
