"""CALVIN's numbers by name: the 39 state entries and the 7 relative actions, the same in simulator and dataset.

Source: the dataset's README in mees/calvin, and `Robot.get_observation` and `PlayTableScene.get_obs` in
mees/calvin_env; scene D, Table 15.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec

RATE = 30.0  # decisions per second [Hz]; the simulator makes 8 physics steps of 1/240 s for each
MAX_STEPS = 200  # Table 15
CAMERAS = ("static", "gripper")

_POSE = ("x", "y", "z", "roll", "pitch", "yaw")
_POSE_UNITS = ("m", "m", "m", "rad", "rad", "rad")
BLOCKS = ("red_block", "blue_block", "pink_block")

#: Tool centre point between the finger tips, world frame, Euler angles; joint angles; last gripper command.
ROBOT_NAMES = (
    *(f"tcp_{part}" for part in _POSE),
    "gripper_width",
    *(f"joint{i}" for i in range(7)),
    "gripper_action",
)
ROBOT_UNITS = (*_POSE_UNITS, "m", *("rad",) * 7, "1")

#: Travel of the sliding door (0 right, 0.28 left), drawer (0 closed, 0.22 open), button and switch; lights on or off.
SCENE_NAMES = (
    *("slider", "drawer", "button", "switch", "lightbulb", "led"),
    *(f"{block}_{part}" for block in BLOCKS for part in _POSE),
)
SCENE_UNITS = ("m", "m", "m", "m", "1", "1", *(3 * _POSE_UNITS))

#: robot_obs (15) and scene_obs (24), as Appendix E joins them.
STATE_NAMES = ROBOT_NAMES + SCENE_NAMES
STATE_UNITS = ROBOT_UNITS + SCENE_UNITS

#: Relative Cartesian action: 1 moves the *target* pose by 2 cm or 0.05 rad; gripper: ≥ 0 opens, < 0 closes.
ACTION = ActionSpec(
    names=("dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper"),
    units=("0.02 m",) * 3 + ("0.05 rad",) * 3 + ("1",),
    low=(-1.0,) * 7,
    high=(1.0,) * 7,
)
POSITION_STEP, ANGLE_STEP = 0.02, 0.05  # what an action of 1 means [m], [rad]


def calvin_spec(task: str, *, max_steps: int = MAX_STEPS, cameras: tuple[CameraSpec, ...] = ()) -> EnvironmentSpec:
    """The spec of `task`."""
    observation = ObservationSpec(STATE_NAMES, STATE_UNITS, cameras)
    return EnvironmentSpec("calvin", task, observation, ACTION, RATE, max_steps)


def binarize_gripper(action: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A copy of `action` ``(..., 7)`` whose gripper entry is exactly 1 (open) or −1, all that CALVIN takes."""
    action = np.array(action, dtype=np.float64)
    action[..., -1] = np.where(action[..., -1] >= 0.0, 1.0, -1.0)
    return action
