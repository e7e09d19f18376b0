from __future__ import annotations

import math

import numpy as np
import pytest

from clam_core.teleop.frames import (
    Pose,
    about,
    angle_of,
    from_quaternion,
    from_webxr,
    identity,
    rotation_vector,
    towards,
    turn,
)

UPRIGHT = (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("webxr", "rep103"),
    [((0, 0, -1), (1, 0, 0)), ((-1, 0, 0), (0, 1, 0)), ((0, 1, 0), (0, 0, 1)), ((1, 2, 3), (-3, -1, 2))],
)
def test_ahead_left_and_up_of_a_headset_are_x_y_and_z(webxr: tuple[float, ...], rep103: tuple[float, ...]) -> None:
    assert from_webxr(webxr, UPRIGHT).position == pytest.approx(rep103)


def test_a_turn_to_the_left_stays_one() -> None:
    half = math.radians(15)
    pose = from_webxr((0, 0, 0), (0.0, math.sin(half), 0.0, math.cos(half)))  # about y, which is up
    assert pose.rotation == pytest.approx(about((0, 0, 1), 2 * half))


def test_rotations_and_positions_are_turned_by_the_same_axes() -> None:
    rng = np.random.default_rng(0)
    quaternion = rng.normal(size=4)
    quaternion /= np.linalg.norm(quaternion)
    point = rng.normal(size=3)
    there = from_quaternion(quaternion.tolist()) @ point  # where a point fixed to the hand is
    pose = from_webxr((0, 0, 0), quaternion.tolist(), yaw=0.7)
    assert pose.rotation @ from_webxr(point, UPRIGHT, 0.7).position == pytest.approx(
        from_webxr(there, UPRIGHT, 0.7).position
    )
    assert np.linalg.det(pose.rotation) == pytest.approx(1.0)


def test_yaw_says_what_lies_ahead_for_the_operator() -> None:
    assert from_webxr((0, 0, -1), UPRIGHT, math.pi / 2).position == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.3, 3.0, math.pi - 1e-6, math.pi])
def test_rotation_vectors_come_back(angle: float) -> None:
    axis = np.array([2.0, -1.0, 0.5]) / np.linalg.norm([2.0, -1.0, 0.5])
    rotation = turn(angle * axis)
    assert angle_of(rotation) == pytest.approx(angle, abs=1e-6)
    assert turn(rotation_vector(rotation)) == pytest.approx(rotation, abs=1e-6)


def test_a_step_is_limited_in_way_and_turn_and_ends_at_the_goal() -> None:
    goal = Pose(np.array([0.0, 3.0, 4.0]), about((0, 0, 1), 1.0))
    step = towards(identity(), goal, 1.0, 0.25)
    assert step.position == pytest.approx((0, 0.6, 0.8))
    assert step.rotation == pytest.approx(about((0, 0, 1), 0.25))
    arrived = towards(step, goal, 10.0, 10.0)
    assert arrived.position == pytest.approx(goal.position) and arrived.rotation == pytest.approx(goal.rotation)
