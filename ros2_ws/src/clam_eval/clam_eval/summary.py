"""What the results say: score and success of each bundle with intervals, and differences on the same layouts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clam_core.evaluation.statistics import bootstrap_mean, wilson
from clam_eval.plan import make_plan
from clam_eval.results_file import Identity, scored

Line = dict[str, Any]

#: How the reasons begin that are about the policy: what it says of itself, or that it commands nothing.
OF_THE_POLICY = ("policy: ", "the policy ")


@dataclass(frozen=True)
class BundleSummary:
    """Of `scores`, one for each layout that was scored, in the order of layouts. Intervals are 95 %.

    `invalid`: attempts that were repeated; `spoiled` of them by the policy itself, and `strict_mean` is the mean score
    that counts these as 0: a policy that fails now and then is not made better by repeating.
    """

    name: str
    digest: str
    scores: tuple[float, ...]
    invalid: int
    spoiled: int
    strict_mean: float | None
    mean: float | None
    mean_interval: tuple[float, float] | None
    successes: int
    success_interval: tuple[float, float] | None


@dataclass(frozen=True)
class Difference:
    """Mean of (score of `first` − score of `second`) over the `layouts` that both met, with its 95 % interval."""

    first: str
    second: str
    layouts: int
    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """`overhead`: median seconds of a scored rollout beyond its run and the operator's own time."""

    bundles: tuple[BundleSummary, ...]
    differences: tuple[Difference, ...]
    planned: int
    overhead: float | None
    agreement: tuple[int, int] | None  # where a person scored a simulator: how often alike, of how many
    corrected: int  # scores that their person took back


def by_layout(identity: Identity, lines: Sequence[Line]) -> list[list[Line | None]]:
    """For each bundle the scored line of each layout, or None."""
    rows: list[list[Line | None]] = [[None] * identity.rollouts for _ in identity.bundles]
    done = scored(lines)
    for trial in make_plan(len(identity.bundles), identity.rollouts, identity.seed):
        rows[trial.contender][trial.layout] = done.get(trial.index)
    return rows


def summarize(identity: Identity, lines: Sequence[Line]) -> Summary:
    """The summary of an evaluation, also of one that is not complete."""
    rows = by_layout(identity, lines)
    plan = make_plan(len(identity.bundles), identity.rollouts, identity.seed)
    reasons: list[list[str]] = [[] for _ in rows]
    for line in lines:
        if line["type"] == "invalid":
            reasons[plan[line["index"]].contender].append(line["reason"])
    bundles = tuple(
        _bundle(bundle.name, bundle.digest, [line["score"] for line in row if line], why)
        for bundle, row, why in zip(identity.bundles, rows, reasons, strict=True)
    )
    pairs = itertools.combinations(range(len(rows)), 2)
    differences = [_difference(bundles[a].name, bundles[b].name, rows[a], rows[b]) for a, b in pairs]
    overheads = [line["seconds"]["overhead"] for line in scored(lines).values()]
    return Summary(
        bundles,
        tuple(difference for difference in differences if difference is not None),
        len(plan),
        float(np.median(overheads)) if overheads else None,
        _agreement(lines),
        len({line["index"] for line in lines if line["type"] == "correction"}),
    )


def _bundle(name: str, digest: str, scores: Sequence[float], reasons: Sequence[str]) -> BundleSummary:
    successes = sum(score == 1.0 for score in scores)
    spoiled = sum(reason.startswith(OF_THE_POLICY) for reason in reasons)
    strict = sum(scores) / (len(scores) + spoiled) if len(scores) + spoiled else None
    counts = len(reasons), spoiled, strict
    if not scores:
        return BundleSummary(name, digest, (), *counts, None, None, 0, None)
    mean = float(np.mean(scores))
    intervals = bootstrap_mean(scores), wilson(successes, len(scores))
    return BundleSummary(name, digest, tuple(scores), *counts, mean, intervals[0], successes, intervals[1])


def _difference(first: str, second: str, one: Sequence[Line | None], other: Sequence[Line | None]) -> Difference | None:
    values = [float(a["score"] - b["score"]) for a, b in zip(one, other, strict=True) if a and b]
    if not values:
        return None
    return Difference(first, second, len(values), float(np.mean(values)), bootstrap_mean(values))


def _agreement(lines: Sequence[Line]) -> tuple[int, int] | None:
    judged = [line for line in scored(lines).values() if line["scored_by"] == "person"]
    both = [line for line in judged if line.get("simulator_score") is not None]
    return (sum(line["score"] == line["simulator_score"] for line in both), len(both)) if both else None
