"""Meta-World's 50 Sawyer tasks with the settings of Table 14: 100 steps, action repeat 2.

Facts about the simulator that shape this file: `reset(seed)` is ignored there, so layouts are seeded through
the environment's own generator; constructing an environment costs as much as twenty resets, so one is kept
and reset.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE

from clam_core.envs.base import Step, check_action, square_cameras
from clam_core.envs.rendering import OffscreenRenderer
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import ActionSpec, EnvironmentSpec, Observation, ObservationSpec

MAX_STEPS = 100  # Table 14
ACTION_REPEAT = 2  # Table 14
CAMERA = "corner4"  # shows gripper, object and goal of every task

_SUFFIX = "-goal-observable"
_QUATERNION = tuple(f"quaternion{i}" for i in range(4))  # component order differs between tasks, so no letters
_OBJECT = ("x", "y", "z", *_QUATERNION)
_FRAME = (
    *("hand_x", "hand_y", "hand_z", "gripper_opening"),
    *(f"object0_{part}" for part in _OBJECT),
    *(f"object1_{part}" for part in _OBJECT),
)
_FRAME_UNITS = ("m", "m", "m", "1") + 2 * ("m", "m", "m", "1", "1", "1", "1")

#: The 39 state entries: current frame, previous frame, goal (Appendix E). Missing objects are 0.
STATE_NAMES = _FRAME + tuple(f"previous/{name}" for name in _FRAME) + ("goal_x", "goal_y", "goal_z")
STATE_UNITS = 2 * _FRAME_UNITS + ("m", "m", "m")

#: dx, dy, dz: 1 moves the hand's target by 1 cm per simulator step; gripper: effort, 1 closes, −1 opens.
ACTION = ActionSpec(
    names=("dx", "dy", "dz", "gripper"), units=("cm", "cm", "cm", "1"), low=(-1.0,) * 4, high=(1.0,) * 4
)


def task_names() -> tuple[str, ...]:
    """The 50 tasks, without their version suffix."""
    return tuple(name.removesuffix(f"-v3{_SUFFIX}") for name in ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE)


def task_name(task: str) -> str:
    """Canonical name of `task`: ``assembly`` for ``assembly`` and ``assembly-v3``.

    Raises:
        ClamError: no such task; the line names the nearest one.
    """
    name = task.removesuffix("-v3")
    if name not in task_names():
        raise ClamError(f"unknown Meta-World task '{task}', {did_you_mean(name, task_names())}")
    return name


class MetaWorld:
    """One Meta-World task. `image_size` adds square images of `camera`: one name, or several with commas."""

    def __init__(
        self,
        task: str,
        *,
        max_steps: int = MAX_STEPS,
        action_repeat: int = ACTION_REPEAT,
        image_size: int | None = None,
        camera: str = CAMERA,
    ) -> None:
        name = task_name(task)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Gymnasium warns about spaces that Meta-World defines on purpose
            self._env: Any = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{name}-v3{_SUFFIX}"](seed=0)
        self._env._freeze_rand_vec = False  # a new layout at every reset …
        self._env.seeded_rand_vec = True  # … drawn from the generator that seed() sets
        self._env.max_path_length = max(self._env.max_path_length, max_steps * action_repeat + 1)
        self._action_repeat = action_repeat
        self._steps: int | None = None
        self._renderer: OffscreenRenderer | None = None
        self.spec = EnvironmentSpec(
            env="metaworld",
            task=name,
            observation=ObservationSpec(
                names=STATE_NAMES,
                units=STATE_UNITS,
                cameras=square_cameras(camera, image_size),
            ),
            action=ACTION,
            rate=1.0 / (float(self._env.dt) * action_repeat),
            max_steps=max_steps,
        )

    def reset(self, seed: int) -> Observation:
        """See `Environment.reset`."""
        self._env.seed(int(seed))
        state, _ = self._env.reset()
        self._steps = 0
        return self._observation(state)

    def step(self, action: npt.NDArray[Any]) -> Step:
        """See `Environment.step`. Rewards are summed over the repeats, and success at any of them counts."""
        if self._steps is None or self._steps >= self.spec.max_steps:
            raise ClamError(f"the episode of metaworld {self.spec.task} is over; call reset(seed) first")
        action = check_action(action, self.spec)
        reward, success = 0.0, False
        for _ in range(self._action_repeat):
            state, step_reward, _, _, info = self._env.step(action)
            reward += float(step_reward)
            success = success or bool(info["success"])
        self._steps += 1
        return Step(self._observation(state), reward, success, self._steps >= self.spec.max_steps)

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """See `Environment.render`. Cameras are those of the Meta-World model."""
        if self._renderer is None:
            self._renderer = OffscreenRenderer(self._env.model)
        return self._renderer.render(self._env.data, height, width, camera or CAMERA)

    def close(self) -> None:
        """See `Environment.close`."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self._env.close()

    def _observation(self, state: npt.NDArray[np.float64]) -> Observation:
        observation: Observation = {"state": np.array(state, dtype=np.float64)}
        for camera in self.spec.observation.cameras:
            observation[camera.name] = self.render(camera.height, camera.width, camera.name)
        return observation
