"""Scripted operators of CALVIN: waypoints followed with the recipe of the kind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clam_core.envs.calvin_spec import ACTION, ANGLE_STEP, POSITION_STEP, STATE_NAMES, binarize_gripper
from clam_core.envs.calvin_tasks import task_name
from clam_core.errors import ClamError
from clam_core.operators.base import RECIPES, Recipe, check_kind, operator_rng
from clam_core.operators.calvin_motions import EXPERTS, Motion, State, Waypoint, back_off
from clam_core.operators.calvin_play import play_motion
from clam_core.operators.waypoints import WaypointFollower
from clam_core.spec import Observation

GAIN = 0.5  # of the way to a waypoint that one action asks for; the arm follows with a lag of a few steps
LEASH = 0.06  # how far the commanded pose may run ahead of the hand [m]: CALVIN itself lets it run without end
SLOWEST, FASTEST = 0.5, 1.0  # largest entry of an action without noise; one pace per episode

_IS_MOTION = np.array([name != "gripper" for name in ACTION.names], dtype=np.float64)


class CalvinOperator:
    """Scripted operator of one task; it reads the 39 state entries of `clam_core.envs.calvin_spec`."""

    def __init__(self, task: str, kind: str) -> None:
        self._task, self._kind = task_name(task), check_kind(kind)
        if kind != "play" and self._task not in EXPERTS:
            raise ClamError(
                f"CALVIN task '{self._task}' has a play operator only; with an expert: {', '.join(EXPERTS)}"
            )
        self.recipe: Recipe = RECIPES[kind]
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Operator.reset`."""
        self._rng = operator_rng(seed, self._kind)
        self._noise = self._rng.uniform(self.recipe.noise_low, self.recipe.noise_high)
        self._segment_probability = self._rng.choice(self.recipe.segment_probabilities)
        self._pace = self._rng.uniform(SLOWEST, FASTEST)
        self._held: npt.NDArray[np.float64] | None = None
        self._start: State | None = None
        self._target = np.zeros(3)  # where the actions so far have sent the hand [m]
        self._follower = WaypointFollower(self._new_motion, _distance, _here)
        self._step = 0

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """See `Operator.act`.

        Raises:
            ClamError: the state does not have CALVIN's 39 entries.
        """
        values = np.asarray(observation["state"], dtype=np.float64)
        if values.shape != (len(STATE_NAMES),):
            raise ClamError(f"state of shape {values.shape}; a CALVIN operator reads {len(STATE_NAMES)} entries")
        state = dict(zip(STATE_NAMES, values.tolist(), strict=True))
        if self._start is None:
            self._start, self._target = state, _hand(state)
        if self._step % self.recipe.segment_length == 0:
            random_segment = self._rng.random() < self._segment_probability
            self._held = self._rng.uniform(ACTION.low, ACTION.high) if random_segment else None
        self._step += 1
        noise = self._noise * self._rng.standard_normal(len(ACTION.names)) * _IS_MOTION
        if self._held is None:
            action = ACTION.clip(steer(state, self._follower.towards(state), self._pace) + noise)
            action[:3] = self._keep_near(state, action[:3])
        else:
            action = self._held
        self._target += POSITION_STEP * action[:3]
        return binarize_gripper(action)

    def _keep_near(self, state: State, move: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """`move` ``(3,)``, less what would pull the commanded pose further than `LEASH` from the hand."""
        lead = self._target - _hand(state)
        return np.clip(move, *np.clip((np.array([[-LEASH], [LEASH]]) - lead) / POSITION_STEP, -1.0, 1.0))

    def _new_motion(self, state: State) -> Motion:
        """What comes after the last motion; nothing for an expert whose task is done."""
        if self._kind == "play":
            return back_off(state) + play_motion(
                self._task, self._start or state, state, self.recipe.goal_offset, self._rng
            )
        expert = EXPERTS[self._task]
        return () if expert.done(state) else back_off(state) + expert.motion(state)


def steer(state: State, goal: Waypoint, pace: float) -> npt.NDArray[np.float64]:
    """Action ``(7,)`` towards `goal`: no entry that moves the hand is larger than `pace`."""
    move = GAIN * _offset(state, goal) / POSITION_STEP
    now = np.array([state["tcp_roll"], state["tcp_pitch"], state["tcp_yaw"]])
    angle = np.array([np.pi + goal.tilt, 0.0, goal.yaw]) - now
    turn = GAIN * ((angle + np.pi) % (2.0 * np.pi) - np.pi) / ANGLE_STEP
    move *= pace / max(pace, float(np.abs(move).max()))
    turn *= pace / max(pace, float(np.abs(turn).max()))
    return np.concatenate([move, turn, [goal.gripper]])


def _hand(state: State) -> npt.NDArray[np.float64]:
    return np.array([state["tcp_x"], state["tcp_y"], state["tcp_z"]])


def _offset(state: State, goal: Waypoint) -> npt.NDArray[np.float64]:
    return np.array([goal.x, goal.y, goal.z]) - _hand(state)


def _distance(state: State, goal: Waypoint) -> float:
    return float(np.linalg.norm(_offset(state, goal)))


def _here(state: State) -> Waypoint:
    return Waypoint(state["tcp_x"], state["tcp_y"], state["tcp_z"], state["gripper_action"])
