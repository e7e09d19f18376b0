"""Scripted operators in a simulator, many episodes at once.

Attempt k of a dataset uses episode seed ``seed + k``. Attempts that do not belong to the kind
(`keep_episode`) are skipped in order, so the dataset is the same whatever the number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.provenance import provenance
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.envs import Environment, make_env
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.operators import RECIPES, Operator, keep_episode, make_operator

PACKAGES = ("metaworld", "mujoco", "gymnasium", "zarr")  # whose versions decide what comes out

#: Give up when this many attempts, and at least as many as `MIN_ATTEMPTS`, were made per episode wanted.
ATTEMPTS_PER_EPISODE, MIN_ATTEMPTS = 20, 100

PARALLEL_FROM = 16  # fewer episodes are done before a second process has started

#: Attempts in order; None for one that does not belong to the kind.
_Results = Generator[Episode | None, None, None]


@dataclass(frozen=True)
class GenerateReport:
    """What `generate` did: `kept` of `attempts` episodes, `successes` among them, `transitions` in all."""

    path: Path
    kept: int
    attempts: int
    successes: int
    transitions: int


@dataclass(frozen=True)
class _Source:
    """What a worker process needs to make an attempt."""

    env: str
    task: str
    kind: str
    options: dict[str, Any]

    def make(self) -> tuple[Environment, Operator]:
        return make_env(self.env, self.task, **self.options), make_operator(self.env, self.task, self.kind)


def run_episode(env: Environment, operator: Operator, seed: int) -> Episode:
    """One whole episode of `operator` in `env`, both reset to `seed`."""
    operator.reset(seed)
    observations = [env.reset(seed)]
    actions, rewards, successes, done = [], [], [], False
    while not done:
        actions.append(operator.act(observations[-1]))
        step = env.step(actions[-1])
        observations.append(step.observation)
        rewards.append(step.reward)
        successes.append(step.success)
        done = step.done
    stacked = {name: np.stack([o[name] for o in observations]) for name in observations[0]}
    return Episode(stacked, np.stack(actions), np.array(rewards), np.array(successes, dtype=bool), seed)


def generate(
    env: str,
    task: str,
    kind: str,
    episodes: int,
    seed: int,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: bool | None = False,
    **options: Any,
) -> GenerateReport:
    """Write `episodes` kept episodes of scripted operator `kind` to dataset folder `out`.

    Args:
        workers: processes; None for one per core. The result does not depend on it.
        progress: show a bar; None for only on a terminal.
        options: of the environment, e.g. ``image_size`` of Meta-World.

    Raises:
        ClamError: unknown names, existing `out`, seeds that reach the evaluation seeds, or an operator that
            hardly ever produces episodes of this kind.
    """
    out = Path(out)
    check_free(out)
    if episodes < 1 or seed < 0:
        raise ClamError(f"{episodes} episodes from seed {seed}; give at least 1 episode and a seed of at least 0")
    _check_seed(seed, episodes)
    source = _Source(env, task, kind, options)
    environment, operator = source.make()  # unknown names fail here, before any process or folder exists
    seeds = range(seed, seed + max(MIN_ATTEMPTS, ATTEMPTS_PER_EPISODE * episodes))
    processes = workers or os.cpu_count() or 1
    if processes == 1 or episodes < PARALLEL_FROM:
        results = _serial(environment, operator, kind, seeds)
    else:
        results = _parallel(source, seeds, processes)
    info = DatasetInfo(environment.spec, kind, provenance("generate", PACKAGES))
    info.provenance.update({"seed": seed, "recipe": RECIPES[kind].to_json(), "options": options})
    quiet = None if progress is None else not progress
    bar = tqdm(total=episodes, desc=f"{kind} {task}", unit="episode", disable=quiet)
    with closing(environment), StoreWriter(out, info, actions=True) as writer, closing(results), bar:
        attempts, kept, successes, transitions = 0, 0, 0, 0
        for episode in results:
            attempts += 1
            _check_seed(seed, attempts)
            if episode is None:
                continue
            writer.append(episode)
            kept, successes, transitions = kept + 1, successes + episode.success, transitions + len(episode)
            bar.update()
            if kept == episodes:
                break
        if kept < episodes:
            raise ClamError(
                f"only {kept} of {episodes} {kind} episodes in {attempts} attempts at {env} {task}; "
                "ask for another kind or task"
            )
        info.provenance["attempts"] = attempts
    return GenerateReport(out, kept, attempts, successes, transitions)


def _check_seed(seed: int, attempts: int) -> None:
    if seed + attempts > EVALUATION_SEED:
        raise ClamError(
            f"seed {seed} with {attempts} attempts reaches the evaluation seeds (from {EVALUATION_SEED} on); "
            "start from a smaller --seed"
        )


def _keep(episode: Episode, kind: str) -> Episode | None:
    return episode if keep_episode(kind, episode.success) else None


def _serial(environment: Environment, operator: Operator, kind: str, seeds: range) -> _Results:
    """Results for `seeds` in order."""
    for seed in seeds:
        yield _keep(run_episode(environment, operator, seed), kind)


def _parallel(source: _Source, seeds: range, workers: int) -> _Results:
    """Results for `seeds` in order, computed a little ahead by `workers` processes."""
    # Spawned, not forked: simulators and their threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (source,))
    pending: deque[Future[Episode | None]] = deque()
    waiting = iter(seeds)
    try:
        while True:
            for next_seed in waiting:
                pending.append(pool.submit(_attempt, next_seed))
                if len(pending) >= 4 * workers:
                    break
            if not pending:
                return
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise ClamError("a worker process of the generator died; try --workers 1 to see why") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: tuple[Environment, Operator, str]


def _start_worker(source: _Source) -> None:
    global _worker
    _worker = (*source.make(), source.kind)


def _attempt(seed: int) -> Episode | None:
    environment, operator, kind = _worker
    return _keep(run_episode(environment, operator, seed), kind)
