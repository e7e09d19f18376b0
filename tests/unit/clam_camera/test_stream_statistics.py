"""Rate, drops, age, and the clock of the device: numbers that people act upon."""

from __future__ import annotations

import numpy as np
import pytest

from clam_camera.hardware_clock import HardwareClock
from clam_camera.stream_statistics import WINDOW, StreamStatistics


def test_the_rate_is_that_of_the_arrivals_and_forgets() -> None:
    statistics = StreamStatistics()
    for index in range(300):  # 10 s at 30 Hz
        statistics.add(index / 30, index)
    assert statistics.rate(10.0) == pytest.approx(30.0)
    for index in range(100):  # 10 s at 10 Hz
        statistics.add(10 + index / 10, 300 + index)
    assert statistics.rate(20.0) == pytest.approx(10.0)
    assert statistics.age(20.0) == pytest.approx(0.1)
    assert statistics.rate(20.0 + WINDOW) == 0.0
    assert statistics.age(20.0 + WINDOW) == pytest.approx(WINDOW + 0.1)


def test_gaps_in_the_numbers_are_drops_and_a_new_beginning_is_none() -> None:
    statistics = StreamStatistics()
    for index, number in enumerate([7, 8, 10, 14, 15]):
        statistics.add(index / 30, number)
    assert (statistics.frames, statistics.drops) == (5, 1 + 3)
    statistics.restart()
    for index, number in enumerate([100, 101]):
        statistics.add(1 + index / 30, number)
    statistics.add(2.0, 3)  # a device that was reset
    assert statistics.drops == 4


def test_without_numbers_or_frames_nothing_is_claimed() -> None:
    statistics = StreamStatistics()
    assert statistics.rate(1.0) == 0.0 and statistics.age(1.0) == float("inf")
    for index in range(10):
        statistics.add(index, None)
    assert statistics.drops == 0


def test_hardware_times_become_system_times_whatever_the_travel_time_does() -> None:
    rng, clock = np.random.default_rng(0), HardwareClock()
    offset, drift, period = 1_700_000_000 * 10**9, 40e-6, 33_333_333
    errors = []
    for index in range(3000):
        device = index * period
        true = offset + round(device * (1 + drift))
        arrival = true + int(2e6 + rng.exponential(5e6))  # 2 ms at least, 7 ms on average
        errors.append(clock.to_system(device, arrival) - true)
    assert np.abs(errors[100:]).max() < 5e6  # [ns]
    assert np.std(errors[100:]) < 1e6


def test_a_device_that_was_reset_gets_a_new_offset() -> None:
    clock = HardwareClock()
    assert clock.to_system(10**12, 5 * 10**12) == 5 * 10**12
    assert clock.to_system(0, 6 * 10**12) == 6 * 10**12


def test_a_system_clock_that_is_set_is_followed_forward_and_back() -> None:
    clock, frame, travel = HardwareClock(), 10**9 // 30, 5_000_000

    def error(step: int, device: int) -> float:
        true = device + step
        return (clock.to_system(device, true + travel) - true) * 1e-9

    for index in range(30):
        assert abs(error(0, index * frame)) < 0.01
    hour = 3600 * 10**9
    errors = [error(hour, index * frame) for index in range(30, 60)]
    assert errors[0] < -3599 and max(map(abs, errors[9:])) < 0.01, "ten frames are late, then it is followed"
    assert max(abs(error(-hour, index * frame)) for index in range(60, 90)) < 0.01


def test_a_few_frames_that_come_late_are_no_clock_that_was_set() -> None:
    clock, frame, late = HardwareClock(), 10**9 // 30, 800_000_000
    for index in range(200):
        stalled = late if index % 20 in range(9) and index > 20 else 0
        assert abs(clock.to_system(index * frame, index * frame + stalled) - index * frame) < 1_000_000
