"""From outcomes to numbers with intervals: of one cell, of a place in a table, of a row's average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.table import Table
from clam_core.evaluation import wilson

RESAMPLES = 10_000
SCORES = (0.0, 0.5, 1.0)  # of a rollout: failure, partial success, success


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval over `episodes`; `by_seed` are the means of the seeds."""

    value: float
    low: float
    high: float
    episodes: int
    by_seed: tuple[float, ...]

    @property
    def seeds(self) -> int:
        """How many there are (of an average: in every column)."""
        return len(self.by_seed)


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
    """Of the values of every seed: of rates Wilson's interval over all rollouts, of means as in `average`."""
    pooled = [value for values in seeds for value in values]
    mean = float(np.mean(pooled))
    if metric == "success":
        low, high = wilson(round(sum(pooled)), len(pooled))
    else:
        low, high = _interval(mean, _samples([seeds], 0))
    return Estimate(mean, low, high, len(pooled), tuple(float(np.mean(values)) for values in seeds))


#: Column → seed → values of a row.
_Columns = Sequence[Sequence[Sequence[float]]]


def average(columns: _Columns) -> Estimate:
    """Mean over columns of a row. Its interval: seeds are resampled within columns, then rollouts."""
    mean = _mean(columns)
    low, high = _interval(mean, _samples(columns, 0))
    count = min(map(len, columns))
    by_seed = tuple(float(np.mean([np.mean(seeds[i]) for seeds in columns])) for i in range(count))
    return Estimate(mean, low, high, sum(len(values) for seeds in columns for values in seeds), by_seed)


def _interval(value: float, samples: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Of `value`, which it holds also at the ends of the scale, as Wilson's does."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return min(value, float(low)), max(value, float(high))


@dataclass(frozen=True)
class Difference:
    """How much higher one row is than another on average, with its 95 % interval."""

    value: float
    low: float
    high: float


def difference(ours: _Columns, theirs: _Columns) -> Difference:
    """Mean over columns of one row minus that of another, each resampled as in `average`."""
    value = _mean(ours) - _mean(theirs)
    return Difference(value, *_interval(value, _samples(ours, 0) - _samples(theirs, 1)))


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
    """`RESAMPLES` means of one column: seeds drawn with replacement, and rollouts within each.

    Of scores in [0, 1] a mean is drawn from Beta(½ + sum, ½ + rest): to resample ten successes alone would say that
    there is nothing but success.
    """
    means = np.empty((RESAMPLES, len(seeds)))
    chosen = rng.integers(0, len(seeds), (RESAMPLES, len(seeds)))
    for index, values in enumerate(seeds):
        array = np.asarray(values, dtype=np.float64)
        where = chosen == index
        count, total = int(where.sum()), float(array.sum())
        if np.isin(array, SCORES).all():
            means[where] = rng.beta(0.5 + total, 0.5 + len(array) - total, count)
        else:
            means[where] = array[rng.integers(0, len(array), (count, len(array)))].mean(axis=1)
    result: npt.NDArray[np.float64] = means.mean(axis=1)
    return result
