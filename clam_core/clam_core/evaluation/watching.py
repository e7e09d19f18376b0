"""A rollout watched from outside: what the policy foretold and how the episode stands, without changing either."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.deploy.ensembling import TemporalEnsembler
from clam_core.envs.base import Environment, Step
from clam_core.spec import EnvironmentSpec, Observation

Vector = npt.NDArray[np.float64]


class ChunkMemory(TemporalEnsembler):
    """An ensembler that remembers the newest chunk; give it to a policy in place of its own."""

    def __init__(self, ensembler: TemporalEnsembler) -> None:
        super().__init__(ensembler.chunk, ensembler.m)
        self.newest: Vector | None = None  # (K, A); None before an episode's first action

    def reset(self) -> None:
        """See `TemporalEnsembler`."""
        super().reset()
        self.newest = None

    def add(self, step: int, chunk: Vector) -> None:
        """See `TemporalEnsembler`."""
        super().add(step, chunk)
        self.newest = chunk


class WatchedEnvironment:
    """`environment`, with its newest observation, the actions taken and what they have earned in this episode."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.observation: Observation = {}
        self.actions: list[Vector] = []
        self.episode_return = 0.0
        self.success = False

    @property
    def spec(self) -> EnvironmentSpec:
        """See `Environment`."""
        return self._environment.spec

    @property
    def standing(self) -> str:
        """Step number, and score or return so far, in words."""
        score = getattr(self._environment, "score", None)  # Appendix F's, of the kitchen
        words = f"return {self.episode_return:.1f}" if score is None else f"score {score:g}"
        success = ", success" if self.success else ""
        return f"step {len(self.actions)}/{self.spec.max_steps}, {words} so far{success}"

    def reset(self, seed: int) -> Observation:
        """See `Environment`."""
        self.observation = self._environment.reset(seed)
        self.actions, self.episode_return, self.success = [], 0.0, False
        return self.observation

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment`."""
        step = self._environment.step(action)
        self.observation, self.success = step.observation, self.success or step.success
        self.actions.append(np.array(action, dtype=np.float64))
        self.episode_return += step.reward
        return step

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment`."""
        return self._environment.render(height, width, camera)

    def close(self) -> None:
        """See `Environment`."""
        self._environment.close()
