"""What every environment offers: reset to a seed, step, render."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError
from clam_core.spec import CameraSpec, EnvironmentSpec, Observation


@dataclass(frozen=True)
class Step:
    """Outcome of one action: `reward` and `success` of this step, `done` when the step budget is used up.

    There are no termination conditions (Appendix E): `done` only ever means ``spec.max_steps`` actions were
    taken.
    """

    observation: Observation
    reward: float
    success: bool
    done: bool


class Environment(Protocol):
    """A simulator of one task. Episodes have a fixed length of ``spec.max_steps`` actions."""

    @property
    def spec(self) -> EnvironmentSpec:
        """Names, units, limits and rate of what the environment shows and takes."""

    def reset(self, seed: int) -> Observation:
        """Start the episode that belongs to `seed`: the same layout always, whatever ran before."""

    def step(self, action: npt.NDArray[Any]) -> Step:
        """Take `action` ``(A,)``, in the units of ``spec.action``; it is clipped to the limits.

        Raises:
            ClamError: the action has the wrong shape or is not finite, or the episode is over.
        """

    def render(self, height: int = 480, width: int = 480, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """RGB image ``(height, width, 3)`` of the current state, right side up."""

    def close(self) -> None:
        """Free the simulator and its graphics context."""


def check_camera(env: str, camera: str, valid: Sequence[str]) -> str:
    """`camera`, if `env` has it.

    Raises:
        ClamError: it has not.
    """
    if camera not in valid:
        raise ClamError(f"unknown {env} camera '{camera}', valid: {', '.join(valid)}")
    return camera


def square_cameras(names: str, size: int | None, check: Callable[[str], str] = str) -> tuple[CameraSpec, ...]:
    """The cameras `names`, one or several with commas between, with square images; none without a `size` [pixels].

    Raises:
        ClamError: a name is empty or given twice, or `check` refuses it.
    """
    each = [name.strip() for name in names.split(",")]
    if not all(each) or len(set(each)) < len(each):
        raise ClamError(f"cameras '{names}' must be different names with commas between them")
    return tuple(CameraSpec(check(name), size, size) for name in each) if size else ()


def check_action(action: npt.NDArray[Any], spec: EnvironmentSpec) -> npt.NDArray[np.float64]:
    """`action` as float64 ``(A,)``, clipped to the limits.

    Raises:
        ClamError: wrong shape, or NaN or infinite values.
    """
    action = np.asarray(action, dtype=np.float64)
    if action.shape != (len(spec.action.names),):
        raise ClamError(
            f"action of shape {action.shape} for {spec.env} {spec.task}; "
            f"give {len(spec.action.names)} values: {', '.join(spec.action.names)}"
        )
    if not np.isfinite(action).all():
        raise ClamError(f"action {action.tolist()} is not finite; give finite values")
    return spec.action.clip(action)
