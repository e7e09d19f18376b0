"""The cells of a table as JSON: one flat record each, with everything that repeats it, and back again.

A page's records are enough to write the page anew, so that a table can be made on several machines: what one committed,
another goes on from (``clam bench --merge``).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.statistics import estimate, values_of
from clam_core.bench.tables.summary import Entry
from clam_core.bench.tables.table import Table
from clam_core.errors import ClamError

_MACHINE = re.compile(r"(?P<device>.*?)(?:, (?P<threads>\d+) thread\(s\))?; torch (?P<torch>.*), Python (?P<python>.*)")
_GROUNDING = {"label_r2": "grounding/r2", "label_error": "grounding/error"}
#: What only who ran a cell knows: a record that is read again keeps it as it was.
_MEASURED = ("wall_s", "train_s", "evaluate_s", "cpu_s", "resumed", "stacked", "lam_of", "machine")
_TIMES = {"train_s": "train_seconds", "evaluate_s": "evaluate_seconds", "cpu_s": "cpu_seconds"}


def records(table: Table, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One flat record per cell, with everything needed to repeat it."""
    return [_record(table, entry) for entry in entries]


def _record(table: Table, entry: Entry) -> dict[str, Any]:
    cell, outcome = entry.cell, entry.outcome
    values = values_of(table, entry.row, outcome)
    listed = not table.measures and table.metric != "success"  # of a rate, the value and the episodes tell
    if listed:
        values = [round(value, 5) for value in values]
    found = estimate(table.metric, [values])
    command = (
        f"clam bench {table.name} --setting {cell.setting} --rows {entry.row} --columns {entry.column} "
        f"--first-seed {cell.seed} --seeds 1 --episodes {cell.episodes}"
        + (f" --budget {cell.budget:g}" if cell.budget != 1 else "")
        + (" --share-lam" if outcome.lam_of else "")
        # Where the device decides on the preset, it is said.
        + (f" --device {device}" if (device := cell.config.device).startswith("cuda") or table.preset else "")
    )
    more: dict[str, Any] = {}
    if table.metric == "score":
        rate = estimate("success", [[float(success) for success in outcome.successes]])
        more = {"success_rate": rate.value, "success_low": rate.low, "success_high": rate.high}
    if table.preset:
        more["preset"] = table.preset(cell.setting, cell.config.device)
    if listed:
        more["values"] = values
    fresh = {
        "table": table.name, "setting": cell.setting, "method": entry.row, "task": cell.task,
        **_column(entry.column, cell), "seed": cell.seed, "metric": table.metric,
        "value": found.value, "low": found.low, "high": found.high, **more,
        "episodes": cell.episodes, "labels": cell.labels, "budget": cell.budget, "updates": cell.updates(),
        "wall_s": round(outcome.train_seconds + outcome.evaluate_seconds, 1),
        **{name: _rounded(getattr(outcome, of), 1) for name, of in _TIMES.items()}, "resumed": outcome.resumed,
        **({"stacked": outcome.stacked} if outcome.stacked > 1 else {}),
        **({} if outcome.lam_of is None else {"lam_of": outcome.lam_of}),
        **{name: _rounded(outcome.label_quality.get(of), 5) for name, of in _GROUNDING.items()},
        "play_r2": _rounded(outcome.metrics.get("grounding/r2"), 4),
        "machine": _machine(outcome.machine), "command": command,
        **({} if entry.digest is None else {"digest": entry.digest}),
    }  # fmt: skip
    if not entry.record:
        return fresh
    kept = {name: entry.record[name] for name in _MEASURED if name in entry.record}
    return {name: value for name, value in fresh.items() if name not in _MEASURED} | kept


def _column(column: str, cell: Cell) -> dict[str, str]:
    return {} if column == cell.task else {"column": column}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _machine(machine: Mapping[str, Any]) -> str:
    device = machine.get("gpu") or f"{machine.get('processor')}, {machine.get('threads')} thread(s)"
    return f"{device}; torch {machine.get('torch')}, Python {machine.get('python')}"


def place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where in its table a record stands."""
    return tuple(record.get(name) for name in ("setting", "method", "task", "column", "seed"))


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a page; none if there is no such file.

    Raises:
        ClamError: it is not a table's.
    """
    if not path.is_file():
        return []
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text())
        if all({"value", "episodes", "seed"} <= record.keys() for record in found):
            return found
        what = "a record lacks its value, episodes or seed"
    except (ValueError, TypeError, AttributeError) as error:
        what = str(error)
    raise ClamError(f"{path} is no table of cells ({what}); restore it, or move it away")


class Known:
    """The cells that pages have, whose run folders may lie on another machine.

    `found` are the records of the table's own page, `others` those of other tables', with which it may share cells.
    """

    def __init__(
        self, table: Table, found: Sequence[Mapping[str, Any]] = (), others: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self._table = table
        self._found = {place(record): record for record in found}
        shared = [record for record in (*others, *found) if record.get("metric") == table.metric and not table.measures]
        self._by_digest = {record["digest"]: record for record in shared if "digest" in record}

    @classmethod
    def read(cls, table: Table, folder: Path) -> Known:
        """Of the pages of all tables in `folder`.

        Raises:
            ClamError: see `read_records`; of other tables' pages, only those that can be read count.
        """
        own = folder / f"{table.name}.json"
        others = []
        for path in sorted(folder.glob("*.json")):
            if path != own:
                with contextlib.suppress(ClamError):  # a speed benchmark's
                    others += read_records(path)
        return cls(table, read_records(own), others)

    def entry(self, row: str, column: str, cell: Cell) -> Entry | None:
        """What a page says that this very cell gave; None where none has it."""
        where = {"setting": cell.setting, "method": row, "task": cell.task, "seed": cell.seed}
        record = self._found.get(place(where | _column(column, cell)))
        if record is None or not _same(record, cell):
            record = self._by_digest.get(cell.digest()) if self._by_digest else None
        if record is None:
            return None
        return Entry(row, column, cell, _outcome(self._table, row, record), record.get("digest"), record)


def _same(record: Mapping[str, Any], cell: Cell) -> bool:
    if record["episodes"] != cell.episodes:
        return False
    if "digest" in record:
        return bool(record["digest"] == cell.digest())
    ours = {"labels": cell.labels, "budget": cell.budget, "updates": cell.updates()}
    return ours.items() <= record.items()  # written before pages had digests: nothing tells more


def _outcome(table: Table, row: str, record: Mapping[str, Any]) -> Outcome:
    values = record.get("values") or _values(record)
    rate = record["value"] if table.metric == "success" else record.get("success_rate", 0.0)
    wins = round(rate * record["episodes"])
    metrics = {"grounding/r2": record.get("play_r2")}
    if table.measures:
        metrics[table.measures[row]] = record["value"]
    quality = {of: record.get(name) for name, of in _GROUNDING.items()}
    found = _MACHINE.fullmatch(record["machine"])
    machine = found.groupdict() if found else {"device": record["machine"]}
    return Outcome(
        successes=[index < wins for index in range(record["episodes"])],
        returns=[100.0 * value for value in values] if table.metric == "normalized_return" else [],
        metrics={name: value for name, value in metrics.items() if value is not None},
        label_quality={name: value for name, value in quality.items() if value is not None},
        **{of: record.get(name, 0.0) for name, of in _TIMES.items()},
        resumed=record["resumed"] or "train_s" not in record,
        machine={"gpu" if machine.get("threads") is None else "processor": machine["device"], **machine},
        scores=values if table.metric == "score" else [],
        stacked=record.get("stacked", 1),
        lam_of=record.get("lam_of"),
    )


def _values(record: Mapping[str, Any]) -> list[float]:
    """The scores of rollouts that a record counts without listing them: wholes, halves and zeros."""
    whole = round(record.get("success_rate", 0.0) * record["episodes"])
    half = round(2 * (record["value"] * record["episodes"] - whole))
    return [1.0] * whole + [0.5] * half + [0.0] * (record["episodes"] - whole - half)
