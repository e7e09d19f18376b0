"""Position servos of the WidowX in MuJoCo: those of the toy kitchen and of the arm driver's MuJoCo backend."""

from __future__ import annotations

from typing import Any

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
