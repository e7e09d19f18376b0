from __future__ import annotations

import pytest

from clam_core.teleop.clutch import Clutch, State
from clam_core.teleop.faults import Cause, Fault
from clam_core.teleop.frames import Pose, identity
from clam_core.teleop.sample import Sample


class Hand:
    """A clutch, and samples 16 ms apart."""

    def __init__(self) -> None:
        self.clutch, self.now = Clutch(timeout=0.15), 10.0

    def squeeze(self, *values: float, hand: Pose | None = None, lost: bool = False) -> State:
        for value in values:
            self.now += 0.016
            self.clutch.update(Sample(self.now, None if lost else hand or identity(), value, 0.0), self.now)
            self.clutch.tick(self.now)
        return self.clutch.state

    def engage(self) -> Hand:
        assert self.squeeze(0.0, 1.0) is State.ENGAGED
        return self


def test_a_controller_that_is_squeezed_from_the_beginning_engages_nothing() -> None:
    assert Hand().squeeze(1.0, 1.0, 1.0) is State.BLOCKED


def test_squeezing_engages_and_letting_go_releases() -> None:
    hand = Hand().engage()
    assert hand.squeeze(0.0) is State.RELEASED
    assert hand.squeeze(1.0) is State.ENGAGED
    assert hand.clutch.engagements == 2
    assert not hand.clutch.counts


def test_a_trembling_squeeze_does_not_chatter() -> None:
    hand = Hand()
    assert hand.squeeze(0.0, 0.45, 0.65, 0.5) is State.RELEASED
    assert hand.squeeze(0.75, 0.65, 0.45, 0.6) is State.ENGAGED
    assert hand.clutch.engagements == 1
    assert hand.squeeze(0.39) is State.RELEASED


def test_a_missing_controller_blocks_and_is_no_release() -> None:
    hand = Hand().engage()
    assert hand.squeeze(0.0, 0.0, lost=True) is State.BLOCKED
    assert hand.clutch.reason.cause is Cause.LOST
    assert hand.squeeze(1.0, 1.0) is State.BLOCKED
    assert hand.squeeze(0.0, 1.0) is State.ENGAGED
    assert hand.clutch.counts == {"lost": 1}, "one trouble counts once"


@pytest.mark.parametrize("cause", list(Cause))
def test_after_any_fault_only_a_release_helps(cause: Cause) -> None:
    hand = Hand().engage()
    hand.clutch.fault(Fault(cause, "trouble"))
    assert hand.squeeze(1.0, 0.8, 0.5, 1.0) is State.BLOCKED
    assert hand.clutch.reason.text == "trouble"
    assert hand.squeeze(0.1, 1.0) is State.ENGAGED


def test_silence_blocks_by_our_clock() -> None:
    hand = Hand().engage()
    hand.clutch.tick(hand.now + 0.149)
    assert hand.clutch.state is State.ENGAGED
    hand.clutch.tick(hand.now + 0.151)
    assert hand.clutch.state is State.BLOCKED and hand.clutch.reason.cause is Cause.TIMEOUT


def test_before_anybody_is_connected_and_after_they_have_gone_silence_is_nothing_new() -> None:
    hand = Hand()
    hand.clutch.tick(1000.0)
    assert hand.clutch.reason.cause is Cause.CLOSED
    hand.engage().clutch.close()
    hand.clutch.tick(2000.0)
    assert hand.clutch.state is State.BLOCKED and hand.clutch.reason.cause is Cause.CLOSED


def test_while_an_obstacle_lasts_letting_go_does_not_help() -> None:
    hand = Hand().engage()
    hand.clutch.obstacle = Fault(Cause.BUSY, "the arm moves home")
    assert hand.squeeze(0.0, 1.0, 0.0, 1.0) is State.BLOCKED
    assert hand.clutch.reason.text == "the arm moves home"
    hand.clutch.obstacle = None
    assert hand.squeeze(1.0) is State.BLOCKED
    assert hand.squeeze(0.0, 1.0) is State.ENGAGED
    assert hand.clutch.counts == {"busy": 1}
