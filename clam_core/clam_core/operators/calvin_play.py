"""Play at CALVIN's table: one clumsy motion after another, none of which is meant to solve the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from clam_core.envs.calvin_spec import BLOCKS
from clam_core.envs.calvin_tasks import DRAWER_OPEN, SLIDER_LEFT
from clam_core.operators.calvin_motions import (
    CLOSED,
    OPEN,
    Motion,
    State,
    Waypoint,
    grasp_block,
    move_drawer,
    move_slider,
    press_button,
    push_block,
    raise_switch,
)

SHORT_OF = 0.04  # how far a task's own door or drawer is moved [m]; the oracle asks for 0.12 or more
POKE = 0.04  # how far a task's own block is pushed or lifted [m]; the oracle asks for 0.05 or more
YAW_SPREAD, TILT_SPREAD = 0.5, 0.15  # uniform, each way [rad]
BESIDE = {"led": 0.12, "lightbulb": -0.12}  # where a task's own button or switch is missed, along x [m]
CLUMSY = 0.3  # probability of a motion with the gripper in the other state
_ROAM_LOW, _ROAM_HIGH = (-0.1, -0.3, 0.5), (0.3, -0.1, 0.65)  # where nothing is touched [m]


def play_motion(task: str, start: State, state: State, goal_offset: float, rng: np.random.Generator) -> Motion:
    """What to do next in an episode of `task` (its canonical name) that began in `start`.

    Motions that do not concern the task miss their goal by up to `goal_offset` [m] along x, half of the time.
    """
    choices: dict[str, Callable[[], Motion]] = {
        "drawer": lambda: move_drawer(state, _door_goal("drawer", DRAWER_OPEN, task, start, rng)),
        "slider": lambda: move_slider(state, _door_goal("slider", SLIDER_LEFT, task, start, rng)),
        "led": lambda: press_button(state),
        "lightbulb": lambda: raise_switch(state),
        "block": lambda: _touch_block(task, state, rng),
        "roam": lambda: _roam(rng),
    }
    thing = str(rng.choice(list(choices)))
    offset = float(rng.uniform(-goal_offset, goal_offset) * rng.integers(2))
    if thing in task.split("-"):
        offset = BESIDE.get(thing, 0.0)
    yaw, tilt = rng.uniform(-YAW_SPREAD, YAW_SPREAD), rng.uniform(-TILT_SPREAD, TILT_SPREAD)
    grip = -1.0 if rng.random() < CLUMSY else 1.0
    return tuple(
        replace(w, x=w.x + offset, yaw=w.yaw + yaw, tilt=w.tilt + tilt, gripper=grip * w.gripper)
        for w in choices[thing]()
    )


def _door_goal(door: str, travel: float, task: str, start: State, rng: np.random.Generator) -> float:
    """Anywhere, or near where it was if this door is what the task is about."""
    low, high = (start[door] - SHORT_OF, start[door] + SHORT_OF) if door in task else (0.0, travel)
    return float(np.clip(rng.uniform(low, high), 0.0, travel))


def _touch_block(task: str, state: State, rng: np.random.Generator) -> Motion:
    block = str(rng.choice(BLOCKS))
    own = block.replace("_", "-") in task
    if rng.integers(2):
        return grasp_block(state, block, POKE if own else 0.12)
    return push_block(state, block, float(rng.choice((-1.0, 1.0))) * (POKE if own else rng.uniform(0.03, 0.15)))


def _roam(rng: np.random.Generator) -> Motion:
    """Through the air, opening and closing."""
    places = rng.uniform(_ROAM_LOW, _ROAM_HIGH, (3, 3)).tolist()
    return tuple(Waypoint(x, y, z, float(rng.choice((OPEN, CLOSED))), tolerance=0.03) for x, y, z in places)
