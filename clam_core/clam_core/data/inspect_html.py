"""What is in a dataset, with pictures: one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from clam_core.data.images import encode_png
from clam_core.data.inspect import (
    describe,
    episode_lengths,
    episode_returns,
    first_successes,
    intervals,
    known_actions,
    motions,
    open_whole,
)
from clam_core.data.inspect_picture import MINE, THEIRS, picture
from clam_core.data.inspect_space_html import space_section
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.whole import write_whole

COLUMNS = 6  # of small histograms in one row
BINS = 30
SHEET_EPISODES, SHEET_FRAMES = 6, 8  # rows and columns of a contact sheet
SHEET_HEIGHT = 96  # pixels of one of its frames, at least

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1150px; padding: 1em; color: #222
} table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .15em .8em; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f4 } img {
max-width: 100% } pre { background: #f4f4f4; padding: 1em; overflow: auto }
"""


def write_html(
    path: str | Path, file: str | Path, against: str | Path | None = None, shown: Mapping[str, str] | None = None
) -> None:
    """Write a page about dataset `path` to `file`, beside dataset `against` where that is given; `shown` as `describe`.

    Raises:
        ClamError: a dataset cannot be opened, or `file` cannot be written.
    """
    facts = describe(path, against, shown)
    store, other = open_whole(path), open_whole(against) if against is not None else None
    page = "\n".join(_page(facts, store, other))
    target = Path(file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, page)
    except OSError as error:
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
            ["length [steps]", "return", "first success [step]"],
            [episode_lengths(store), episode_returns(store), first_successes(store)],
            [episode_lengths(other), episode_returns(other), first_successes(other)] if other else None,
            columns=3,
        ),
        *space_section(facts, store, other),
        *_contact_sheets(store),
        *_timing(facts["timing"], store),
    ]
    if not facts["complete"]:
        parts.insert(1, "<p><b>Unfinished: a writer works on it, or was stopped.</b></p>")
    if other:
        note = f"blue: this dataset; yellow: {facts['against']['kind']} {facts['against']['path']}"
        parts.append(f"<p>Both as densities. {html.escape(note)}.</p>")
        parts += [f"<p>{html.escape(line)}</p>" for line in joint_lines(facts["against"])]
        parts.append(_scatter(motions(store), motions(other)))
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


def joint_lines(against: dict[str, Any]) -> list[str]:
    """Sentences on how much of the other dataset's motions and actions lie among this one's."""
    return [
        f"{share:.0%} of the {part}s of {against['path']} ({against['kind']}) lie among those here, "
        "all dimensions at once"
        for part, share in against["joint"].items()
    ]


def _contact_sheets(store: EpisodeStore) -> list[str]:
    """One picture per camera: some episodes, from their first observation to their last."""
    cameras = store.info.spec.observation.cameras
    if not cameras or not store.num_episodes:
        return []
    shown = np.unique(np.linspace(0, store.num_episodes - 1, SHEET_EPISODES).round().astype(int))
    parts = ["<h2>Frames</h2>"]
    for camera in cameras:
        zoom = max(1, -(-SHEET_HEIGHT // camera.height))
        rows = []
        for index in shown.tolist():
            start, end = int(store.episode_ends[index - 1]) if index else 0, int(store.episode_ends[index])
            numbers = np.linspace(start, end - 1, SHEET_FRAMES).round().astype(int)
            frames = [np.asarray(store.image_array(camera.name)[number]) for number in numbers.tolist()]
            rows.append(np.concatenate(frames, axis=1).repeat(zoom, 0).repeat(zoom, 1))
        episodes = ", ".join(f"{i}{' (success)' if store.episode_success[i] else ''}" for i in shown.tolist())
        picture = base64.b64encode(encode_png(np.concatenate(rows))).decode()
        name = html.escape(camera.name)
        parts += [
            f"<h3>{name}, {camera.width}x{camera.height}</h3><p>From top to bottom: episodes {episodes}.</p>",
            f"<img alt='frames of {name}' src='data:image/png;base64,{picture}'>",
        ]
    return parts


def _timing(timing: dict[str, Any], store: EpisodeStore) -> list[str]:
    """Jitter and drops, where stamps were recorded."""
    if not timing:
        return []
    parts = ["<h2>Timing</h2>"]
    if "interval" in timing:
        parts.append(f"<p>{timing['dropped']} observations dropped by their stamps.</p>")
        parts.append(_histograms(["time between observations [ms]"], [intervals(store) * 1e3], None, columns=2))
    if "streams" in timing:
        names = ("rate", "jitter", "longest_gap", "skew", "messages", "dropped", "repeated")
        head = "".join(f"<th>{name}</th>" for name in ("stream", *names))
        rows = [
            f"<tr><td>{html.escape(topic)}</td>" + "".join(f"<td>{facts[name]:.4g}</td>" for name in names) + "</tr>"
            for topic, facts in timing["streams"].items()
        ]
        parts.append(f"<table><tr>{head}</tr>{''.join(rows)}</table><p>Rate in Hz, times in s, worst episode.</p>")
    return parts


def _scatter(values: npt.NDArray[Any], others: npt.NDArray[Any]) -> str:
    """Motions of both datasets along the two directions in which the other one's vary most."""
    scale = np.where(others.std(0) > 1e-9, others.std(0), np.inf)
    centre = others.mean(0)
    _, _, directions = np.linalg.svd((others[:: max(1, len(others) // 5000)] - centre) / scale, full_matrices=False)
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot()
    for rows, color, label in ((values, MINE, "this dataset"), (others, THEIRS, "the other")):
        points = ((rows[:: max(1, len(rows) // 3000)] - centre) / scale) @ directions[:2].T
        axes.plot(points[:, 0], points[:, -1], ".", color=color, markersize=3, alpha=0.5, label=label)
    axes.set_title("state changes along the other's first two principal directions", fontsize=9)
    axes.legend()
    return picture(figure, "motions of both datasets")


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
    return picture(figure, ", ".join(names))
