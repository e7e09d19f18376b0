"""What a table's page says besides its numbers: how far each row is behind the privileged one, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from clam_core.bench.tables.statistics import Difference
from clam_core.bench.tables.summary import AVERAGE, Entry, Summary


def gap(summary: Summary) -> list[str]:
    """Each row minus the table's reference row, in every column."""
    table, reference = summary.table, summary.table.reference
    assert reference is not None
    columns = [*([AVERAGE] if table.average else []), *table.columns]
    lines = [f"## Gap to {table.rows[reference]}", ""]
    titles = ["", "setting", *(table.columns.get(column, "Average") for column in columns)]
    lines += _head(titles)
    for setting in summary.settings:
        for row, title in table.rows.items():
            if row != reference:
                differences = [summary.behind(setting, row, column) for column in columns]
                lines.append("| " + " | ".join([title, setting, *map(_signed, differences)]) + " |")
    return [*lines, ""]


def costs(summary: Summary, entries: Sequence[Entry]) -> list[str]:
    """Updates and wall times of a cell of each row; the median of its cells."""
    lines = ["## What a cell took (median)", ""]
    lines += _head(["", "setting", "cells", "updates", "training [min]", "rollouts [min]"])
    for setting in summary.settings:
        for row, title in summary.table.rows.items():
            cells = [entry for entry in entries if (entry.cell.setting, entry.row) == (setting, row)]
            if not cells:
                continue
            updates = median(entry.cell.updates() for entry in cells)
            # An interrupted cell knows only the seconds since it went on.
            whole = [entry.outcome for entry in cells if not entry.outcome.resumed]
            training = _minutes([outcome.train_seconds for outcome in whole])
            rollouts = _minutes([outcome.evaluate_seconds for outcome in whole])
            lines.append(f"| {title} | {setting} | {len(cells)} | {updates:.0f} | {training} | {rollouts} |")
    resumed = sum(entry.outcome.resumed for entry in entries)
    note = (
        f"{resumed} interrupted cells, whose seconds before the interruption nobody counted, are left out of the times."
    )
    return [*lines, "", *([note, ""] if resumed else [])]


def _head(titles: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def _minutes(seconds: Sequence[float]) -> str:
    return f"{median(seconds) / 60:.1f}" if seconds else "–"


def _signed(number: Difference | None) -> str:
    return "–" if number is None else f"{number.value:+.2f} ({number.low:+.2f} to {number.high:+.2f})"
