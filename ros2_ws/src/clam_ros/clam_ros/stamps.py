"""Stamps as integers: nanoseconds, so that two stamps compare exactly."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time

NANOSECONDS = 1_000_000_000


def to_ns(stamp: Time) -> int:
    """Nanoseconds of a message stamp."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def to_time(ns: int) -> Time:
    """Message stamp of `ns` nanoseconds."""
    sec, nanosec = divmod(ns, NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def to_duration(ns: int) -> Duration:
    """Message duration of `ns` nanoseconds."""
    sec, nanosec = divmod(ns, NANOSECONDS)
    return Duration(sec=sec, nanosec=nanosec)


def set_stamp(stamp: Time, ns: int) -> None:
    """Write `ns` nanoseconds into a stamp that already belongs to a message."""
    stamp.sec, stamp.nanosec = divmod(ns, NANOSECONDS)
