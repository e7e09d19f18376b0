"""What can be done with action chunks: ensemble them, follow each for a while, or take only the newest first action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clam_core.errors import ClamError


@dataclass(frozen=True)
class Way:
    """Arguments of `Policy.execute`, and the words for them."""

    name: str
    title: str
    ensembling_m: float | None
    infer_every: int


def ways_of(chunk: int, ensembling: Sequence[float], horizons: Sequence[int] | None) -> list[Way]:
    """All ways for chunks of K = `chunk` actions: temporal ensembling with each m, plain receding horizon with each k
    (None: K, and about half of it), no chunking.

    Raises:
        ClamError: chunks of one action, a k that is not between 2 and K, or anything named twice.
    """
    if chunk == 1:
        raise ClamError("this bundle predicts one action, so there are no chunks to execute: train with policy.chunk=5")
    horizons = (chunk, (chunk + 1) // 2) if horizons is None else horizons
    for horizon in horizons:
        if not 2 <= horizon <= chunk:
            raise ClamError(f"horizon {horizon} asked for, this bundle predicts {chunk} actions: choose 2 to {chunk}")
    ways = [Way(f"ensembling-{m:g}", f"temporal ensembling, m = {m:g}", m, 1) for m in ensembling]
    ways += [Way(f"horizon-{k}", f"receding horizon, {k} of {chunk} actions", None, k) for k in dict.fromkeys(horizons)]
    ways.append(Way("no-chunking", "no chunking: the newest chunk's first action", None, 1))
    if len({way.name for way in ways}) < len(ways):
        raise ClamError(f"ensembling {', '.join(f'{m:g}' for m in ensembling)} names an m twice; leave one out")
    return ways
