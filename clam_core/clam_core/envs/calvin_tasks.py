"""CALVIN's tasks: their names, and the states in which they start.

A task is a change of the scene between the start and a later step, as `calvin_env.envs.tasks` and
``conf/tasks/new_playtable_tasks.yaml`` define it. Reset's own default leaves the drawer closed and the slider at
random, so most tasks would be impossible or already done: each starts here in a state like those of the benchmark's
evaluation (``get_env_state_for_initial_condition`` in mees/calvin).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.envs.calvin_spec import BLOCKS, ROBOT_NAMES, SCENE_NAMES
from clam_core.errors import ClamError, did_you_mean

SLIDER_LEFT, DRAWER_OPEN, SWITCH_UP = 0.28, 0.22, 0.088  # ends of travel [m]; the other ends are 0

#: Joint angles of scene D's robot at rest [rad], gripper open [m] and commanded open.
REST_JOINTS = (-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866)
GRIPPER_OPEN = 0.08
JOINT_NOISE = 0.05  # uniform, each way [rad]: about 3 cm at the fingers

_TABLE_LOW, _TABLE_HIGH = np.array([0.0, -0.15]), np.array([0.35, -0.03])  # surface "table" of scene D [m]
_SHELVES = np.array([(-0.24085, 0.0924), (0.07034, 0.0924)])  # in the cabinet, left and right [m]
_HEIGHT = 0.46  # of a block that lies on either [m]
_SPACING = 0.11  # of the blocks' centres on the table [m]: the widest is 9 cm long
_YAW, _YAW_NOISE = np.pi / 2, np.pi / 8  # as in the benchmark's evaluation [rad]

_SLIDER_LEFT = {"slider-left": "move_slider_left", "slider-right": "move_slider_right"}

#: Start of each task: scene entries that it fixes, and the block that must lie on the table.
_STARTS: dict[str, tuple[dict[str, float], str | None]] = {
    "close-drawer": ({"drawer": DRAWER_OPEN}, None),
    "open-drawer": ({"drawer": 0.0}, None),
    "slider-left": ({"slider": 0.0}, None),
    "slider-right": ({"slider": SLIDER_LEFT}, None),
    "turn-on-lightbulb": ({"lightbulb": 0.0}, None),
    "turn-off-lightbulb": ({"lightbulb": 1.0}, None),
    "turn-on-led": ({"led": 0.0}, None),
    "turn-off-led": ({"led": 1.0}, None),
    **{
        f"{verb}-{block.replace('_', '-')}-{end}": ({}, block)
        for block in BLOCKS
        for verb, end in (
            ("push", "left"),
            ("push", "right"),
            ("rotate", "left"),
            ("rotate", "right"),
            ("lift", "table"),
        )
    },
}


@dataclass(frozen=True)
class Layout:
    """A start state: ``robot`` ``(15,)``, of which a reset uses joints and gripper width, and ``scene`` ``(24,)``."""

    robot: npt.NDArray[np.float64]
    scene: npt.NDArray[np.float64]


def task_names() -> tuple[str, ...]:
    """Tasks that can be started."""
    return tuple(_STARTS)


def hyphenated(task: str) -> str:
    """`task` as this project writes it: ``slider-left`` for ``move_slider_left`` and ``slide-left``."""
    name = task.lower().replace("_", "-").removeprefix("move-")
    return name.replace("slide-", "slider-", 1) if name.startswith("slide-") else name


def task_name(task: str) -> str:
    """Canonical name of `task`.

    Raises:
        ClamError: no such task, or none that a reset can start; the line names the nearest one.
    """
    name = hyphenated(task)
    if name not in _STARTS:
        raise ClamError(f"no start state for CALVIN task '{task}', {did_you_mean(name, _STARTS)}")
    return name


def oracle_name(task: str) -> str:
    """Name of `task` in CALVIN's task oracle and language annotations: ``move_slider_left`` for ``slider-left``."""
    name = hyphenated(task)
    return _SLIDER_LEFT.get(name, name.replace("-", "_"))


def sample_layout(task: str, rng: np.random.Generator) -> Layout:
    """A start of `task` (its canonical name): what the task leaves open is drawn from `rng`."""
    fixed, on_table = _STARTS[task]
    robot = dict.fromkeys(ROBOT_NAMES, 0.0)
    joints = np.asarray(REST_JOINTS) + rng.uniform(-JOINT_NOISE, JOINT_NOISE, len(REST_JOINTS))
    robot |= {f"joint{i}": angle for i, angle in enumerate(joints)}
    robot |= {"gripper_width": GRIPPER_OPEN, "gripper_action": 1.0}
    scene = dict.fromkeys(SCENE_NAMES, 0.0)
    scene["slider"] = SLIDER_LEFT * rng.integers(2)
    scene["drawer"] = DRAWER_OPEN * rng.integers(2)
    scene["lightbulb"], scene["led"] = float(rng.integers(2)), float(rng.integers(2))
    scene |= fixed
    scene["switch"] = SWITCH_UP * scene["lightbulb"]
    for block, (x, y) in zip(BLOCKS, _block_places(on_table, rng), strict=True):
        scene |= {f"{block}_x": x, f"{block}_y": y, f"{block}_z": _HEIGHT}
        scene[f"{block}_yaw"] = _YAW + rng.uniform(-_YAW_NOISE, _YAW_NOISE)
    return Layout(np.array(list(robot.values())), np.array(list(scene.values())))


def _block_places(on_table: str | None, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Centres of red, blue and pink block [m]: on the table or in the cabinet, none near another."""
    shelved = np.flatnonzero([block != on_table and rng.random() < 0.5 for block in BLOCKS])[: len(_SHELVES)]
    shelves = rng.permutation(_SHELVES)[: len(shelved)]
    while True:  # all anew, because two blocks can leave no room for a third
        spots = rng.uniform(_TABLE_LOW, _TABLE_HIGH, (len(BLOCKS), 2))
        spots[shelved] = shelves
        if min(np.hypot(*(a - b)) for a, b in itertools.combinations(spots, 2)) > _SPACING:
            return [(float(x), float(y)) for x, y in spots]
