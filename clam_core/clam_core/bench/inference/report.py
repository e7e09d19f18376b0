"""The result as JSON, as a page and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clam_core.bench.page import write_page


def as_lines(result: Mapping[str, Any]) -> list[str]:
    """The tables, in Markdown."""
    lines: list[str] = []
    for policy in result["policies"]:
        lines += [f"**{policy['name']}**: {policy['what']}; period {policy['period_ms']:g} ms", ""]
        lines += ["| | median [ms] | 99th percentile [ms] | times the eager way's | apart |", "|---|---|---|---|---|"]
        for name, way in policy["ways"].items():
            ratio = "{median:.2f} ({low:.2f} to {high:.2f})".format(**way["ratio"])
            lines.append(f"| {name} | {way['median_ms']:.2f} | {way['p99_ms']:.2f} | {ratio} | {way['apart']:.1g} |")
        if policy["skipped"]:
            lines.append("")
        lines += [f"Left out: {name}, {reason}." for name, reason in policy["skipped"].items()]
        lines.append("")
    return lines[:-1]


def written(result: dict[str, Any], folder: Path, command: str) -> Path:
    """Write ``inference.json``, ``.md`` and ``.png`` into `folder`; the path of the page. `command` made it."""
    lines = [
        f"# {result['benchmark']}: how long a policy takes to answer",
        "",
        f"{result['what'].capitalize()}, the ways in turns within the same run.",
        "",
        *as_lines(result),
        "",
        "* An answer: from the observation that a policy node hands to the policy (state, uint8 images at the bundle's "
        "size) to the clipped chunk: `Policy.predict_chunk`, the code that runs on the robot. Receiving images and "
        "resizing the camera's to the bundle's size come on top, alike in every way.",
        "* Eager: the network as it is, which is what the policy runs. TorchScript: traced and frozen.",
        "* Times the eager way's: median over rounds, and the middle half of them. Look at it before the "
        "milliseconds: what else the machine did hit all ways alike.",
        "* Apart: how far the answers are from the eager way's at most, as a share of an action's range; more than "
        f"{result['tolerance']:g} is refused. Policies of presets have random weights and see noise.",
    ]
    return write_page(result, folder, command, lines, partial(_draw, result))


def _draw(result: Mapping[str, Any], path: Path) -> None:
    """Bars to the median, a line on to the 99th percentile."""
    from matplotlib.figure import Figure

    policies = result["policies"]
    rows = max(len(policy["ways"]) for policy in policies)
    figure = Figure(figsize=(1.5 + 4.5 * len(policies), 1.3 + 0.4 * rows), layout="constrained")
    for axes, policy in zip(figure.subplots(1, len(policies), squeeze=False)[0], policies, strict=True):
        for position, way in enumerate(policy["ways"].values()):
            tail = [[0.0], [max(0.0, way["p99_ms"] - way["median_ms"])]]
            axes.barh(position, way["median_ms"], color=f"C{position}", xerr=tail, error_kw={"lw": 1})
        axes.set_yticks(range(len(policy["ways"])), list(policy["ways"]), fontsize=8)
        axes.set_ylim(len(policy["ways"]) - 0.5, -0.5)
        axes.set_title(f"{policy['name']}, period {policy['period_ms']:g} ms", fontsize=9)
        axes.set_xlabel("one answer [ms]: median, and 99th percentile", fontsize=8)
    figure.savefig(path, dpi=110)
