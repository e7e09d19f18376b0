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
SAME_SPEED = 0.01  # share by which clocks of one speed may seem to differ
JUMP_SECONDS = 0.5  # that they span, at least: messages that were only received late are no jump


class NoMessageError(EpisodeError):
    """A step for which a stream has no message."""


def check_clock(stamps: npt.NDArray[np.int64], received: npt.NDArray[np.int64], topic: str) -> None:
    """Raise EpisodeError unless `stamps` ``(N,)`` [ns] are set and grow, and their clock never jumps.

    A jump is a lasting change of the delay between stamp and `received` ``(N,)`` [ns]: of its minimum, since a
    recorder that is held up only adds to it, and of messages that were not held up. A change that goes on all the time
    is none: a simulator's time may run slower than the recorder's.
    """
    if (stamps == 0).any():
        raise EpisodeError(f"message {np.flatnonzero(stamps == 0)[0]} of '{topic}' has stamp 0; its driver sets none")
    backward = np.flatnonzero(np.diff(stamps) <= 0)
    if len(backward):
        raise EpisodeError(f"stamps of '{topic}' go back after message {backward[0]}; they must grow")
    period = float(np.median(np.diff(stamps))) * 1e-9 if len(stamps) > 1 else JUMP_SECONDS
    window = max(JUMP_WINDOW, math.ceil(JUMP_SECONDS / period))
    prompt = _prompt(stamps, received)
    if len(prompt) < 2 * window:
        return
    delays = (received - stamps)[prompt] * 1e-9
    least = np.lib.stride_tricks.sliding_window_view(delays, window).min(axis=1)
    change = least[window:] - least[:-window]
    drift = _drift(change, window)
    change -= drift
    largest = float(np.abs(change).max())
    if largest > max(CLOCK_JUMP, abs(drift)):
        seen = np.flatnonzero(np.abs(change) > largest / 2)
        at = prompt[int(seen[-1] if change[seen[-1]] < 0 else seen[0]) + window]
        raise EpisodeError(f"the clock of '{topic}' jumps by {largest:.2f} s near message {at}")


def _prompt(stamps: npt.NDArray[np.int64], received: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of the messages that did not wait in a queue: the next one does not come much sooner than its stamp.

    Of a queue that is emptied at once only the last message tells the delay. Such a queue may be longer than
    `JUMP_SECONDS`: while a recorder loads its libraries, on a busy machine.
    """
    if len(stamps) < 2:
        return np.arange(len(stamps))
    speed = np.diff(received) / np.diff(stamps)
    waited = speed < 0.5 * min(1.0, float(np.median(speed)))
    return np.flatnonzero(~np.append(waited, False))


def _drift(change: npt.NDArray[np.float64], window: int) -> float:
    """By how much the delay changes [s] from one window to the next all the time; 0 where it does so only for a while.

    A jump shows in `window` entries of `change`: of twice as many, in no more than half.
    """
    if len(change) < 2 * window:
        return 0.0
    low, middle, high = np.quantile(change, [0.25, 0.5, 0.75])
    steady = low * high > 0 and min(abs(low), abs(high)) > 0.5 * max(abs(low), abs(high))
    return float(middle) if steady else 0.0


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


def on_stamp_clock(
    times: npt.NDArray[np.int64], stamps: npt.NDArray[np.int64], received: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Receipt `times` ``(M,)`` [ns] on the clock of `stamps` ``(N,)``, of messages that were `received` ``(N,)``.

    Clocks of one speed differ by a delay, its median. A simulator's may be slower: then by a line.
    """
    begin = int(received[0])
    speed = np.polyfit((received - begin).astype(float), (stamps - stamps[0]).astype(float), 1)[0]
    if abs(speed - 1.0) < SAME_SPEED:
        speed = 1.0
    shift = np.median(stamps - stamps[0] - speed * (received - begin))
    moved: npt.NDArray[np.int64] = np.round(speed * (times - begin) + shift).astype(np.int64)
    return int(stamps[0]) + moved


def in_force(
    stamps: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], tolerance: float, topic: str
) -> npt.NDArray[np.int64]:
    """For each of `ticks` ``(N,)`` [ns] but the last the number of the last command of `stamps` before the next tick.

    It is what leads to the next tick's observation. One that comes less than half a command's period before that tick
    belongs to the next step: so commands that come once per step may jitter around the ticks.

    Raises:
        NoMessageError: that command is more than `tolerance` [s] older than its step.
    """
    step = float(np.median(np.diff(ticks)))
    own = float(np.median(np.diff(stamps))) if len(stamps) > 1 else step
    ends = ticks[1:] - round(min(own, step) / 2)
    chosen = np.searchsorted(stamps, ends, "left") - 1
    age = np.where(chosen < 0, np.inf, (ticks[:-1] - stamps[chosen]) * 1e-9)
    bad = np.flatnonzero(age > tolerance)
    if len(bad):
        last = "none before it" if chosen[bad[0]] < 0 else f"the last one {age[bad[0]]:.3f} s before it"
        raise NoMessageError(
            f"no message of '{topic}' from {tolerance:.3f} s before step {bad[0]} to its end ({last}; "
            f"{len(bad)} of {len(ticks) - 1} steps)"
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
