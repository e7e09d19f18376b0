"""Why something was refused: a code to count and a line to read."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Code of a refusal; its value is the key under which refusals are counted."""

    JOINT_NAMES = "joint_names"
    SHAPE = "shape"
    NOT_FINITE = "not_finite"
    POSITION_LIMIT = "position_limit"
    VELOCITY_LIMIT = "velocity_limit"
    WORKSPACE = "workspace"
    EMPTY = "empty"
    TIME = "time"  # time_from_start does not increase, or all of it is in the past
    STALE_COMMAND = "stale_command"
    COMMAND_TIMEOUT = "command_timeout"  # nobody was refused: commands stopped coming
    ESTOP = "estop"
    TORQUE_OFF = "torque_off"
    WENT_ON = "went_on"  # a commander made no pause at an e-stop, torque or a move that has ended
    BUSY = "busy"  # a move to home or sleep is under way
    NO_MEASUREMENT = "no_measurement"  # none yet, or the last sound one is too old
    MEASUREMENT_NOT_FINITE = "measurement_not_finite"
    MEASUREMENT_BUS = "measurement_bus"  # every joint reads -π: the bus read failed
    MEASUREMENT_RANGE = "measurement_range"
    MEASUREMENT_JUMP = "measurement_jump"
    MEASUREMENT_STALE = "measurement_stale"
    BACKEND = "backend"  # the arm's own software refused or failed


class Refusal(Exception):
    """A command or measurement that must not be used; `text` is one line with the value and the bound."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason.value}: {text}")
        self.reason = reason
        self.text = text
