"""What a table's page says besides its numbers: how far each row is behind the privileged one, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from clam_core.bench.tables.statistics import Difference
from clam_core.bench.tables.summary import AVERAGE, Entry, Summary


def gaps(summary: Summary, reference: str) -> list[str]:
    """Each row minus the row `reference`, in every column."""
    table = summary.table
    columns = [*([AVERAGE] if table.average else []), *table.columns]
    lines = [f"## Each row minus {table.rows[reference]}", ""]
    titles = ["", "setting", *(table.columns.get(column, "Average") for column in columns)]
    lines += _head(titles)
    for setting in summary.settings:
        for row, title in table.rows.items():
            if row != reference:
                differences = [summary.difference(setting, row, reference, column) for column in columns]
                lines.append("| " + " | ".join([title, setting, *map(_signed, differences)]) + " |")
    return [*lines, ""]


def costs(summary: Summary, entries: Sequence[Entry]) -> list[str]:
    """Updates and wall times of a cell of each row, and how good its labels were; the median of its cells."""
    lines = ["## What a cell took, and its labels (median)", ""]
    lines += _head(["", "setting", "cells", "updates", "training [min]", "rollouts [min]", "R² on play", "error"])
    for setting in summary.settings:
        for row, title in summary.table.rows.items():
            cells = [entry for entry in entries if (entry.cell.setting, entry.row) == (setting, row)]
            if not cells:
                continue
            updates = median(entry.cell.updates() for entry in cells)
            # An interrupted cell knows only the seconds since it went on; another may have trained a policy alone.
            whole = [entry.outcome for entry in cells if not entry.outcome.resumed]
            training = _minutes([outcome.train_seconds for outcome in whole if outcome.lam_of is None])
            rollouts = _minutes([outcome.evaluate_seconds for outcome in whole])
            play = _median("{:.2f}", [entry.outcome.metrics.get("grounding/r2") for entry in cells])
            error = _median("{:.4f}", [entry.outcome.label_quality.get("grounding/error") for entry in cells])
            numbers = [len(cells), f"{updates:.0f}", training, rollouts, play, error]
            lines.append("| " + " | ".join([title, setting, *map(str, numbers)]) + " |")
    lines += [
        "",
        "R²: of the labels for held-out play, mean over the action's entries. Error: mean square of that of the labels "
        "for the demonstrations, actions scaled to [−1, 1] as in training. Nobody learns from either.",
    ]
    resumed = sum(entry.outcome.resumed for entry in entries)
    note = f"The times leave out {resumed} cells that were interrupted, or whose record has none."
    lines += ["", note] if resumed else []
    if shared := sum(entry.outcome.lam_of is not None for entry in entries):
        lines += [
            "",
            f"{shared} cells trained the policy alone, on the latent action model of another row's (`--share-lam`): as "
            "if trained whole, but for the random draws. Their training time is left out.",
        ]
    if stacked := sum(entry.outcome.stacked > 1 for entry in entries):
        lines += ["", f"{stacked} cells were trained as stacks: the time of each is its share."]
    return [*lines, ""]


def _head(titles: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def _minutes(seconds: Sequence[float]) -> str:
    return f"{median(seconds) / 60:.1f}" if seconds else "–"


def _median(form: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return form.format(median(known)) if known else "–"


def _signed(number: Difference | None) -> str:
    return "–" if number is None else f"{number.value:+.2f} ({number.low:+.2f} to {number.high:+.2f})"
