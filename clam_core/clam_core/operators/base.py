"""What a scripted operator is, and the recipes that give datasets their mix of skill."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import Observation

KINDS = ("expert", "mixed", "play", "random")


class Operator(Protocol):
    """Drives an environment or a robot from observations alone, so it works through ROS messages as well."""

    @property
    def recipe(self) -> Recipe:
        """How it departs from an expert."""

    def reset(self, seed: int) -> None:
        """Forget the episode; what comes next depends on `seed`, the kind and the observations only."""

    def act(self, observation: Observation) -> npt.NDArray[np.float64]:
        """Action ``(A,)`` within the limits."""


@dataclass(frozen=True)
class Recipe:
    """How an operator of one kind departs from its expert.

    Per episode, the standard deviation of Gaussian noise on every action is drawn from U(`noise_low`,
    `noise_high`) and a probability from `segment_probabilities`; each segment of `segment_length` steps is,
    with that probability, one random action held. Actions are in units of the action limits. The goal, and the
    object, that the policy sees are displaced by U(−`goal_offset`, `goal_offset`), and `object_offset` [m].
    """

    noise_low: float = 0.0
    noise_high: float = 0.0
    segment_probabilities: tuple[float, ...] = (0.0,)
    segment_length: int = 5
    goal_offset: float = 0.0
    object_offset: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the provenance of a dataset."""
        return {**asdict(self), "segment_probabilities": list(self.segment_probabilities)}


#: Expert with a person's unsteadiness, without which imitators never see how to recover; all skill levels;
#: task-agnostic play (failures only); and random actions, each held for a segment.
RECIPES: dict[str, Recipe] = {
    "expert": Recipe(0.0, 0.15),
    "mixed": Recipe(0.0, 1.0, (0.0, 0.3, 0.7, 1.0)),
    "play": Recipe(0.1, 0.6, (0.1, 0.3, 0.5), goal_offset=0.15),
    "random": Recipe(1.0, 1.0, (1.0,)),
}


def check_kind(kind: str) -> str:
    """`kind`, if it is one of `KINDS`.

    Raises:
        ClamError: it is not.
    """
    if kind not in KINDS:
        raise ClamError(f"unknown kind '{kind}', {did_you_mean(kind, KINDS)}")
    return kind


def keep_episode(kind: str, success: bool) -> bool:
    """Whether an episode belongs into a dataset of `kind`: expert successes, mixed all, the others failures."""
    check_kind(kind)
    return True if kind == "mixed" else success == (kind == "expert")


def operator_rng(seed: int, kind: str) -> np.random.Generator:
    """The operator's own random numbers: they depend on `seed` and `kind` and on nothing else."""
    return np.random.default_rng([int(seed), KINDS.index(kind)])
