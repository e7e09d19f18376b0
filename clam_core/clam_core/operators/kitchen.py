"""Scripted operators of the toy kitchen: waypoints followed with the recipe of the kind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_spec import ACTION, STATE_NAMES
from clam_core.envs.kitchen_tasks import READY, task_name
from clam_core.errors import ClamError
from clam_core.operators.base import RECIPES, Recipe, check_kind, operator_rng
from clam_core.operators.kitchen_kinematics import joints_for
from clam_core.operators.kitchen_motions import EXPERTS, Motion, State, Waypoint
from clam_core.operators.kitchen_play import play_motion
from clam_core.operators.waypoints import WaypointFollower
from clam_core.spec import Observation

SLOWEST, FASTEST = 0.02, 0.04  # how far one action moves the hand [m]; one pace per episode
NOISE = 0.1  # of every arm joint where the recipe says 1 [rad]: what an unhurried action moves it by
#: Random actions lie this far around the ready pose [rad]: the joints' whole range would sweep the kitchen off.
RANDOM_SPREAD = (0.7, 0.4, 0.4, 0.6, 0.6, 1.5)


class KitchenOperator:
    """Scripted operator of one task; it reads the state entries of `clam_core.envs.kitchen_spec`."""

    def __init__(self, task: str, kind: str) -> None:
        self._task, self._kind = task_name(task), check_kind(kind)
        self.recipe: Recipe = RECIPES[kind]
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Operator.reset`."""
        self._rng = operator_rng(seed, self._kind)
        self._noise = NOISE * self._rng.uniform(self.recipe.noise_low, self.recipe.noise_high)
        self._segment_probability = self._rng.choice(self.recipe.segment_probabilities)
        self._pace = float(self._rng.uniform(SLOWEST, FASTEST))
        self._held: npt.NDArray[np.float64] | None = None
        self._start: State | None = None
        self._follower = WaypointFollower(self._new_motion, _distance, _here)
        self._step = 0

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """See `Operator.act`.

        Raises:
            ClamError: the state does not have the kitchen's entries.
        """
        values = np.asarray(observation["state"], dtype=np.float64)
        if values.shape != (len(STATE_NAMES),):
            raise ClamError(f"state of shape {values.shape}; a kitchen operator reads {len(STATE_NAMES)} entries")
        state = dict(zip(STATE_NAMES, values.tolist(), strict=True))
        self._start = self._start or state
        if self._step % self.recipe.segment_length == 0:
            random_segment = self._rng.random() < self._segment_probability
            self._held = self._random_action() if random_segment else None
        self._step += 1
        noise = self._noise * np.append(self._rng.standard_normal(len(READY)), 0.0)
        if self._held is not None:
            self._follower.restart()  # afterwards the hand is somewhere else
            return self._held.copy()
        return ACTION.clip(steer(state, self._follower.towards(state), self._pace) + noise)

    def _random_action(self) -> npt.NDArray[np.float64]:
        arm = np.array(READY) + self._rng.uniform(-1.0, 1.0, len(READY)) * RANDOM_SPREAD
        return ACTION.clip(np.append(arm, self._rng.uniform(ACTION.low[-1], ACTION.high[-1])))

    def _new_motion(self, state: State) -> Motion:
        """What comes after the last motion; nothing for an expert whose task is done."""
        if self._kind == "play":
            return play_motion(self._task, state, self.recipe.goal_offset, self._rng)
        expert = EXPERTS[self._task]
        return expert.afterwards(state) if expert.done(self._start or state, state) else expert.motion(state)


def steer(state: State, goal: Waypoint, pace: float) -> npt.NDArray[np.float64]:
    """Action ``(7,)`` towards `goal` that moves the hand by up to `pace` [m]."""
    offset = _offset(state, goal)
    reach = offset * min(1.0, pace / max(float(np.linalg.norm(offset)), 1e-9))
    x, y, z = (_hand(state) + reach).tolist()
    return np.append(joints_for(x, y, z, goal.yaw), goal.gap)


def _hand(state: State) -> npt.NDArray[np.float64]:
    return np.array([state[f"end_effector_{axis}"] for axis in "xyz"])


def _offset(state: State, goal: Waypoint) -> npt.NDArray[np.float64]:
    return np.array([goal.x, goal.y, goal.z]) - _hand(state)


def _distance(state: State, goal: Waypoint) -> float:
    return float(np.linalg.norm(_offset(state, goal)))


def _here(state: State) -> Waypoint:
    x, y, z = _hand(state).tolist()
    return Waypoint(x, y, z, state["gripper"])
