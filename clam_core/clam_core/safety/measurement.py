"""Measured joint positions, and the faults by which an arm's software is known to report nonsense."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.safety.limits import Limits
from clam_core.safety.reasons import Reason, Refusal

Vector = npt.NDArray[np.float64]

TOLERANCE = 0.1  # [rad] an arm may rest this far beyond a limit (backlash, calibration)
GRIPPER_TOLERANCE = 0.01  # [m]
FUTURE = 0.02  # [s] a stamp may lie this far ahead
JUMP = 0.05  # [rad, m] noise on top of what speed explains


@dataclass(frozen=True)
class Measurement:
    """Positions ``(A,)`` [rad, gripper: gap in m] at `stamp` [s], on the clock that the filter is given."""

    stamp: float
    positions: Vector
    velocities: Vector | None = None


def check_measurement(limits: Limits, measurement: Measurement, last: Measurement | None, now: float) -> None:
    """Refuse what cannot be where the arm is; `last` is the last sound measurement.

    A position further from the last one than twice the velocity limit explains is a misread register. As time
    passes the allowed distance grows, so that an arm that was really moved by hand is believed again.

    Raises:
        Refusal: wrong shape, not finite, all joints -π (a failed bus read), from the future, not newer than `last`,
            beyond the limits, or a jump.
    """
    positions = measurement.positions
    if positions.shape != (len(limits.names),):
        raise Refusal(Reason.SHAPE, f"measurement has shape {positions.shape}, the arm has {len(limits.names)} joints")
    if not (np.isfinite(positions).all() and math.isfinite(measurement.stamp)):
        raise Refusal(Reason.MEASUREMENT_NOT_FINITE, f"measured positions are {positions.tolist()}")
    if (np.abs(positions[: len(limits.joints)] + math.pi) < 1e-3).all():
        raise Refusal(Reason.MEASUREMENT_BUS, "every joint reads -π: the motor bus read failed, check cable and power")
    if measurement.stamp > now + FUTURE:
        raise Refusal(Reason.MEASUREMENT_STALE, f"stamp lies {measurement.stamp - now:.3f} s in the future")
    if last is not None and measurement.stamp <= last.stamp:
        raise Refusal(Reason.MEASUREMENT_STALE, f"stamp {measurement.stamp:.3f} s is not after {last.stamp:.3f} s")
    tolerance = np.array([*[TOLERANCE] * len(limits.joints), GRIPPER_TOLERANCE])
    beyond = np.maximum(limits.low - positions, positions - limits.high) - tolerance
    if (beyond > 0).any():
        worst = int(beyond.argmax())
        raise Refusal(
            Reason.MEASUREMENT_RANGE,
            f"joint '{limits.names[worst]}' reads {positions[worst]:.4f}, its limits are "
            f"{limits.low[worst]:.4f} to {limits.high[worst]:.4f}: move it back by hand with torque off",
        )
    if last is not None:
        allowed = JUMP + 2 * limits.speed * (measurement.stamp - last.stamp)
        excess = np.abs(positions - last.positions) - allowed
        if (excess > 0).any():
            worst = int(excess.argmax())
            raise Refusal(
                Reason.MEASUREMENT_JUMP,
                f"joint '{limits.names[worst]}' jumped from {last.positions[worst]:.4f} to {positions[worst]:.4f} "
                f"in {measurement.stamp - last.stamp:.3f} s",
            )
