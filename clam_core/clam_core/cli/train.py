"""Train a method into a run folder, which ends with a bundle.

The dataset roles are given as data.<role>=DIR: `unlabeled` and `expert` are opened without their actions, only
`labeled` is opened with them. Every number of a preset can be overridden as dotted.key=value. --lam-from takes a
trained latent action model (or VPT's inverse dynamics model) from another run, and trains the policy alone.

Examples:
  clam train clam --preset recommended/state data.unlabeled=mixed data.labeled=play data.expert=expert --out runs/clam
  clam train bc   --preset recommended/state data.labeled=play --out runs/bc-al
  clam train vpt  --preset recommended/state data.labeled=play data.expert=expert seed=1 --out runs/vpt
  clam train clam --out runs/clam --resume
  clam train clam --preset paper/table12_transformer data.… --until lam --out runs/clam
  clam train clam --lam-from runs/clam policy.hidden=[512,512] data.expert=other-task --out runs/other-policy
  torchrun --nproc-per-node=2 -m clam_core train clam --preset recommended/state data.… --out runs/clam
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from clam_core.errors import ClamError
from clam_core.methods import METHODS
from clam_core.plain import differences, to_plain
from clam_core.training.config import Config
from clam_core.training.load_config import load_config, preset_files
from clam_core.training.run import load_run_config, train

NAME = "train"
HELP = "train a method on datasets; ends with a bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam train``."""
    presets = ", ".join(sorted(preset_files())) or "none installed"
    parser.add_argument("method", choices=sorted(METHODS), metavar="METHOD", help=", ".join(sorted(METHODS)))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. lam.latent_dim=8 seed=3 device=cuda")
    parser.add_argument("--preset", help=f"named configuration: {presets}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file, read after the preset")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder to write")
    parser.add_argument(
        "--resume", action="store_true", help="go on with RUN from its newest checkpoint, as its config.yaml says"
    )
    parser.add_argument(
        "--lam-from",
        type=Path,
        metavar="RUN",
        help="take all numbers, and all that was learned before the policy, from this run; what may differ is the "
        "policy's, data.expert, seed and device",
    )
    parser.add_argument("--until", metavar="STAGE", help="stop after this stage, e.g. lam; go on with --resume")
    parser.add_argument("--json", action="store_true", help="print the held-out metrics as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam train``."""
    given = [f"--{name}" for name in ("preset", "config") if getattr(arguments, name)]
    if arguments.lam_from is not None and given:
        raise ClamError(f"--lam-from begins a run with the numbers of another: leave out {' and '.join(given)}")
    config = _resumed(arguments) if arguments.resume else _configured(arguments)
    metrics = train(config, arguments.out, resume=arguments.resume, until=arguments.until, lam_from=arguments.lam_from)
    if int(os.environ.get("RANK", "0")):
        return 0  # under torchrun the first process speaks for all
    if arguments.json:
        print(json.dumps(metrics))
    else:
        for name, value in metrics.items():
            print(f"{name:40s} {value:.4f}")
        done = (arguments.out / "bundle").exists()
        print(f"bundle: {arguments.out / 'bundle'}" if done else f"stopped after stage '{arguments.until}'")
    return 0


def _configured(arguments: argparse.Namespace) -> Config:
    if arguments.lam_from is None:
        return load_config(arguments.method, arguments.preset, arguments.config, arguments.overrides)
    load_run_config(arguments.lam_from)  # says what is wrong with it
    return load_config(arguments.method, None, arguments.lam_from / "config.yaml", arguments.overrides)


def _resumed(arguments: argparse.Namespace) -> Config:
    """The run's own configuration; what the caller repeats of it must agree.

    Raises:
        ClamError: no run there, or it was begun with other numbers.
    """
    file, method = arguments.out / "config.yaml", METHODS[arguments.method]
    own = load_run_config(arguments.out) if file.is_file() else None
    if own is None or own.method != arguments.method:
        return _configured(arguments)  # `train` says what is wrong
    if arguments.preset or arguments.config:
        asked = method.configure(_configured(arguments))
    else:
        asked = load_config(arguments.method, None, file, arguments.overrides)
    changed = [f"{key} is {there}, not {here}" for key, there, here in differences(to_plain(own), to_plain(asked))]
    if changed:
        raise ClamError(f"--resume goes on as '{file}' says: {'; '.join(changed)}: leave it out, or change that file")
    return own
