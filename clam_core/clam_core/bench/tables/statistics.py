"""From outcomes to numbers with intervals: of one cell, of a place in a table, of a row's average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.table import Table
from clam_core.evaluation import bootstrap_mean, wilson

RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval over `episodes`, and its standard deviation over seeds, as the paper prints."""

    value: float
    low: float
    high: float
    spread: float
    episodes: int
    seeds: int


def values_of(table: Table, row: str, outcome: Outcome) -> list[float]:
    """What a cell contributes to `row`: per rollout, or one number of training."""
    if table.measures:
        return [outcome.metrics[table.measures[row]]]
    if table.metric == "success":
        return [float(success) for success in outcome.successes]
    if table.metric == "score":
        return outcome.scores
    return [value / 100.0 for value in outcome.returns]


def estimate(metric: str, seeds: Sequence[Sequence[float]]) -> Estimate:
    """Of the values of every seed, pooled: Wilson for rates, bootstrap for means."""
    pooled = [value for values in seeds for value in values]
    if metric == "success":
        low, high = wilson(round(sum(pooled)), len(pooled))
    else:
        low, high = bootstrap_mean(pooled)
    means = [float(np.mean(values)) for values in seeds]
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return Estimate(float(np.mean(pooled)), low, high, spread, len(pooled), len(seeds))


#: Column → seed → values of a row.
_Columns = Sequence[Sequence[Sequence[float]]]


def average(columns: _Columns) -> Estimate:
    """Mean over columns of a row. Bootstrap over seeds within columns, then over rollouts."""
    low, high = np.percentile(_samples(columns, 0), [2.5, 97.5])
    by_seed = [np.mean([np.mean(seeds[i]) for seeds in columns]) for i in range(min(map(len, columns)))]
    return Estimate(
        _mean(columns),
        float(low),
        float(high),
        float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
        sum(len(values) for seeds in columns for values in seeds),
        min(map(len, columns)),
    )


@dataclass(frozen=True)
class Difference:
    """How much higher one row is than another on average, with its 95 % interval."""

    value: float
    low: float
    high: float


def difference(ours: _Columns, theirs: _Columns) -> Difference:
    """Mean over columns of one row minus that of another, each resampled as in `average`."""
    low, high = np.percentile(_samples(ours, 0) - _samples(theirs, 1), [2.5, 97.5])
    return Difference(_mean(ours) - _mean(theirs), float(low), float(high))


def _mean(columns: _Columns) -> float:
    return float(np.mean([np.mean([np.mean(values) for values in seeds]) for seeds in columns]))


def _samples(columns: _Columns, stream: int) -> npt.NDArray[np.float64]:
    """`RESAMPLES` means over `columns`, from random numbers of that `stream`."""
    rng = np.random.default_rng(stream)
    samples = np.zeros(RESAMPLES)
    for seeds in columns:
        samples += _resampled(seeds, rng)
    return samples / len(columns)


def _resampled(seeds: Sequence[Sequence[float]], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """`RESAMPLES` means of one column: seeds drawn with replacement, and rollouts within each."""
    means = np.empty((RESAMPLES, len(seeds)))
    chosen = rng.integers(0, len(seeds), (RESAMPLES, len(seeds)))
    for index, values in enumerate(seeds):
        array = np.asarray(values, dtype=np.float64)
        where = chosen == index
        means[where] = array[rng.integers(0, len(array), (int(where.sum()), len(array)))].mean(axis=1)
    result: npt.NDArray[np.float64] = means.mean(axis=1)
    return result
