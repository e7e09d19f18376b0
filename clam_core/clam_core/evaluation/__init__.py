"""Rollouts and what they say: success rates with intervals, returns."""

from clam_core.evaluation.rollout import EVALUATION_SEED, Rollout, evaluate, rollout
from clam_core.evaluation.statistics import wilson

__all__ = ["EVALUATION_SEED", "Rollout", "evaluate", "rollout", "wilson"]
