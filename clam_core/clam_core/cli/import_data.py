"""Make a dataset from recordings.

Formats:
  rosbag   rosbag2 folders (MCAP or SQLite), one episode each: SRC is a bag, or a folder of bags

Every bag is checked (stamps, dropped steps, NaN, names, action limits) and is kept or rejected with its
reason. The exit status is 3 when some bags were rejected, 1 when none was sound. Bags of a recorder that was
killed are read up to their last complete record.

Examples:
  clam import rosbag recordings/play --out data/play
  clam import rosbag recordings/expert --no-actions --out data/expert
  clam import rosbag my_robot_bags --state-topic /joint_states --command-topic /arm/command --out data/robot
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clam_core.data.bag_reader import COMMAND_TOPIC, STATE_TOPIC, STATUS_TOPIC
from clam_core.data.rosbag import ImportReport, import_rosbag

NAME = "import"
HELP = "make a dataset from recordings (rosbag2)"

FORMATS = ("rosbag",)
EXIT_OK, EXIT_PARTIAL = 0, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam import``."""
    parser.add_argument("format", choices=FORMATS, help="format of the recordings")
    parser.add_argument("source", type=Path, metavar="SRC", help="recording, or folder of recordings")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder to make")
    parser.add_argument("--no-actions", action="store_true", help="leave the actions out: an unlabeled dataset")
    parser.add_argument("--env", help="environment that was recorded (default: what episode.yaml says)")
    parser.add_argument("--task", help="its task (default: what episode.yaml says)")
    parser.add_argument("--state-topic", default=STATE_TOPIC, metavar="TOPIC", help="default: %(default)s")
    parser.add_argument("--command-topic", default=COMMAND_TOPIC, metavar="TOPIC", help="default: %(default)s")
    parser.add_argument("--status-topic", default=STATUS_TOPIC, metavar="TOPIC", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam import``."""
    report = import_rosbag(
        arguments.source,
        arguments.out,
        actions=not arguments.no_actions,
        env=arguments.env,
        task=arguments.task,
        state_topic=arguments.state_topic,
        command_topic=arguments.command_topic,
        status_topic=arguments.status_topic,
        progress=None,
    )
    if arguments.json:
        print(json.dumps(_as_json(report)))
    else:
        for bag, why in report.rejected:
            print(f"rejected {bag}: {why}")
        for bag, note in report.notes:
            print(f"note {bag}: {note}")
        labels = "without actions" if arguments.no_actions else "with actions"
        print(f"{report.path}: {len(report.kept)} episodes, {report.transitions} transitions, {labels}")
        if report.rejected:
            print(f"{len(report.rejected)} of {len(report.kept) + len(report.rejected)} bags were rejected")
    return EXIT_PARTIAL if report.rejected else EXIT_OK


def _as_json(report: ImportReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "kept": list(report.kept),
        "recovered": list(report.recovered),
        "rejected": [{"bag": bag, "why": why} for bag, why in report.rejected],
        "notes": [{"bag": bag, "note": note} for bag, note in report.notes],
        "transitions": report.transitions,
    }
