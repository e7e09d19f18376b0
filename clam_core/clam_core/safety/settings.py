"""Numbers of the safety filter that are not limits of the arm."""

from __future__ import annotations

from dataclasses import dataclass

from clam_core.errors import ClamError


@dataclass(frozen=True)
class FilterSettings:
    """Times in seconds.

    `horizon`: time in which the arm is expected to reach a command; a command may lie at most
    velocity limit x (horizon + age of the measurement) from the measured position.
    `on_fast`: ``refuse`` a command further away, or ``scale`` it back along the straight line to it.
    `startup_speed`: fraction of the velocity limits right after enabling, rising to 1 within `startup_time`.

    Raises:
        ClamError: a number that would switch a check off.
    """

    horizon: float = 0.1
    command_timeout: float = 0.5
    measurement_timeout: float = 0.2
    startup_time: float = 2.0
    startup_speed: float = 0.2
    on_fast: str = "refuse"

    def __post_init__(self) -> None:
        bounds = {
            "horizon": (0.01, 0.5),
            "command_timeout": (0.05, 5.0),
            "measurement_timeout": (0.02, 1.0),
            "startup_time": (0.1, 60.0),
            "startup_speed": (0.01, 1.0),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise ClamError(f"{name} is {getattr(self, name)}: give a number from {low} to {high}")
        if self.on_fast not in ("refuse", "scale"):
            raise ClamError(f"on_fast is '{self.on_fast}': valid: refuse, scale")
