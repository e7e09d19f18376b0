"""What an environment or a robot shows and takes: names, units, limits, rate.

The same objects travel from the simulator through datasets into a bundle, and a policy node compares them with
the live robot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

#: One observation: key ``state`` holds float64 ``(D,)``; every camera name holds uint8 ``(H, W, 3)``.
Observation = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class CameraSpec:
    """A camera stream; ``height`` and ``width`` in pixels, RGB."""

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class ObservationSpec:
    """Low-dimensional state (names and units in order, D entries) and cameras."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    cameras: tuple[CameraSpec, ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) != len(self.units):
            raise ValueError(f"{len(self.names)} names but {len(self.units)} units")
        if len(set(self.names)) != len(self.names):
            raise ValueError("observation names must be unique")


@dataclass(frozen=True)
class ActionSpec:
    """Action names, units and limits in order, A entries."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len({len(self.names), len(self.units), len(self.low), len(self.high)}) != 1:
            raise ValueError("names, units, low and high must have the same length")

    def clip(self, action: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """``(..., A)`` clipped to the limits."""
        return np.clip(np.asarray(action, dtype=np.float64), self.low, self.high)


def widest(specs: Sequence[ActionSpec]) -> ActionSpec:
    """The first one, with limits that hold those of all; they must have its names."""
    low, high = (np.array([getattr(spec, side) for spec in specs]) for side in ("low", "high"))
    return replace(specs[0], low=tuple(low.min(0).tolist()), high=tuple(high.max(0).tolist()))


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment or robot: ``rate`` in Hz (decisions per second), ``max_steps`` decisions per episode."""

    env: str
    task: str
    observation: ObservationSpec
    action: ActionSpec
    rate: float
    max_steps: int

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON and Zarr attributes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EnvironmentSpec:
        """Inverse of `to_json`.

        Raises:
            KeyError: a field is missing.
        """
        observation, action = data["observation"], data["action"]
        return cls(
            env=data["env"],
            task=data["task"],
            observation=ObservationSpec(
                names=tuple(observation["names"]),
                units=tuple(observation["units"]),
                cameras=tuple(CameraSpec(**camera) for camera in observation.get("cameras", ())),
            ),
            action=ActionSpec(**{key: tuple(action[key]) for key in ("names", "units", "low", "high")}),
            rate=float(data["rate"]),
            max_steps=int(data["max_steps"]),
        )
