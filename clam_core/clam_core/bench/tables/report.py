"""A table's results as JSON (a list of cells), Markdown (paper beside ours) and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.statistics import Estimate, average, estimate, values_of
from clam_core.bench.tables.table import Table
from clam_core.evaluation import bootstrap_mean, wilson

AVERAGE = "average"


@dataclass(frozen=True)
class Entry:
    """A cell, where it stands in the table, and what it gave."""

    row: str
    column: str
    cell: Cell
    outcome: Outcome


def records(table: Table, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One flat record per cell, with everything needed to repeat it."""
    return [_record(table, entry) for entry in entries]


def _record(table: Table, entry: Entry) -> dict[str, Any]:
    cell, outcome = entry.cell, entry.outcome
    values = values_of(table, entry.row, outcome)
    if table.metric == "success":
        low, high = wilson(round(sum(values)), len(values))
    else:
        low, high = bootstrap_mean(values)
    where = {} if entry.column == cell.task else {"column": entry.column}
    command = (
        f"clam bench {table.name} --setting {cell.setting} --rows {entry.row} --columns {entry.column} "
        f"--first-seed {cell.seed} --seeds 1 --episodes {cell.episodes}"
        + (f" --budget {cell.budget:g}" if cell.budget != 1 else "")
    )
    return {
        "table": table.name, "setting": cell.setting, "method": entry.row, "task": cell.task, **where,
        "seed": cell.seed, "metric": table.metric, "value": float(np.mean(values)), "low": low, "high": high,
        "episodes": cell.episodes, "labels": cell.labels, "budget": cell.budget, "updates": cell.updates(),
        "wall_s": round(outcome.train_seconds + outcome.evaluate_seconds, 1),
        "cpu_s": round(outcome.cpu_seconds, 1), "resumed": outcome.resumed,
        "label_r2": _rounded(outcome.label_quality.get("grounding/r2")),
        "machine": _machine(outcome.machine), "command": command,
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _machine(machine: Mapping[str, Any]) -> str:
    device = machine.get("gpu") or f"{machine.get('processor')}, {machine.get('threads')} thread(s)"
    return f"{device}; torch {machine.get('torch')}, Python {machine.get('python')}"


class Summary:
    """Estimates of every place of a table, by setting."""

    def __init__(self, table: Table, entries: Sequence[Entry]) -> None:
        self.table = table
        self.settings = [s for s in table.settings if any(e.cell.setting == s for e in entries)]
        self.seeds = len({entry.cell.seed for entry in entries})
        self._values: dict[tuple[str, str, str], list[list[float]]] = {}
        for entry in entries:
            place = (entry.cell.setting, entry.row, entry.column)
            self._values.setdefault(place, []).append(values_of(table, entry.row, entry.outcome))

    def at(self, setting: str, row: str, column: str) -> Estimate | None:
        """The estimate at a place, or of a row's average over all columns; None where something is missing."""
        if column == AVERAGE:
            places = [self._values.get((setting, row, name)) for name in self.table.columns]
            return None if None in places else average([place for place in places if place])
        seeds = self._values.get((setting, row, column))
        return estimate(self.table, seeds) if seeds else None

    def paper(self, row: str, column: str) -> tuple[float, float] | None:
        """The paper's number at a place; of an average, the mean of the columns (no spread is printed)."""
        numbers = self.table.paper.get(row, {})
        if column != AVERAGE:
            return numbers.get(column)
        if any(name not in numbers for name in self.table.columns):
            return None
        return float(np.mean([numbers[name][0] for name in self.table.columns])), 0.0


def markdown(table: Table, entries: Sequence[Entry], facts: Mapping[str, str]) -> str:
    """The whole page; `facts` are lines about machine, budget and command."""
    summary = Summary(table, entries)
    lines = [f"# {table.name}: {table.title}", ""]
    columns = [*([AVERAGE] if table.average else []), *table.columns]
    for column in columns:
        lines += [f"## {table.columns.get(column, 'Average')}" + (f" {table.curve}" if table.curve else ""), ""]
        lines += [*_block(summary, column), ""]
    most = max((entry.cell.episodes for entry in entries), default=0)
    lines += [
        f"Paper: mean ± spread over seeds as printed. Ours: mean (95 % interval) over {summary.seeds} seeds with "
        f"{most} rollouts each; intervals are Wilson's for a rate, bootstrapped for a mean and "
        "for the average over tasks.",
        "",
    ]
    if table.notes:
        lines += [table.notes, ""]
    lines += [f"{name}: {text}  " for name, text in facts.items()]
    return "\n".join([*lines, "", f"![]({table.name}.png)", ""])


def _block(summary: Summary, column: str) -> list[str]:
    """One column of the table: paper | ours in each setting."""
    titles = ["", "paper", *(f"ours, {setting} setting" for setting in summary.settings)]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row, title in summary.table.rows.items():
        estimates = [summary.at(setting, row, column) for setting in summary.settings]
        ours = [_ours(number, summary) for number in estimates]
        cells = [title, _paper(summary.paper(row, column)), *ours]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _paper(number: tuple[float, float] | None) -> str:
    if number is None:
        return "–"
    return f"{number[0]:g} ± {number[1]:g}" if number[1] else f"{number[0]:.4g}"


def _ours(number: Estimate | None, summary: Summary) -> str:
    if number is None:
        return "–"
    digits = 5 if summary.table.measures else 2
    few = f", {number.seeds} of {summary.seeds} seeds" if number.seeds < summary.seeds else ""
    return f"{number.value:.{digits}f} ({number.low:.{digits}f} to {number.high:.{digits}f}){few}"


def draw(table: Table, entries: Sequence[Entry], path: Path) -> None:
    """Curves for figures, grouped bars for tables."""
    from matplotlib.figure import Figure

    summary = Summary(table, entries)
    panels = list(table.columns) if not table.curve else [""]
    panels = [AVERAGE, *panels] if table.average else panels
    figure = Figure(figsize=(max(5, 3.2 * len(panels)), 1.2 + 0.4 * max(6, len(table.rows))), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, name in zip(axes, panels, strict=True):
        if table.curve:
            _curves(panel, summary)
        else:
            _bars(panel, summary, name)
    figure.suptitle(f"{table.name}: {table.title}", fontsize=10)
    figure.savefig(path, dpi=110)


def _bars(axes: Any, summary: Summary, column: str) -> None:
    rows, groups = summary.table.rows, ["paper", *summary.settings]
    height = 0.8 / len(groups)
    for index, group in enumerate(groups):
        for position, row in enumerate(rows):
            y = position + (index - (len(groups) - 1) / 2) * height
            if group == "paper":
                number = summary.paper(row, column)
                axes.barh(y, number[0] if number else 0.0, height, color="0.75", label=group if not position else None)
                continue
            ours = summary.at(group, row, column)
            if ours is None:
                continue
            label = f"ours, {group}" if not position else None
            error = [[max(0.0, ours.value - ours.low)], [max(0.0, ours.high - ours.value)]]
            axes.barh(y, ours.value, height, color=f"C{index}", xerr=error, error_kw={"lw": 1}, label=label)
    axes.set_yticks(range(len(rows)), list(rows.values()))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(summary.table.columns.get(column, "Average"), fontsize=9)
    axes.legend(fontsize=6)
    if summary.table.metric != "reconstruction":
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))


def _curves(axes: Any, summary: Summary) -> None:
    for setting in summary.settings:
        for index, (row, title) in enumerate(summary.table.rows.items()):
            points = [(x, summary.at(setting, row, name)) for x, name in enumerate(summary.table.columns)]
            there = [(x, point) for x, point in points if point is not None]
            if not there:
                continue
            xs = [x for x, _ in there]
            style = "-" if setting == "recommended" else "--"
            values, lows, highs = zip(*((p.value, p.low, p.high) for _, p in there), strict=True)
            axes.plot(xs, values, style, marker="o", color=f"C{index}", label=f"{title}, {setting}")
            axes.fill_between(xs, lows, highs, color=f"C{index}", alpha=0.15)
    axes.set_xticks(range(len(summary.table.columns)), list(summary.table.columns.values()))
    axes.set_xlabel(summary.table.curve)
    axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=7)


def written(table: Table, entries: Sequence[Entry], facts: Mapping[str, str], folder: Path, other: Path) -> Path:
    """Write ``NAME.json``, ``NAME.md`` and ``NAME.png``; the folder that they are in.

    That is `folder`, but `other` if a file in `folder` holds cells that `entries` lack: nobody's results are lost.
    """
    path, ours = folder / f"{table.name}.json", records(table, entries)
    if path.is_file():
        known = {_place(record) for record in json.loads(path.read_text())}
        if not known <= {_place(record) for record in ours}:
            folder = other
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{table.name}.json").write_text(json.dumps(ours, indent=1) + "\n")
    (folder / f"{table.name}.md").write_text(markdown(table, entries, facts))
    draw(table, entries, folder / f"{table.name}.png")
    return folder


def _place(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in ("setting", "method", "task", "column", "seed"))
