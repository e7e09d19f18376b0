"""How smooth a movement of joints is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mean_squared_jerk(positions: npt.NDArray[np.float64], rate: float) -> float:
    """Mean over steps and joints of the squared third difference of `positions` ``(T, J)`` [rad] at `rate` [Hz], times
    rate⁶: [rad²/s⁶].

    Raises:
        ValueError: fewer than four positions.
    """
    if len(positions) < 4:
        raise ValueError(f"{len(positions)} positions have no jerk; it takes four")
    return float(np.mean((np.diff(positions, 3, axis=0) * rate**3) ** 2))
