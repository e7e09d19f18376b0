"""Whether topics are as they should be: silent, stale, slow, fast, stamped wrongly."""

from __future__ import annotations

import pytest

from clam_recorder.sags import Sags
from clam_recorder.topic_monitor import Limits, TopicMonitor

TOPIC = "/joint_states"


def heard(rate: float, seconds: float = 4.0, age: float | None = 0.01, **limits: float) -> tuple[TopicMonitor, float]:
    """A monitor that expects 50 Hz and heard `rate` for so long; and the time now."""
    monitor = TopicMonitor({TOPIC: 50.0, "/free": None}, Limits(**limits))
    count = int(rate * seconds)
    for index in range(count):
        monitor.note(TOPIC, 100.0 + index / rate, 400, age)
    return monitor, 100.0 + seconds


def test_a_topic_as_expected_is_no_reason_to_refuse() -> None:
    monitor, now = heard(50.0)
    assert monitor.refusals(now) == []
    assert monitor.slow(now) == {}
    assert monitor.rate(TOPIC, now) == pytest.approx(50.0, rel=0.03)
    assert monitor.bytes_per_second(now) == pytest.approx(50 * 400, rel=0.03)
    facts = monitor.table(now)
    assert facts[TOPIC]["ok"] and facts[TOPIC]["expected"] == 50.0
    assert facts["/free"] == {"rate": 0.0, "expected": None, "ok": True}


@pytest.mark.parametrize(
    ("rate", "later", "age", "why"),
    [
        (0.0, 0.0, None, "/joint_states is silent"),
        (50.0, 1.5, 0.01, "/joint_states is stale: its last message came 1.5 s ago"),
        (30.0, 0.0, 0.01, "/joint_states comes at 30.0 Hz, not 50"),
        (80.0, 0.0, 0.01, "/joint_states comes at 80.0 Hz, not 50"),
        (50.0, 0.0, float("inf"), "/joint_states has stamp 0"),
        (50.0, 0.0, 7.0, "/joint_states is stamped 7.0 s behind this machine's clock"),
        (50.0, 0.0, -3.0, "/joint_states is stamped 3.0 s ahead of this machine's clock"),
    ],
)
def test_what_is_wrong_is_said_of_the_topic(rate: float, later: float, age: float | None, why: str) -> None:
    monitor, now = heard(rate, age=age)
    (reason,) = monitor.refusals(now + later)
    assert reason.startswith(why)
    assert monitor.table(now + later)[TOPIC]["ok"] is False


def test_too_slow_a_topic_names_once_what_to_lower_and_too_fast_a_one_does_not() -> None:
    monitor = TopicMonitor({TOPIC: 50.0, "/camera": 30.0})
    for index in range(80):
        monitor.note(TOPIC, 100.0 + index / 20.0, 400, 0.01)
        monitor.note("/camera", 100.0 + index / 20.0, 400, 0.01)
    both = monitor.refusals(104.0)
    assert len(both) == 2 and not any("rate:=" in reason for reason in both[:1])
    text = "; ".join(both)
    for argument in ("`rate:=", "width:=", "height:=", "`rate_tolerance:=", "`required:="):
        assert text.count(argument) == 1
    fast, now = heard(80.0)
    assert "rate:=" not in fast.refusals(now)[0]


def test_silence_is_judged_by_who_was_there_to_hear() -> None:
    monitor, now = heard(50.0)
    for _ in range(2):
        monitor.beat()
    assert monitor.slow(now + 0.7) == {}, "the recorder was held up, and messages wait for it"
    assert monitor.slow(now + 3.0) == {}, "also for longer than rates are measured"
    for _ in range(10):
        monitor.note(TOPIC, now + 3.0, 400, 0.01)
    monitor.note(TOPIC, now + 3.1, 400, 0.01)
    assert monitor.slow(now + 3.2) == {}, "the first messages after that make no rate yet"
    for _ in range(6):
        monitor.beat()
    assert monitor.slow(now + 3.8) == {TOPIC: (0.0, 50.0)}, "it was there, and nothing came"


def test_a_rate_is_judged_when_enough_messages_can_have_come() -> None:
    monitor = TopicMonitor({"/camera": 5.0})
    for index in range(6):  # at 3 Hz
        now = 100.0 + index / 3.0
        monitor.note("/camera", now, 400, 0.01)
        assert bool(monitor.slow(now)) == (index / 3.0 >= 1.0)


def test_a_topic_that_has_just_begun_is_waited_for() -> None:
    monitor, now = heard(50.0, seconds=0.5)
    assert "wait a moment" in monitor.refusals(now)[0]


def test_tolerance_and_patience_are_those_given() -> None:
    monitor, now = heard(30.0, tolerance=0.5, stale_after=5.0)
    assert monitor.refusals(now) == []
    assert monitor.refusals(now + 2.0) != []  # the rate of the last two seconds


def test_a_slow_topic_is_not_stale_between_two_messages() -> None:
    monitor = TopicMonitor({"/slow": 1.0})
    for index in range(5):
        monitor.note("/slow", float(index), 10)
    assert monitor.refusals(5.9) == []


def test_sags_are_intervals_with_their_lowest_rate() -> None:
    sags = Sags()
    assert len(sags.note(1.0, {"/a": (20.0, 30.0)})) == 1
    assert sags.note(1.5, {"/a": (12.0, 30.0), "/b": (0.0, 50.0)})[0].topic == "/b"
    assert sags.note(2.0, {"/a": (18.0, 30.0)}) == []
    assert sags.note(2.5, {}) == []
    assert len(sags.note(9.0, {"/a": (1.0, 30.0)})) == 1
    first, second, third = sags.to_plain()
    assert first == {"topic": "/a", "expected": 30.0, "lowest": 12.0, "from": 1.0, "to": 2.5}
    assert (second["from"], second["to"]) == (1.5, 2.0)
    assert (third["topic"], third["from"]) == ("/a", 9.0)
