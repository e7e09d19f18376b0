"""A table's results as a picture: curves for figures, grouped bars for tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clam_core.bench.tables.summary import AVERAGE, Entry, Summary
from clam_core.bench.tables.table import Table


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
    rows, groups = summary.table.rows, [*(["paper"] if summary.table.paper else []), *summary.settings]
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
