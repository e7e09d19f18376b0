"""What is in a dataset: numbers for the terminal and for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from clam_core.data.bag_timing import dropped
from clam_core.data.importing import UNKNOWN
from clam_core.data.inspect_advice import advice
from clam_core.data.inspect_space import common, end_effector, space
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError

COVERAGE_BINS = 20
NEAR, ENOUGH = 0.05, 3  # [m] size of a voxel, and visits to it, that ground what is done there
PLAY = "play"
NEIGHBOUR_SAMPLE = 4000  # transitions of each dataset that are compared one by one


def open_whole(path: str | Path) -> EpisodeStore:
    """The dataset `path` with its labels where it has any.

    Raises:
        ClamError: it cannot be opened.
    """
    store = EpisodeStore.open(path, actions=False)
    return EpisodeStore.open(path) if store.labeled else store


def describe(
    path: str | Path, against: str | Path | None = None, shown: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Everything about dataset `path` as JSON values; with `against`, how much of that one's range it covers.

    `shown` says what to call a path that nobody gave, such as that of a temporary dataset.

    Raises:
        ClamError: a dataset cannot be opened, or the two have other names.
    """
    store = open_whole(path)
    spec = store.info.spec
    result: dict[str, Any] = {
        "path": (shown or {}).get(str(path), str(store.path)),
        "env": spec.env,
        "task": spec.task,
        "kind": store.info.kind,
        "rate": spec.rate,
        "max_steps": spec.max_steps,
        "complete": store.complete,
        "has_actions": store.has_actions,
        "cameras": [f"{c.name} {c.height}x{c.width}" for c in spec.observation.cameras],
        "episodes": store.num_episodes,
        "transitions": store.num_transitions,
        "successes": int(store.episode_success.sum()),
        "length": _summary(episode_lengths(store)),
        "return": _summary(episode_returns(store)),
        "state": _columns(store.array("state"), spec.observation.names, spec.observation.units),
        "timing": timing(store),
        "provenance": store.info.provenance,
    }
    if store.has_actions:
        result["action"] = _columns(known_actions(store), spec.action.names, spec.action.units)
    result["space"] = space(store)
    if against is not None:
        result["against"] = coverage(store, open_whole(against))
        result["against"]["path"] = (shown or {}).get(str(against), result["against"]["path"])
    if store.info.kind in (PLAY, UNKNOWN):
        result["advice"] = advice(result["space"], result.get("against"))
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


def first_successes(store: EpisodeStore) -> npt.NDArray[np.int64]:
    """The step of the first success of each episode that has one."""
    success = store.array("success")
    starts = np.concatenate([[0], store.episode_ends])[:-1].astype(np.int64)
    steps = [np.flatnonzero(success[start:end])[:1] for start, end in zip(starts, store.episode_ends, strict=True)]
    return np.concatenate(steps) if steps else np.zeros(0, dtype=np.int64)


def motions(store: EpisodeStore) -> npt.NDArray[np.float64]:
    """How the state changes in every transition ``(M, D)``: what a latent action model explains."""
    state = store.array("state").astype(np.float64)
    return np.delete(state[1:] - state[:-1], store.episode_ends[:-1] - 1, axis=0)


def intervals(store: EpisodeStore) -> npt.NDArray[np.float64]:
    """Time between observations ``(M,)`` [s], of a store with stamps."""
    return np.delete(np.diff(store.array("stamp")), store.episode_ends[:-1] - 1)


def timing(store: EpisodeStore) -> dict[str, Any]:
    """How well observations kept time, and the streams that they were taken from; empty where nobody measured.

    ``interval`` [s] between observations and the number of ``dropped`` ones by their stamps; of every stream the
    worst that an episode's import found (``rate`` is the median).
    """
    result: dict[str, Any] = {}
    if store.has_stamps and store.num_episodes:
        starts = np.concatenate([[0], store.episode_ends[:-1]]).astype(np.int64)
        stamps = np.round(store.array("stamp") * 1e9).astype(np.int64)
        lost = sum(dropped(stamps[start:end]) for start, end in zip(starts, store.episode_ends, strict=True))
        result = {"interval": _summary(intervals(store)), "dropped": lost}
    streams: dict[str, list[dict[str, Any]]] = {}
    for metadata in store.episode_metadata:
        for topic, facts in metadata.get("timing", {}).items():
            streams.setdefault(topic, []).append(facts)
    if streams:
        result["streams"] = {topic: _worst(facts) for topic, facts in streams.items()}
    return result


def _worst(facts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rate": float(np.median([f["rate"] for f in facts])),
        **{key: max(f[key] for f in facts) for key in ("jitter", "longest_gap")},
        "skew": max(f["skew"]["max"] for f in facts),
        **{key: sum(f[key] for f in facts) for key in ("messages", "dropped", "repeated")},
    }


def coverage(store: EpisodeStore, other: EpisodeStore) -> dict[str, Any]:
    """How much of what happens in `other` happens in `store` too.

    ``state``, ``motion`` (change of the state in a transition) and ``action``: per dimension, the range of `other`
    is cut into `COVERAGE_BINS` bins; of those with a value of `other` in them, the share that also has one of
    `store`. ``joint``: see `joint_coverage`, of motions and of actions; it does not need the labels of both.
    ``workspace``: of the places that the end effector goes to, see `_workspace_coverage`, where they are known.

    Raises:
        ClamError: the datasets have other names, or one has no episodes.
    """
    for dataset in (store, other):
        if not dataset.num_episodes:
            raise ClamError(f"dataset '{dataset.path}' has no episodes; compare two that have some")
    mine, theirs = store.info.spec, other.info.spec
    labeled = store.has_actions and other.has_actions
    if mine.observation.names != theirs.observation.names or (labeled and mine.action.names != theirs.action.names):
        raise ClamError(
            f"datasets '{store.path}' and '{other.path}' name other states or actions; compare like with like"
        )
    result: dict[str, Any] = {
        "path": str(other.path),
        "kind": other.info.kind,
        "joint": {},
    }
    names = mine.observation.names
    parts = [("state", names, store.array("state"), other.array("state"))]
    parts.append(("motion", names, motions(store), motions(other)))
    if labeled:
        parts.append(("action", mine.action.names, known_actions(store), known_actions(other)))
    for part, of, values, reference in parts:
        result[part] = dict(zip(of, _shares(values, reference), strict=True))
        if part != "state":
            result["joint"][part] = joint_coverage(values, reference)
    here, there = end_effector(store), end_effector(other)
    if here is not None and there is not None:
        result["workspace"] = _workspace_coverage(here, there)
    return result


def _workspace_coverage(here: npt.NDArray[np.float64], there: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Share of the steps `there` in voxels of `NEAR` that are visited `ENOUGH` times `here`.

    ``missing_centre`` [m] is that of the busiest voxel `there` that is not.
    """
    places, counts = np.unique(np.floor(here / NEAR).astype(np.int64), axis=0, return_counts=True)
    visited, steps = np.unique(np.floor(there / NEAR).astype(np.int64), axis=0, return_counts=True)
    covered = common(visited, places[counts >= ENOUGH])
    busiest = visited[np.argmax(np.where(covered, -1, steps))]
    return {
        "voxel": NEAR,
        "share": float(steps[covered].sum() / steps.sum()),
        "missing_centre": ((busiest + 0.5) * NEAR).tolist(),
    }


def joint_coverage(values: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Share of the rows of `reference` ``(M, D)`` that lie among those of `values` ``(N, D)``, all dimensions at once.

    A row lies among them if its nearest neighbour there is no farther than 95 % of those rows are from theirs.
    Dimensions are in units of the standard deviation in `reference`; those that never change there are left out.
    """
    rng = np.random.default_rng(0)
    scale = reference.std(0)
    moving = scale > 1e-9
    if not moving.any() or len(values) < 3:
        return 1.0 if not moving.any() else 0.0
    here, there = (
        (rows[rng.permutation(len(rows))[:NEIGHBOUR_SAMPLE]] / np.where(moving, scale, 1.0))[:, moving]
        for rows in (values, reference)
    )
    tree = cKDTree(here)
    radius = np.quantile(tree.query(here, k=2)[0][:, 1], 0.95)
    return float((tree.query(there)[0] <= radius + 1e-9).mean())


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
