"""Any Gymnasium environment with continuous actions and flat observations, for a fixed number of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt

from clam_core.envs.base import Step, check_action
from clam_core.envs.planar import is_planar_walker, planar_action, planar_observation
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, Observation, ObservationSpec

if TYPE_CHECKING:
    from clam_core.envs.rendering import OffscreenRenderer

DEFAULT_MAX_STEPS = 1000  # for environments that declare no limit of their own
DEFAULT_RATE = 30.0  # Hz, for environments that declare no time step


class Gym:
    """Gymnasium environment `task` (its id, e.g. ``Hopper-v5``). There is no success: it is always false.

    Where the environment terminates early, the episode still runs its fixed length: the state stays and
    rewards are 0. `terminated` says so.

    Args:
        max_steps: actions per episode; None for what the environment declares.
        image_size: adds camera `camera`, square, to every observation; MuJoCo environments have cameras.
        camera: one of the model's; None for its first.

    Raises:
        ClamError: no such task, or one that cannot be controlled this way, or no such camera.
    """

    def __init__(
        self,
        task: str,
        *,
        max_steps: int | None = None,
        image_size: int | None = None,
        camera: str | None = None,
    ) -> None:
        self._env: Any  # MuJoCo's have ``model`` and ``data``
        self._env, declared = _make(task)
        observation, action = _spaces(self._env, task)
        self._steps: int | None = None
        self._state = np.zeros(observation.shape)
        #: Whether the environment ended this episode by itself; what follows is not part of it.
        self.terminated = False
        self._renderer: OffscreenRenderer | None = None
        cameras = _camera_names(self._env)
        if image_size and not cameras:
            raise ClamError(f"gym '{task}' has no cameras; leave image_size out")
        if camera and camera not in cameras:
            raise ClamError(f"gym '{task}' has no camera '{camera}', {did_you_mean(camera, cameras)}")
        self._camera = camera or (cameras[0] if cameras else None)
        seen = (CameraSpec(str(self._camera), image_size, image_size),) if image_size else ()
        self.spec = EnvironmentSpec(
            env="gym",
            task=task,
            observation=replace(_observation_spec(self._env, task, observation), cameras=seen),
            action=_action_spec(self._env, task, action),
            rate=_rate(self._env),
            max_steps=max_steps or declared or DEFAULT_MAX_STEPS,
        )

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        state, _ = self._env.reset(seed=int(seed))
        self._steps, self.terminated = 0, False
        return self._observation(state)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`."""
        if self._steps is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of gym {self.spec.task} is over; call reset(seed) first")
        action = check_action(action, self.spec)
        self._steps += 1
        reward = 0.0
        if not self.terminated:
            self._state, step_reward, self.terminated, _, _ = self._env.step(
                action.astype(self._env.action_space.dtype)
            )
            reward = float(step_reward)
        return Step(self._observation(self._state), reward, False, self._steps >= self.spec.max_steps)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Without MuJoCo, drawn at the environment's own size, then sampled to this one."""
        if self._camera is None:
            return _own_drawing(self._env, self.spec.task, height, width)
        if self._renderer is None:
            from clam_core.envs.rendering import OffscreenRenderer  # needs MuJoCo, as this environment does

            self._renderer = OffscreenRenderer(self._env.model)
        return self._renderer.render(self._env.data, height, width, camera or self._camera)

    def close(self) -> None:
        """See `Environment.close`."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self._env.close()

    def _observation(self, state: npt.NDArray[Any]) -> Observation:
        self._state = np.array(state, dtype=np.float64)
        observation: Observation = {"state": self._state.copy()}
        for camera in self.spec.observation.cameras:
            observation[camera.name] = self.render(camera.height, camera.width, camera.name)
        return observation


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


def _camera_names(env: Any) -> tuple[str, ...]:
    model: Any = getattr(env, "model", None)
    return tuple(model.camera(i).name for i in range(model.ncam)) if hasattr(model, "ncam") else ()


def _spaces(env: Any, task: str) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observation and action space, if both are flat and the actions have limits."""
    observation, action = env.observation_space, env.action_space
    if not isinstance(action, gymnasium.spaces.Box) or len(action.shape) != 1:
        raise ClamError(f"gym '{task}' has action space {action}; only a Box of one dimension can be controlled")
    if not isinstance(observation, gymnasium.spaces.Box) or len(observation.shape) != 1:
        raise ClamError(f"gym '{task}' has observation space {observation}; only a Box of one dimension works")
    if not np.isfinite([action.low, action.high]).all():
        raise ClamError(f"gym '{task}' has action limits {action.low}, {action.high}; they must be finite")
    return observation, action


def _observation_spec(env: Any, task: str, space: gymnasium.spaces.Box) -> ObservationSpec:
    if is_planar_walker(task):
        return planar_observation(env.model)
    size = space.shape[0]
    return ObservationSpec(names=tuple(f"state{i}" for i in range(size)), units=("",) * size)


def _action_spec(env: Any, task: str, space: gymnasium.spaces.Box) -> ActionSpec:
    if is_planar_walker(task):
        return planar_action(env.model, space.low, space.high)
    size = space.shape[0]
    return ActionSpec(
        names=tuple(f"action{i}" for i in range(size)),
        units=("",) * size,
        low=tuple(float(x) for x in space.low),
        high=tuple(float(x) for x in space.high),
    )


def _own_drawing(env: Any, task: str, height: int, width: int) -> npt.NDArray[np.uint8]:
    try:
        image = np.asarray(env.render(), dtype=np.uint8)
    except Exception as error:
        raise ClamError(f"gym '{task}' cannot draw itself: {error}") from error
    rows = np.arange(height) * image.shape[0] // height
    columns = np.arange(width) * image.shape[1] // width
    return np.ascontiguousarray(image[rows][:, columns, :3])
