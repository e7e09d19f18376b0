"""One layout, executed in one way: an episode, and its twin in which the block is moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from clam_core.bench.execution.moved import Movable, MovedBlock, departure
from clam_core.bench.execution.smoothness import mean_squared_jerk
from clam_core.envs import Environment
from clam_core.errors import ClamError
from clam_core.evaluation.rollout import Agent, Rollout, rollout
from clam_core.spec import Observation

Vector = npt.NDArray[np.float64]

DEPARTED = 0.01  # [m] from its undisturbed twin the commanded end effector has reacted


@dataclass(frozen=True)
class Arm:
    """Which entries of an action and of a state are joint positions [rad], and where such put the end effector."""

    commanded: list[int]
    measured: list[int]
    place: Callable[[Vector], Vector]  # (J,) → (3,) [m]


@dataclass(frozen=True)
class Move:
    """The block is moved by `offset` of the observation ``(2,)`` [m] after `step` actions."""

    step: int
    offset: Callable[[Observation], Vector]


@dataclass(frozen=True)
class Reaction:
    """What the moved block did.

    Attributes:
        step: observation that was the first to show it.
        refusal: why it could not be moved, or None; then the rest says nothing.
        seconds: from that observation to the first command that departs, 0 if it is that observation's own; None if
            none did.
        towards: whether that command lies on the side, as seen from its twin, that the block went to.
        recovered: whether a step after the move was a success.
    """

    step: int
    refusal: str | None = None
    seconds: float | None = None
    towards: bool = False
    recovered: bool = False


@dataclass(frozen=True)
class Trial:
    """What `way` did on the layout of `seed`; jerks are mean squares [rad²/s⁶]; `reaction` None: nothing was moved."""

    way: str
    seed: int
    success: bool
    score: float
    commanded_jerk: float
    measured_jerk: float
    reaction: Reaction | None


class Remembering:
    """`policy`, whose observed states ``(D,)`` of this episode are kept."""

    def __init__(self, policy: Agent) -> None:
        self._policy = policy
        self.states: list[Vector] = []

    def reset(self) -> None:
        """See `Agent`."""
        self.states = []
        self._policy.reset()

    def act(self, observation: Observation) -> Vector:
        """See `Agent`."""
        self.states.append(np.array(observation["state"], dtype=np.float64))
        return self._policy.act(observation)


def run_trial(way: str, seed: int, env: Environment, policy: Agent, arm: Arm, move: Move | None) -> Trial:
    """Roll out once, and once more with `move` unless that is None.

    Raises:
        ClamError: the two episodes differ before the move.
    """
    remembering = Remembering(policy)
    plain = rollout(env, remembering, seed)
    rate = env.spec.rate
    return Trial(
        way,
        seed,
        plain.success,
        plain.best_reward,
        mean_squared_jerk(plain.actions[:, arm.commanded], rate),
        mean_squared_jerk(np.stack(remembering.states)[:, arm.measured], rate),
        None if move is None else _reaction(plain, cast(Movable, env), policy, arm, move),
    )


def _reaction(plain: Rollout, env: Movable, policy: Agent, arm: Arm, move: Move) -> Reaction:
    moved = MovedBlock(env, move.step, move.offset)
    twin = rollout(moved, policy, plain.seed)
    if not np.array_equal(twin.actions[: move.step], plain.actions[: move.step]):
        raise ClamError(
            f"two rollouts of layout {plain.seed} differ before anything was moved, so a reaction cannot be told from "
            "chance: this device's inference does not repeat itself, use --device cpu"
        )
    if moved.offset is None:
        return Reaction(move.step, refusal=moved.refusal)
    commanded, undisturbed = (_places(actions, arm) for actions in (twin.actions, plain.actions))
    recovered = bool(twin.successes[move.step :].any())
    departed = departure(commanded, undisturbed, move.step, DEPARTED)
    if departed is None:
        return Reaction(move.step, recovered=recovered)
    side = (commanded[departed] - undisturbed[departed])[:2] @ moved.offset
    return Reaction(move.step, None, (departed - move.step) / env.spec.rate, bool(side > 0), recovered)


def _places(actions: Vector, arm: Arm) -> Vector:
    """Where the actions ``(T, A)`` would put the end effector ``(T, 3)`` [m]."""
    return np.stack([arm.place(action[arm.commanded]) for action in actions])
