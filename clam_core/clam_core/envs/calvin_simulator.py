"""The simulator of `calvin_env`, unmodified, made fit to live in a larger program.

What it does by itself, and what is done about it: its robot talks to Bullet's first world whatever world it was made
in (so: one per process); it closes itself once more when it is destroyed, which raises (so: disarmed); and after a
reset, contacts are solved a little differently from what earlier episodes left in Bullet's caches, even where its
state was saved and restored (so: a new world for every episode, which takes 0.2 s).
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.envs.calvin_package import config, load, make_simulator
from clam_core.envs.calvin_tasks import Layout
from clam_core.errors import ClamError

SETTLE = 24  # physics steps after a reset, 0.1 s: blocks come to rest and touch what they lie on

_running: weakref.ref[CalvinSimulator] | None = None


class CalvinSimulator:
    """Scene D with its robot; a camera is made when an image is asked for. One at a time in a process."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            ClamError: one runs already, or `calvin_env` is missing or not usable.
        """
        global _running
        if _running is not None and _running() is not None:
            raise ClamError("CALVIN already runs in this process; close() that environment or use another process")
        self._oracle: Any = load("calvin_env.envs.tasks").Tasks(config("tasks/new_playtable_tasks")["tasks"])
        self._cameras: dict[tuple[str, int, int], Any] = {}
        self._start_info: Any = None
        self._info: Any = None
        self._env: Any = _new_world()
        _running = weakref.ref(self)

    def reset(self, layout: Layout) -> npt.NDArray[np.float64]:
        """State ``(39,)`` of the episode that starts in `layout`; nothing of an earlier one is left."""
        if self._start_info is not None:
            self._leave_world()
            self._env = _new_world()
        env = self._env
        env.reset(robot_obs=layout.robot, scene_obs=layout.scene)
        for _ in range(SETTLE):
            env.p.stepSimulation(physicsClientId=env.cid)
        env.scene.step()  # a switch that stands on lights its bulb
        self._start_info = self._info = env.get_info()
        return _state(env.get_state_obs())

    def step(self, action: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """State ``(39,)`` after relative action ``(7,)``: six entries in [−1, 1], and a gripper entry of 1 or −1."""
        observation, _, _, self._info = self._env.step(action)
        return _state(observation)

    def achieved(self, oracle_task: str) -> bool:
        """Whether the task oracle finds `oracle_task` done between the start of the episode and now."""
        return bool(self._oracle.get_task_info_for_set(self._start_info, self._info, {oracle_task}))

    def render(self, camera: str, height: int, width: int) -> npt.NDArray[np.uint8]:
        """RGB image ``(height, width, 3)`` of `camera`, drawn on the CPU; no display is needed."""
        key = camera, height, width
        if key not in self._cameras:
            self._cameras[key] = self._make_camera(*key)
        return np.ascontiguousarray(self._cameras[key].render()[0], dtype=np.uint8)

    def close(self) -> None:
        """Free the world. Closing twice is no error."""
        global _running
        if self._env is not None:
            self._leave_world()
            _running = None

    def _leave_world(self) -> None:
        env, self._env, self._cameras = self._env, None, {}
        env.p.disconnect(physicsClientId=env.cid)

    def _make_camera(self, camera: str, height: int, width: int) -> Any:
        settings = config(f"cameras/cameras/{camera}") | {"height": height, "width": width, "aspect": width / height}
        env = self._env
        return load("hydra.utils").instantiate(
            settings, cid=env.cid, robot_id=env.robot.robot_uid, objects=env.scene.get_objects()
        )


def _new_world() -> Any:
    """A `PlayTableSimEnv` in Bullet's first world."""
    env = make_simulator()
    env.close = lambda: None  # called by its destructor
    if env.cid != 0:
        env.p.disconnect(physicsClientId=env.cid)
        raise ClamError("another Bullet world is open in this process; disconnect it: CALVIN's has to be the first")
    return env


def _state(observation: dict[str, Any]) -> npt.NDArray[np.float64]:
    return np.concatenate([observation["robot_obs"], observation["scene_obs"]]).astype(np.float64)
