"""What is in a dataset: numbers for the terminal and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

COVERAGE_BINS = 20


def open_whole(path: str | Path) -> EpisodeStore:
    """The dataset `path` with its labels where it has any.

    Raises:
        ClamError: it cannot be opened.
    """
    store = EpisodeStore.open(path, actions=False)
    return EpisodeStore.open(path) if store.labeled else store


def describe(path: str | Path, against: str | Path | None = None) -> dict[str, Any]:
    """Everything about dataset `path` as JSON values; with `against`, how much of that one's range it covers.

    Raises:
        ClamError: a dataset cannot be opened, or the two have other names.
    """
    store = open_whole(path)
    spec = store.info.spec
    result: dict[str, Any] = {
        "path": str(store.path),
        "env": spec.env,
        "task": spec.task,
        "kind": store.info.kind,
        "rate": spec.rate,
        "max_steps": spec.max_steps,
        "has_actions": store.has_actions,
        "cameras": [f"{c.name} {c.height}x{c.width}" for c in spec.observation.cameras],
        "episodes": store.num_episodes,
        "transitions": store.num_transitions,
        "successes": int(store.episode_success.sum()),
        "length": _summary(episode_lengths(store)),
        "return": _summary(episode_returns(store)),
        "state": _columns(store.array("state"), spec.observation.names, spec.observation.units),
        "provenance": store.info.provenance,
    }
    if store.has_actions:
        result["action"] = _columns(known_actions(store), spec.action.names, spec.action.units)
    if against is not None:
        result["against"] = coverage(store, open_whole(against))
    return result


def episode_lengths(store: EpisodeStore) -> npt.NDArray[np.int64]:
    """Transitions of each episode ``(E,)``."""
    return np.diff(store.episode_ends, prepend=0) - 1


def episode_returns(store: EpisodeStore) -> npt.NDArray[np.float64]:
    """Sum of rewards of each episode ``(E,)``."""
    if store.num_episodes == 0:
        return np.zeros(0)
    starts = np.concatenate([[0], store.episode_ends[:-1]])
    return np.add.reduceat(np.nan_to_num(store.array("reward").astype(np.float64)), starts)


def known_actions(store: EpisodeStore) -> npt.NDArray[Any]:
    """All actions taken ``(M, A)``, without the empty row at the end of each episode."""
    actions = store.array("action")
    return np.delete(actions, store.episode_ends - 1, axis=0)


def coverage(store: EpisodeStore, other: EpisodeStore) -> dict[str, Any]:
    """Per dimension, the share of the range that `other` visits which `store` visits too.

    The range of `other` is cut into `COVERAGE_BINS` bins; of those with a value of `other` in them, the share
    that also has one of `store`.

    Raises:
        ClamError: the datasets have other names.
    """
    mine, theirs = store.info.spec, other.info.spec
    if mine.observation.names != theirs.observation.names or mine.action.names != theirs.action.names:
        raise ClamError(
            f"datasets '{store.path}' and '{other.path}' name other states or actions; compare like with like"
        )
    result: dict[str, Any] = {
        "path": str(other.path),
        "kind": other.info.kind,
        "state": dict(zip(mine.observation.names, _shares(store.array("state"), other.array("state")), strict=True)),
    }
    if store.has_actions and other.has_actions:
        shares = _shares(known_actions(store), known_actions(other))
        result["action"] = dict(zip(mine.action.names, shares, strict=True))
    return result


def _shares(values: npt.NDArray[Any], reference: npt.NDArray[Any]) -> list[float]:
    shares = []
    for mine, theirs in zip(values.T, reference.T, strict=True):
        low, high = float(theirs.min()), float(theirs.max())
        width = max(high - low, 1e-6)
        edges = np.linspace(low - 1e-3 * width, high + 1e-3 * width, COVERAGE_BINS + 1)
        visited, covered = np.histogram(theirs, edges)[0] > 0, np.histogram(mine, edges)[0] > 0
        shares.append(float((visited & covered).sum() / visited.sum()))
    return shares


def _summary(values: npt.NDArray[Any]) -> dict[str, float]:
    if len(values) == 0:
        return {}
    return {
        "min": float(values.min()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "max": float(values.max()),
    }


def _columns(values: npt.NDArray[Any], names: Sequence[str], units: Sequence[str]) -> list[dict[str, Any]]:
    """One summary per dimension of ``(N, D)``."""
    return [
        {"name": name, "unit": unit, **_summary(column.astype(np.float64))}
        for name, unit, column in zip(names, units, values.T, strict=True)
    ]
