"""Time in a bag: stamps that can be trusted, one clock for all streams, and how well they kept it.

Time is what headers say, never the number of a message divided by a rate: that is how streams drift apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.importing import EpisodeError

GAP = 1.5  # periods; a longer pause in a stream means that messages were dropped
CLOCK_JUMP = 0.25  # seconds by which a stamping clock may move against the recorder's
JUMP_WINDOW = 5  # messages on each side of a jump, at least
JUMP_SECONDS = 0.5  # that they span, at least: messages that were only received late are no jump


class NoMessageError(EpisodeError):
    """A step for which a stream has no message."""


def check_clock(stamps: npt.NDArray[np.int64], received: npt.NDArray[np.int64], topic: str) -> None:
    """Raise EpisodeError unless `stamps` ``(N,)`` [ns] are set and grow, and their clock never jumps.

    A jump is a lasting change of the delay between stamp and `received` ``(N,)`` [ns]: of its minimum, since a
    recorder that is held up only adds to it.
    """
    if (stamps == 0).any():
        raise EpisodeError(f"message {np.flatnonzero(stamps == 0)[0]} of '{topic}' has stamp 0; its driver sets none")
    backward = np.flatnonzero(np.diff(stamps) <= 0)
    if len(backward):
        raise EpisodeError(f"stamps of '{topic}' go back after message {backward[0]}; they must grow")
    period = float(np.median(np.diff(stamps))) * 1e-9 if len(stamps) > 1 else JUMP_SECONDS
    window = max(JUMP_WINDOW, math.ceil(JUMP_SECONDS / period))
    if len(stamps) < 2 * window:
        return
    least = np.lib.stride_tricks.sliding_window_view((received - stamps) * 1e-9, window).min(axis=1)
    change = least[window:] - least[:-window]
    largest = float(np.abs(change).max())
    if largest > CLOCK_JUMP:
        seen = np.flatnonzero(np.abs(change) > largest / 2)
        at = int(seen[-1] if change[seen[-1]] < 0 else seen[0]) + window
        raise EpisodeError(f"the clock of '{topic}' jumps by {largest:.2f} s near message {at}")


def measured_period(stamps: npt.NDArray[np.int64]) -> float:
    """Median time between observations [s]."""
    return float(np.median(np.diff(np.unique(stamps)))) * 1e-9


def common_ticks(streams: list[npt.NDArray[np.int64]], rate: float) -> npt.NDArray[np.int64]:
    """Ticks [ns] at `rate` [Hz], from when the last of `streams` begins to when the first one ends.

    Raises:
        EpisodeError: they share less than one period.
    """
    begin, end = max(int(s[0]) for s in streams), min(int(s[-1]) for s in streams)
    count = int(np.floor((end - begin) * 1e-9 * rate + 1e-6)) + 1
    if count < 2:
        raise EpisodeError(
            f"its streams share {max(0.0, (end - begin) * 1e-9):.3f} s, less than a period at {rate:g} Hz"
        )
    return begin + np.round(np.arange(count) * 1e9 / rate).astype(np.int64)


def nearest(
    stamps: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], tolerance: float, topic: str
) -> npt.NDArray[np.int64]:
    """For each of `ticks` ``(N,)`` [ns] the number of the message of `stamps` nearest to it.

    Raises:
        NoMessageError: none within `tolerance` [s].
    """
    after = np.clip(np.searchsorted(stamps, ticks), 1, max(1, len(stamps) - 1))
    before = after - 1
    after = np.minimum(after, len(stamps) - 1)
    chosen = np.where(ticks - stamps[before] <= stamps[after] - ticks, before, after)
    skew = np.abs(stamps[chosen] - ticks) * 1e-9
    bad = np.flatnonzero(skew > tolerance)
    if len(bad):
        raise NoMessageError(
            f"no message of '{topic}' within {tolerance:.3f} s of step {bad[0]} (nearest {skew[bad[0]]:.3f} s away; "
            f"{len(bad)} of {len(ticks)} steps)"
        )
    return chosen


def dropped(stamps: npt.NDArray[np.int64]) -> int:
    """How many messages are missing between those of `stamps` ``(N,)`` [ns], by their median distance.

    A message that only came late leaves a gap too, but makes up for it: no more are missing than the whole time lacks.
    """
    intervals = np.diff(stamps)
    if not len(intervals):
        return 0
    periods = intervals / np.median(intervals)
    in_gaps = int(np.round(periods[periods > GAP] - 1).sum())
    return min(in_gaps, max(0, round(float(periods.sum())) - len(intervals)))


def timing(
    stamps: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """What a stream's stamps ``(N,)`` [ns] look like, and how far those `chosen` are from `ticks`; JSON values.

    ``rate`` [Hz], ``jitter`` (standard deviation of the intervals), ``longest_gap`` and ``skew`` [s], ``dropped``
    and ``repeated`` messages.
    """
    intervals = np.diff(stamps) * 1e-9
    skew = (stamps[chosen] - ticks) * 1e-9
    return {
        "messages": len(stamps),
        "rate": float(1.0 / np.median(intervals)) if len(intervals) else 0.0,
        "jitter": float(intervals.std()) if len(intervals) else 0.0,
        "longest_gap": float(intervals.max(initial=0.0)),
        "dropped": dropped(stamps),
        "repeated": int((np.diff(chosen) == 0).sum()),
        "skew": {"median": float(np.median(np.abs(skew))), "max": float(np.abs(skew).max())},
    }
