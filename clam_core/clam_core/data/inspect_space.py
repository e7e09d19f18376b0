"""How much of the workspace and of the action space a dataset covers: play is worth what it covers.

The workspace is where the end effector was, in voxels. For the WidowX the voxels that it can reach inside the arm
driver's workspace box are known from the description of the arm, so that there is a whole to take a share of.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.store import EpisodeStore
from clam_core.safety.limits import WORKSPACE_LOWER, WORKSPACE_UPPER

Points = npt.NDArray[np.float64]

VOXEL = 0.1  # [m]
BINS = 20  # of an action's range
CELLS = 10  # of each of two actions' ranges
LIVELY = 0.002  # share of the steps that a bin must hold to count as visited
REST = 0.005  # [m/s] below which the end effector rests
SAMPLE = 20_000  # rows that are looked at
REACH_SAMPLE = 5000  # joint positions that the reach is found with
#: Default box of the arm driver [m], in the frame of the arm's base.
BOX = (np.array(WORKSPACE_LOWER), np.array(WORKSPACE_UPPER))
_PLACES = ("end_effector", "hand", "tcp")  # how states call the end effector's position: hand_x, hand_y, hand_z


@dataclass(frozen=True)
class Reach:
    """What the WidowX reaches inside the box: `voxels` (V, 3) by number, and each joint's usual range there."""

    voxels: npt.NDArray[np.int64]
    ranges: dict[str, tuple[float, float]]


def space(store: EpisodeStore) -> dict[str, Any]:
    """What of the workspace and the action space the episodes of `store` visit, as JSON values; empty without episodes.

    ``workspace``: number of voxels visited, their share of those that can be reached (None where nobody knows), the
    same by region, and the range of the end effector [m]. ``actions``: of each, the range and the share of its bins
    visited. ``pairs``: mean share of cells visited over all pairs of actions, and the worst pair. ``rest``: share of
    steps in which the end effector rests. ``grasps``: how often the gripper closed; ``minutes`` of data.
    """
    if not store.num_episodes:
        return {}
    result: dict[str, Any] = {"minutes": float(store.num_transitions / store.info.spec.rate / 60.0)}
    points = end_effector(store)
    if points is not None:
        result["workspace"] = _workspace(points, _reach() if is_widowx(store) else None)
        result["rest"] = _rest(store, points)
    values, ranges = _actions(store)
    if values is not None and len(values):
        result["actions"] = {name: _visited(values[:, i], *ranges[name]) for i, name in enumerate(ranges)}
        if len(ranges) > 1:
            result["pairs"] = _pairs(values, ranges)
    grasps = _grasps(store)
    if grasps is not None:
        result["grasps"] = grasps
    return result


def is_widowx(store: EpisodeStore) -> bool:
    """Whether the state names the joints of the arm that `clam_description` describes."""
    if importlib.util.find_spec("clam_description") is None:
        return False
    from clam_description import ARM_JOINTS

    return set(ARM_JOINTS) <= set(store.info.spec.observation.names)


def end_effector(store: EpisodeStore) -> Points | None:
    """Where the end effector is ``(N, 3)`` [m] in every row, at most `SAMPLE` of them evenly; None if nobody knows."""
    names = store.info.spec.observation.names
    rows = _sampled(store)
    state = store.array("state")[rows].astype(np.float64)
    if is_widowx(store):
        from clam_description import ARM_JOINTS

        chain = _chain()
        return np.array([chain.position(row) for row in state[:, [names.index(name) for name in ARM_JOINTS]]])
    for place in _PLACES:
        columns = [f"{place}_{axis}" for axis in "xyz"]
        if set(columns) <= set(names):
            return np.asarray(state[:, [names.index(name) for name in columns]])
    return None


def voxels(points: Points) -> npt.NDArray[np.int64]:
    """The voxels ``(V, 3)`` by number that `points` ``(N, 3)`` [m] lie in, each once."""
    return np.unique(np.floor(points / VOXEL).astype(np.int64), axis=0)


def common(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For every row of `first` ``(N, 3)``, whether it is one of `second`."""
    known = set(map(tuple, second.tolist()))
    return np.array([tuple(row) in known for row in first.tolist()], dtype=bool)


def region(voxel: npt.ArrayLike, centre: npt.ArrayLike) -> str:
    """Where a voxel lies, seen from the arm (x forward, y left, z up)."""
    x, y, z = (np.asarray(voxel) + 0.5 >= np.asarray(centre)).tolist()
    return f"{'far' if x else 'near'} {'left' if y else 'right'}, {'high' if z else 'low'}"


def _workspace(points: Points, reach: Reach | None) -> dict[str, Any]:
    visited = voxels(points)
    result: dict[str, Any] = {
        "voxel": VOXEL,
        "visited": len(visited),
        "reachable": None,
        "share": None,
        "range": {axis: [float(points[:, i].min()), float(points[:, i].max())] for i, axis in enumerate("xyz")},
    }
    if reach is not None:
        seen = common(reach.voxels, visited)
        centre = np.median(reach.voxels + 0.5, axis=0)
        names = np.array([region(voxel, centre) for voxel in reach.voxels])
        result |= {"reachable": len(reach.voxels), "share": float(seen.mean())}
        result["regions"] = {str(name): float(seen[names == name].mean()) for name in sorted(set(names.tolist()))}
    return result


def _rest(store: EpisodeStore, points: Points) -> float:
    """Share of steps, of those looked at, in which the end effector is slower than `REST`."""
    rows = _sampled(store)
    last = np.zeros(store.num_rows, dtype=bool)
    last[store.episode_ends - 1] = True
    follows = (np.diff(rows) == 1) & ~last[rows[:-1]]
    if not follows.any():
        return 0.0
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) * store.info.spec.rate
    return float((speed[follows] < REST).mean())


def _actions(store: EpisodeStore) -> tuple[npt.NDArray[np.float64] | None, dict[str, tuple[float, float]]]:
    """Actions ``(M, A)`` and the range of each to take a share of: what the workspace asks of a joint, else limits."""
    if not store.has_actions:
        return None, {}
    spec, joints = store.info.spec.action, _reach().ranges if is_widowx(store) else {}
    ranges = {name: joints.get(name, (spec.low[i], spec.high[i])) for i, name in enumerate(spec.names)}
    actions = np.delete(store.array("action"), store.episode_ends - 1, axis=0).astype(np.float64)
    return actions[:: max(1, len(actions) // SAMPLE)], ranges


def _visited(values: npt.NDArray[np.float64], low: float, high: float) -> dict[str, float]:
    """Range of `values` ``(M,)`` and the share of the bins of [`low`, `high`] that hold some of them."""
    edges = np.linspace(low, max(high, low + 1e-9), BINS + 1)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    share = float((counts >= max(1.0, LIVELY * len(values))).mean())
    return {"min": float(values.min()), "max": float(values.max()), "low": low, "high": high, "share": share}


def _pairs(values: npt.NDArray[np.float64], ranges: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Share of the cells visited, where two actions together span `CELLS` x `CELLS` of them; mean and worst pair."""
    names = list(ranges)
    cells = np.stack(
        [
            np.clip((values[:, i] - low) / max(high - low, 1e-9) * CELLS, 0, CELLS - 1).astype(int)
            for i, (low, high) in enumerate(ranges.values())
        ],
        axis=1,
    )
    shares = {
        (names[i], names[j]): len(np.unique(cells[:, i] * CELLS + cells[:, j])) / CELLS**2
        for i in range(len(names))
        for j in range(i)
    }
    worst = min(shares, key=lambda pair: shares[pair])
    return {"share": float(np.mean(list(shares.values()))), "worst": list(worst), "worst_share": shares[worst]}


def _grasps(store: EpisodeStore) -> int | None:
    """How often the gripper went from open to closed; None without one. Above two thirds of its range is open."""
    spec = store.info.spec
    names = [name for name in spec.observation.names if "gripper" in name and "/" not in name and "vel" not in name]
    if not names:
        return None
    column = store.array("state")[:, spec.observation.names.index(names[0])].astype(np.float64)
    low, high = float(column.min()), float(column.max())
    if high - low < 1e-3:
        return 0
    level = (column - low) / (high - low)
    count, starts = 0, np.concatenate([[0], store.episode_ends[:-1]]).astype(int)
    for start, end in zip(starts.tolist(), store.episode_ends.tolist(), strict=True):
        decided = level[start:end][(level[start:end] > 2 / 3) | (level[start:end] < 1 / 3)] > 0.5
        count += int((decided[:-1] & ~decided[1:]).sum())
    return count


def _sampled(store: EpisodeStore) -> npt.NDArray[np.int64]:
    """Rows that are looked at: all of them, or runs of neighbours spread over the dataset."""
    if store.num_rows <= SAMPLE:
        return np.arange(store.num_rows)
    run = 100
    starts = np.linspace(0, store.num_rows - run, SAMPLE // run).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(run)).ravel())


@cache
def _chain() -> Any:
    from clam_core.safety.kinematics import ForwardKinematics
    from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, urdf

    return ForwardKinematics(urdf("wx250s"), BASE_LINK, END_EFFECTOR_LINK, ARM_JOINTS)


@cache
def _reach() -> Reach:
    """From joint positions drawn evenly between their limits, those that put the end effector into the box."""
    from clam_description import ARM_JOINTS, joint_limits

    limits, rng = joint_limits(), np.random.default_rng(0)
    low, high = (np.array([getattr(limits[name], end) for name in ARM_JOINTS]) for end in ("lower", "upper"))
    joints = rng.uniform(low, high, (REACH_SAMPLE, len(ARM_JOINTS)))
    points = np.array([_chain().position(row) for row in joints])
    inside = ((points >= BOX[0]) & (points <= BOX[1])).all(axis=1)
    lower, upper = np.quantile(joints[inside], [0.1, 0.9], axis=0)
    ranges = {name: (float(lower[i]), float(upper[i])) for i, name in enumerate(ARM_JOINTS)}
    return Reach(voxels(points[inside]), ranges)
