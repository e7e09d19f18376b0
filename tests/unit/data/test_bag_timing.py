"""Which command belongs to which step, and clocks that run at another speed."""

import numpy as np
import pytest

from clam_core.data.bag_timing import NoMessageError, check_clock, in_force, nearest, on_stamp_clock
from clam_core.data.importing import EpisodeError

MS, SECOND = 10**6, 10**9
TICKS = SECOND + 200 * MS * np.arange(20)


def grid(rate, seconds=5.0, offset=0.0, jitter=0.0):
    times = SECOND + (np.arange(round(seconds * rate)) / rate + offset) * SECOND
    return np.sort(times + np.random.default_rng(0).uniform(-jitter, jitter, len(times)) * SECOND).astype(np.int64)


def test_of_many_commands_the_last_one_before_the_next_step_counts():
    stamps = grid(50)
    chosen = in_force(stamps, TICKS, 0.1, "/command")
    np.testing.assert_array_equal(stamps[chosen], TICKS[1:] - 20 * MS)


@pytest.mark.parametrize("offset", [-0.02, 0.0, 0.02])
@pytest.mark.parametrize("jitter", [0.0, 0.04])
def test_commands_at_the_rate_stay_with_the_step_they_answer(offset, jitter):
    stamps = grid(5, offset=offset, jitter=jitter)
    chosen = in_force(stamps, TICKS, 0.1, "/command")
    np.testing.assert_array_equal(chosen, np.arange(len(TICKS) - 1))
    np.testing.assert_array_equal(chosen, nearest(stamps, TICKS[:-1], 0.1, "/command"))


def test_commands_of_lockstep_that_bear_the_stamp_of_their_observation_answer_it():
    np.testing.assert_array_equal(in_force(TICKS[:-1], TICKS, 0.1, "/command"), np.arange(len(TICKS) - 1))


def test_commands_that_stop_within_an_episode_are_not_held_longer_than_the_tolerance():
    stamps = grid(50)
    stamps = stamps[(stamps < TICKS[8]) | (stamps >= TICKS[10])]  # two steps without any
    with pytest.raises(NoMessageError, match=r"from 0.100 s before step 9 to its end \(the last one 0.220 s"):
        in_force(stamps, TICKS, 0.1, "/command")
    assert stamps[in_force(stamps, TICKS, 0.25, "/command")[9]] == TICKS[8] - 20 * MS
    with pytest.raises(NoMessageError, match=r"step 0 to its end \(none before it; 10 of 19"):
        in_force(stamps[stamps >= TICKS[10]], TICKS, 0.1, "/command")


@pytest.mark.parametrize("speed", [0.5, 0.8, 2.0])
def test_a_simulator_s_time_may_run_slower_than_the_recorder_s(speed):
    stamps = grid(50, seconds=6.0)
    received = SECOND + ((stamps - SECOND) / speed).astype(np.int64) + 2 * MS
    check_clock(stamps, received, "/joint_states")
    jumped = stamps + np.where(np.arange(len(stamps)) >= 150, 2 * SECOND, 0)
    with pytest.raises(EpisodeError, match=r"jumps by (1.98|2.0[01]) s near message 150"):
        check_clock(jumped, received, "/joint_states")


@pytest.mark.parametrize("rate", [5, 10, 50])
@pytest.mark.parametrize("begin", [0.0, 4.0])
@pytest.mark.parametrize("pace", [0.0, 0.2])
def test_what_waited_for_a_busy_recorder_is_no_jump(rate, begin, pace):
    """It stood still for 1.5 s, then took what had come meanwhile: at once, or five times as fast as it had come."""
    stamps = grid(rate, seconds=10.0)
    free = SECOND + round((begin + 1.5) * SECOND)
    waited = (stamps >= SECOND + round(begin * SECOND)) & (stamps < free)
    received = stamps + 2 * MS
    received[waited] = (
        free + (pace * (stamps[waited] - stamps[waited][0])).astype(np.int64) + MS * np.arange(waited.sum()) // 10
    )
    received = np.maximum.accumulate(received)
    check_clock(stamps, received, "/joint_states")
    jumped = stamps + np.where(np.arange(len(stamps)) >= len(stamps) // 3, SECOND // 2, 0)
    with pytest.raises(EpisodeError, match=r"jumps by 0.5"):
        check_clock(jumped, received, "/joint_states")


@pytest.mark.parametrize("seconds", [1.2, 2.0, 3.0, 10.0])
def test_a_jump_shows_in_a_recording_of_any_length(seconds):
    received = grid(50, seconds)
    stamps = received + np.where(np.arange(len(received)) >= len(received) // 2, SECOND // 2, 0)
    with pytest.raises(EpisodeError, match=r"jumps by 0.50 s"):
        check_clock(stamps, received, "/joint_states")


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_receipt_times_become_those_of_the_stamps(speed):
    stamps = grid(50)
    received = 7 * SECOND + ((stamps - SECOND) / speed).astype(np.int64)
    late = received.copy()
    late[100:110] += SECOND // 10  # a recorder that was held up moves nothing
    mapped = on_stamp_clock(received[::10], stamps, late)
    assert np.abs(mapped - stamps[::10]).max() < 10 * MS
