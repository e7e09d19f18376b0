"""What the driver needs of an arm, and which arms there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError, did_you_mean
from clam_core.safety import Limits, Measurement

Vector = npt.NDArray[np.float64]

BACKENDS = {
    "mujoco": "clam_arm.backends.mujoco:MujocoBackend",
    "mujoco_arm": "clam_arm.backends.mujoco_arm:MujocoArmBackend",
    "interbotix": "clam_arm.backends.interbotix:InterbotixBackend",
}


@dataclass(frozen=True)
class BackendSettings:
    """What every backend is made from.

    `start`: where a simulated arm begins ``(A,)`` [rad, gripper gap m]. `period`: time between two setpoints [s].
    `timeout`: how long the backend may take to connect, and to answer one request [s]. `namespace`: that of the driver,
    for arms that are reached over topics. `should_stop`: whether the process was told to stop, for whatever waits.
    """

    robot: str
    urdf: str
    limits: Limits
    start: Sequence[float]
    period: float = 0.02
    timeout: float = 10.0
    robot_name: str = ""
    namespace: str = ""
    should_stop: Callable[[], bool] = lambda: False


class Backend(Protocol):
    """An arm with a gripper. `read` and `send` must return within a few milliseconds.

    Raises (all methods): ClamError when the arm or its software cannot do it.
    """

    def __init__(self, settings: BackendSettings) -> None: ...

    def read(self, now: float) -> Measurement | None:
        """The newest measurement, stamped on the clock of `now` [s]; None before the first."""

    def read_anew(self) -> None:
        """Nobody has read for a while, or the arm was away: `read` gives nothing that was measured before this call."""

    def send(self, setpoint: Vector) -> None:
        """Go to `setpoint` ``(A,)`` [rad, gripper gap m]; it has passed the safety filter."""

    def torque(self, on: bool) -> None:
        """Switch the motors on or off; returns when it is done."""

    def close(self) -> None:
        """Let go of the arm; it keeps its last setpoint and its torque."""


def make_backend(name: str, settings: BackendSettings) -> Backend:
    """The backend `name`: one of `BACKENDS`, or ``module:class`` of your own.

    Raises:
        ClamError: no such backend, its library is missing, or the arm does not answer.
    """
    where = BACKENDS.get(name, name)
    module, colon, class_name = where.partition(":")
    if not colon:
        raise ClamError(f"no backend '{name}': {did_you_mean(name, BACKENDS)}, or module:class of your own")
    try:
        backend: type[Backend] = getattr(import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise ClamError(f"backend '{name}' cannot be imported from {where}: {error}") from error
    return backend(settings)
