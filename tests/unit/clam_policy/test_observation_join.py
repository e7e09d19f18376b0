"""What belongs together is joined once per control period; what does not fit is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clam_policy.observation_join import ExactJoin, NearestJoin, Together

MS = 1_000_000  # [ns]
STATE, CAMERA, OTHER = "joint_states", "camera/external/image_raw", "camera/over_shoulder/image_raw"
START = 10**18


def make(*streams: str, tolerance: int = 100) -> NearestJoin[int]:
    return NearestJoin(streams, period=200 * MS, tolerance=tolerance * MS, memory=500 * MS)


def play(
    join: NearestJoin[int], rates: dict[str, float], *, seconds: float = 4.0, delays: dict[str, float] | None = None,
    jitter: float = 0.0, offsets: dict[str, float] | None = None,
) -> list[Together[int]]:  # fmt: skip
    """Streams of these rates [Hz], each message `delays` [s] after its stamp; messages are their stamps [ms]."""
    rng, events = np.random.default_rng(0), []
    for stream, rate in rates.items():
        for number in range(int(seconds * rate)):
            taken = (offsets or {}).get(stream, 0.0) + number / rate + rng.uniform(-jitter, jitter)
            events.append((taken + (delays or {}).get(stream, 0.0), stream, taken))
    found = []
    for arrival, stream, taken in sorted(events):
        together = join.add(stream, START + round(taken * 1e9), round(taken * 1e3), arrival)
        found += [together] if together else []
    return found


@pytest.mark.parametrize(
    "rates",
    [{STATE: 50.0, CAMERA: 30.0, OTHER: 30.0}, {STATE: 5.0, CAMERA: 30.0}, {CAMERA: 30.0}, {STATE: 50.0},
     {STATE: 5.0, CAMERA: 5.0}, {STATE: 5.02, CAMERA: 30.0}, {STATE: 50.0, CAMERA: 14.7}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("jitter", [0.0, 0.004])
def test_one_observation_per_period_at_an_even_pace(rates: dict[str, float], jitter: float) -> None:
    found = play(make(*rates), rates, seconds=20.0, jitter=jitter, delays={CAMERA: 0.03, OTHER: 0.05})
    between = np.diff([together.stamp for together in found]) / MS
    assert len(found) == pytest.approx(100, abs=3)
    assert between.min() > 120 and between.max() < 280


def test_a_camera_that_is_held_up_now_and_then_is_not_asked_more_often() -> None:
    """Seen on a busy machine: intervals of 15 to 60 ms between frames."""
    join, rng, stamp, found = make(STATE, CAMERA), np.random.default_rng(0), START, 0
    for _ in range(3000):
        stamp += round(rng.choice([16, 17, 33, 34, 50, 66], p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.1]) * MS)
        found += join.add(STATE, stamp + MS, 0, 0.0) is not None
        found += join.add(CAMERA, stamp, 0, 0.0) is not None
    assert found == pytest.approx((stamp - START) / (200 * MS), rel=0.02)


def test_the_lagging_stream_decides_and_the_oldest_stamp_counts() -> None:
    join = make(STATE, CAMERA)
    for stamp in (0, 20, 40, 60, 80, 100):
        assert join.add(STATE, START + stamp * MS, stamp, 0.0) is None
    together = join.add(CAMERA, START + 33 * MS, 33, 0.1)
    assert together is not None and together.messages == {STATE: 40, CAMERA: 33}
    assert together.stamp == START + 33 * MS


def test_a_slow_transport_is_matched_with_what_was_measured_then() -> None:
    found = play(make(STATE, CAMERA), {STATE: 50.0, CAMERA: 30.0}, delays={CAMERA: 0.25}, jitter=0.002)
    assert len(found) > 15
    assert max(abs(together.messages[STATE] - together.messages[CAMERA]) for together in found) <= 14


def test_streams_that_do_not_fit_give_nothing_and_a_reason_until_they_do() -> None:
    join = make(STATE, CAMERA)
    rates = {STATE: 50.0, CAMERA: 30.0}
    assert play(join, rates, offsets={CAMERA: -2.0}, delays={CAMERA: 2.0}) == []  # its clock is 2 s behind
    assert join.apart.startswith(f"'{CAMERA}' is ") and "behind 'joint_states', at most 0.1 s is allowed" in join.apart
    assert play(join, rates, offsets={STATE: 10.0, CAMERA: 10.0}) and join.apart == ""


def test_a_stream_that_stops_gives_nothing_says_so_and_goes_on() -> None:
    join = make(STATE, CAMERA)
    assert join.silence(0.0, 1.0) == f"nothing yet on '{STATE}', '{CAMERA}'"
    assert len(play(join, {STATE: 50.0, CAMERA: 30.0}, seconds=2.0)) == 10
    assert join.silence(2.5, 1.0) == ""
    assert play(join, {STATE: 50.0}, seconds=2.0, offsets={STATE: 2.0}) == []
    assert join.silence(4.0, 1.0) == f"nothing on '{CAMERA}' for 2.0 s"
    assert len(play(join, {STATE: 50.0, CAMERA: 30.0}, offsets={STATE: 4.0, CAMERA: 4.0}, seconds=2.0)) >= 10
    assert join.silence(6.0, 1.0) == ""


def test_dropped_frames_do_not_bring_the_pace_down() -> None:
    join, found = make(STATE, CAMERA), 0
    for number in range(600):  # 20 s at 30 Hz, two of five frames lost, among them those that are due
        stamp = START + number * 33_333_333
        found += join.add(STATE, stamp, number, 0.0) is not None
        if number % 5 not in (1, 4):
            found += join.add(CAMERA, stamp, number, 0.0) is not None
    assert found == pytest.approx(100, abs=5)


def test_a_clock_that_is_set_back_begins_anew() -> None:
    join = make(STATE, CAMERA)
    assert len(play(join, {STATE: 50.0, CAMERA: 30.0}, seconds=2.0)) == 10
    back = dict.fromkeys((STATE, CAMERA), -3600.0)
    assert len(play(join, {STATE: 50.0, CAMERA: 30.0}, seconds=2.0, offsets=back)) == 10


def test_after_a_pause_nothing_of_before_it_counts() -> None:
    join = make(STATE, CAMERA)
    play(join, {STATE: 50.0, CAMERA: 30.0}, seconds=2.0)
    join.reset()
    assert join.add(STATE, START + 5000 * MS, 5000, 5.0) is None and join.apart == ""
    assert join.silence(5.0, 1.0) == f"nothing yet on '{CAMERA}'"
    assert join.add(CAMERA, START + 5000 * MS, 5000, 5.0) is not None


def test_a_repeated_message_is_no_new_observation() -> None:
    join = make(CAMERA)
    assert join.add(CAMERA, START, 1, 0.0) is not None
    assert join.add(CAMERA, START, 1, 0.0) is None


def test_exactly_joined_messages_have_the_same_stamp_in_any_order() -> None:
    join: ExactJoin[str] = ExactJoin((STATE, CAMERA))
    assert join.add(STATE, 1, "s1", 0.0) is None
    assert join.add(STATE, 2, "s2", 0.0) is None
    assert join.add(CAMERA, 1, "c1", 0.0) == Together(1, {STATE: "s1", CAMERA: "c1"})
    assert join.add(CAMERA, 2, "c2", 0.0) == Together(2, {STATE: "s2", CAMERA: "c2"})
    assert [join.add(*message, 0.0) for message in ((CAMERA, 2, "c2"), (STATE, 2, "s2"))] == [
        None,
        Together(2, {STATE: "s2", CAMERA: "c2"}),
    ], "a repeated step is joined again"
    assert join.silence(1e9, math.inf) == ""


def test_what_is_never_complete_is_forgotten() -> None:
    join: ExactJoin[str] = ExactJoin((STATE, CAMERA))
    for stamp in range(1000):
        join.add(STATE, stamp, "s", 0.0)
    assert join.add(CAMERA, 0, "c", 0.0) is None
    assert join.add(CAMERA, 999, "c", 0.0) is not None
    assert join.add(CAMERA, 998, "c", 0.0) is None, "an earlier step does not come after a later one"
