"""Whatever is commanded, measured and pressed: what is sent never leaves the limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.safety import Measurement, Trajectory


def random_command(rng: np.random.Generator, arm: Any) -> Any:
    """Sound ones near the arm, and every kind of nonsense."""
    low, high = arm.filter.limits.low, arm.filter.limits.high
    positions = arm.positions + rng.normal(0, 0.05, 4) * (high - low)
    kind = rng.integers(8)
    if kind == 0:
        positions = rng.uniform(low - 1, high + 1)
    elif kind == 1:
        positions[rng.integers(4)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e300])
    elif kind == 2:
        positions = rng.uniform(-1, 1, rng.integers(7))
    elif kind == 3:
        positions = rng.choice(np.stack([low, high]), axis=0)
    return positions


def random_measurement(rng: np.random.Generator, arm: Any) -> Measurement:
    positions = arm.positions + rng.normal(0, 0.003, 4)
    stamp = arm.now - rng.uniform(0, 0.01)
    kind = rng.integers(40)
    if kind == 0:
        positions[:] = -np.pi
    elif kind == 1:
        positions[rng.integers(4)] = np.nan
    elif kind == 2:
        positions[rng.integers(4)] += rng.normal() * 5
    elif kind == 3:
        stamp += rng.normal() * 10
    return Measurement(stamp, positions)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_sent_never_leaves_the_limits(make_arm: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm = make_arm(warm=False, on_fast="scale" if seed % 3 == 0 else "refuse")
    filter_, low, high = arm.filter, arm.filter.limits.low, arm.filter.limits.high
    lag, last, sent = rng.uniform(0.2, 1.0), None, 0
    for _ in range(2000):
        passed = rng.choice([0.001, 0.02, 0.02, 0.02, 0.05, 0.3], p=[0.1, 0.3, 0.3, 0.2, 0.09, 0.01])
        arm.now += passed
        if rng.random() < 0.95:
            filter_.observe(random_measurement(rng, arm), arm.now)
        for _ in range(rng.integers(3)):
            filter_.command(arm.names, random_command(rng, arm), arm.now)
        event = rng.integers(200)
        if event == 0:
            filter_.estop(arm.now)
        elif event == 1:
            filter_.disable()
            last = None
        elif event < 6:
            filter_.enable(arm.now)
            last = None
        elif event < 10:
            filter_.reset_estop(arm.now)
        elif event == 10:
            filter_.rest()
        output = filter_.output(arm.now)
        if output is None:
            last = None
            continue
        sent += 1
        assert np.isfinite(output).all()
        assert (output >= low - 1e-9).all() and (output <= high + 1e-9).all()
        outside = filter_._checks._outside
        if last is not None:
            assert (np.abs(output - last) <= filter_.limits.speed * passed + 1e-9).all(), "faster than the limit"
            # out of the box only to hold where the arm is
            assert outside(output) <= max(outside(last), outside(filter_.measured.positions)) + 1e-6
        last = output
        arm.positions = arm.positions + lag * (output - arm.positions)
    assert sent > 500
    assert len(filter_.counts) > 8, "most rules were tried"


@pytest.mark.parametrize("seed", range(6))
def test_no_trajectory_leads_out_of_the_limits(make_arm: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm = make_arm()
    low, high = arm.filter.limits.low, arm.filter.limits.high
    finished = 0
    for _ in range(20):
        goal = rng.uniform(low, high)
        trajectory = Trajectory.move(arm.positions.copy(), goal, speed=arm.filter.limits.speed * 0.5, now=arm.now)
        while arm.now < trajectory.end + arm.period:
            if arm.command(*trajectory.at(arm.now)):
                break
            before = arm.positions.copy()
            output = arm.tick()
            assert (output >= low - 1e-9).all() and (output <= high + 1e-9).all()
            assert (np.abs(output - before) <= arm.filter.limits.speed * arm.period + 1e-9).all()
            assert arm.filter._checks._outside(output) < 1e-6
        finished += np.allclose(arm.positions, goal)
    assert finished, "some goals lie in the box"
    assert set(arm.filter.counts) <= {"workspace"}
