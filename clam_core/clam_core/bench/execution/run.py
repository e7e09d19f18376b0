"""All ways on all layouts, over processes; what is done already is not done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from clam_core.bench.bundle_name import bundle_name
from clam_core.bench.execution.setup import (
    DISTANCE,
    ENSEMBLING,
    FIRST_MOVE,
    Setup,
    check_kitchen,
    moves_something,
    try_way,
)
from clam_core.bench.execution.summary import summarize
from clam_core.bench.execution.trial import DEPARTED, Reaction, Trial
from clam_core.bench.execution.ways import Way, ways_of
from clam_core.bench.lock import locked
from clam_core.bench.tables.recipe import TUNING
from clam_core.bench.train_step import machine
from clam_core.deploy import load_bundle
from clam_core.errors import ClamError
from clam_core.training.metrics import read_lines
from clam_core.workers import process_pool


@dataclass(frozen=True)
class Options:
    """`episodes` layouts from `seed` on; m of `ensembling`, k of `horizons` (None: K and about half of it).

    The layouts are those that choices are made by, none of a table's. `root` keeps what is done; the numbers do not
    depend on `workers`.
    """

    bundle: Path
    device: str
    episodes: int = 30
    seed: int = TUNING.layouts
    ensembling: tuple[float, ...] = ENSEMBLING
    horizons: tuple[int, ...] | None = None
    first_move: int = FIRST_MOVE
    workers: int = 1
    root: Path = Path("runs/bench")


def run(options: Options) -> dict[str, Any]:
    """Measure.

    Raises:
        ClamError: the bundle is not of the kitchen or has no chunks, a rollout does not repeat itself, or a process
            was killed.
    """
    policy = load_bundle(options.bundle, "cpu")
    ways = ways_of(policy.chunk, options.ensembling, options.horizons)
    check_kitchen(policy.spec, options.first_move, policy.chunk)
    setup = Setup(options.bundle, options.device, options.seed, options.first_move)
    seeds = range(options.seed, options.seed + options.episodes)
    trials = _trials(setup, [(way, seed) for seed in seeds for way in ways], options)
    config = policy.provenance.get("config", {})
    return {
        "benchmark": "execution",
        "what": f"kitchen {policy.spec.task}, {options.episodes} layouts from seed {options.seed}, chunks of "
        f"{policy.chunk} actions at {policy.spec.rate:g} Hz",
        "bundle": bundle_name(options.bundle),
        "method": config.get("method", "unknown"),
        "task": policy.spec.task,
        "rate": policy.spec.rate,
        "chunk": policy.chunk,
        "episodes": options.episodes,
        "first_seed": options.seed,
        "move": {"first_step": options.first_move, "distance_m": DISTANCE, "departed_m": DEPARTED}
        if moves_something(policy.spec)
        else None,
        "machine": machine(torch.device(options.device)) | {"threads": 1},
        "ways": [summarize(way, [t for t in trials if t.way == way.name]) for way in ways],
        "trials": [asdict(trial) for trial in trials],
    }


def _trials(setup: Setup, jobs: Sequence[tuple[Way, int]], options: Options) -> list[Trial]:
    """One for each job, in their order; what another process has on the way is waited for."""
    path = options.root / "execution" / setup.digest() / "trials.jsonl"
    with locked(path):
        return _completed(path, setup, jobs, options.workers)


def _completed(path: Path, setup: Setup, jobs: Sequence[tuple[Way, int]], most_workers: int) -> list[Trial]:
    """What the file at `path` has of `jobs`, and what it lacks; each is appended to it when it is done."""
    done = {(trial.way, trial.seed): trial for trial in map(_trial, read_lines(path) if path.is_file() else [])}
    waiting = [(way, seed) for way, seed in jobs if (way.name, seed) not in done]
    with (
        path.open("w") as file,
        tqdm(total=len(jobs), initial=len(jobs) - len(waiting), desc="trials", unit="trial", disable=None) as bar,
    ):
        file.writelines(json.dumps(asdict(trial)) + "\n" for trial in done.values())
        file.flush()
        if not waiting:
            return [done[way.name, seed] for way, seed in jobs]
        workers = min(most_workers, len(waiting))
        executor = process_pool(workers)
        try:
            futures = [executor.submit(try_way, setup, way, seed) for way, seed in waiting]
            for future in as_completed(futures):
                trial = future.result()
                done[trial.way, trial.seed] = trial
                file.write(json.dumps(asdict(trial)) + "\n")
                file.flush()
                bar.update()
        except BrokenProcessPool as error:
            raise ClamError(
                f"a process ended without a word after {len(done)} trials, perhaps for want of memory; the same "
                "command goes on from there, try fewer --workers"
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
    return [done[way.name, seed] for way, seed in jobs]


def _trial(record: dict[str, Any]) -> Trial:
    reaction = record["reaction"]
    return Trial(**record | {"reaction": None if reaction is None else Reaction(**reaction)})
