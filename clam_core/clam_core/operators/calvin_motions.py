"""What a scripted hand does at CALVIN's table, as waypoints computed from the state that it sees.

Places are those of scene D (``data/calvin_table_D`` of mees/calvin_env, scaled by 0.8) in its world frame [m]: x to
the right, y away from the robot's side of the table, z up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from clam_core.envs.calvin_tasks import DRAWER_OPEN, SLIDER_LEFT

OPEN, CLOSED = 1.0, -1.0  # the gripper
YAW = np.pi / 2  # at which the fingers open along x [rad]
TILT = -0.15  # nearly as the arm rests: clear of roll π, where its angle jumps to −π [rad]

TRAVEL_Y, TRAVEL_Z = -0.23, 0.57  # the hand crosses the table in front of the cabinet and above the blocks
FREE_Y, FREE_Z = -0.12, 0.5  # behind or below these it may touch something
FINGER = 0.01  # from the tool centre to the side of closed fingers

DRAWER_X, DRAWER_Z = 0.18, 0.37  # middle of its handle
DRAWER_FRONT_Y, DRAWER_GAP_Y = -0.26, -0.205  # of the closed drawer: the handle's front, the gap behind the handle
SLIDER_X, SLIDER_Y, SLIDER_Z = 0.04, 0.0, 0.55  # handle of the door when it is to the right
SLIDER_HALF = 0.02  # half the width of that handle
BUTTON_X, BUTTON_Y, BUTTON_Z = -0.12, -0.12, 0.485
SWITCH_X, SWITCH_Y = 0.30, -0.005  # below the switch when it is down

#: State entries by name (`STATE_NAMES`).
State = Mapping[str, float]


@dataclass(frozen=True)
class Waypoint:
    """Where the tool centre goes next [m], and how the hand is held there.

    `gripper` is 1 (open) or −1; `yaw` turns about z and `tilt` about x, from pointing down [rad]. The waypoint is done
    with within `tolerance` [m], or after `patience` steps, because something may stand in the way.
    """

    x: float
    y: float
    z: float
    gripper: float = CLOSED
    yaw: float = YAW
    tilt: float = TILT
    tolerance: float = 0.015
    patience: int = 25


Motion = tuple[Waypoint, ...]


def back_off(state: State) -> Motion:
    """Away from the cabinet, then up, to where every motion may start; nothing, if the hand is there already."""
    if state["tcp_y"] < FREE_Y and state["tcp_z"] > FREE_Z:
        return ()
    x, y, z, gripper = state["tcp_x"], min(state["tcp_y"], FREE_Y), state["tcp_z"], state["gripper_action"]
    return (Waypoint(x, y, z, gripper, tolerance=0.03), Waypoint(x, y, TRAVEL_Z, gripper, tolerance=0.03))


def move_drawer(state: State, goal: float) -> Motion:
    """Push the drawer in by the front of its handle, or pull it out from behind the handle, until it is at `goal`."""
    drawer = state["drawer"]
    if goal < drawer:
        start, end = DRAWER_FRONT_Y - drawer - 0.06, DRAWER_FRONT_Y - goal - FINGER
        away = end - 0.06
    else:
        start, end = DRAWER_GAP_Y - drawer, DRAWER_GAP_Y - goal - 0.02
        away = end + 0.02
    return (
        Waypoint(DRAWER_X, start, 0.47, OPEN if goal < drawer else CLOSED, tolerance=0.025),
        Waypoint(DRAWER_X, start, DRAWER_Z),
        Waypoint(DRAWER_X, end, DRAWER_Z),
        Waypoint(DRAWER_X, away, DRAWER_Z),
        Waypoint(DRAWER_X, away, TRAVEL_Z),
    )


def move_slider(state: State, goal: float) -> Motion:
    """Push the sliding door by the side of its handle until it is at `goal`."""
    slider = state["slider"]
    side = 1.0 if goal > slider else -1.0  # from the right to push left
    start = SLIDER_X - slider + side * (SLIDER_HALF + 0.05)
    end = SLIDER_X - goal + side * (SLIDER_HALF + FINGER)
    away = end + side * 0.03
    return (
        Waypoint(start, -0.15, TRAVEL_Z, OPEN, tolerance=0.03),
        Waypoint(start, SLIDER_Y, SLIDER_Z),
        Waypoint(end, SLIDER_Y, SLIDER_Z),
        Waypoint(away, -0.15, SLIDER_Z),
        Waypoint(away, TRAVEL_Y, TRAVEL_Z),
    )


def press_button(state: State) -> Motion:
    """Press the button, which toggles the LED."""
    del state  # it is always in the same place
    return (
        Waypoint(BUTTON_X, BUTTON_Y - 0.02, BUTTON_Z + 0.06, tolerance=0.02),
        Waypoint(BUTTON_X, BUTTON_Y, BUTTON_Z - 0.02),
        Waypoint(BUTTON_X, BUTTON_Y, BUTTON_Z + 0.08),
        Waypoint(BUTTON_X, TRAVEL_Y, TRAVEL_Z),
    )


def raise_switch(state: State) -> Motion:
    """Push the switch up from below, which lights the bulb. (Above it, to push it down, the arm does not reach.)"""
    del state
    return (
        Waypoint(SWITCH_X, -0.1, 0.5, tolerance=0.02),
        Waypoint(SWITCH_X, SWITCH_Y, 0.485),
        Waypoint(SWITCH_X, 0.045, 0.57, patience=15),
        Waypoint(SWITCH_X, -0.1, 0.55),
        Waypoint(SWITCH_X, TRAVEL_Y, TRAVEL_Z),
    )


def push_block(state: State, block: str, distance: float) -> Motion:
    """Push `block` along x by `distance` [m], to the right where it is positive; a shelved block is only aimed at."""
    x, y, z = (state[f"{block}_{axis}"] for axis in "xyz")
    start = x - np.sign(distance) * 0.09
    y = min(y, -0.03)
    return (
        Waypoint(start, y, TRAVEL_Z, tolerance=0.03),
        Waypoint(start, y, z + 0.005),
        Waypoint(start + np.sign(distance) * 0.05 + distance, y, z + 0.005),
        Waypoint(start, y, TRAVEL_Z, tolerance=0.03),
    )


def grasp_block(state: State, block: str, height: float) -> Motion:
    """Take `block`, lift it by `height` [m] and let it go there; a shelved block is only aimed at."""
    x, y, z = (state[f"{block}_{axis}"] for axis in "xyz")
    y, yaw = min(y, -0.03), state[f"{block}_yaw"]
    return (
        Waypoint(x, y, TRAVEL_Z, OPEN, yaw, tolerance=0.03),
        Waypoint(x, y, z, OPEN, yaw),
        Waypoint(x, y, z, CLOSED, yaw, tolerance=0.0, patience=6),  # closing takes time
        Waypoint(x, y, z + height, CLOSED, yaw),
        Waypoint(x, y, z + height, OPEN, yaw, tolerance=0.0, patience=4),
        Waypoint(x, y, TRAVEL_Z, OPEN, yaw, tolerance=0.03),
    )


@dataclass(frozen=True)
class Expert:
    """The motion that does a task, and whether the state says that it is done."""

    motion: Callable[[State], Motion]
    done: Callable[[State], bool]


#: Experts by task. The other tasks of `clam_core.envs.calvin_tasks` have a play operator only.
EXPERTS: dict[str, Expert] = {
    "close-drawer": Expert(lambda state: move_drawer(state, 0.0), lambda state: state["drawer"] < 0.03),
    "open-drawer": Expert(lambda state: move_drawer(state, DRAWER_OPEN), lambda state: state["drawer"] > 0.18),
    "slider-left": Expert(lambda state: move_slider(state, SLIDER_LEFT), lambda state: state["slider"] > 0.24),
    "slider-right": Expert(lambda state: move_slider(state, 0.0), lambda state: state["slider"] < 0.04),
    "turn-on-led": Expert(press_button, lambda state: state["led"] == 1.0),
    "turn-off-led": Expert(press_button, lambda state: state["led"] == 0.0),
    "turn-on-lightbulb": Expert(raise_switch, lambda state: state["lightbulb"] == 1.0),
}
