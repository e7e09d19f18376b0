from __future__ import annotations

import numpy as np
import pytest

from clam_core.teleop.faults import Cause
from clam_core.teleop.frames import Pose, about
from clam_core.teleop.sample import Sample
from clam_core.teleop.settings import TeleopSettings
from clam_core.teleop.stream_check import StreamCheck

PERIOD = 1 / 60
AWAY = 5000.0  # between the page's clock and ours [s]


class Stream:
    """A page's stream; each call is the next message."""

    def __init__(self) -> None:
        self.check, self.sequence, self.stamp = StreamCheck(TeleopSettings()), 0, 1.0

    def send(
        self, x: float = 0.0, *, after: float = PERIOD, late: float = 0.0, angle: float = 0.0, lost: bool = False
    ) -> Cause | None:
        self.sequence, self.stamp = self.sequence + 1, self.stamp + after
        pose = None if lost else Pose(np.array([x, 0.0, 0.0]), about((0, 0, 1), angle))
        fault = self.check.fault(Sample(self.stamp, pose, 1.0, 0.0), self.sequence, self.stamp + AWAY + late)
        return None if fault is None else fault.cause


def test_a_quick_hand_is_no_jump_and_a_jump_is_one() -> None:
    stream = Stream()
    assert [stream.send(0.05 * step) for step in range(20)] == [None] * 20  # 3 m/s
    assert stream.send(0.05 * 19 + 0.2) is Cause.JUMP
    assert stream.send(0.05 * 19 + 0.2) is None


def test_a_wrist_that_turns_too_fast_is_a_jump() -> None:
    stream = Stream()
    assert [stream.send(angle=0.3 * step) for step in range(5)] == [None] * 5
    assert stream.send(angle=1.2 + 1.0) is Cause.JUMP


def test_a_pause_does_not_excuse_a_jump_longer_than_its_time_and_is_a_fault_of_its_own() -> None:
    stream = Stream()
    stream.send(0.0)
    assert stream.send(0.6, after=0.1) is Cause.JUMP
    assert stream.send(0.6, after=0.16) is Cause.GAP


def test_bunched_arrivals_are_judged_by_the_pages_stamps() -> None:
    stream = Stream()
    stream.send(0.0)
    assert stream.send(0.05, late=0.08) is None
    assert stream.send(0.10, late=0.08 - PERIOD) is None  # at the same moment
    assert stream.check.lag == pytest.approx(0.08 - PERIOD, abs=1e-3)


def test_late_messages_are_a_fault_though_the_clocks_differ() -> None:
    stream = Stream()
    assert [stream.send(late=0.002) for _ in range(10)] == [None] * 10
    assert stream.send(late=0.2) is Cause.LATE
    assert stream.send() is None


def test_clocks_that_drift_apart_are_no_lag() -> None:
    stream = Stream()
    faults = {stream.send(late=50e-6 * PERIOD * step) for step in range(60 * 600)}  # 50 ppm for ten minutes
    assert faults == {None}
    assert stream.check.lag < 0.01


def test_out_of_order_is_a_fault_and_spoils_nothing() -> None:
    stream = Stream()
    stream.send(0.0)
    stream.sequence -= 1
    assert stream.send(9.0) is Cause.ORDER
    assert stream.send(9.0, after=-1.0) is Cause.ORDER
    stream.stamp += 1.0
    stream.sequence += 1
    assert stream.send(0.0) is None


def test_after_a_lost_controller_there_is_no_jump_to_where_it_comes_back() -> None:
    stream = Stream()
    stream.send(0.0)
    assert stream.send(lost=True) is None  # the clutch sees that
    assert stream.send(3.0) is None
