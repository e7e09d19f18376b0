"""The result as JSON with every trial, as a page and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clam_core.bench.page import write_page

COLUMNS = {
    "success": ("success", "{:.2f}"),
    "score": ("score", "{:.2f}"),
    "commanded_jerk": ("jerk² commanded", "{:.3g}"),
    "measured_jerk": ("jerk² measured", "{:.3g}"),
    "reaction_s": ("reaction [s]", "{:.2f}"),
    "recovered": ("success after the move", "{:.2f}"),
}


def as_lines(result: Mapping[str, Any]) -> list[str]:
    """The table, in Markdown."""
    titles = ["", *(title for title, _ in COLUMNS.values()), "reacted", "towards"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for way in result["ways"]:
        numbers = [_number(way[key], form) for key, (_, form) in COLUMNS.items()]
        counts = [f"{way[key]}/{way['moved']}" if way["moved"] else "–" for key in ("reacted", "towards")]
        lines.append("| " + " | ".join([way["title"], *numbers, *counts]) + " |")
    return lines


def _number(value: Mapping[str, float] | None, form: str) -> str:
    if value is None:
        return "–"
    return "{} ({} to {})".format(*(form.format(value[key]) for key in ("value", "low", "high")))


def written(result: dict[str, Any], folder: Path, command: str) -> Path:
    """Write ``execution.json``, ``.md`` and ``.png`` into `folder`; the path of the page. `command` made it."""
    lines = [
        f"# {result['benchmark']}: ways of executing action chunks",
        "",
        f"{result['what']}; bundle `{result['bundle']}` (method {result['method']}). The same layouts in every row; "
        "95 % intervals, Wilson's for rates, bootstrapped over layouts for means.",
        "",
        *as_lines(result),
        "",
        *_explained(result),
    ]
    return write_page(result, folder, command, lines, partial(_draw, result))


def _explained(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "* jerk²: mean square over steps and the six joints [rad²/s⁶] of the third difference at "
        f"{result['rate']:g} Hz, of the commanded and of the measured positions. Lower is smoother.",
    ]
    move = result["move"]
    if move is None:
        return [*lines, f"* Reaction: not measured, nothing that {result['task']} is about can be moved."]
    last = move["first_step"] + result["chunk"] - 1
    refused = sum(1 for trial in result["trials"] if trial["reaction"]["refusal"])
    lines += [
        f"* reaction: each layout again, with the block put {100 * move['distance_m']:g} cm aside after "
        f"{move['first_step']} to {last} steps, by turns, so that it happens at every phase of a chunk. Seconds from "
        "the first observation that shows it until the commanded end effector is more than "
        f"{100 * move['departed_m']:g} cm from that of the undisturbed twin (to which it is equal before), the mean of "
        f"those that reacted; the resolution is {1 / result['rate']:g} s. An answer to that very observation counts "
        "0 s: the simulator waits for inference, and on a robot its delay comes on top.",
        "* reacted: how many did within the episode; towards: of all, how many to the side that the block went to.",
    ]
    if refused:
        lines.append(f"* {refused} of {len(result['trials'])} blocks could not be moved, the arm was there: left out.")
    return lines


def _draw(result: Mapping[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    ways, panels = result["ways"], ["success", "commanded_jerk", "measured_jerk", "reaction_s"]
    panels = panels if result["move"] else panels[:-1]
    figure = Figure(figsize=(2.4 + 2.6 * len(panels), 1.2 + 0.4 * len(ways)), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        for position, way in enumerate(ways):
            value = way[key]
            if value is not None:
                around = [[max(0.0, value["value"] - value["low"])], [max(0.0, value["high"] - value["value"])]]
                axes.barh(position, value["value"], color=f"C{position}", xerr=around, error_kw={"lw": 1})
        axes.set_title(COLUMNS[key][0] + (" [rad²/s⁶]" if "jerk" in key else ""), fontsize=9)
        axes.set_yticks(range(len(ways)), [way["title"] for way in ways], fontsize=8)
        axes.set_ylim(len(ways) - 0.5, -0.5)
    figure.savefig(path, dpi=110)
