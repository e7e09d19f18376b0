"""A WidowX in a MuJoCo model: position servos on a URDF, commands and measurements by joint name."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.envs.servos import add_servo
from clam_core.errors import ClamError
from clam_core.safety import Limits

Vector = npt.NDArray[np.float64]

LEFT, RIGHT = "left_finger", "right_finger"  # gap = left - right, each is half of it away from the middle
TIMESTEP = 0.002  # [s]


def import_mujoco() -> Any:
    """The mujoco module.

    Raises:
        ClamError: it is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise ClamError(f"backend 'mujoco' needs MuJoCo ({error}): pip install mujoco, or make setup") from error
    return mujoco


def arm_spec(urdf: str, limits: Limits) -> Any:
    """`MjSpec` of the arm alone with a position servo on each joint and finger; its shapes are left out.

    Raises:
        ClamError: the URDF lacks a joint, or MuJoCo refuses it.
    """
    mujoco = import_mujoco()
    robot = ElementTree.fromstring(urdf)
    for link in robot.findall("link"):
        for shape in [*link.findall("visual"), *link.findall("collision")]:
            link.remove(shape)
    try:
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(robot, encoding="unicode"))
    except ValueError as error:
        raise ClamError(f"MuJoCo refuses the URDF: {' '.join(str(error).split())}") from error
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    efforts = {str(joint.get("name")): joint.find("limit") for joint in robot.findall("joint")}
    joints = {joint.name: joint for joint in spec.joints}
    for name in (*limits.joints, LEFT, RIGHT):
        limit = efforts.get(name)
        if name not in joints or limit is None or not limit.get("effort"):
            raise ClamError(f"the URDF needs joint '{name}' with an effort limit; it has: {', '.join(joints)}")
        add_servo(spec, joints[name], float(limit.get("effort", "0")), finger=name in (LEFT, RIGHT))
    return spec


class MujocoArm:
    """Commands and measures the arm within any compiled model that holds its joints and servos."""

    def __init__(self, model: Any, data: Any, limits: Limits) -> None:
        names = (*limits.joints, LEFT, RIGHT)
        self._data = data
        self._model = model
        self._positions = np.array([model.joint(name).qposadr[0] for name in names])
        self._velocities = np.array([model.joint(name).dofadr[0] for name in names])
        self._servos = np.array([model.actuator(name).id for name in names])
        self._gains = model.actuator_gainprm[self._servos].copy(), model.actuator_biasprm[self._servos].copy()

    def place(self, positions: Vector) -> None:
        """Put the arm at `positions` ``(A,)`` [rad, gap m], at rest, and let it stay there."""
        self._data.qpos[self._positions] = _with_fingers(positions)
        self._data.qvel[self._velocities] = 0.0
        self.send(positions)

    def send(self, setpoint: Vector) -> None:
        """Goal of the servos ``(A,)`` [rad, gap m]."""
        self._data.ctrl[self._servos] = _with_fingers(setpoint)

    def measure(self) -> tuple[Vector, Vector]:
        """Positions ``(A,)`` [rad, gap m] and velocities ``(A,)`` [rad/s, m/s]."""
        positions, velocities = self._data.qpos[self._positions], self._data.qvel[self._velocities]
        return np.append(positions[:-2], positions[-2] - positions[-1]), np.append(
            velocities[:-2], velocities[-2] - velocities[-1]
        )

    def torque(self, on: bool) -> None:
        """Servos on or off."""
        gains, biases = self._gains
        self._model.actuator_gainprm[self._servos] = gains if on else 0.0
        self._model.actuator_biasprm[self._servos] = biases if on else 0.0


def _with_fingers(positions: Vector) -> Vector:
    return np.append(positions[:-1], [positions[-1] / 2, -positions[-1] / 2])
