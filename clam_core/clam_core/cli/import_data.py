"""Make a dataset from recordings, or from a dataset in another format.

Formats:
  rosbag   rosbag2 folders (MCAP or SQLite), one episode each: SRC is a bag, or a folder of bags
  minari   a Minari dataset folder (data/main_data.hdf5)
  d4rl     a D4RL HDF5 file
  calvin   a CALVIN folder of frames (training/ or validation/); --task picks its annotated segments
  tdmpc2   TD-MPC2 episodes (.pt), one file or a folder of them
  lerobot  a LeRobotDataset folder, v2.0, v2.1 or v3.x

Every episode is checked (stamps, dropped steps, NaN, names, types, lengths, action limits) and is kept or
rejected with its reason. The exit status is 3 when some were rejected, 1 when none was sound. Bags of a
recorder that was killed are read up to their last complete record.

Streams of a bag meet by their header stamps. Without --rate every state message is a step; with it, steps are
that far apart and each takes the state, frame and command nearest to it, if there is one within --tolerance.

Examples:
  clam import rosbag recordings/play --out data/play
  clam import rosbag recordings/expert --no-actions --out data/expert
  clam import rosbag bags/robot --rate 5 --image-size 84 --out data/robot
  clam import rosbag rosbag2_bags --task reach-block --kind play --rate 5 --image-size 84 --out data/robot
  clam import rosbag my_robot_bags --cameras top wrist=/wrist_cam/color/image_raw --image-size 84 --out data/robot
  clam import d4rl hopper_medium_replay.hdf5 --env gym --task Hopper-v5 --kind mixed --out data/hopper
  clam import calvin task_D_D/training --task close_drawer --no-actions --out data/drawer
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clam_core.cli.types import positive_float, positive_int
from clam_core.data.bag_topics import COMMAND_TOPIC, JOINT_TOPIC, STATE_TOPIC, STATUS_TOPIC, Topics
from clam_core.data.importers import IMPORTERS, open_source
from clam_core.data.importing import ImportOptions, ImportReport, import_all
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store_writer import check_camera_name, check_free
from clam_core.errors import ClamError

NAME = "import"
HELP = "make a dataset from recordings (rosbag2), or from another format"

FORMATS = ("rosbag", *IMPORTERS)
EXIT_OK, EXIT_PARTIAL = 0, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam import``."""
    parser.add_argument("format", choices=FORMATS, help="format of the recordings")
    parser.add_argument("source", type=Path, metavar="SRC", help="recording, or folder of recordings")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder to make")
    parser.add_argument("--no-actions", action="store_true", help="leave the actions out: an unlabeled dataset")
    parser.add_argument("--env", help="environment that was recorded (default: what the recordings say)")
    parser.add_argument("--task", help="its task (default: what the recordings say)")
    parser.add_argument("--kind", help="expert, play, mixed, … (default: what the recordings say)")
    parser.add_argument(
        "--cameras", nargs="+", metavar="NAME", help="cameras to keep; NAME=TOPIC for one of a bag (default: all)"
    )
    parser.add_argument("--image-size", type=positive_int, metavar="N", help="resize images to NxN (default: as is)")
    parser.add_argument("--rate", type=positive_float, metavar="HZ", help="steps per second (default: as recorded)")
    bag = parser.add_argument_group("of rosbag only")
    bag.add_argument("--tolerance", type=positive_float, metavar="S", help="seconds between a step and what it takes")
    bag.add_argument("--state-topic", metavar="TOPIC", help=f"default: {STATE_TOPIC}, or {JOINT_TOPIC}")
    bag.add_argument("--command-topic", metavar="TOPIC", help=f"default: {COMMAND_TOPIC}")
    bag.add_argument("--status-topic", metavar="TOPIC", help=f"default: {STATUS_TOPIC}")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam import``."""
    report = _import(arguments)
    if arguments.json:
        print(json.dumps(_as_json(report)))
    else:
        for name, why in report.rejected:
            print(f"rejected {name}: {why}")
        for name, note in report.notes:
            print(f"note {name}: {note}")
        labels = "without actions" if arguments.no_actions else "with actions"
        print(f"{report.path}: {len(report.kept)} episodes, {report.transitions} transitions, {labels}")
        if report.rejected:
            print(f"{len(report.rejected)} of {len(report.kept) + len(report.rejected)} were rejected")
    return EXIT_PARTIAL if report.rejected else EXIT_OK


def _import(arguments: argparse.Namespace) -> ImportReport:
    cameras = dict(_camera(text) for text in arguments.cameras or ())
    options = ImportOptions(
        env=arguments.env,
        task=arguments.task,
        kind=arguments.kind,
        cameras=tuple(cameras) or None,
        image_size=arguments.image_size,
        rate=arguments.rate,
        actions=not arguments.no_actions,
    )
    if arguments.format == "rosbag":
        named = {name: topic for name, topic in cameras.items() if topic is not None}
        topics = Topics(
            arguments.state_topic,
            arguments.command_topic,
            arguments.status_topic,
            named,
        )
        return import_rosbag(
            arguments.source, arguments.out, options, topics=topics, tolerance=arguments.tolerance, progress=None
        )
    only = {
        "--tolerance": arguments.tolerance,
        "--state-topic": arguments.state_topic,
        "--command-topic": arguments.command_topic,
        "--status-topic": arguments.status_topic,
        "a camera's topic": next((topic for topic in cameras.values() if topic), None),
    }
    for option, value in only.items():
        if value is not None:
            raise ClamError(f"{option} is for rosbag; leave it out for format '{arguments.format}'")
    check_free(arguments.out)
    source = open_source(arguments.format, arguments.source, options)
    return import_all(source, arguments.out, actions=options.actions, progress=None)


def _camera(text: str) -> tuple[str, str | None]:
    """``NAME`` or ``NAME=TOPIC``.

    Raises:
        ClamError: no array of a dataset can be called NAME.
    """
    name, separator, topic = text.partition("=")
    check_camera_name(name)
    return name, (topic if separator else None)


def _as_json(report: ImportReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "kept": list(report.kept),
        "recovered": list(report.recovered),
        "rejected": [{"episode": name, "why": why} for name, why in report.rejected],
        "notes": [{"episode": name, "note": note} for name, note in report.notes],
        "transitions": report.transitions,
    }
