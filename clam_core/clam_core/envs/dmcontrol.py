"""The DeepMind Control Suite: any domain and task, with the suite's own episode length.

Facts about the suite that shape this file: an episode's layout is drawn from the task's random state, which goes
on from episode to episode, so a reset seeds it; the model is read from XML once and reset after that.
"""

from __future__ import annotations

import importlib
import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.envs.base import Step, check_action
from clam_core.envs.rendering import OffscreenRenderer
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, Observation, ObservationSpec


def _import_suite() -> Any:
    """The suite, without what it says of OpenGL at import: it draws nothing here."""
    silenced = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GLFW's, where there is no display
            return importlib.import_module("dm_control.suite")
    finally:
        logging.disable(silenced)


suite = _import_suite()
PhysicsError: type[Exception] = importlib.import_module("dm_control.rl.control").PhysicsError

DEFAULT_MAX_STEPS = 1000  # for the tasks without a time limit (lqr)


def task_names() -> tuple[str, ...]:
    """All tasks as ``domain-task``."""
    return tuple(f"{domain}-{task}" for domain, task in suite.ALL_TASKS)


def split_task(task: str) -> tuple[str, str]:
    """Domain and task of ``hopper-hop`` or ``hopper/hop``.

    Raises:
        ClamError: no such task; the line names the nearest one.
    """
    name = task.replace("/", "-")
    for domain, domain_task in suite.ALL_TASKS:
        if name == f"{domain}-{domain_task}":
            return domain, domain_task
    raise ClamError(f"unknown dmcontrol task '{task}', {did_you_mean(name, task_names())}")


class DmControl:
    """One task of the suite. There is no success: it is always false; returns are between 0 and 1000.

    The state is the suite's observation, flattened entry by entry: ``position[0]``, ``velocity[2]``; a scalar has
    its bare name. The suite mixes metres, radians, sines and norms within an entry, so units are left open ("").
    Actions are what the suite takes, mostly −1 to 1 of an actuator's range.

    Args:
        max_steps: actions per episode; None for the suite's time limit divided by `action_repeat`.
        action_repeat: control steps per action; their rewards are summed.
        image_size: adds camera `camera`, square, to every observation.
        camera: one of the model's; None for its first.

    Raises:
        ClamError: no such task or camera.
    """

    def __init__(
        self,
        task: str,
        *,
        max_steps: int | None = None,
        action_repeat: int = 1,
        image_size: int | None = None,
        camera: str | None = None,
    ) -> None:
        domain, domain_task = split_task(task)
        name = f"{domain}-{domain_task}"
        self._env: Any = suite.load(domain, domain_task, task_kwargs={"random": 0})
        model = self._env.physics.model.ptr
        cameras = tuple(model.camera(i).name for i in range(model.ncam))
        self._camera = camera or cameras[0]
        if self._camera not in cameras:
            raise ClamError(f"dmcontrol '{name}' has no camera '{camera}', {did_you_mean(self._camera, cameras)}")
        self._action_repeat = action_repeat
        self._steps: int | None = None
        self._seed = 0
        #: Whether the suite ended this episode by itself (only `lqr` does); what follows is not part of it.
        self.terminated = False
        self._renderer: OffscreenRenderer | None = None
        names = _state_names(_first_observation(self._env, name))
        self.spec = EnvironmentSpec(
            env="dmcontrol",
            task=name,
            observation=ObservationSpec(
                names=names,
                units=("",) * len(names),
                cameras=(CameraSpec(self._camera, image_size, image_size),) if image_size else (),
            ),
            action=_action_spec(self._env),
            rate=1.0 / (float(self._env.control_timestep()) * action_repeat),
            max_steps=max_steps or _time_limit(self._env, action_repeat),
        )

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        self._env.task.random.seed(int(seed))
        self._seed, self._steps, self.terminated = int(seed), 0, False
        self._last = self._env.reset()
        if self._env.physics.model.nhfield:
            self._free_renderer()  # its copy of the terrain is now another episode's
        return self._observation(self._last.observation)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`. Where the suite ends an episode early, the state stays and rewards are 0.

        Raises:
            ClamError: also where numbers overflow: actions of `lqr` are limited to 10 billion only.
        """
        if self._steps is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of dmcontrol {self.spec.task} is over; call reset(seed) first")
        action = check_action(action, self.spec)
        reward = 0.0
        for _ in range(self._action_repeat):
            if self._last.last():
                break  # the next step would begin another episode
            self._last = self._advance(action)
            reward += float(self._last.reward)
        self.terminated = bool(self._last.last() and self._last.discount == 0.0)
        self._steps += 1
        return Step(self._observation(self._last.observation), reward, False, self._steps >= self.spec.max_steps)

    def _advance(self, action: npt.NDArray[np.float64]) -> Any:
        try:
            return self._env.step(action)
        except PhysicsError as error:
            step, self._steps = self._steps, None
            raise ClamError(
                f"dmcontrol {self.spec.task} became unstable at step {step} of seed {self._seed} ({error}); "
                "use smaller actions or another task"
            ) from error

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Cameras are those of the suite's model."""
        physics = self._env.physics
        if self._renderer is None:
            self._renderer = OffscreenRenderer(physics.model.ptr)
        return self._renderer.render(physics.data.ptr, height, width, camera or self._camera)

    def close(self) -> None:
        """See `Environment.close`."""
        self._free_renderer()
        self._env.close()

    def _free_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _observation(self, entries: Mapping[str, Any]) -> Observation:
        flat = [np.asarray(value, dtype=np.float64).reshape(-1) for value in entries.values()]
        observation: Observation = {"state": np.concatenate(flat)}
        for camera in self.spec.observation.cameras:
            observation[camera.name] = self.render(camera.height, camera.width, camera.name)
        return observation


def _first_observation(env: Any, name: str) -> Mapping[str, Any]:
    try:
        entries: Mapping[str, Any] = env.reset().observation
    except AttributeError as error:  # dm-control 1.0.28 calls a function that NumPy 2.4 dropped, in quadruped
        raise ClamError(f"dmcontrol '{name}' does not run with NumPy {np.__version__} ({error}); try 2.3") from error
    except mujoco.FatalError as error:  # quadruped-escape draws its terrain with the suite's own OpenGL
        raise ClamError(f"dmcontrol '{name}' cannot start ({error}); try it with MUJOCO_GL=egl") from error
    return entries


def _state_names(entries: Mapping[str, Any]) -> tuple[str, ...]:
    names: list[str] = []
    for name, value in entries.items():
        indices = np.ndindex(np.shape(value))
        names += [name if not index else f"{name}[{','.join(map(str, index))}]" for index in indices]
    return tuple(names)


def _action_spec(env: Any) -> ActionSpec:
    limits, model = env.action_spec(), env.physics.model
    names = [model.id2name(i, "actuator") for i in range(model.nu)]
    size = int(limits.shape[0])
    return ActionSpec(
        names=tuple(names) if len(names) == size else tuple(f"action{i}" for i in range(size)),
        units=("1",) * size,
        low=tuple(float(x) for x in np.broadcast_to(limits.minimum, size)),
        high=tuple(float(x) for x in np.broadcast_to(limits.maximum, size)),
    )


def _time_limit(env: Any, action_repeat: int) -> int:
    steps = float(env._step_limit)  # time limit / control step, rounded as the suite does; it has no public name
    return math.ceil(steps / action_repeat) if math.isfinite(steps) else DEFAULT_MAX_STEPS
