from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.safety import Measurement

HERE = np.array([0.0, 0.0, 0.1, 0.05])


@pytest.mark.parametrize(
    ("positions", "after", "reason"),
    [
        ([-np.pi, -np.pi, -np.pi, -np.pi], 0.02, "measurement_bus"),
        ([-np.pi, -np.pi, -np.pi, 0.05], 0.02, "measurement_bus"),
        ([np.nan, 0.0, 0.1, 0.05], 0.02, "measurement_not_finite"),
        ([np.nan] * 4, 0.02, "measurement_not_finite"),
        ([0.0, np.inf, 0.1, 0.05], 0.02, "measurement_not_finite"),
        ([0.0, 0.0, 0.1], 0.02, "shape"),
        ([0.0, 0.0, 0.1, 0.05], 0.0, "measurement_stale"),
        ([0.0, 0.0, 0.1, 0.05], -1.0, "measurement_stale"),
        ([0.0, 0.0, 0.1, 0.05], 5.0, "measurement_stale"),
        ([0.0, 0.0, 0.1, 0.05], np.nan, "measurement_not_finite"),
        ([2.2, 0.0, 0.1, 0.05], 0.02, "measurement_range"),
        ([0.0, 0.0, 0.1, 0.1], 0.02, "measurement_range"),
        ([1.0, 0.0, 0.1, 0.05], 0.02, "measurement_jump"),
    ],
)
def test_known_faults_are_refused_and_counted(make_arm: Any, positions: Any, after: float, reason: str) -> None:
    arm = make_arm()
    before = arm.filter.measured
    refusal = arm.filter.observe(Measurement(before.stamp + after, np.array(positions)), arm.now + arm.period)
    assert refusal is not None and refusal.reason.value == reason
    assert arm.filter.counts == {reason: 1}
    assert arm.filter.measured is before, "the fault did not become the truth"


def test_a_fault_that_lasts_stops_the_arm_and_it_recovers_by_itself_slowly(make_arm: Any) -> None:
    arm = make_arm()
    arm.command(0.1, 0.0, 0.1, 0.05)
    arm.tick()
    for _ in range(20):  # 0.4 s of failed bus reads
        arm.now += arm.period
        arm.filter.observe(Measurement(arm.now, np.full(4, -np.pi)), arm.now)
        output = arm.filter.output(arm.now)
    assert output is None, "nothing is sent when nobody knows where the arm is"
    assert arm.state == "fault"
    assert arm.command(0.1, 0.0, 0.1, 0.05) == "no_measurement"
    assert arm.filter.counts == {"measurement_bus": 20, "measurement_stale": 1, "no_measurement": 1}
    where = arm.positions.copy()
    assert arm.tick() == pytest.approx(where), "it begins anew from where it is"
    assert arm.state == "hold"
    assert arm.command(where[0] + 0.2, *where[1:]) == ""
    first = arm.tick()
    assert 0 < first[0] - where[0] < 0.3 * 3.0 * arm.period, "start-up slew again"


def test_an_arm_that_was_moved_by_hand_is_believed_after_a_moment(make_arm: Any) -> None:
    arm = make_arm()
    arm.filter.disable()
    arm.positions = np.array([1.0, 0.0, 0.1, 0.05])
    arm.tick()
    assert arm.filter.measured.positions[0] == 0.0
    arm.tick(20)
    assert arm.filter.measured.positions[0] == 1.0


def test_an_arm_resting_a_little_beyond_its_limit_is_held_within_it(make_arm: Any) -> None:
    arm = make_arm(warm=False)
    arm.positions = np.array([0.04, 0.0, -0.004, 0.029])
    arm.tick(20)
    arm.filter.enable(arm.now)
    assert arm.tick().tolist() == [0.04, 0.0, 0.0, 0.03]
