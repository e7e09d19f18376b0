"""A table's results as JSON (a list of cells), Markdown (paper beside ours) and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clam_core.bench.tables.details import costs, gap
from clam_core.bench.tables.picture import draw
from clam_core.bench.tables.statistics import Estimate, estimate, values_of
from clam_core.bench.tables.summary import AVERAGE, Entry, Summary
from clam_core.bench.tables.table import Table


def records(table: Table, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One flat record per cell, with everything needed to repeat it."""
    return [_record(table, entry) for entry in entries]


def _record(table: Table, entry: Entry) -> dict[str, Any]:
    cell, outcome = entry.cell, entry.outcome
    values = values_of(table, entry.row, outcome)
    found = estimate(table.metric, [values])
    where = {} if entry.column == cell.task else {"column": entry.column}
    command = (
        f"clam bench {table.name} --setting {cell.setting} --rows {entry.row} --columns {entry.column} "
        f"--first-seed {cell.seed} --seeds 1 --episodes {cell.episodes}"
        + (f" --budget {cell.budget:g}" if cell.budget != 1 else "")
        + (f" --device {cell.config.device}" if cell.config.device.startswith("cuda") else "")
    )
    more: dict[str, Any] = {}
    if table.metric == "score":
        rate = estimate("success", [[float(success) for success in outcome.successes]])
        more = {"success_rate": rate.value, "success_low": rate.low, "success_high": rate.high}
    if table.preset:
        more["preset"] = table.preset(cell.setting, cell.config.device)
    return {
        "table": table.name, "setting": cell.setting, "method": entry.row, "task": cell.task, **where,
        "seed": cell.seed, "metric": table.metric, "value": found.value, "low": found.low, "high": found.high,
        **more, "episodes": cell.episodes, "labels": cell.labels, "budget": cell.budget, "updates": cell.updates(),
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


def markdown(table: Table, entries: Sequence[Entry], facts: Mapping[str, str]) -> str:
    """The whole page; `facts` are lines about machine, budget and command."""
    summary = Summary(table, entries)
    lines = [f"# {table.name}: {table.title}", ""]
    columns = [*([AVERAGE] if table.average else []), *table.columns]
    for column in columns:
        lines += [f"## {table.columns.get(column, 'Average')}" + (f" {table.curve}" if table.curve else ""), ""]
        lines += [*_block(summary, column), ""]
    if table.reference:
        lines += [*gap(summary), *costs(summary, entries)]
    most = max((entry.cell.episodes for entry in entries), default=0)
    papers = "Paper: mean ± spread over seeds as printed. " if table.paper else ""
    lines += [
        f"{papers}Ours: mean (95 % interval) over {summary.seeds} seeds with "
        f"{most} rollouts each; intervals are Wilson's for a rate, bootstrapped for a mean and "
        "for the average over tasks.",
        "",
    ]
    if table.notes:
        lines += [table.notes, ""]
    lines += [f"{name}: {text}  " for name, text in facts.items()]
    return "\n".join([*lines, "", f"![]({table.name}.png)", ""])


def _block(summary: Summary, column: str) -> list[str]:
    """One column of the table: paper, where it prints numbers | ours in each setting; of scores, how often 1 too."""
    scores = summary.table.metric == "score"
    papers = bool(summary.table.paper)
    titles = ["", *(["paper"] if papers else []), *(f"ours, {setting} setting" for setting in summary.settings)]
    titles += [f"success rate, {setting} setting" for setting in summary.settings] if scores else []
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row, title in summary.table.rows.items():
        estimates = [summary.at(setting, row, column) for setting in summary.settings]
        estimates += [summary.success(setting, row, column) for setting in summary.settings] if scores else []
        ours = [_ours(number, summary) for number in estimates]
        cells = [title, *([_paper(summary.paper(row, column))] if papers else []), *ours]
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
