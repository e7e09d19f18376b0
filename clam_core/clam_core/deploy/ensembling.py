"""Temporal ensembling of overlapping action chunks (ACT, Algorithm 2; Appendix F of CLAM with m = 0.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class TemporalEnsembler:
    """Weighted mean of all chunks that predict a step: weight exp(−m·i), i = 0 the oldest prediction.

    `m` None turns ensembling off: the newest prediction of a step wins. Steps are integers at the policy's rate, so
    a late chunk still lands on the steps it was predicted for.
    """

    def __init__(self, chunk: int, m: float | None) -> None:
        self.chunk = chunk
        self.m = m
        self._chunks: dict[int, npt.NDArray[np.float64]] = {}

    def reset(self) -> None:
        """Forget all predictions."""
        self._chunks.clear()

    def add(self, step: int, chunk: npt.NDArray[np.float64]) -> None:
        """Add the chunk ``(K, A)`` that was predicted from the observation of `step`."""
        self._chunks[step] = chunk
        newest = max(self._chunks)
        for old in [s for s in self._chunks if s + self.chunk <= newest]:
            del self._chunks[old]

    def action_at(self, step: int) -> npt.NDArray[np.float64]:
        """The action for `step` ``(A,)``.

        Raises:
            LookupError: no chunk covers `step`.
        """
        origins = sorted(s for s in self._chunks if s <= step < s + self.chunk)
        if not origins:
            raise LookupError(f"no action chunk covers step {step}")
        predictions = np.stack([self._chunks[origin][step - origin] for origin in origins])
        if self.m is None:
            newest: npt.NDArray[np.float64] = predictions[-1]
            return newest
        weights = np.exp(-self.m * np.arange(len(origins)))
        mean: npt.NDArray[np.float64] = (weights[:, None] * predictions).sum(0) / weights.sum()
        return mean
