"""Is this machine ready? Versions, disk, GPU, ROS 2, OpenGL; and mend what a killed recorder left.

Without arguments every line is one finding: ok, warn (something will not work that not everybody needs) or fail (not
ready). The exit status is 0 when nothing fails, 1 otherwise.

With --recover, every bag in FOLDER (or up to two levels below) that its recorder never closed becomes complete, in
place, up to the last message that had reached the disk: at most a second before the end. Closed bags are not touched;
one that was cut off after it had been closed is an error: restore it. The exit status is 3 when one could not be
recovered. A folder that clam_recorder is writing to is refused. A `ros2 bag record` that is still writing does not
show: stop it first.

Examples:
  clam doctor
  clam doctor --json
  clam doctor --recover bags/play
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "doctor"
HELP = "is this machine ready? and mend bags of a killed recorder"

EXIT_OK, EXIT_NOT_READY, EXIT_PARTIAL = 0, 1, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam doctor``."""
    parser.add_argument("--recover", type=Path, metavar="FOLDER", help="mend the unfinished bags there; no other check")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam doctor``."""
    return _recover(arguments) if arguments.recover is not None else _check_machine(arguments)


def _check_machine(arguments: argparse.Namespace) -> int:
    from clam_core.doctor.finding import as_json, as_text, is_ready, run_checks
    from clam_core.doctor.machine import MACHINE

    findings = run_checks(MACHINE)
    ready = is_ready(findings)
    if arguments.json:
        print(json.dumps({"ready": ready, "findings": as_json(findings)}))
    else:
        print("\n".join(as_text(findings)))
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
    return bag.name if bag == folder else str(bag.relative_to(folder))
