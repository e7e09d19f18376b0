"""Faults of the stream of samples: order, gaps, lag, jumps. Jumps and gaps are judged by the page's own stamps,
because what it sends arrives in bunches."""

from __future__ import annotations

import numpy as np

from clam_core.teleop.faults import Cause, Fault
from clam_core.teleop.frames import angle_of
from clam_core.teleop.sample import Sample
from clam_core.teleop.settings import TeleopSettings

NOISE, TURN_NOISE = 0.02, 0.15  # [m], [rad] that a hand may move between two samples on top of its speed
DRIFT = 1e-3  # the two clocks may drift apart by so much per second; also what forgives a lasting delay in the end


class StreamCheck:
    """Sees every sample of one connection once, with its sequence number and its arrival [s] on our clock."""

    def __init__(self, settings: TeleopSettings) -> None:
        self._settings = settings
        self._sequence = -1
        self._last: Sample | None = None
        self._arrived = 0.0
        self._fastest = float("inf")  # least of arrival - stamp so far: the way without any waiting
        self.lag = 0.0  # [s] that the last sample came later than the fastest one did

    def fault(self, sample: Sample, sequence: int, arrived: float) -> Fault | None:
        """What is wrong with this sample, if anything is. Out of order it must not be used in any way."""
        last, settings = self._last, self._settings
        if sequence <= self._sequence or (last is not None and sample.stamp <= last.stamp):
            return Fault(Cause.ORDER, "messages of the page came out of order")
        self._sequence = sequence
        self._measure_lag(sample.stamp, arrived)
        self._last, self._arrived = sample, arrived
        if self.lag > settings.timeout:
            return Fault(Cause.LATE, f"messages come {1000 * self.lag:.0f} ms late: is the network busy?")
        if last is None:
            return None
        seconds = sample.stamp - last.stamp
        if seconds > settings.timeout:
            return Fault(Cause.GAP, f"the page was silent for {1000 * seconds:.0f} ms")
        return self._jump(last, sample, seconds)

    def _measure_lag(self, stamp: float, arrived: float) -> None:
        delay, elapsed = arrived - stamp, max(arrived - self._arrived, 0.0)
        self._fastest = min(delay, self._fastest + DRIFT * elapsed)
        self.lag = delay - self._fastest

    def _jump(self, last: Sample, sample: Sample, seconds: float) -> Fault | None:
        if last.hand is None or sample.hand is None:
            return None
        way = float(np.linalg.norm(sample.hand.position - last.hand.position))
        angle = angle_of(sample.hand.rotation @ last.hand.rotation.T)
        settings = self._settings
        if way > NOISE + settings.hand_speed * seconds:
            return Fault(Cause.JUMP, f"the controller jumped by {100 * way:.0f} cm in {1000 * seconds:.0f} ms")
        if angle > TURN_NOISE + settings.hand_turn_speed * seconds:
            return Fault(Cause.JUMP, f"the controller turned by {angle:.1f} rad in {1000 * seconds:.0f} ms")
        return None
