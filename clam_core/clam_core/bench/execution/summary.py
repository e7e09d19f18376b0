"""What the trials of one way say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from clam_core.bench.execution.trial import Trial
from clam_core.bench.execution.ways import Way
from clam_core.evaluation.statistics import bootstrap_mean, wilson


def summarize(way: Way, trials: Sequence[Trial]) -> dict[str, Any]:
    """Every number with its 95 % interval: Wilson's for a rate, bootstrapped over layouts for a mean."""
    return {
        **asdict(way),
        "success": rate([trial.success for trial in trials]),
        "score": mean([trial.score for trial in trials]),
        "commanded_jerk": mean([trial.commanded_jerk for trial in trials]),
        "measured_jerk": mean([trial.measured_jerk for trial in trials]),
        **_reactions(trials),
    }


def _reactions(trials: Sequence[Trial]) -> dict[str, Any]:
    """Counts, the time of those that reacted, and what came after the move; nothing where nothing was moved."""
    moved = [trial.reaction for trial in trials if trial.reaction and not trial.reaction.refusal]
    if not moved:
        return {"moved": 0, "reacted": 0, "towards": 0, "reaction_s": None, "recovered": None}
    seconds = [reaction.seconds for reaction in moved if reaction.seconds is not None]
    return {
        "moved": len(moved),
        "reacted": len(seconds),
        "towards": sum(reaction.towards for reaction in moved),
        "reaction_s": mean(seconds) if seconds else None,
        "recovered": rate([reaction.recovered for reaction in moved]),
    }


def rate(values: Sequence[bool]) -> dict[str, float]:
    """Share of true `values`."""
    low, high = wilson(sum(values), len(values))
    return {"value": sum(values) / len(values), "low": low, "high": high}


def mean(values: Sequence[float]) -> dict[str, float]:
    """Mean of `values`."""
    low, high = bootstrap_mean(values)
    return {"value": float(np.mean(values)), "low": low, "high": high}
