"""What is in a dataset, with pictures: one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from clam_core.data.inspect import describe, episode_lengths, episode_returns, known_actions, open_whole
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

COLUMNS = 6  # of small histograms in one row
BINS = 30
MINE, THEIRS = "#4269d0", "#efb118"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1150px; padding: 1em; color: #222
} table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .15em .8em; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f4 } img {
max-width: 100% } pre { background: #f4f4f4; padding: 1em; overflow: auto }
"""


def write_html(path: str | Path, file: str | Path, against: str | Path | None = None) -> None:
    """Write a page about dataset `path` to `file`, beside dataset `against` where that is given.

    Raises:
        ClamError: a dataset cannot be opened, or `file` cannot be written.
    """
    facts = describe(path, against)
    store, other = open_whole(path), open_whole(against) if against is not None else None
    page = "\n".join(_page(facts, store, other))
    target = Path(file)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ClamError(f"cannot write '{target}': {error}; choose another --html") from error


def _page(facts: dict[str, Any], store: EpisodeStore, other: EpisodeStore | None) -> list[str]:
    title = html.escape(f"{facts['kind']} {facts['env']} {facts['task']}")
    labels = "with action labels" if facts["has_actions"] else "without action labels"
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>",
        f"<h1>{title}</h1><p>{html.escape(facts['path'])}: {facts['episodes']} episodes, "
        f"{facts['transitions']} transitions at {facts['rate']:g} Hz, "
        f"{facts['successes']} successful, {labels}.</p>",
        "<h2>Episodes</h2>",
        _histograms(
            ["length [steps]", "return"],
            [episode_lengths(store), episode_returns(store)],
            [episode_lengths(other), episode_returns(other)] if other else None,
            columns=2,
        ),
    ]
    if other:
        note = f"blue: this dataset; yellow: {facts['against']['kind']} {facts['against']['path']}"
        parts.append(f"<p>Both as densities. {html.escape(note)}.</p>")
    for part, values in (("action", known_actions), ("state", lambda s: s.array("state"))):
        if part not in facts:
            continue
        both = other is not None and (part == "state" or other.has_actions)
        parts += [
            f"<h2>{part.capitalize()}</h2>",
            _histograms(
                [row["name"] for row in facts[part]],
                list(values(store).T),
                list(values(other).T) if other is not None and both else None,
            ),
            _table(facts[part], facts["against"].get(part) if other else None),
        ]
    provenance = html.escape(json.dumps(facts["provenance"], indent=2))
    return [*parts, f"<h2>Provenance</h2><pre>{provenance}</pre></html>"]


def _table(rows: Sequence[dict[str, Any]], covered: dict[str, float] | None) -> str:
    numbers = ("min", "mean", "std", "max")
    head = "".join(f"<th>{name}</th>" for name in ("name", "unit", *numbers, *(["covered"] if covered else [])))
    body = []
    for row in rows:
        cells = [
            html.escape(row["name"]),
            html.escape(row["unit"]),
            *(f"{row[n]:.4g}" for n in numbers if n in row),
        ]
        if covered:
            cells.append(f"{covered[row['name']]:.0%}")
        body.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def _histograms(
    names: Sequence[str],
    values: Sequence[npt.NDArray[Any]],
    others: Sequence[npt.NDArray[Any]] | None,
    columns: int = COLUMNS,
) -> str:
    """Small histograms in a grid, as an HTML image."""
    rows = -(-len(names) // columns)
    width = 12.0 / columns
    figure = Figure(figsize=(12, max(1.5, 0.75 * width) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis in axes:
        axis.set_visible(False)
    for i, (axis, name) in enumerate(zip(figure.axes, names, strict=False)):
        axis.set_visible(True)
        shown = [v[i].astype(np.float64) for v in (values, others) if v is not None]
        low, high = min(v.min(initial=np.inf) for v in shown), max(v.max(initial=-np.inf) for v in shown)
        if np.isfinite([low, high]).all():
            edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
            for data, color in zip(shown, (MINE, THEIRS), strict=False):
                axis.hist(data, edges.tolist(), color=color, alpha=0.6, density=others is not None and len(data) > 0)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    picture = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='{html.escape(', '.join(names))}' src='data:image/png;base64,{picture}'>"
