"""From a camera's own clock to the system clock."""

from __future__ import annotations

DRIFT = 100e-6  # [s/s] two quartz clocks differ by less


class HardwareClock:
    """Maps device times to system times, without knowing how long a frame travels.

    A frame arrives late, never early: the smallest ``arrival - device time`` seen is the best estimate of the
    offset between the clocks. It is let grow by `DRIFT`, so that a slow device clock is followed too. What
    remains is the shortest travel time, a few milliseconds over USB.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._last = 0

    def to_system(self, device: int, arrival: int) -> int:
        """System time [ns] of `device` time [ns], for a frame that arrived at system time `arrival` [ns]."""
        offset = arrival - device
        if self._offset is None or device < self._last:  # the first frame, or the device began anew
            self._offset = offset
        else:
            self._offset = min(offset, self._offset + DRIFT * (device - self._last))
        self._last = device
        return device + round(self._offset)
