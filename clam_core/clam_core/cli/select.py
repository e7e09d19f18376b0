"""Make a dataset from others: merge them, and keep some of their episodes.

Of episodes of the same task, kind, seed and states only the first is taken; the others are listed, and the exit
status is then 3. Each dataset is split first, as a whole: an episode is in the same part whatever else is asked for,
so --part train and --part held-out of one --split-seed never share one. What is left of the part is filtered (success,
kind, task), so its share is not exactly --held-out, then sliced with --episodes.

Examples:
  clam select data/mixed --success true --no-actions --out data/unlabeled-expert
  clam select data/play-a data/play-b --out data/play
  clam select data/play --episodes :50 --out data/play-50
  clam select data/play --part train --held-out 0.2 --out data/play-train
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clam_core.data.select import Selection, select
from clam_core.errors import ClamError

NAME = "select"
HELP = "merge, filter, slice and split datasets"

EXIT_OK, EXIT_PARTIAL = 0, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam select``."""
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DIR", help="dataset folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder to make")
    parser.add_argument("--success", choices=("true", "false"), help="only episodes that succeeded, or failed")
    parser.add_argument("--kind", action="append", metavar="KIND", help="only this kind; may be repeated")
    parser.add_argument("--task", action="append", metavar="TASK", help="only this task; may be repeated")
    parser.add_argument("--part", choices=("train", "held-out"), help="one part of a split by episode")
    parser.add_argument("--held-out", type=_share, metavar="SHARE", help="of --part; default: 0.1")
    parser.add_argument("--split-seed", type=int, metavar="S", help="of --part; default: 0")
    parser.add_argument(
        "--episodes",
        type=_slice,
        default=slice(None),
        metavar="A:B",
        help="of what is left: :50 or --episodes=-5:",
    )
    parser.add_argument("--no-actions", action="store_true", help="leave the actions out: an unlabeled dataset")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam select``."""
    if arguments.part is None and (arguments.held_out is not None or arguments.split_seed is not None):
        raise ClamError("--held-out and --split-seed say how to split: add --part train, or --part held-out")
    selection = Selection(
        success=None if arguments.success is None else arguments.success == "true",
        kinds=tuple(arguments.kind) if arguments.kind else None,
        tasks=tuple(arguments.task) if arguments.task else None,
        part=arguments.part,
        held_out=0.1 if arguments.held_out is None else arguments.held_out,
        split_seed=arguments.split_seed or 0,
        episodes=arguments.episodes,
    )
    store = select(arguments.datasets, arguments.out, selection, actions=not arguments.no_actions, progress=None)
    facts = {
        "path": str(store.path),
        "episodes": store.num_episodes,
        "transitions": store.num_transitions,
        "successes": int(store.episode_success.sum()),
    }
    rejected = store.info.provenance["rejected"]
    if arguments.json:
        print(json.dumps({**facts, "rejected": rejected}))
    else:
        for one in rejected:
            print("rejected {episode}: {why}".format(**one))
        print("{path}: {episodes} episodes ({successes} successful), {transitions} transitions".format(**facts))
    return EXIT_PARTIAL if rejected else EXIT_OK


def _slice(text: str) -> slice:
    try:
        parts = [int(part) if part else None for part in text.split(":")]
    except ValueError:
        parts = []
    if not 2 <= len(parts) <= 3 or parts[2:] == [0]:
        raise argparse.ArgumentTypeError(f"expected A:B, as in Python, got '{text}'")
    return slice(*parts)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, got '{text}'")
    return value
