"""Play in the toy kitchen: one motion after another that touches things; what the task asks for is left unfinished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from clam_core.operators.kitchen_motions import (
    CLOSED,
    OPEN,
    TRAVEL_Z,
    Motion,
    State,
    Waypoint,
    grasp_block,
    press_button,
    push_block,
    push_door,
    put_block,
    rise,
    slide_pot,
)

BESIDE = (0.03, 0.05)  # how far the task's own button is missed [m]
SHORT_OF = (0.15, 0.6)  # how far the task's own door is left open [rad]
CLUMSY = 0.2  # probability of a motion with the gripper as it should not be
MISS = 0.1  # of the recipe's offset, which is made for larger tables
_ROAM_LOW, _ROAM_HIGH = (0.16, -0.22, 0.15), (0.28, 0.15, 0.27)
_DROP_LOW, _DROP_HIGH = (0.285, -0.20), (0.295, -0.06)  # on the counter, before the stove


def play_motion(task: str, state: State, goal_offset: float, rng: np.random.Generator) -> Motion:
    """What to do next in an episode of `task` (its canonical name); half of the motions miss by a little."""
    choices: dict[str, Callable[[], Motion]] = {
        "block": lambda: _touch_block(task, state, rng),
        "button": lambda: press_button(state, float(rng.uniform(*BESIDE)) if task == "push-button" else 0.0),
        "pot": lambda: slide_pot(state, float(rng.choice((-1.0, 1.0)) * rng.uniform(0.0, 0.04))),
        "microwave": lambda: _push_door(task, state, rng),
        "roam": lambda: _roam(rng),
    }
    motion = choices[str(rng.choice(list(choices)))]()
    miss = MISS * rng.uniform(-goal_offset, goal_offset, 2) * rng.integers(2)
    swap = rng.random() < CLUMSY
    return rise(state) + tuple(
        replace(w, x=w.x + miss[0], y=w.y + miss[1], gap=OPEN + CLOSED - w.gap if swap else w.gap) for w in motion
    )


def _touch_block(task: str, state: State, rng: np.random.Generator) -> Motion:
    """Push it from the side, or, where hovering over it is not the task, put it elsewhere on the counter."""
    if task == "reach-block" or rng.integers(2):
        return push_block(state, float(rng.choice((-1.0, 1.0)) * rng.uniform(0.0, 0.06)))
    x, y = rng.uniform(_DROP_LOW, _DROP_HIGH).tolist()
    return grasp_block(state, 0.08) + put_block(x, y, 0.11)


def _push_door(task: str, state: State, rng: np.random.Generator) -> Motion:
    short = float(rng.uniform(*SHORT_OF))
    return push_door(state, max(short, state["microwave_door"] - 0.4) if task == "close-microwave" else 0.0)


def _roam(rng: np.random.Generator) -> Motion:
    """Through the air, opening and closing."""
    places = rng.uniform(_ROAM_LOW, _ROAM_HIGH, (3, 3)).tolist()
    return tuple(
        Waypoint(x, y, max(z, TRAVEL_Z) if x > 0.24 else z, float(rng.choice((OPEN, CLOSED))), tolerance=0.04)
        for x, y, z in places
    )
