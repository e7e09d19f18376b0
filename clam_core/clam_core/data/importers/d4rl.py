"""D4RL datasets: one HDF5 file, all episodes concatenated, ends marked by ``terminals`` and ``timeouts``.

D4RL has one observation per action. The one after the last action is in ``next_observations`` where the file has
them; without, the last action of every episode is dropped, because nothing shows where it led.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.importers.hdf5 import open_hdf5, read_array, told_as_damage
from clam_core.data.importers.specs import Seen, describe, free_action, numbered, numbers
from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions, Source
from clam_core.data.provenance import provenance
from clam_core.errors import ClamError
from clam_core.spec import ActionSpec, ObservationSpec

REQUIRED = ("observations", "actions", "rewards", "terminals")
SUCCESS = ("infos/success", "infos/goal_achieved")


def open_d4rl(path: Path, options: ImportOptions) -> Source:
    """The D4RL file `path`. Names, units and rate are the environment's that the user names. Actions lie in −1…1
    (D4RL's convention) where the data do.

    Honours env, task, kind, rate; the format has no cameras.

    Raises:
        ClamError: no such file, or not HDF5; a stream is missing or of another length; or see `describe`.
    """
    if options.cameras:
        raise ClamError(f"'{path}' has no camera '{options.cameras[0]}', D4RL has none; leave the cameras out")
    return _D4RL(path, options)


class _D4RL:
    """See `Source`. Episodes are named by their number and rows, e.g. ``episode 3 (rows 2000 to 2999)``."""

    def __init__(self, path: Path, options: ImportOptions) -> None:
        self._path, self._actions = path, options.actions
        with open_hdf5(path) as file:
            rows = _check(file, path)
            self._has_next = _same_shape(file, "next_observations", "observations")
            terminals, timeouts = _flags(file, "terminals"), _flags(file, "timeouts")
            self._remarks = self._peculiarities("timeouts" in file)
            ends = terminals | timeouts
            if "timeouts" not in file and self._has_next:
                ends |= _jumps(file)
            try:
                actions = numbers(read_array(file, "actions"), "actions")
            except EpisodeError as error:
                raise ClamError(f"'{path}': {error}; give a dataset of continuous actions") from error
            if actions.ndim != 2:
                raise ClamError(f"'{path}' has actions of shape {actions.shape[1:]}; give continuous actions (N, A)")
            states = int(np.prod(file["observations"].shape[1:]))
        self._spans = _spans(ends, rows)
        self._terminated = {name: bool(terminals[span.stop - 1]) for name, span in self._spans.items()}
        self._unfinished = next(reversed(self._spans)) if rows and not ends[-1] else None
        seen = Seen(
            ObservationSpec(numbered("state", states), ("",) * states),
            _action_spec(actions),
            max_steps=max((s.stop - s.start - (not self._has_next) for s in self._spans.values()), default=0),
        )
        source = provenance("import d4rl", ("h5py", "zarr"))
        source |= {"file": path.name, "rows": rows, "remarks": list(self._remarks)}
        self.info = DatasetInfo(describe(seen, options, f"'{path}'"), options.kind or UNKNOWN, source)

    def names(self) -> list[str]:
        """See `Source.names`."""
        return list(self._spans)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source.read`."""
        span = self._spans[name]
        with open_hdf5(self._path) as file, told_as_damage(name):
            states = numbers(read_array(file, "observations", span), "observations").reshape(span.stop - span.start, -1)
            if self._has_next:
                last = slice(span.stop - 1, span.stop)
                final = numbers(read_array(file, "next_observations", last), "next_observations")
                states = np.concatenate([states, final.reshape(1, -1)])
            steps = len(states) - 1
            episode = Episode(
                observations={"state": states},
                actions=numbers(read_array(file, "actions", span), "actions")[:steps] if self._actions else None,
                rewards=numbers(read_array(file, "rewards", span), "rewards").reshape(-1)[:steps],
                successes=_successes(file, span, steps),
                metadata={"rows": [span.start, span.stop], "terminated": self._terminated[name]},
            )
        remarks = self._remarks if name == next(iter(self._spans)) else ()
        if name == self._unfinished:
            remarks = (*remarks, "the file ends before the episode does")
        return episode, remarks

    def _peculiarities(self, has_timeouts: bool) -> tuple[str, ...]:
        """What is true of every episode; told once, with the first."""
        remarks = []
        if not self._has_next:
            remarks.append("without next_observations: the last action of every episode is dropped")
        if not has_timeouts:
            where = "a terminal is set" + (" or next_observations do not follow" if self._has_next else "")
            remarks.append(f"without timeouts: episodes end only where {where}")
        return tuple(remarks)


def _check(file: Any, path: Path) -> int:
    """N, the number of rows, which all streams share."""
    if missing := [key for key in REQUIRED if not isinstance(file.get(key), h5py.Dataset)]:
        have = ", ".join(file) or "nothing"
        raise ClamError(f"'{path}' has no {', '.join(missing)} (it has {have}); give a D4RL dataset")
    present = (*REQUIRED, "timeouts", "next_observations")
    lengths = {key: int((file[key].shape or (0,))[0]) for key in present if key in file}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise ClamError(f"'{path}' has streams of unequal lengths ({told}); download or record it again")
    return lengths["observations"]


def _same_shape(file: Any, key: str, other: str) -> bool:
    return key in file and file[key].shape == file[other].shape


def _flags(file: Any, key: str) -> npt.NDArray[np.bool_]:
    if key not in file:
        return np.zeros(len(file["observations"]), dtype=bool)
    try:
        return numbers(read_array(file, key), key).reshape(-1) > 0
    except EpisodeError as error:
        raise ClamError(f"'{file.filename}': {error}; without it the episodes cannot be told apart") from error


def _jumps(file: Any) -> npt.NDArray[np.bool_]:
    """``(N,)`` whether the observation after a row is another one than its ``next_observations``."""
    states, after = read_array(file, "observations"), read_array(file, "next_observations")
    jumps = np.zeros(len(states), dtype=bool)
    jumps[:-1] = ~np.isclose(states[1:], after[:-1], rtol=1e-4, atol=1e-5, equal_nan=True).reshape(
        len(states) - 1, -1
    ).all(1)
    return jumps


def _spans(ends: npt.NDArray[np.bool_], rows: int) -> dict[str, slice]:
    """Rows of each episode: up to and with each end, and what is left after the last."""
    stops = [*(int(i) + 1 for i in np.flatnonzero(ends))]
    if rows and (not stops or stops[-1] != rows):
        stops.append(rows)
    spans = [slice(start, stop) for start, stop in zip([0, *stops[:-1]], stops, strict=True)] if stops else []
    return {f"episode {i} (rows {s.start} to {s.stop - 1})": s for i, s in enumerate(spans)}


def _successes(file: Any, span: slice, steps: int) -> npt.NDArray[np.bool_]:
    for key in SUCCESS:
        if key in file:
            return numbers(read_array(file, key, span), key).reshape(-1)[:steps] > 0
    return np.zeros(steps, dtype=bool)


def _action_spec(actions: npt.NDArray[np.float64]) -> ActionSpec:
    names = numbered("action", actions.shape[1])
    seen = free_action(names, actions)
    if min(seen.low, default=0.0) < -1.0001 or max(seen.high, default=0.0) > 1.0001:
        return seen
    return ActionSpec(names, seen.units, (-1.0,) * len(names), (1.0,) * len(names))
