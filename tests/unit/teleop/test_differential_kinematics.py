from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from clam_core.errors import ClamError
from clam_core.safety import ForwardKinematics, Limits
from clam_core.teleop.differential_kinematics import DifferentialKinematics
from clam_core.teleop.frames import Pose, about, angle_of, towards, turn
from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK, SLEEP, urdf

BEGIN = np.array([0.2, -0.6, 0.6, 0.0, 0.8, 0.1])
PERIOD = 0.02


@pytest.mark.parametrize("positions", [BEGIN, np.array(SLEEP), np.zeros(6)])
def test_its_pose_is_that_of_the_safety_filters_kinematics(
    kinematics: DifferentialKinematics, forward: ForwardKinematics, positions: np.ndarray
) -> None:
    kinematics.reset(positions)
    expected = forward.pose(positions)
    assert kinematics.pose.position == pytest.approx(expected[:3, 3], abs=1e-9)
    assert kinematics.pose.rotation == pytest.approx(expected[:3, :3], abs=1e-9)


def test_a_base_that_stands_elsewhere_changes_nothing(
    make_kinematics: Callable[..., DifferentialKinematics], forward: ForwardKinematics
) -> None:
    placed = make_kinematics("workcell")
    placed.reset(BEGIN)
    assert placed.pose.position == pytest.approx(forward.position(BEGIN), abs=1e-9)
    goal = Pose(np.add(placed.pose.position, [0.0, 0.05, 0.0]), placed.pose.rotation)
    for _ in range(100):
        assert placed.step(goal, PERIOD)
    assert forward.position(placed.positions) == pytest.approx(goal.position, abs=1e-4)


@pytest.fixture
def free(make_kinematics: Callable[..., DifferentialKinematics]) -> DifferentialKinematics:
    """Without a joint that is kept straight."""
    return make_kinematics()


def wander(kinematics: DifferentialKinematics, seed: int) -> np.ndarray:
    """Lead the hand about from home, turning it a little, for half a minute: errors of place [m] and turn, rolls."""
    kinematics.reset(np.zeros(6))
    begin, rng, rows = kinematics.pose, np.random.default_rng(seed), []
    target = begin
    for _ in range(20):
        place = np.add(begin.position, rng.uniform(-1, 1, 3) * [0.1, 0.15, 0.1] + [-0.08, 0.0, -0.08])
        goal = Pose(place, turn(0.3 * rng.uniform(-1, 1, 3)) @ begin.rotation)
        for _ in range(75):
            target = towards(target, goal, 0.005, 0.02)
            kinematics.step(target, PERIOD)
        here = kinematics.pose
        turned = angle_of(here.rotation @ goal.rotation.T)
        rows.append([np.linalg.norm(here.position - goal.position), turned, abs(kinematics.positions[3])])
    return np.array(rows)


@pytest.mark.parametrize("seed", range(3))
def test_the_forearm_does_not_wind_up_and_that_costs_little(kinematics: DifferentialKinematics, seed: int) -> None:
    place, turned, roll = wander(kinematics, seed).T
    assert roll.max() < 1.9, "it would be at its end at 3.14"
    assert place.max() < 0.003 and np.median(turned) < 0.12 and turned.max() < 0.4


def test_a_pose_within_reach_is_reached_to_a_tenth_of_a_millimetre(free: DifferentialKinematics) -> None:
    kinematics = free
    kinematics.reset(BEGIN)
    goal = Pose(np.add(kinematics.pose.position, [0.05, 0.1, -0.06]), about((0, 0, 1), 0.3) @ kinematics.pose.rotation)
    for _ in range(200):
        assert kinematics.step(goal, PERIOD)
    assert kinematics.pose.position == pytest.approx(goal.position, abs=1e-4)
    assert angle_of(kinematics.pose.rotation @ goal.rotation.T) < 1e-3


def test_limits_of_position_and_velocity_hold_at_every_step_wherever_it_is_led(
    kinematics: DifferentialKinematics, limits: Limits
) -> None:
    rng = np.random.default_rng(1)
    kinematics.reset(BEGIN)
    for _ in range(30):
        axis = rng.normal(size=3)
        goal = Pose(rng.uniform(-1, 1, 3), about((axis / np.linalg.norm(axis)).tolist(), rng.uniform(0, 3)))
        for _ in range(20):
            before = kinematics.positions
            kinematics.step(goal, PERIOD)
            assert np.abs(kinematics.positions - before).max() <= 1.5 * PERIOD + 1e-5  # what the solver takes for zero
            assert (kinematics.positions >= limits.low[:-1]).all() and (kinematics.positions <= limits.high[:-1]).all()


def test_it_comes_back_from_a_target_out_of_reach(kinematics: DifferentialKinematics) -> None:
    kinematics.reset(BEGIN)
    begin = kinematics.pose
    for _ in range(200):
        kinematics.step(Pose(np.array([2.0, 1.0, 0.5]), begin.rotation), PERIOD)
    for _ in range(300):
        kinematics.step(begin, PERIOD)
    assert kinematics.pose.position == pytest.approx(begin.position, abs=2e-3)


def test_a_joint_or_link_that_is_not_there_is_named(limits: Limits) -> None:
    numbers = {"lower": limits.lower, "upper": limits.upper, "speed": [1.0] * 6}
    with pytest.raises(ClamError, match=r"no 'knee'; it has: .*elbow"):
        DifferentialKinematics(
            urdf("wx250s"), ["knee", *ARM_JOINTS[1:]], base=BASE_LINK, tip=END_EFFECTOR_LINK, **numbers
        )
    with pytest.raises(ClamError, match="no 'hand'"):
        DifferentialKinematics(urdf("wx250s"), ARM_JOINTS, base=BASE_LINK, tip="hand", **numbers)
