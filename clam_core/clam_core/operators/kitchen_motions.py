"""What a scripted hand does in the toy kitchen, as waypoints computed from the state that it sees.

The fingers point down all the time. Positions are those of the end effector in world [m]: x forward from the arm, y
left, z up, 0 on the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from clam_core.envs.kitchen_geometry import DOOR_HALF, FINGER_HALF, FINGER_MIDDLE, HINGE, POT_RADIUS, TIP, place
from clam_core.envs.kitchen_spec import ACTION
from clam_core.envs.kitchen_tasks import CLOSED as DOOR_CLOSED
from clam_core.envs.kitchen_tasks import PRESSED, SLID, is_in_pot

CLOSED, OPEN = ACTION.low[-1], ACTION.high[-1]  # the gap between the fingers [m]
FINGER_OFFSET = CLOSED / 2 + FINGER_MIDDLE  # from the end effector to the middle of a finger of a closed gripper [m]

TRAVEL_Z = 0.22  # over everything that is not meant; further up the arm does not reach over the stove
FIRMLY = 0.008  # below what it presses: how hard the hand goes on pressing
SIDE_Z = 0.27  # on the way around the microwave's door
HOVER = 0.07  # over the block
DIP_Z, RELEASE_Z = 0.063, 0.095  # over the pot's floor: fingertips inside the rim but over the block, or over the rim

HINGE_X, HINGE_Y, _ = place("microwave") + HINGE  # of the door
DOOR_Z = 0.165  # fingertips beside the door, the gripper's bar over it
DOOR_REACH = 0.12  # from the hinge to where the door is pushed

#: State entries by name (`STATE_NAMES`).
State = Mapping[str, float]


@dataclass(frozen=True)
class Waypoint:
    """Where the end effector goes next [m], the gap between its fingers [m], and the `yaw` of the hand [rad].

    At yaw 0 the fingers open along y. The waypoint is done with within `tolerance` [m], or after `patience` steps,
    because something may stand in the way.
    """

    x: float
    y: float
    z: float
    gap: float = CLOSED
    yaw: float = 0.0
    tolerance: float = 0.012
    patience: int = 25


Motion = tuple[Waypoint, ...]


def rise(state: State) -> Motion:
    """Up to where every motion may start; nothing, if the hand is there already."""
    if state["end_effector_z"] > TRAVEL_Z - 0.02:
        return ()
    return (Waypoint(state["end_effector_x"], state["end_effector_y"], TRAVEL_Z, state["gripper"], tolerance=0.03),)


def hover_over_block(state: State) -> Motion:
    """Go above the block, with open fingers, and stay there."""
    x, y, z = (state[f"block_{axis}"] for axis in "xyz")
    above = Waypoint(x, y, z + HOVER, OPEN, block_yaw(state), tolerance=0.005)
    if np.hypot(x - state["end_effector_x"], y - state["end_effector_y"]) < 0.03:
        return (above,)
    return (*rise(state), replace(above, z=TRAVEL_Z, tolerance=0.03), above)


def press_button(state: State, offset: float = 0.0) -> Motion:
    """Press the stove's button with the left finger, or the stove `offset` [m] to the left of it."""
    x, y, z = (state[f"button_{axis}"] for axis in "xyz")
    y += offset - FINGER_OFFSET
    return (
        Waypoint(x, y, TRAVEL_Z, tolerance=0.03),
        Waypoint(x, y, z + TIP + 0.02),
        Waypoint(x, y, z + TIP - 0.015, tolerance=0.004, patience=8),
        Waypoint(x, y, TRAVEL_Z, tolerance=0.03),
    )


def push_door(state: State, goal: float = 0.0) -> Motion:
    """Go around the microwave's door and push it until it is at `goal` [rad]."""
    door = state["microwave_door"]
    start = min(door + 0.35, 1.7)
    angles = [*np.arange(door, goal, -0.2).tolist(), goal]
    pushes = tuple(_beside_door(angle, FINGER_HALF + 0.004, DOOR_Z, tolerance=0.015) for angle in angles)
    last = () if goal else (_beside_door(0.0, 0.0, DOOR_Z, tolerance=0.004, patience=6),)
    side = _beside_door(start, 0.05, SIDE_Z, tolerance=0.03)
    return (
        *((Waypoint(0.2, 0.0, SIDE_Z, tolerance=0.04),) if state["end_effector_y"] < 0.1 else ()),
        side,
        _beside_door(start, 0.04, DOOR_Z),
        *pushes,
        *last,
        _beside_door(goal, 0.08, DOOR_Z, tolerance=0.03),
        _beside_door(goal, 0.1, SIDE_Z, tolerance=0.04),
    )


def _beside_door(angle: float, distance: float, z: float, tolerance: float = 0.012, patience: int = 25) -> Waypoint:
    """`distance` [m] before the outside of the door that is open by `angle` [rad]."""
    forward, left, out = -np.cos(angle), np.sin(angle), distance + DOOR_HALF[0]
    x = HINGE_X - DOOR_REACH * np.sin(angle) + out * forward
    y = HINGE_Y - DOOR_REACH * np.cos(angle) + out * left
    return Waypoint(float(x), float(y), z, CLOSED, -angle, tolerance, patience)


def grasp_block(state: State, height: float = 0.06) -> Motion:
    """Take the block and lift it by `height` [m]."""
    x, y, z = (state[f"block_{axis}"] for axis in "xyz")
    yaw = block_yaw(state)
    return (
        Waypoint(x, y, TRAVEL_Z, OPEN, yaw, tolerance=0.03),
        Waypoint(x, y, z + 0.05, OPEN, yaw),
        Waypoint(x, y, z + 0.004, OPEN, yaw, tolerance=0.008),
        Waypoint(x, y, z + 0.004, CLOSED, yaw, tolerance=0.0, patience=3),  # closing takes time
        Waypoint(x, y, z + height, CLOSED, yaw),
    )


def put_block(x: float, y: float, z: float) -> Motion:
    """Carry the block over `x`, `y`, let it go at `z`, and leave."""
    return (
        Waypoint(x, y, TRAVEL_Z, CLOSED, tolerance=0.015),
        Waypoint(x, y, z, CLOSED, tolerance=0.01),
        Waypoint(x, y, z, OPEN, tolerance=0.0, patience=2),
        Waypoint(x, y, TRAVEL_Z, OPEN, tolerance=0.03),
    )


def slide_pot(state: State, distance: float = SLID + 0.025) -> Motion:
    """Dip the closed fingers into the pot, the thin way along y, and push it to the right by `distance` [m]."""
    x, y, z = (state[f"pot_{axis}"] for axis in "xyz")
    yaw, inner = np.pi / 2, POT_RADIUS - FINGER_HALF
    end = y - np.sign(distance) * inner - distance
    return (
        Waypoint(x, y, TRAVEL_Z, CLOSED, yaw, tolerance=0.015),
        Waypoint(x, y, z + DIP_Z, CLOSED, yaw),
        Waypoint(x, end, z + DIP_Z, CLOSED, yaw, tolerance=0.008),
        Waypoint(x, end + 0.015 * np.sign(distance), TRAVEL_Z, CLOSED, yaw, tolerance=0.03),
    )


def push_block(state: State, distance: float) -> Motion:
    """Push the block along y by `distance` [m], to the left where it is positive."""
    x, y, z = (state[f"block_{axis}"] for axis in "xyz")
    side, yaw = np.sign(distance), np.pi / 2
    start = y - side * 0.06
    return (
        Waypoint(x, start, TRAVEL_Z, CLOSED, yaw, tolerance=0.03),
        Waypoint(x, start, z + 0.006, CLOSED, yaw),
        Waypoint(x, y - side * 0.03 + distance, z + 0.006, CLOSED, yaw),
        Waypoint(x, start, TRAVEL_Z, CLOSED, yaw, tolerance=0.03),
    )


def block_yaw(state: State) -> float:
    """How the block is turned about z, to the nearest of its four sides [rad]."""
    w, x, y, z = (state[f"block_q{part}"] for part in "wxyz")
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return float((yaw + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def holds_block(state: State) -> bool:
    """Whether the block is between the fingers, off the counter."""
    offset = [state[f"block_{axis}"] - state[f"end_effector_{axis}"] for axis in "xyz"]
    return float(np.linalg.norm(offset)) < 0.03 and state["block_z"] > 0.12


def block_in_pot_and_slide(state: State) -> Motion:
    """The next part of the long task: grasp, put into the pot, or slide."""
    block, pot = (np.array([state[f"{thing}_{axis}"] for axis in "xyz"]) for thing in ("block", "pot"))
    if is_in_pot(block, pot):
        return rise(state) + slide_pot(state)
    if holds_block(state):
        return put_block(pot[0], pot[1], pot[2] + RELEASE_Z)
    return rise(state) + grasp_block(state)


def keep_pressed(state: State) -> Motion:
    """Stay on what is pressed."""
    x, y, z = (state[f"end_effector_{axis}"] for axis in "xyz")
    return (Waypoint(x, y, z - FIRMLY, tolerance=0.0, patience=100),)


@dataclass(frozen=True)
class Expert:
    """The motion that does a task or its next part, whether the task is done, seen from start and state, and then?

    What follows must not look like what went before: a policy that sees single observations could not tell whether
    to go on or to leave.
    """

    motion: Callable[[State], Motion]
    done: Callable[[State, State], bool]
    afterwards: Callable[[State], Motion] = rise


#: Experts by task.
EXPERTS: dict[str, Expert] = {
    "reach-block": Expert(hover_over_block, lambda start, state: False),
    "push-button": Expert(
        lambda state: rise(state) + press_button(state)[:-1],
        lambda start, state: start["button_z"] - state["button_z"] > PRESSED,
        keep_pressed,
    ),
    "close-microwave": Expert(
        lambda state: rise(state) + push_door(state), lambda start, state: state["microwave_door"] < DOOR_CLOSED
    ),
    "put-block-in-pot-and-slide-right": Expert(
        block_in_pot_and_slide, lambda start, state: start["pot_y"] - state["pot_y"] > SLID
    ),
}
