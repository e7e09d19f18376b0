"""The arm alone in MuJoCo, inside the driver's process: no kitchen, no contacts, paced by the driver's clock.

For tests, and for whoever wants to try commands without a second process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clam_arm.arm_spec import BACKEND, arm_spec
from clam_arm.backend import BackendSettings
from clam_core.envs.mujoco_package import import_mujoco
from clam_core.envs.servos import Servos
from clam_core.safety import Measurement

Vector = npt.NDArray[np.float64]

MAX_LAG = 0.25  # [s] a longer pause of the driver is not simulated


class MujocoArmBackend:
    """Every `read` steps the physics up to `now`: as exact as the clock it is given, and no thread to race with."""

    def __init__(self, settings: BackendSettings) -> None:
        self._mujoco: Any = import_mujoco(BACKEND)
        spec = arm_spec(settings.urdf, settings.limits)
        self._model = spec.compile()
        self._data = self._mujoco.MjData(self._model)
        self._arm = Servos(self._model, self._data, settings.limits.joints)
        self._arm.place(np.asarray(settings.start, dtype=np.float64))
        self._mujoco.mj_forward(self._model, self._data)
        self._time: float | None = None

    def read(self, now: float) -> Measurement | None:
        """Step to `now` [s] and measure."""
        if self._time is None or now - self._time > MAX_LAG:
            self._time = now - (0.0 if self._time is None else MAX_LAG)
        step = self._model.opt.timestep
        steps = int((now - self._time) / step + 1e-9)
        self._mujoco.mj_step(self._model, self._data, steps)
        self._time += steps * step
        positions, velocities = self._arm.measure()
        return Measurement(self._time, positions, velocities)

    def read_anew(self) -> None:
        """Nothing to do: every `read` measures."""

    def send(self, setpoint: Vector) -> None:
        """Set the goal of the position servos."""
        self._arm.send(setpoint)

    def torque(self, on: bool) -> None:
        """Without torque the arm falls, as the real one does."""
        self._arm.torque(on)

    def close(self) -> None:
        """Nothing to let go of."""
