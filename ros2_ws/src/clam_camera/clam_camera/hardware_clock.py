"""From a camera's own clock to the system clock."""

from __future__ import annotations

DRIFT = 100e-6  # [s/s] two quartz clocks differ by less
STEP = 0.5  # [s] frames do not travel so much longer all of a sudden, and for `FRAMES` of them: a clock was set
FRAMES = 10


class HardwareClock:
    """Maps device times to system times, without knowing how long a frame travels.

    A frame arrives late, never early: the smallest ``arrival - device time`` seen is the best estimate of the
    offset between the clocks. It is let grow by `DRIFT`, so that a slow device clock is followed too. What
    remains is the shortest travel time, a few milliseconds over USB. A system clock that was set back is followed at
    once, one that was set forward by more than `STEP` after `FRAMES` frames.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._last = 0
        self._beyond: list[int] = []  # offsets of the last frames, while they are all larger by more than `STEP`

    def to_system(self, device: int, arrival: int) -> int:
        """System time [ns] of `device` time [ns], for a frame that arrived at system time `arrival` [ns]."""
        offset = arrival - device
        if self._offset is None or device < self._last:  # the first frame, or the device began anew
            self._offset = offset
        else:
            self._offset = min(offset, self._offset + DRIFT * (device - self._last))
        self._beyond = [*self._beyond, offset] if offset - self._offset > STEP * 1e9 else []
        if len(self._beyond) == FRAMES:
            self._offset, self._beyond = min(self._beyond), []
        self._last = device
        return device + round(self._offset)
