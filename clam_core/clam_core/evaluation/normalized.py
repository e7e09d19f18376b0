"""Returns between a random and an expert agent's, as D4RL defines them (Fu et al., 2020; Appendix E)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clam_core.errors import ClamError
from clam_core.evaluation.statistics import bootstrap_mean


@dataclass(frozen=True)
class ReferenceScores:
    """Returns of an episode of a random and of an expert agent."""

    random: float
    expert: float

    def normalize(self, value: float) -> float:
        """0 for the random agent's return, 100 for the expert's."""
        return 100.0 * (value - self.random) / (self.expert - self.random)


#: D4RL's, by the name of the Gymnasium task without its version.
REFERENCES = {
    "HalfCheetah": ReferenceScores(-280.178953, 12135.0),
    "Hopper": ReferenceScores(-20.272305, 3234.3),
    "Walker2d": ReferenceScores(1.629008, 4592.3),
    "Ant": ReferenceScores(-325.6, 3879.7),
}


@dataclass(frozen=True)
class NormalizedReturn:
    """Mean normalized return with its 95 % interval."""

    mean: float
    low: float
    high: float


def reference_scores(env: str, task: str) -> ReferenceScores | None:
    """The reference scores of a task, whatever its version; None where D4RL has none."""
    return REFERENCES.get(re.sub(r"-v\d+$", "", task)) if env == "gym" else None


def normalized_return(env: str, task: str, value: float) -> float:
    """`value`, the return of an episode or a mean of such, on the scale of D4RL.

    Raises:
        ClamError: the task has no reference scores.
    """
    scores = reference_scores(env, task)
    if scores is None:
        names = ", ".join(sorted(REFERENCES))
        raise ClamError(f"{env} '{task}' has no reference scores of a random and an expert agent; gym {names} have")
    return scores.normalize(value)


def summarize_normalized(env: str, task: str, returns: Sequence[float]) -> NormalizedReturn | None:
    """Mean of the normalized `returns` of episodes with a bootstrap interval; None without reference scores."""
    scores = reference_scores(env, task)
    if scores is None:
        return None
    normalized = [scores.normalize(value) for value in returns]
    return NormalizedReturn(float(np.mean(normalized)), *bootstrap_mean(normalized))
