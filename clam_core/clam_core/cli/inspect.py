"""Show what is in a dataset: spec, episodes, success, ranges of states and actions, provenance.

With --against, also how much of what happens in another dataset happens here too: play data that never visits
what an expert does cannot ground a policy.

Examples:
  clam inspect data/play
  clam inspect data/play --against data/expert --html play.html
  clam inspect data/play --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clam_core.data.inspect import describe

NAME = "inspect"
HELP = "show what is in a dataset, with pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam inspect``."""
    parser.add_argument("dataset", type=Path, metavar="DIR", help="dataset folder")
    parser.add_argument("--against", type=Path, metavar="DIR", help="dataset whose range this one should cover")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam inspect``."""
    facts = describe(arguments.dataset, arguments.against)
    if arguments.html:
        from clam_core.data.inspect_html import write_html  # matplotlib takes a second to import

        write_html(arguments.dataset, arguments.html, arguments.against)
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
    return [*lines, "", *_provenance(facts["provenance"])]


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
