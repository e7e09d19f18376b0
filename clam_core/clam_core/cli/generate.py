"""Make a dataset with a scripted operator in a simulator.

Kinds:
  expert   successful episodes only
  mixed    every episode, from random motion to expert skill
  play     noisy and task-agnostic: successful episodes are thrown away

The same seed gives the same dataset, whatever the number of workers.

Examples:
  clam generate metaworld assembly --kind mixed --episodes 800 --seed 0 --out data/mixed
  clam generate metaworld bin-picking --kind play --episodes 50 --seed 5000 --image-size 84 --out data/play
  clam generate gym Pendulum-v1 --kind play --episodes 20 --out data/pendulum
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from clam_core.cli.types import positive_int
from clam_core.data.generate import generate
from clam_core.envs import ENVS
from clam_core.errors import ClamError
from clam_core.operators import KINDS

NAME = "generate"
HELP = "make a dataset with a scripted operator in a simulator"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam generate``."""
    parser.add_argument("env", metavar="ENV", help=f"environment: {', '.join(ENVS)}")
    parser.add_argument("task", metavar="TASK", help="task, e.g. assembly, or a Gymnasium id")
    parser.add_argument("--kind", required=True, choices=KINDS, help="which episodes to keep")
    parser.add_argument("--episodes", type=positive_int, required=True, metavar="N", help="episodes to keep")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the first attempt (default: 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder to make")
    parser.add_argument("--image-size", type=int, choices=(64, 84), help="store a camera of this size as well")
    parser.add_argument("--workers", type=positive_int, metavar="W", help="processes (default: one per core)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam generate``."""
    options = {}
    if arguments.image_size:
        if arguments.env != "metaworld":
            raise ClamError(f"--image-size with environment '{arguments.env}'; only metaworld has a camera")
        options["image_size"] = arguments.image_size
    report = generate(
        arguments.env,
        arguments.task,
        arguments.kind,
        arguments.episodes,
        arguments.seed,
        arguments.out,
        workers=arguments.workers,
        progress=None,
        **options,
    )
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(report), "path": str(report.path)}))
    else:
        print(
            f"{report.path}: {report.kept} {arguments.kind} episodes ({report.successes} successful) of "
            f"{report.attempts} attempts, {report.transitions} transitions"
        )
    return 0
