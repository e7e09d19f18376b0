"""Any Gymnasium environment with continuous actions and flat observations, for a fixed number of steps."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from clam_core.envs.base import Step, check_action
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, EnvironmentSpec, Observation, ObservationSpec

DEFAULT_MAX_STEPS = 1000  # for environments that declare no limit of their own
DEFAULT_RATE = 30.0  # Hz, for environments that declare no time step


class Gym:
    """Gymnasium environment `task` (its id, e.g. ``Pendulum-v1``). There is no success: it is always false.

    Where the environment terminates early, the episode still runs its fixed length: the state stays and
    rewards are 0.
    """

    def __init__(self, task: str, *, max_steps: int | None = None) -> None:
        self._env, declared = _make(task)
        observation, action = self._env.observation_space, self._env.action_space
        if not isinstance(action, gymnasium.spaces.Box) or len(action.shape) != 1:
            raise ClamError(f"gym '{task}' has action space {action}; only a Box of one dimension can be controlled")
        if not isinstance(observation, gymnasium.spaces.Box) or len(observation.shape) != 1:
            raise ClamError(f"gym '{task}' has observation space {observation}; only a Box of one dimension works")
        if not np.isfinite([action.low, action.high]).all():
            raise ClamError(f"gym '{task}' has action limits {action.low}, {action.high}; they must be finite")
        self._steps: int | None = None
        self._terminated = False
        self._state = np.zeros(observation.shape)
        self.spec = EnvironmentSpec(
            env="gym",
            task=task,
            observation=ObservationSpec(
                names=tuple(f"state{i}" for i in range(observation.shape[0])),
                units=("",) * observation.shape[0],
            ),
            action=ActionSpec(
                names=tuple(f"action{i}" for i in range(action.shape[0])),
                units=("",) * action.shape[0],
                low=tuple(float(x) for x in action.low),
                high=tuple(float(x) for x in action.high),
            ),
            rate=_rate(self._env),
            max_steps=max_steps or declared or DEFAULT_MAX_STEPS,
        )

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        state, _ = self._env.reset(seed=int(seed))
        self._steps, self._terminated = 0, False
        return self._observation(state)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`."""
        if self._steps is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of gym {self.spec.task} is over; call reset(seed) first")
        action = check_action(action, self.spec)
        self._steps += 1
        reward = 0.0
        if not self._terminated:
            self._state, step_reward, self._terminated, _, _ = self._env.step(
                action.astype(self._env.action_space.dtype)
            )
            reward = float(step_reward)
        return Step(self._observation(self._state), reward, False, self._steps >= self.spec.max_steps)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Drawn at the environment's own size, then sampled to this one."""
        del camera  # Gymnasium environments have one view
        try:
            image = np.asarray(self._env.render(), dtype=np.uint8)
        except Exception as error:
            raise ClamError(f"gym '{self.spec.task}' cannot draw itself: {error}") from error
        rows = np.arange(height) * image.shape[0] // height
        columns = np.arange(width) * image.shape[1] // width
        return np.ascontiguousarray(image[rows][:, columns, :3])

    def close(self) -> None:
        """See `Environment.close`."""
        self._env.close()

    def _observation(self, state: npt.NDArray[Any]) -> Observation:
        self._state = np.array(state, dtype=np.float64)
        return {"state": self._state.copy()}


def _make(task: str) -> tuple[gymnasium.Env[Any, Any], int | None]:
    """The environment and the step limit that it declares."""
    try:
        spec = gymnasium.spec(task)
    except gymnasium.error.Error as error:
        raise ClamError(f"unknown gym task '{task}', {did_you_mean(task, gymnasium.registry)}") from error
    try:
        # Bare: Gymnasium's own time limit and passive checks would only repeat what is done here.
        env = gymnasium.make(spec, render_mode="rgb_array", disable_env_checker=True).unwrapped
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise ClamError(f"gym task '{task}' cannot be made: {error}") from error
    return env, spec.max_episode_steps


def _rate(env: gymnasium.Env[Any, Any]) -> float:
    step = getattr(env, "dt", None)
    if isinstance(step, (int, float)) and step > 0:
        return 1.0 / float(step)
    return float(env.metadata.get("render_fps") or DEFAULT_RATE)
