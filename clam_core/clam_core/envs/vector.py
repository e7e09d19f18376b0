"""Our environments as Gymnasium's, and several of them at once in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv

from clam_core.envs.base import Environment
from clam_core.spec import Observation


class AsGymnasium(gymnasium.Env[Any, Any]):  # type: ignore[misc]  # typed, but skipped
    """An `Environment` with Gymnasium's interface: observations are a Dict space of ``state`` and cameras.

    An episode ends by truncation, after its fixed number of steps; ``info["success"]`` is that of the step. Where the
    environment ended it by itself before, all its steps from there on are also terminated.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env
        spec, box = env.spec, gymnasium.spaces.Box
        spaces: dict[str, gymnasium.Space[Any]] = {
            "state": box(-np.inf, np.inf, (len(spec.observation.names),), np.float64)
        }
        for camera in spec.observation.cameras:
            spaces[camera.name] = box(0, 255, (camera.height, camera.width, 3), np.uint8)
        self.observation_space = gymnasium.spaces.Dict(spaces)
        self.action_space = box(np.array(spec.action.low), np.array(spec.action.high), dtype=np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode that belongs to `seed`.

        Raises:
            ValueError: no seed.
        """
        del options
        if seed is None:
            raise ValueError("an episode belongs to a seed; give one")
        return self._env.reset(seed), {}

    def step(self, action: npt.NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """See `Environment.step`."""
        step = self._env.step(action)
        terminated = bool(getattr(self._env, "terminated", False))
        return step.observation, step.reward, terminated, step.done, {"success": step.success}

    def close(self) -> None:
        """Free the simulator."""
        self._env.close()


def make_vector_env(make: Callable[[], Environment], processes: int) -> VectorEnv[Any, Any, Any]:
    """`processes` copies of the environment that `make` makes, each in its own process; reset by the caller.

    Spawned, not forked: simulators and their threads do not survive a fork.
    """
    makers = [partial(_make, make)] * processes
    return AsyncVectorEnv(makers, context="spawn", autoreset_mode=AutoresetMode.DISABLED)


def _make(make: Callable[[], Environment]) -> AsGymnasium:
    return AsGymnasium(make())
