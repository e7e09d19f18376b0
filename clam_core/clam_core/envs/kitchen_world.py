"""The toy kitchen as a real one is: time goes on by itself, and motors go where the last setpoint said.

What `Kitchen` is to a training, this is to a robot's drivers: the arm is never put anywhere, it is moved by its servos;
a reset puts the *things* somewhere else, as a person would between two attempts.
"""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_scene import ARM, scene_names
from clam_core.envs.kitchen_simulator import KitchenSimulator
from clam_core.envs.kitchen_spec import ACTION, VELOCITY
from clam_core.envs.kitchen_tasks import RULES, sample_layout, task_name
from clam_core.errors import ClamError
from clam_description import SLEEP

Vector = npt.NDArray[np.float64]

MAX_LAG = 0.25  # [s] of a longer pause of the process the rest is not simulated
OVERLAP = 0.001  # [m] deeper in the arm nothing may be put


class KitchenWorld:
    """The kitchen on a clock, `speed` times as fast as the clock. Used by one thread.

    It begins with the layout of `seed`, and with the arm asleep and holding. The motors are position servos that turn
    no faster than their limits, whatever setpoint they are given.

    Raises:
        ClamError: no such task.
    """

    def __init__(self, task: str, seed: int, *, speed: float = 1.0) -> None:
        self._simulator = KitchenSimulator()
        self._model, self._data = self._simulator.model, self._simulator.data
        self._speed = speed
        self._most = np.array(VELOCITY) * self._model.opt.timestep  # that a servo's goal moves in one step
        self._setpoint = np.array([*SLEEP, (ACTION.low[-1] + ACTION.high[-1]) / 2])
        self._goal = self._setpoint.copy()
        self._simulator.arm.place(self._goal)
        self._clock: float | None = None
        self._owed = 0.0  # simulated time that is less than a step [s]
        #: Names of what `scene` returns.
        self.scene_names = scene_names(self._model)
        self.has_torque = True
        self.lost = 0.0  # [s] of the clock that were not simulated
        self.score = 0.0  # best of this attempt: 1 for success, 0.5 for partial success, else 0 (Appendix F)
        self.reset(task, seed)

    def reset(self, task: str, seed: int) -> None:
        """A new attempt: the things where they are in episode `seed` of `task`. The arm stays where it is.

        Raises:
            ClamError: no such task; or the arm is where something shall be put, then nothing was moved.
        """
        layout = sample_layout(task_name(task), np.random.default_rng(int(seed)))
        before = self._data.qpos.copy(), self._data.qvel.copy()
        self._simulator.place_things(layout)
        blocked = self._in_the_arm()
        if blocked:
            self._data.qpos[:], self._data.qvel[:] = before
            mujoco.mj_forward(self._model, self._data)
            raise ClamError(f"the arm is where the {blocked} shall be put: move it away first, for example to sleep")
        self._rule, self._start = RULES[task_name(task)], self._simulator.situation()
        self.score = 0.0

    # Time ---------------------------------------------------------------------------------------------------

    def catch_up(self, now: float) -> None:
        """Simulate up to `now` [s] of a monotonic clock, which begins with the first call."""
        passed = 0.0 if self._clock is None else now - self._clock
        self._clock = now
        self.lost += max(0.0, passed - MAX_LAG)
        self.advance(self._speed * min(passed, MAX_LAG))

    def stop_clock(self) -> None:
        """What passes until the next `catch_up` is no time of this kitchen."""
        self._clock = None

    def advance(self, seconds: float) -> None:
        """Simulate for `seconds`."""
        step = self._model.opt.timestep
        self._owed += seconds
        for _ in range(int(self._owed / step + 1e-9)):
            self._owed -= step
            self._goal += np.clip(self._setpoint - self._goal, -self._most, self._most)
            self._simulator.arm.send(self._goal)
            mujoco.mj_step(self._model, self._data)

    # The arm's bus ------------------------------------------------------------------------------------------

    def send(self, setpoint: Vector) -> None:
        """Go to `setpoint` ``(7,)`` [rad, gap m]: clipped to the limits, and ignored without torque, as motors do."""
        if self.has_torque:
            self._setpoint = ACTION.clip(setpoint)

    def torque(self, on: bool) -> None:
        """Motors on, holding where they are, or off."""
        if on and not self.has_torque:
            self._setpoint = ACTION.clip(self._simulator.arm.measure()[0])
            self._goal = self._setpoint.copy()
        self.has_torque = on
        self._simulator.arm.torque(on)

    def measure(self) -> tuple[Vector, Vector]:
        """Positions and velocities ``(8,)`` of the six joints [rad], the left and the right finger [m]."""
        return self._simulator.arm.measure_fingers()

    # What can be seen ---------------------------------------------------------------------------------------

    def scene(self) -> Vector:
        """Where everything is, by `scene_names`: all that a picture needs."""
        scene: Vector = self._data.qpos.copy()
        return scene

    def observe(self) -> Vector:
        """The entries of `STATE_NAMES`; call it at `RATE`, because the score is the best of what is observed."""
        mujoco.mj_forward(self._model, self._data)  # what is read now belongs to where things are now
        self.score = max(self.score, self._rule(self._simulator.situation(), self._start))
        return self._simulator.state()

    def _in_the_arm(self) -> str:
        """Name of a movable thing that overlaps with the arm, or nothing."""
        model = self._model
        for geoms, distance in zip(self._data.contact.geom, self._data.contact.dist, strict=True):
            things = [geom for geom in geoms if model.geom_contype[geom] != ARM]
            if distance < -OVERLAP and len(things) == 1 and model.body_weldid[model.geom_bodyid[things[0]]]:
                return str(model.body(model.geom_bodyid[things[0]]).name).replace("_", " ")
        return ""
