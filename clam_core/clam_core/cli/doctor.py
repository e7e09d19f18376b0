"""Is this machine ready? And with BUNDLE: is this robot ready for this policy?

Every line is one finding: ok, warn (something will not work, or not well, that not everybody needs) or fail (not
ready). The exit status is 0 when nothing fails, 1 otherwise.

Without BUNDLE: versions, disk, GPU, ROS 2, OpenGL of this machine.

With BUNDLE it listens to the ROS graph for some seconds and commands nothing: are the topics there that the policy
looks at, often enough, with stamps of this clock? Do joints have the names of training, do cameras show what they
showed then, does inference fit into the control period, is there room on the disk? `policy/enable` asks the same before
a policy may move an arm. --picture writes what each camera saw in training beside what it sees now. Give the options
that the policy node has.

With --recover, every bag in FOLDER (or up to two levels below) that its recorder never closed becomes complete, in
place, up to the last message that had reached the disk: at most a second before the end. Closed bags are not touched;
one that was cut off after it had been closed is an error: restore it. Of a file that is damaged in the middle, what
follows is kept too, and the original stays as NAME.mcap.damaged. Several loose .mcap files in one folder are refused;
unfinished SQLite bags are named with what mends them, ros2 bag reindex. The exit status is 3 when one could not be
recovered, or not all of it. A folder that clam_recorder is writing to is refused. A `ros2 bag record` that is still
writing does not show: stop it first.

Examples:
  clam doctor
  clam doctor --json
  clam doctor runs/kitchen/bundle --picture views.png
  clam doctor runs/kitchen/bundle --namespace left --images compressed --seconds 10
  clam doctor --recover bags/play
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError

NAME = "doctor"
HELP = "is this machine, is this robot ready? and mend bags of a killed recorder"

EXIT_OK, EXIT_NOT_READY, EXIT_PARTIAL = 0, 1, 3
LISTENER = "clam_policy.listen"  # of a package that needs ROS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam doctor``."""
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="check the live robot for this bundle")
    parser.add_argument("--recover", type=Path, metavar="FOLDER", help="mend the unfinished bags there; no other check")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    live = parser.add_argument_group("with BUNDLE")
    live.add_argument("--seconds", type=float, default=3.0, metavar="S", help="how long to listen (default: 3)")
    live.add_argument("--picture", type=Path, metavar="FILE.png", help="write each camera's training | live picture")
    live.add_argument("--namespace", default="", metavar="NAME", help="ROS namespace of the robot")
    live.add_argument("--images", choices=("raw", "compressed"), default="raw", help="what to hear of cameras")
    live.add_argument("--state-topic", default="", metavar="TOPIC", help="topic of the state (default: as the node's)")
    live.add_argument("--device", default="auto", metavar="NAME", help="torch device of the policy (default: auto)")
    live.add_argument("--use-sim-time", action="store_true", help="the robot is simulated, time is that of /clock")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam doctor``."""
    if arguments.recover is not None:
        if arguments.bundle is not None:
            raise ClamError("--recover mends bags and looks at no bundle: leave one of them out")
        return _recover(arguments)
    if arguments.bundle is None and arguments.picture is not None:
        raise ClamError("--picture shows the cameras of a bundle: name it, clam doctor BUNDLE --picture FILE.png")
    return _check_machine(arguments) if arguments.bundle is None else _check_robot(arguments)


def _check_machine(arguments: argparse.Namespace) -> int:
    from clam_core.doctor.finding import run_checks
    from clam_core.doctor.machine import MACHINE

    return _report(run_checks(MACHINE), arguments.json)


def _check_robot(arguments: argparse.Namespace) -> int:
    from clam_core.deploy.bundle import load_bundle, load_views
    from clam_core.doctor.bundle import examine

    if not 0.5 <= arguments.seconds <= 600.0:
        raise ClamError(f"--seconds {arguments.seconds:g}: listen for 0.5 to 600 seconds")
    policy, views = load_bundle(arguments.bundle, arguments.device), load_views(arguments.bundle)
    needs, heard, observation = _listener().listen(
        policy,
        seconds=arguments.seconds,
        namespace=arguments.namespace,
        state_topic=arguments.state_topic,
        images=arguments.images,
        use_sim_time=arguments.use_sim_time,
    )
    if arguments.picture is not None:
        _write_picture(arguments.picture, needs, heard, views)
    return _report(examine(needs, heard, policy, views, observation), arguments.json)


def _listener() -> Any:
    """What listens to a ROS graph; this package itself never imports ROS.

    Raises:
        ClamError: it is not installed.
    """
    try:
        return importlib.import_module(LISTENER)
    except ModuleNotFoundError as error:
        mend = "source a ROS 2 and the workspace (colcon build), or run make setup"
        raise ClamError(f"listening to a robot needs ROS 2 and clam_policy, here is no {error.name}: {mend}") from error


def _write_picture(path: Path, needs: Any, heard: Any, views: Any) -> None:
    from clam_core.data.images import encode_png
    from clam_core.doctor.picture import side_by_side

    if not needs.cameras:
        raise ClamError("--picture shows cameras, and this bundle looks through none: leave it out")
    try:
        path.write_bytes(encode_png(side_by_side(needs, heard, views)))
    except OSError as error:
        raise ClamError(f"'{path}' cannot be written ({error.strerror}); give --picture another place") from error


def _report(findings: Iterable[Any], as_json_: bool) -> int:
    from clam_core.doctor.finding import as_json, as_text, is_ready

    rows = list(findings)
    ready = is_ready(rows)
    if as_json_:
        print(json.dumps({"ready": ready, "findings": as_json(rows)}))
    else:
        print("\n".join(as_text(rows)))
        print("ready" if ready else "not ready: see fail above")
    return EXIT_OK if ready else EXIT_NOT_READY


def _recover(arguments: argparse.Namespace) -> int:
    from clam_core.data.bag_mending import recover_folder

    results = recover_folder(arguments.recover)
    if arguments.json:
        rows = [{**vars(result), "bag": str(result.bag)} for result in results]
        print(json.dumps({"recovered": rows}))
    else:
        for result in results:
            name = _name(result.bag, arguments.recover)
            if result.error:
                print(f"{name}: {result.error}")
            elif result.messages:
                print(f"{name}: {result.messages} messages recovered, {result.seconds:.1f} s")
            else:
                print(f"{name}: its recorder was killed before it wrote a message; delete it")
        mended = sum(1 for result in results if result.messages)
        print(f"{mended} of {len(results)} unfinished bags recovered" if results else "no unfinished bag")
    return EXIT_PARTIAL if any(result.error for result in results) else EXIT_OK


def _name(bag: Path, folder: Path) -> str:
    """`bag` as seen from `folder`, which may be the bag itself."""
    return bag.resolve().name if bag == folder else str(bag.relative_to(folder))
