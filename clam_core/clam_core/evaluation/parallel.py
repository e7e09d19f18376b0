"""Many rollouts over several processes, the same numbers whatever their number.

The simulators run in the processes, the policies here, one observation at a time: batched inference would round
differently with every batch size. Every slot has a policy of its own, because a policy remembers its episode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from clam_core.envs import Environment
from clam_core.evaluation.rollout import Agent, Rollout, rollout


def rollout_many(
    make_env: Callable[[], Environment],
    make_policy: Callable[[], Agent],
    seeds: Sequence[int],
    *,
    workers: int = 1,
    on_episode: Callable[[], object] = lambda: None,
) -> list[Rollout]:
    """One rollout for each of `seeds`, in their order; equal to `evaluate`, bit for bit, for any `workers`.

    Args:
        make_env: makes the environment; it is called in the worker processes, so it must be picklable.
        workers: simulator processes; with 1 everything happens in this process.
        on_episode: called when an episode is over.
    """
    workers = min(workers, len(seeds))
    if workers > 1:
        return _in_processes(make_env, make_policy, seeds, workers, on_episode)
    rollouts, policy = [], make_policy()
    with closing(make_env()) as env:
        for seed in seeds:
            rollouts.append(rollout(env, policy, seed))
            on_episode()
    return rollouts


def _in_processes(
    make_env: Callable[[], Environment],
    make_policy: Callable[[], Agent],
    seeds: Sequence[int],
    workers: int,
    on_episode: Callable[[], object],
) -> list[Rollout]:
    from clam_core.envs.vector import make_vector_env  # needs Gymnasium

    rollouts: list[Rollout] = []
    policies = [make_policy() for _ in range(workers)]
    with closing(make_vector_env(make_env, workers)) as envs:
        for first in range(0, len(seeds), workers):
            batch = seeds[first : first + workers]
            rollouts += _round(envs, policies, batch)
            for _ in batch:
                on_episode()
    return rollouts


def _round(envs: Any, policies: Sequence[Agent], seeds: Sequence[int]) -> list[Rollout]:
    """One episode per seed at the same time; they all take the same number of steps."""
    slots = range(len(policies))
    used = [seeds[slot % len(seeds)] for slot in slots]  # the last round may have fewer seeds than processes
    for policy in policies:
        policy.reset()
    observations, _ = envs.reset(seed=used)
    actions, rewards, successes, done = [], [], [], False
    while not done:
        action = np.stack([policies[i].act({name: rows[i] for name, rows in observations.items()}) for i in slots])
        observations, reward, _, truncated, info = envs.step(action)
        actions.append(action)
        rewards.append(reward)
        successes.append(info["success"])
        done = bool(truncated.all())
    acted, rewarded, succeeded = np.stack(actions), np.stack(rewards), np.stack(successes)
    return [
        Rollout(seed, acted[:, i].copy(), rewarded[:, i].copy(), succeeded[:, i].astype(bool))
        for i, seed in enumerate(seeds)
    ]
