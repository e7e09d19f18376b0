"""Rollouts and what they say: success rates and normalized returns with intervals."""

from clam_core.evaluation.normalized import normalized_return, reference_scores, summarize_normalized
from clam_core.evaluation.parallel import rollout_many
from clam_core.evaluation.rollout import EVALUATION_SEED, Rollout, evaluate, rollout
from clam_core.evaluation.statistics import bootstrap_mean, wilson

__all__ = [
    "EVALUATION_SEED",
    "Rollout",
    "bootstrap_mean",
    "evaluate",
    "normalized_return",
    "reference_scores",
    "rollout",
    "rollout_many",
    "summarize_normalized",
    "wilson",
]
