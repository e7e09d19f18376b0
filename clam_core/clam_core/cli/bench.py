"""Run a benchmark and write what came out to docs/results/NAME.json, .md and .png.

train-step: updates per second and memory of one training step of the paper's Transformer-CLAM (Tables 11 and 12).
With --reference it takes turns with the authors' own modules (a checkout of clamrobot/clam_code, whose imports must
be installed: omegaconf); without, that half is skipped.

data: how fast datasets are made (bag import, generation, rendering), opened and read.

Examples:
  clam bench data
  clam bench train-step --reference ../clam_code
  clam bench train-step --device cuda compile=true --out results
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from clam_core.cli.types import positive_int
from clam_core.deploy.device import resolve_device

NAME = "bench"
HELP = "a speed benchmark, train-step beside the authors' code where it is at hand"
BENCHMARKS = ("train-step", "data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam bench``."""
    parser.add_argument("name", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of our training, e.g. compile=true")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="checkout of the authors' clam_code")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument("--rounds", type=positive_int, default=7, metavar="N", help="timed rounds (default: 7)")
    parser.add_argument("--updates", type=positive_int, default=10, metavar="N", help="per round (default: 10)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam bench``."""
    from clam_core.bench.report import as_lines, write

    if arguments.name == "data":
        os.environ.setdefault("MUJOCO_GL", "egl")  # read when mujoco is imported; its own Renderer needs it
        from clam_core.bench.data import DataOptions
        from clam_core.bench.data import run as measure_data

        result = measure_data(DataOptions())
    else:
        result = _train_step(arguments)
    write(result, arguments.out)
    print(json.dumps(result) if arguments.json else "\n".join(as_lines(result)))
    return 0


def _train_step(arguments: argparse.Namespace) -> dict[str, Any]:
    from clam_core.bench.train_step import Options
    from clam_core.bench.train_step import run as measure

    options = Options(
        str(resolve_device(arguments.device)),
        arguments.reference,
        arguments.rounds,
        arguments.updates,
        tuple(arguments.overrides),
    )
    return measure(options)
