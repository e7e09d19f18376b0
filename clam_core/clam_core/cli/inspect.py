"""Show what is in a dataset, or in a folder of bags: spec, episodes, success, ranges, coverage, provenance.

Of play data it says how much of the workspace (where the arm's joints or its hand are known) and of the action space
the operator has visited, and what to do more of. With --against, also how much of what happens in another dataset
happens here too: play data that never visits what an expert does cannot ground a policy. Bags are looked at without
their images; those of a robot at 10 steps a second.

Examples:
  clam inspect data/play
  clam inspect bags/play
  clam inspect data/play --against data/expert --html play.html
  clam inspect data/play --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from clam_core.data.inspect import describe
from clam_core.data.inspect_bags import as_dataset

NAME = "inspect"
HELP = "show what is in a dataset, with pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam inspect``."""
    parser.add_argument("dataset", type=Path, metavar="DIR", help="dataset folder, or folder of bags")
    parser.add_argument("--against", type=Path, metavar="DIR", help="dataset whose range this one should cover")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam inspect``."""
    with ExitStack() as stack:
        mine = stack.enter_context(as_dataset(arguments.dataset))
        other = stack.enter_context(as_dataset(arguments.against)) if arguments.against else None
        against = other.path if other else None
        shown = {str(viewed.path): viewed.shown for viewed in (mine, other) if viewed is not None}
        facts = describe(mine.path, against, shown)
        if mine.remarks:
            facts["remarks"] = list(mine.remarks)
        if arguments.html:
            from clam_core.data.inspect_html import write_html  # matplotlib takes a second to import

            write_html(mine.path, arguments.html, against, shown)
    if arguments.json:
        print(json.dumps(facts))
        return 0
    print("\n".join(_text(facts)))
    if arguments.html:
        print(f"\npictures: {arguments.html}")
    return 0


def _text(facts: dict[str, Any]) -> list[str]:
    episodes = facts["episodes"]
    share = f" ({facts['successes'] / episodes:.0%})" if episodes else ""
    lines = [
        f"{facts['path']}: {facts['kind']} data of {facts['env']} {facts['task']}, {facts['rate']:g} Hz"
        + ("" if facts["complete"] else " (unfinished)"),
        f"  episodes     {episodes}, {facts['successes']} successful{share}",
        f"  transitions  {facts['transitions']}",
        f"  actions      {'labeled' if facts['has_actions'] else 'none (unlabeled)'}",
        f"  cameras      {', '.join(facts['cameras']) or 'none'}",
    ]
    for name in ("length", "return"):
        if facts[name]:
            lines.append(f"  {name:<12} " + ", ".join(f"{key} {value:.4g}" for key, value in facts[name].items()))
    lines += _timing(facts["timing"])
    against = facts.get("against", {})
    for part in ("action", "state"):
        if part in facts:
            lines += ["", *_table(part, facts[part], against.get(part))]
    if against:
        lines += [
            "",
            f"covered: share of the range of {against['path']} ({against['kind']}) that is visited here",
            *(
                f"{share:.0%} of its {part}s lie among those here, all dimensions at once"
                for part, share in against["joint"].items()
            ),
        ]
        if "workspace" in against:
            place = against["workspace"]
            lines.append(f"{place['share']:.0%} of its steps are in {place['voxel'] * 100:g} cm voxels visited here")
    lines += ["", *_space(facts["space"])] if facts["space"] else []
    if "advice" in facts:
        lines += ["", "do more of", *(f"  {line}" for line in facts["advice"])]
    lines += ["", *(f"note: {remark}" for remark in facts["remarks"])] if "remarks" in facts else []
    return [*lines, "", *_provenance(facts["provenance"])]


def _space(space: dict[str, Any]) -> list[str]:
    """What is covered of the workspace and of the action space."""
    lines = [f"coverage of {space['minutes']:.1f} min"]
    if "workspace" in space:
        place = space["workspace"]
        whole = "" if place["share"] is None else f" of {place['reachable']} within reach ({place['share']:.0%})"
        lines.append(f"  workspace    {place['visited']} voxels of {place['voxel'] * 100:g} cm{whole}")
        for name, share in place.get("regions", {}).items():
            lines.append(f"    {name:<17} {share:>4.0%}")
        lines.append(f"  at rest      {space['rest']:.0%} of the steps")
    if "grasps" in space:
        lines.append(f"  gripper      closed {space['grasps']} times")
    for name, facts in space.get("actions", {}).items():
        lines.append(f"  {name:<18} {facts['share']:>4.0%} of {facts['low']:.3g} to {facts['high']:.3g}")
    if "pairs" in space:
        pairs = space["pairs"]
        worst = " and ".join(pairs["worst"])
        lines.append(f"  two at a time {pairs['share']:>9.0%} on average, least {worst} ({pairs['worst_share']:.0%})")
    return lines


def _timing(timing: dict[str, Any]) -> list[str]:
    lines = []
    if "interval" in timing:
        interval = timing["interval"]
        lines.append(
            f"  interval     {interval['mean'] * 1e3:.1f} ± {interval['std'] * 1e3:.1f} ms, "
            f"at most {interval['max'] * 1e3:.1f}; {timing['dropped']} dropped"
        )
    for topic, facts in timing.get("streams", {}).items():
        lines.append(
            f"  {topic}: {facts['rate']:.1f} Hz, jitter {facts['jitter'] * 1e3:.1f} ms, {facts['dropped']} dropped, "
            f"longest gap {facts['longest_gap']:.3f} s, at most {facts['skew'] * 1e3:.1f} ms from its step"
        )
    return lines


def _table(part: str, rows: Sequence[dict[str, Any]], covered: dict[str, float] | None) -> list[str]:
    width = max(len(part), *(len(row["name"]) for row in rows)) if rows else len(part)
    numbers = ("min", "mean", "std", "max")
    lines = [
        f"{part:<{width}}  {'unit':<4} " + " ".join(f"{n:>10}" for n in numbers) + ("  covered" if covered else "")
    ]
    for row in rows:
        values = " ".join(f"{row[n]:>10.4g}" for n in numbers if n in row)
        share = f"  {covered[row['name']]:>7.0%}" if covered else ""
        lines.append(f"{row['name']:<{width}}  {row['unit']:<4} {values}{share}")
    return lines


def _provenance(provenance: dict[str, Any]) -> list[str]:
    """Provenance in short: lists are counted, `--json` has all of it."""
    lines = ["provenance"]
    for key, value in provenance.items():
        if isinstance(value, list):
            text = f"{len(value)}"
        elif isinstance(value, dict):
            text = ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
        else:
            text = str(value)
        lines.append(f"  {key:<10} {text}")
    return lines
