"""Everything that an agent has lived through, in order: what it learns from, and what datasets are made of."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clam_core.data.episode import Episode
from clam_core.errors import ClamError


class Batch(NamedTuple):
    """Transitions as the library reads them: torch tensors of float32, one row each."""

    observations: Any
    actions: Any
    next_observations: Any
    dones: Any
    rewards: Any
    discounts: Any = None


class Replay:
    """Append-only log of transitions in float32; `last` marks the final one of an episode.

    On disk it is a folder of numbered shards. A shard holds what came between two saves and is never rewritten.
    """

    def __init__(self, capacity: int, state_size: int, low: Any, high: Any) -> None:
        self._low, self._high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self._columns: dict[str, npt.NDArray[Any]] = {
            "observation": np.zeros((capacity, state_size), np.float32),
            "next_observation": np.zeros((capacity, state_size), np.float32),
            "action": np.zeros((capacity, len(self._low)), np.float32),
            "reward": np.zeros(capacity, np.float32),
            "terminated": np.zeros(capacity, bool),
            "last": np.zeros(capacity, bool),
        }
        self._size = 0
        self._saved = 0
        self._shards = 0
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        """Number of transitions."""
        return self._size

    def add(self, **transition: Any) -> None:
        """Append one transition: observation, next_observation ``(D,)``, action ``(A,)``, reward, terminated, last."""
        for name, column in self._columns.items():
            column[self._size] = transition[name]
        self._size += 1

    def sample(self, size: int, env: None = None) -> Batch:
        """`size` transitions drawn by `rng` with replacement; actions scaled to −1 … 1 as the library wants them."""
        import torch

        del env  # the library passes its observation normalizer here; there is none
        rows = self.rng.integers(0, self._size, size)
        column = {name: values[rows] for name, values in self._columns.items()}
        scaled = 2.0 * (column["action"] - self._low) / (self._high - self._low) - 1.0
        return Batch(
            torch.from_numpy(column["observation"]),
            torch.from_numpy(scaled),
            torch.from_numpy(column["next_observation"]),
            torch.from_numpy(column["terminated"].astype(np.float32)[:, None]),
            torch.from_numpy(column["reward"][:, None]),
        )

    def unfinished(self) -> npt.NDArray[np.float32]:
        """Actions ``(T, A)`` of the episode that is not over yet."""
        return self._columns["action"][self._starts()[-1] : self._size].copy()

    def episodes(self, seed: int) -> Iterator[Episode]:
        """Finished episodes in order; episode k was reset to ``seed + k``. Their observations are all real: the
        last one is what the final action led to."""
        starts = self._starts()
        for index, (start, end) in enumerate(itertools.pairwise(starts)):
            columns = {name: values[start:end] for name, values in self._columns.items()}
            yield Episode(
                observations={"state": np.concatenate([columns["observation"], columns["next_observation"][-1:]])},
                actions=columns["action"].copy(),
                rewards=columns["reward"].copy(),
                successes=np.zeros(end - start, dtype=bool),
                seed=seed + index,
                metadata={"first_training_step": int(start), "terminated": bool(columns["terminated"][-1])},
            )

    def save(self, folder: Path) -> int:
        """Write what is new since the last save as the next shard; returns how many shards there are."""
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "partial.npz"
        fresh: dict[str, Any] = {name: values[self._saved : self._size] for name, values in self._columns.items()}
        np.savez(partial, **fresh)
        os.replace(partial, _shard(folder, self._shards))
        self._saved, self._shards = self._size, self._shards + 1
        return self._shards

    def load(self, folder: Path, shards: int) -> None:
        """Fill this empty log with the first `shards` shards of `folder`.

        Raises:
            ClamError: one is missing or damaged, or they do not fit.
        """
        for index in range(shards):
            path = _shard(folder, index)
            try:
                with np.load(path, allow_pickle=False) as shard:
                    end = self._size + len(shard["reward"])
                    for name, values in self._columns.items():
                        values[self._size : end] = shard[name]
            except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
                raise ClamError(f"replay '{path}' cannot be read ({error}); train the agent in a new folder") from error
            self._size = end
        self._saved, self._shards = self._size, shards

    def _starts(self) -> list[int]:
        """First transition of every episode, and of the unfinished one."""
        return [0, *(int(i) + 1 for i in np.flatnonzero(self._columns["last"][: self._size]))]


def _shard(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.npz"
