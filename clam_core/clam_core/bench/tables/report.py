"""A table's results as JSON (a list of cells), Markdown (paper beside ours) and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from clam_core.bench.tables.details import costs, gaps
from clam_core.bench.tables.picture import draw
from clam_core.bench.tables.records import place, read_records, records
from clam_core.bench.tables.statistics import Estimate
from clam_core.bench.tables.summary import AVERAGE, Entry, Summary
from clam_core.bench.tables.table import Table


def markdown(table: Table, entries: Sequence[Entry], facts: Mapping[str, str]) -> str:
    """The whole page; `facts` are lines about machine, budget and command."""
    summary = Summary(table, entries)
    lines = [f"# {table.name}: {table.title}", ""]
    columns = [*([AVERAGE] if table.average else []), *table.columns]
    for column in columns:
        lines += [f"## {_heading(table, column)}", ""]
        lines += [*_block(summary, column), ""]
    for reference in table.references:
        lines += gaps(summary, reference)
    if table.references:
        lines += costs(summary, entries)
    most = max((entry.cell.episodes for entry in entries), default=0)
    papers = "Paper: mean ± spread over seeds as printed. " if table.paper else ""
    lines += [
        f"{papers}Ours: mean (95 % interval) over {summary.seeds} seeds with "
        f"{most} rollouts each. The interval of a rate is Wilson's over the rollouts of all seeds, which says nothing "
        "of further seeds where these differ; of a mean, an average over tasks and a difference, seeds and rollouts "
        "are resampled, where there are several seeds.",
        "",
    ]
    if table.notes:
        lines += [table.notes, ""]
    lines += [f"{name}: {text}  " for name, text in facts.items()]
    return "\n".join([*lines, "", f"![]({table.name}.png)", ""])


def _heading(table: Table, column: str) -> str:
    title = table.columns.get(column, "Average")
    if not table.curve:
        return title
    return f"{title} {table.curve}" if title.isdigit() else f"{table.curve.capitalize()}: {title}"


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
    seeds = [f"{value:.{digits}f}" for value in number.by_seed]
    apart = f"; seeds {', '.join(seeds)}" if len(set(seeds)) > 1 else ""
    return f"{number.value:.{digits}f} ({number.low:.{digits}f} to {number.high:.{digits}f}){few}{apart}"


def written(table: Table, entries: Sequence[Entry], facts: Mapping[str, str], folder: Path, other: Path) -> Path:
    """Write ``NAME.json``, ``NAME.md`` and ``NAME.png``; the folder that they are in.

    That is `folder`, but `other` if a file in `folder` holds cells that `entries` lack: nobody's results are lost.
    """
    ours = records(table, entries)
    known = {place(record) for record in read_records(folder / f"{table.name}.json")}
    if not known <= {place(record) for record in ours}:
        folder = other
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(record) for record in ours)  # one a line: a diff shows which cells are new
    (folder / f"{table.name}.json").write_text(f"[\n{lines}\n]\n")
    (folder / f"{table.name}.md").write_text(markdown(table, entries, facts))
    draw(table, entries, folder / f"{table.name}.png")
    return folder
