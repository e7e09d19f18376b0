"""What the toy kitchen shows and takes: names, units and limits, read from the URDF of `clam_description`."""

from __future__ import annotations

from clam_core.envs import base
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec
from clam_description import ARM_JOINTS, FINGER_JOINTS, joint_limits

RATE = 5.0  # [Hz], Appendix F
MAX_STEPS = 100  # Appendix F
CAMERAS = ("external", "over_shoulder")  # Appendix F
IMAGE_WIDTH, IMAGE_HEIGHT = 640, 480  # of what the robot's cameras give [pixels]
GRIPPER = "gripper"  # the gap between the fingers [m]

_JOINTS = (*ARM_JOINTS, GRIPPER)
_JOINT_UNITS = ("rad",) * len(ARM_JOINTS) + ("m",)
_JOINT_RATES = ("rad/s",) * len(ARM_JOINTS) + ("m/s",)
POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")  # of what lies loose [m, unit quaternion]
_POSE_UNITS = ("m", "m", "m", "1", "1", "1", "1")

#: The state entries. Positions are in the frame world: on the table where the arm stands, x forward, y left, z up.
#: The end effector is ``ee_gripper_link``, between the fingers; the button's place is that of its top; the door of
#: the microwave is closed at 0.
STATE_NAMES = (
    *_JOINTS,
    *(f"{name}_velocity" for name in _JOINTS),
    *(f"end_effector_{axis}" for axis in "xyz"),
    *(f"block_{part}" for part in POSE),
    *("pot_x", "pot_y", "pot_z", "pot_yaw"),
    *(f"button_{axis}" for axis in "xyz"),
    "microwave_door",
)
STATE_UNITS = (
    *_JOINT_UNITS,
    *_JOINT_RATES,
    *("m", "m", "m"),
    *_POSE_UNITS,
    *("m", "m", "m", "rad"),
    *("m", "m", "m"),
    "rad",
)

#: Limits of every joint, by name.
LIMITS = joint_limits()
_LEFT, _RIGHT = (LIMITS[name] for name in FINGER_JOINTS)

#: Joint positions that the arm shall go to, and the gap between its fingers (Appendix F: "the robot joint pose and
#: the gripper state").
ACTION = ActionSpec(
    names=_JOINTS,
    units=_JOINT_UNITS,
    low=(*(LIMITS[name].lower for name in ARM_JOINTS), _LEFT.lower - _RIGHT.upper),
    high=(*(LIMITS[name].upper for name in ARM_JOINTS), _LEFT.upper - _RIGHT.lower),
)

#: Speed limits of the entries of `ACTION` [rad/s, m/s].
VELOCITY = (*(LIMITS[name].velocity for name in ARM_JOINTS), _LEFT.velocity + _RIGHT.velocity)


def kitchen_spec(task: str, *, max_steps: int = MAX_STEPS, cameras: tuple[CameraSpec, ...] = ()) -> EnvironmentSpec:
    """Specification of `task`, its canonical name."""
    return EnvironmentSpec(
        env="kitchen",
        task=task,
        observation=ObservationSpec(names=STATE_NAMES, units=STATE_UNITS, cameras=cameras),
        action=ACTION,
        rate=RATE,
        max_steps=max_steps,
    )


def check_camera(camera: str) -> str:
    """`camera`, if the kitchen has it.

    Raises:
        ClamError: it has not.
    """
    return base.check_camera("kitchen", camera, CAMERAS)
