"""Report of an evaluation: `ros2 run clam_eval report FOLDER`, or `python -m clam_eval.report FOLDER`.

Writes report.md, report.json and wall.mp4 beside results.jsonl, also while the evaluation is not complete.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clam_core.bundle_file import same_task
from clam_core.errors import ClamError
from clam_core.whole import write_whole
from clam_eval.results_file import NAME, Identity, read_results
from clam_eval.summary import BundleSummary, Summary, by_layout, summarize
from clam_eval.wall import write_wall

VIDEOS = "videos"


def write_report(folder: Path, *, wall: bool = True) -> tuple[Summary, list[str]]:
    """Write the report; returns the summary, and in words what is missing in the video wall.

    Raises:
        ClamError: no evaluation there, or the report cannot be written.
    """
    identity, header, lines = read_results(folder)
    summary, missing = summarize(identity, lines), list[str]()
    try:
        if wall and any("video" in line for line in lines):
            rows = zip(identity.bundles, by_layout(identity, lines), strict=True)
            rate = max(bundle.rate for bundle in identity.bundles)
            tiles = {bundle.name: row for bundle, row in rows}
            missing = write_wall(folder / "wall.mp4", tiles, folder / VIDEOS, rate)
        facts = {name: header.get(name) for name in ("task", "robot", "seed", "rollouts", "steps", "software")}
        write_whole(folder / "report.json", json.dumps({**facts, **asdict(summary)}, indent=1))
        write_whole(folder / "report.md", markdown(identity, summary, (folder / "wall.mp4").exists()))
    except OSError as error:
        raise ClamError(f"cannot write the report in '{folder}' ({error.strerror or error}): make room") from error
    return summary, missing


def markdown(identity: Identity, summary: Summary, wall: bool) -> str:
    """The report as Markdown."""
    done = sum(len(bundle.scores) for bundle in summary.bundles)
    lines = [f"# {identity.task} on {identity.robot}", ""]
    state = "" if done == summary.planned else f" **Not complete: {done} of {summary.planned}.**"
    early = " A simulator's 1 ends a rollout early." if identity.stop_at_success else ""
    lines += [
        f"{identity.rollouts} layouts from seed {identity.seed}, each met by every bundle in an order drawn anew; "
        f"at most {identity.steps} steps.{early} Scores: 1, ½ or 0. Intervals are 95 %.{state}",
        "",
        "| bundle | mean score | interval | success | rate, interval | n | invalid, repeated |",
        "|---|---|---|---|---|---|---|",
        *map(_row, sorted(summary.bundles, key=lambda bundle: -(bundle.mean or 0.0))),
    ]
    elsewhere = [f"{b.name} on '{b.task}'" for b in identity.bundles if not same_task(b.task, identity.task)]
    if elsewhere:
        lines += ["", f"Trained on another task than this one: {'; '.join(elsewhere)}."]
    strict = [f"{b.name} {b.strict_mean:.2f} ({b.spoiled} of them)" for b in summary.bundles if b.spoiled]
    if strict:
        lines += [
            "",
            f"With the attempts that the policy itself spoiled counted as 0, the mean is: {'; '.join(strict)}.",
        ]
    if summary.differences:
        lines += ["", "| difference of scores on the same layouts | mean | interval | layouts |", "|---|---|---|---|"]
        for one in summary.differences:
            low, high = one.interval
            lines.append(
                f"| {one.first} − {one.second} | {one.mean:+.2f} | {low:+.2f} to {high:+.2f} | {one.layouts} |"
            )
    if summary.agreement:
        same, both = summary.agreement
        lines += ["", f"The person's score was the simulator's in {same} of {both} rollouts."]
    if summary.corrected:
        lines += ["", f"Scores that the operator corrected afterwards: {summary.corrected}."]
    if any(len(set(bundle.scores)) == 1 for bundle in summary.bundles):
        lines += [
            "",
            "A mean's interval without width says only that all its scores were alike: look at the rate's.",
        ]
    if summary.overhead is not None:
        lines += ["", f"Overhead: {summary.overhead:.1f} s a rollout (median), beyond its run and the operator's time."]
    if wall:
        lines += ["", "All rollouts: [wall.mp4](wall.mp4), a row for each bundle; green 1, yellow ½, red 0."]
    return "\n".join(lines) + "\n"


def _row(bundle: BundleSummary) -> str:
    n = len(bundle.scores)
    if bundle.mean is None or bundle.mean_interval is None or bundle.success_interval is None:
        return f"| {bundle.name} | – | – | – | – | 0 | {bundle.invalid} |"
    (low, high), (least, most) = bundle.mean_interval, bundle.success_interval
    rate = f"{bundle.successes / n:.2f}, {least:.2f} to {most:.2f}"
    return (
        f"| {bundle.name} | {bundle.mean:.2f} | {low:.2f} to {high:.2f} | {bundle.successes}/{n} | {rate} | {n} "
        f"| {bundle.invalid} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script; returns 0, or 1 after one line that names the error."""
    parser = argparse.ArgumentParser(prog="report", description="Table and video wall of an evaluation.")
    parser.add_argument("folder", type=Path, help=f"folder with {NAME}, the `out` of the evaluation")
    parser.add_argument("--no-wall", action="store_true", help="leave the video wall out")
    parser.add_argument("--json", action="store_true", help="print report.json instead of report.md")
    options: Any = parser.parse_args(arguments)
    try:
        _, missing = write_report(options.folder, wall=not options.no_wall)
        print((options.folder / ("report.json" if options.json else "report.md")).read_text(), end="")
    except ClamError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    for line in missing:
        print(f"{parser.prog}: {line}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
