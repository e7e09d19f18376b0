"""An operator that is a script: unhurried play around where the arm is, through the same door as a person's input."""

from __future__ import annotations

import numpy as np

from clam_core.teleop.devices import SCRIPT
from clam_core.teleop.messages import InputMessage
from clam_core.teleop.settings import TeleopSettings

REACH = np.array([0.12, 0.18, 0.10])  # [m] it plays so far around where it began
TURN = np.array([0.3, 0.3, 0.6])  # [rad]
NEAR, NEAR_TURN = 0.01, 0.05  # [m], [rad] from a goal it takes the next one
PATIENCE = 6.0  # [s] for one goal
GRASP = 0.3  # probability that a goal comes with a change of the grip
GRAB, REST = 8.0, 0.5  # [s] it lets go for so long at first and after every grab: after a fault nothing else helps


class ScriptedHand:
    """Messages like those of a stick, to one random goal after the other; what it does depends on `seed` only."""

    def __init__(self, settings: TeleopSettings, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._speed = np.repeat([settings.stick_speed, settings.stick_turn_speed], 3)
        self._pose = np.zeros(6)  # where its hand has got to: way [m] and turn [rad]
        self._goal = np.zeros(6)
        self._trigger = 0.0
        self._sequence = 0
        self._begin: float | None = None
        self._last = self._deadline = 0.0

    def message(self, now: float) -> InputMessage:
        """What the hand does at `now` [s]; call it at a steady rate."""
        if self._begin is None:
            self._begin = self._last = self._deadline = now
        seconds, self._last = min(now - self._last, 0.1), now
        squeezed = (now - self._begin) % (REST + GRAB) > REST
        twist = self._twist(now) if squeezed else np.zeros(6)
        self._pose = self._pose + twist * self._speed * seconds
        self._sequence += 1
        return InputMessage(
            SCRIPT, self._sequence, now, float(squeezed), self._trigger, frozenset(), tuple(twist.tolist())
        )

    def _twist(self, now: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        offset = self._goal - self._pose
        arrived = np.linalg.norm(offset[:3]) < NEAR and np.linalg.norm(offset[3:]) < NEAR_TURN
        if arrived or now > self._deadline:
            self._goal = self._rng.uniform(-1.0, 1.0, 6) * np.concatenate([REACH, TURN])
            self._deadline = now + PATIENCE
            if self._rng.random() < GRASP:
                self._trigger = 1.0 - self._trigger
            offset = self._goal - self._pose
        return np.asarray(np.clip(2.0 * offset / self._speed, -1.0, 1.0))
