"""What was sent before the stop is in the bag, however slowly the machine takes it in."""

from __future__ import annotations

import pytest

pytest.importorskip("clam_recorder", reason="needs clam_recorder (make setup)")

from clam_recorder.tail import LOOKS, MOST_LOOKS, Tail

STOP = 10**18
SECOND = 10**9


def looks_until_in(tail: Tail, stamps: dict[int, int], *, every: float = 0.01, most: int = 1000) -> int:
    """How many looks it takes when before look n a message stamped `stamps[n]` comes."""
    for look in range(1, most):
        if look in stamps:
            tail.hear("/a", stamps[look])
        if tail.look(look * every):
            return look
    raise AssertionError("never")


def test_topics_that_are_silent_are_in_after_a_few_looks() -> None:
    assert looks_until_in(Tail(STOP), {}) == LOOKS


def test_whoever_stood_still_takes_in_what_waited() -> None:
    """Looks far apart: by the clock, any of them would be a long silence."""
    waited = {look: STOP - SECOND + look for look in range(1, 10)}
    assert looks_until_in(Tail(STOP), waited, every=0.1) == 9 + LOOKS


def test_a_topic_that_never_rests_is_in_once_a_message_was_made_after_the_stop() -> None:
    stamps = {look: STOP + (look - 30) * SECOND for look in range(1, 1000)}
    assert looks_until_in(Tail(STOP), stamps) == 31


def test_one_that_never_rests_and_has_no_stamps_is_not_waited_for_long() -> None:
    assert looks_until_in(Tail(STOP), dict.fromkeys(range(1, 1000), 0)) == MOST_LOOKS


def test_one_whose_stamps_are_of_another_clock_is_waited_for_two_seconds() -> None:
    assert looks_until_in(Tail(STOP), dict.fromkeys(range(1, 1000), 5)) == 201


def test_all_topics_must_be_in() -> None:
    tail = Tail(STOP)
    for look in range(2 * MOST_LOOKS):
        tail.hear("/slow", STOP - SECOND)
        tail.hear("/past", STOP + 1)
        assert not tail.look(0.01 * look)
    tail.hear("/slow", STOP + 1)
    assert tail.look(1.0)


def test_beside_a_topic_that_never_rests_there_is_time_for_slower_ones() -> None:
    """A camera at 7 Hz whose next picture was taken before the stop."""
    tail = Tail(STOP)
    for look in range(1, MOST_LOOKS):
        tail.hear("/joint_states", STOP + look)
        if look == 14:
            tail.hear("/camera", STOP - 1)
        assert not tail.look(0.01 * look)
    tail.hear("/joint_states", STOP + SECOND)
    tail.hear("/camera", STOP + 1)
    assert tail.look(0.2)
