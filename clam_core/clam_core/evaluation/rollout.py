"""Offline rollouts (Algorithm 2). The lockstep ROS graph gives the same numbers for the same bundle and seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clam_core.envs import Environment
from clam_core.spec import Observation

#: Seeds from here on are for evaluation only; `clam generate` and the operators refuse them.
EVALUATION_SEED = 1_000_000


class Agent(Protocol):
    """What a rollout needs of a policy."""

    def reset(self) -> None: ...

    def act(self, observation: Observation) -> npt.NDArray[np.float64]: ...


@dataclass(frozen=True)
class Rollout:
    """One episode of T steps: `actions` ``(T, A)``, `rewards` ``(T,)``, `successes` ``(T,)`` bool."""

    seed: int
    actions: npt.NDArray[np.float64]
    rewards: npt.NDArray[np.float64]
    successes: npt.NDArray[np.bool_]

    @property
    def success(self) -> bool:
        """Success at any step (Appendix E)."""
        return bool(self.successes.any())

    @property
    def episode_return(self) -> float:
        """Sum of rewards."""
        return float(self.rewards.sum())

    @property
    def best_reward(self) -> float:
        """Highest reward of a step: in the kitchen, the score of the episode (Appendix F)."""
        return float(self.rewards.max())


def rollout(env: Environment, policy: Agent, seed: int, on_step: Callable[[], None] = lambda: None) -> Rollout:
    """One episode from `seed` until the step budget is used up; `on_step` is called after reset and every step."""
    policy.reset()
    observation = env.reset(seed)
    on_step()
    actions, rewards, successes, done = [], [], [], False
    while not done:
        action = policy.act(observation)
        step = env.step(action)
        observation, done = step.observation, step.done
        actions.append(action)
        rewards.append(step.reward)
        successes.append(step.success)
        on_step()
    return Rollout(seed, np.array(actions), np.array(rewards), np.array(successes, dtype=bool))


def evaluate(env: Environment, policy: Agent, seeds: Iterable[int]) -> list[Rollout]:
    """One rollout for each of `seeds`."""
    return [rollout(env, policy, seed) for seed in seeds]
