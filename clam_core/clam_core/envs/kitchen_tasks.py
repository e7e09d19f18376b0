"""The four tasks of Appendix F: what a random start looks like, and what counts as success and partial success.

Success scores 1, partial success ½. Appendix F gives the rules in words, which stand above each rule; the distances
are ours. The score of an episode is the best of its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError, did_you_mean

Vector = npt.NDArray[np.float64]

HOVER_RADIUS = 0.025  # of the end effector about the block, horizontally [m]
HOVER_LOW, HOVER_HIGH = 0.04, 0.12  # of the end effector over the block's middle [m]; fingertips are 0.02 lower
HOVER_SPEED = 0.08  # slower counts as hovering [m/s]
PRESSED = 0.004  # travel of a button that is pressed [m]; it has 0.006
IN_RANGE = 0.04  # from a fingertip to the button [m]
CLOSED = 0.03  # the microwave's door clicks [rad]
PUSHED = 0.05  # the door has moved towards closed [rad]
PICKED_UP = 0.04  # the block is over where it stood [m]
IN_POT, POT_RIM = 0.04, 0.05  # the block's middle from the pot's axis, and over its floor [m]
SLID = 0.05  # the pot has moved to the right [m]

#: The arm, ready over the table with its fingers pointing down [rad], and how far it may start from there.
READY = (0.0, -0.30, 0.12, 0.0, 1.75, 0.0)
READY_SPREAD = (0.25, 0.1, 0.1, 0.05, 0.1, 0.2)
READY_GAP = (0.035, 0.07)  # [m]

BLOCK_LOW, BLOCK_HIGH = (0.285, -0.215), (0.295, -0.06)  # on the counter, before the stove [m]
BLOCK_YAW = 0.3  # each way [rad]
POT_LOW, POT_HIGH = (0.395, -0.05), (0.41, -0.03)  # on the stove [m]
DOOR_LOW, DOOR_HIGH = 0.5, 1.2  # of an open door [rad]
#: Where distractors may stand, each in a place of its own: on what, and from where to where [m].
DISTRACTOR_PLACES = (
    ("table_top", (0.08, -0.32), (0.20, -0.22)),
    ("table_top", (0.08, 0.30), (0.20, 0.36)),
    ("microwave_box", (0.38, 0.09), (0.44, 0.17)),
)


@dataclass(frozen=True)
class Place:
    """Where a thing stands: on the shape `on`, at `x`, `y` [m] in world, turned by `yaw` [rad]."""

    on: str
    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Layout:
    """How an episode starts: arm [rad] and gap [m], block and distractors, pot (x, y) [m] and door [rad]."""

    arm: tuple[float, ...]
    gap: float
    block: Place
    distractors: tuple[Place, ...]
    pot: tuple[float, float]
    door: float


@dataclass(frozen=True)
class Situation:
    """What the rules look at. Positions ``(3,)`` in world [m].

    `speed` is the end effector's [m/s]; `touches_block` whether a finger does; `button_travel` how far the button is
    pressed and `button_distance` how far the nearest fingertip is from its top [m]; `door` is the door's angle [rad].
    """

    end_effector: Vector
    speed: float
    block: Vector
    touches_block: bool
    pot: Vector
    button_travel: float
    button_distance: float
    door: float


def reach_block(now: Situation, start: Situation) -> float:
    """Success: the gripper is above the block, and hovers. Partial: it touches the block."""
    del start
    if now.touches_block:
        return 0.5
    offset = now.end_effector - now.block
    above = float(np.hypot(*offset[:2])) < HOVER_RADIUS and HOVER_LOW < offset[2] < HOVER_HIGH
    return float(above and now.speed < HOVER_SPEED)


def push_button(now: Situation, start: Situation) -> float:
    """Success: the stove's right button is pressed. Partial: a finger is within range, but does not press it."""
    del start
    return 1.0 if now.button_travel >= PRESSED else 0.5 * (now.button_distance < IN_RANGE)


def close_microwave(now: Situation, start: Situation) -> float:
    """Success: the door is closed, with a click. Partial: it was pushed, but is not closed."""
    return 1.0 if now.door < CLOSED else 0.5 * (start.door - now.door > PUSHED)


def put_block_in_pot_and_slide_right(now: Situation, start: Situation) -> float:
    """Success: the block is in the pot, and the pot was slid right. Partial: the block was picked up."""
    slid = start.pot[1] - now.pot[1] > SLID
    if is_in_pot(now.block, now.pot) and slid:
        return 1.0
    return 0.5 * bool(now.block[2] - start.block[2] > PICKED_UP)


def is_in_pot(block: Vector, pot: Vector) -> bool:
    """Whether the middle of the block ``(3,)`` is inside the pot whose floor is at `pot` ``(3,)``."""
    offset = block - pot
    return bool(np.hypot(*offset[:2]) < IN_POT and 0.0 < offset[2] < POT_RIM)


#: Score of a situation by task: 0, ½ or 1.
RULES: dict[str, Callable[[Situation, Situation], float]] = {
    "reach-block": reach_block,
    "push-button": push_button,
    "close-microwave": close_microwave,
    "put-block-in-pot-and-slide-right": put_block_in_pot_and_slide_right,
}


def task_names() -> tuple[str, ...]:
    """The four tasks."""
    return tuple(RULES)


def task_name(task: str) -> str:
    """`task`, if it is one; underscores are taken for hyphens.

    Raises:
        ClamError: no such task; the line names the nearest one.
    """
    name = task.replace("_", "-")
    if name not in RULES:
        raise ClamError(f"unknown kitchen task '{task}', {did_you_mean(name, RULES)}")
    return name


def sample_layout(task: str, rng: np.random.Generator) -> Layout:
    """A random start of `task`, its canonical name. The door is open where it is to be closed."""
    arm = np.array(READY) + rng.uniform(-1.0, 1.0, len(READY)) * READY_SPREAD
    gap = rng.uniform(*READY_GAP)
    block = _place("counter_box", BLOCK_LOW, BLOCK_HIGH, BLOCK_YAW, rng)
    pot_x, pot_y = rng.uniform(POT_LOW, POT_HIGH).tolist()
    door = rng.uniform(DOOR_LOW, DOOR_HIGH)
    places = [DISTRACTOR_PLACES[i] for i in rng.permutation(len(DISTRACTOR_PLACES))]
    return Layout(
        arm=tuple(arm.tolist()),
        gap=gap,
        block=block,
        distractors=tuple(_place(*place, np.pi, rng) for place in places),
        pot=(pot_x, pot_y),
        door=door if task == "close-microwave" else 0.0,
    )


def _place(on: str, low: tuple[float, float], high: tuple[float, float], yaw: float, rng: np.random.Generator) -> Place:
    x, y = rng.uniform(low, high).tolist()
    return Place(on, x, y, rng.uniform(-yaw, yaw))
