"""One recorded episode, and what a dataset says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.spec import EnvironmentSpec, Observation


@dataclass(frozen=True)
class Episode:
    """An episode of T transitions: T+1 observations, and between them actions, rewards and successes.

    Attributes:
        observations: key ``state`` ``(T+1, D)``; every camera name ``(T+1, H, W, 3)`` uint8.
        actions: ``(T, A)``, or None when they are not known (or may not be seen).
        rewards: ``(T,)``.
        successes: ``(T,)`` bool, success at each step.
        seed: what the environment was reset to, None when unknown.
        stamps: ``(T+1,)`` when each observation was made [s] after the first one, None when not recorded.
        metadata: anything else worth keeping, as JSON values (e.g. the source bag).
    """

    observations: Observation
    actions: npt.NDArray[Any] | None
    rewards: npt.NDArray[Any]
    successes: npt.NDArray[np.bool_]
    seed: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    stamps: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """T, the number of transitions."""
        return len(self.rewards)

    @property
    def success(self) -> bool:
        """Success at any step (Appendix E)."""
        return bool(self.successes.any())


@dataclass(frozen=True)
class DatasetInfo:
    """What a dataset holds: the environment's spec, the kind of data, and where it comes from."""

    spec: EnvironmentSpec
    kind: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for Zarr attributes."""
        return {"spec": self.spec.to_json(), "kind": self.kind, "provenance": self.provenance}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DatasetInfo:
        """Inverse of `to_json`.

        Raises:
            KeyError: a field is missing.
        """
        return cls(EnvironmentSpec.from_json(data["spec"]), str(data["kind"]), dict(data["provenance"]))
