"""Scripted operators in a simulator, many episodes at once.

Attempt k of a dataset uses episode seed ``seed + k``. Attempts that do not belong to the kind
(`keep_episode`) are skipped in order, so the dataset is the same whatever the number of workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from clam_core.cores import usable_cores
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.provenance import provenance
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.envs import Environment, make_env
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.operators import Operator, keep_episode, make_operator
from clam_core.workers import process_pool

#: Whose versions decide what comes out.
PACKAGES = ("metaworld", "mujoco", "gymnasium", "dm-control", "calvin-env", "pybullet", "zarr")

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
        operator = make_operator(self.env, self.task, self.kind)
        return make_env(self.env, self.task, **self.options), operator


def run_episode(env: Environment, operator: Operator, seed: int) -> Episode:
    """One whole episode of `operator` in `env`, both reset to `seed`.

    Where the environment ends it by itself it is as long as it was, and ``terminated`` in its metadata is true: the
    steps after that are none of the simulator's.
    """
    operator.reset(seed)
    observations = [env.reset(seed)]
    actions, rewards, successes, done, terminated = [], [], [], False, False
    while not (done or terminated):
        actions.append(operator.act(observations[-1]))
        step = env.step(actions[-1])
        observations.append(step.observation)
        rewards.append(step.reward)
        successes.append(step.success)
        done, terminated = step.done, bool(getattr(env, "terminated", False))
    stacked = {name: np.stack([o[name] for o in observations]) for name in observations[0]}
    metadata = {"terminated": True} if terminated else {}
    return Episode(stacked, np.stack(actions), np.array(rewards), np.array(successes, dtype=bool), seed, metadata)


def generate(
    env: str,
    task: str,
    kind: str,
    episodes: int,
    seed: int,
    out: str | Path,
    *,
    workers: int | None = None,
    resume: bool = False,
    progress: bool | None = False,
    **options: Any,
) -> GenerateReport:
    """Write `episodes` kept episodes of scripted operator `kind` to dataset folder `out`.

    Args:
        workers: processes; None for one per core. The result does not depend on it.
        resume: go on with the dataset at `out`, if there is one, up to `episodes` episodes. The result is that of
            a call that was never interrupted.
        progress: show a bar; None for only on a terminal.
        options: of the environment, e.g. ``image_size`` of Meta-World.

    Raises:
        ClamError: unknown names, existing `out` (without `resume`, or of another recipe), seeds that reach the
            evaluation seeds, or an operator that hardly ever produces episodes of this kind.
    """
    out = Path(out)
    if not resume:
        check_free(out, resumable=True)
    if episodes < 1 or seed < 0:
        raise ClamError(f"{episodes} episodes from seed {seed}; give at least 1 episode and a seed of at least 0")
    _check_seed(seed, episodes)
    source = _Source(env, task, kind, options)
    with ExitStack() as stack:
        environment, operator = source.make()  # unknown names fail here, before any process or folder exists
        stack.callback(environment.close)
        info = DatasetInfo(environment.spec, kind, provenance("generate", PACKAGES))
        info.provenance.update({"seed": seed, "recipe": operator.recipe.to_json(), "options": options})
        done = _Done.of(out, info) if resume and out.exists() else _Done()
        seeds = range(seed + done.attempts, seed + max(MIN_ATTEMPTS, ATTEMPTS_PER_EPISODE * episodes))
        processes = workers or usable_cores()
        if processes == 1 or episodes - done.kept < PARALLEL_FROM:
            results = _serial(environment, operator, kind, seeds)
        else:
            results = _parallel(source, seeds, processes)
        quiet = None if progress is None else not progress
        writer = stack.enter_context(StoreWriter(out, info, actions=True, resume=resume))
        if writer.episodes != done.kept:
            raise ClamError(f"another process has just written '{out}'; try again")
        stack.enter_context(closing(results))
        bar = stack.enter_context(
            tqdm(total=episodes, initial=done.kept, desc=f"{kind} {task}", unit="episode", disable=quiet)
        )
        while done.kept < episodes:
            episode = next(results, _End)
            if episode is _End:
                raise ClamError(
                    f"only {done.kept} of {episodes} {kind} episodes in {done.attempts} attempts at {env} {task}; "
                    "ask for another kind or task"
                )
            done.attempts += 1
            _check_seed(seed, done.attempts)
            if isinstance(episode, Episode):
                writer.append(episode)
                done.add(episode)
                bar.update()
        info.provenance["attempts"] = done.attempts
    return GenerateReport(out, done.kept, done.attempts, done.successes, done.transitions)


class _End:
    """Marks that there are no more attempts."""


@dataclass
class _Done:
    """What is in the dataset so far, and how many attempts that took."""

    kept: int = 0
    attempts: int = 0
    successes: int = 0
    transitions: int = 0

    @classmethod
    def of(cls, path: Path, info: DatasetInfo) -> _Done:
        """Of the dataset at `path`.

        Raises:
            ClamError: it was made by another recipe, seed or options than `info` says.
        """
        store = EpisodeStore.open(path)
        for name in ("seed", "recipe", "options", "versions"):
            there, here = store.info.provenance.get(name), info.provenance[name]
            if there != here:
                raise ClamError(f"'{path}' was made with {name} {there}, not {here}; choose another --out")
        last = int(store.episode_seeds[-1]) + 1 - int(info.provenance["seed"]) if store.num_episodes else 0
        return cls(store.num_episodes, last, int(store.episode_success.sum()), store.num_transitions)

    def add(self, episode: Episode) -> None:
        self.kept += 1
        self.successes += episode.success
        self.transitions += len(episode)


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
    pool = process_pool(workers, _start_worker, source)
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
