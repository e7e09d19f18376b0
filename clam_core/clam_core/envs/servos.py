"""The WidowX's position servos in MuJoCo: those of the toy kitchen, and of the arm driver's arm without a kitchen.

MuJoCo is imported only when a servo is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_description import ARM_JOINTS, FINGER_JOINTS

Vector = npt.NDArray[np.float64]

STIFFNESS = 15.0  # servo stiffness per effort limit [1/rad]: full effort at 4 degrees of error
FINGER_STIFFNESS = 1000.0  # [N/m]
DAMPING_TIME = 0.05  # [s] damping per stiffness; the servo lags this long behind a moving goal
ARMATURE, FINGER_ARMATURE = 0.02, 0.05  # rotor seen through the gears [kg m²], [kg]


def add_servo(spec: Any, joint: Any, effort: float, *, finger: bool) -> None:
    """Servo on `joint` of an ``MjSpec``: force = stiffness (goal - position) - damping velocity, within ±`effort`."""
    import mujoco

    joint.armature = FINGER_ARMATURE if finger else ARMATURE
    stiffness = FINGER_STIFFNESS if finger else STIFFNESS * effort
    servo = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.gaintype, servo.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
    servo.gainprm[0] = stiffness
    servo.biasprm[1], servo.biasprm[2] = -stiffness, -stiffness * DAMPING_TIME
    servo.forcelimited, servo.forcerange = 1, [-effort, effort]


class Servos:
    """Goals and measurements of `joints` and the two fingers within a compiled model, by joint name.

    Vectors are ``(A,)``: joints [rad], then the gripper as the gap between its fingers [m].
    """

    def __init__(self, model: Any, data: Any, joints: Sequence[str] = ARM_JOINTS) -> None:
        names = (*joints, *FINGER_JOINTS)
        self._model, self._data = model, data
        #: Where the joints, the left and the right finger are in ``qpos`` and ``qvel`` ``(A + 1,)``.
        self.positions = np.array([model.joint(name).qposadr[0] for name in names])
        self.velocities = np.array([model.joint(name).dofadr[0] for name in names])
        self._servos = np.array([model.actuator(name).id for name in names])
        self._gains = model.actuator_gainprm[self._servos].copy(), model.actuator_biasprm[self._servos].copy()
        self._gravity = model.body_gravcomp.copy()  # of an arm that needs no effort to stay where it is

    def place(self, positions: Vector) -> None:
        """Put the arm at `positions` ``(A,)``, at rest, and let it stay there."""
        self._data.qpos[self.positions] = with_fingers(positions)
        self._data.qvel[self.velocities] = 0.0
        self.send(positions)

    def send(self, goal: Vector) -> None:
        """Goal of the servos ``(A,)``."""
        self._data.ctrl[self._servos] = with_fingers(goal)

    def measure(self) -> tuple[Vector, Vector]:
        """Positions and velocities ``(A,)`` [rad, m; rad/s, m/s]."""
        positions, velocities = self.measure_fingers()
        return with_gap(positions), with_gap(velocities)

    def measure_fingers(self) -> tuple[Vector, Vector]:
        """Positions and velocities ``(A + 1,)``, with both fingers instead of their gap."""
        return self._data.qpos[self.positions].copy(), self._data.qvel[self.velocities].copy()

    def torque(self, on: bool) -> None:
        """Servos on or off; without them the arm falls."""
        gains, biases = self._gains
        self._model.actuator_gainprm[self._servos] = gains if on else 0.0
        self._model.actuator_biasprm[self._servos] = biases if on else 0.0
        self._model.body_gravcomp[:] = self._gravity if on else 0.0


def with_fingers(values: Vector) -> Vector:
    """Joints and gap ``(A,)`` → joints, left and right finger ``(A + 1,)``."""
    return np.append(values[:-1], [values[-1] / 2, -values[-1] / 2])


def with_gap(values: Vector) -> Vector:
    """Joints, left and right finger ``(A + 1,)`` → joints and gap ``(A,)``."""
    return np.append(values[:-2], values[-2] - values[-1])
