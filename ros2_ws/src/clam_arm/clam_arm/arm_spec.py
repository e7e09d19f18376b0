"""The arm alone as a MuJoCo model: position servos on a URDF, without shapes and without a kitchen."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from clam_core.envs.mujoco_package import import_mujoco, without_shapes
from clam_core.envs.servos import add_servo
from clam_core.errors import ClamError
from clam_core.safety import Limits
from clam_description import FINGER_JOINTS

BACKEND = "backend 'mujoco_arm'"
TIMESTEP = 0.002  # [s]


def arm_spec(urdf: str, limits: Limits) -> Any:
    """`MjSpec` of the arm alone with a position servo on each joint and finger; its shapes are left out.

    Raises:
        ClamError: the URDF lacks a joint, or MuJoCo refuses it.
    """
    mujoco = import_mujoco(BACKEND)
    robot = without_shapes(urdf)
    try:
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(robot, encoding="unicode"))
    except ValueError as error:
        raise ClamError(f"MuJoCo refuses the URDF: {' '.join(str(error).split())}") from error
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    efforts = {str(joint.get("name")): joint.find("limit") for joint in robot.findall("joint")}
    joints = {joint.name: joint for joint in spec.joints}
    for name in (*limits.joints, *FINGER_JOINTS):
        limit = efforts.get(name)
        if name not in joints or limit is None or not limit.get("effort"):
            raise ClamError(f"the URDF needs joint '{name}' with an effort limit; it has: {', '.join(joints)}")
        add_servo(spec, joints[name], float(limit.get("effort", "0")), finger=name in FINGER_JOINTS)
    return spec
