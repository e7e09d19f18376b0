"""Joints are told apart by name, and by where they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from clam_core.doctor.heard import JointNames, Needs
from clam_core.doctor.joints import joints

from .conftest import STATE


def test_all_joints_in_whatever_order_are_sound(needs: Needs, robot: Any) -> None:
    names, arm = joints(needs, robot.heard)
    assert (names.level, arm.level) == ("ok", "ok") and "in the order of training" in names.text
    robot.joints[STATE] = JointNames(("gripper", "waist"), (0.05, 0.5))
    assert "another order" in next(iter(joints(needs, robot.heard))).text


@pytest.mark.parametrize(
    ("names", "positions", "text"),
    [
        (("waist", "elbow"), (0.0, 0.0), "missing names: gripper"),
        (("waist", "waist", "gripper"), (0.0, 0.0, 0.0), "more than once: waist"),
        (("waist", "gripper"), (0.0,), "2 names but 1 positions"),
        (("waist", "gripper"), (math.nan, 0.0), "not finite: waist"),
    ],
)
def test_other_joints_fail(needs: Needs, robot: Any, names: Any, positions: Any, text: str) -> None:
    robot.joints[STATE] = JointNames(names, positions)
    finding = next(iter(joints(needs, robot.heard)))
    assert finding.level == "fail" and text in finding.text


@pytest.mark.parametrize(("waist", "level"), [(2.1, "ok"), (2.5, "warn"), (28.6, "fail")])
def test_positions_outside_their_limits_are_told_and_far_outside_another_unit(
    needs: Needs, robot: Any, waist: float, level: str
) -> None:
    robot.joints[STATE] = JointNames(("waist", "gripper"), (waist, 0.05))
    finding = list(joints(needs, robot.heard))[1]
    assert finding.level == level
    assert level != "fail" or "rad" in finding.mend


@pytest.mark.parametrize("positions", [(math.nan, 0.05), (0.5,), ()])
def test_an_arm_without_sound_positions_fails_also_where_the_policy_sees_only_pictures(
    needs: Needs, robot: Any, positions: Any
) -> None:
    robot.joints[STATE] = JointNames(("waist", "gripper"), positions)
    (finding,) = joints(replace(needs, state_topic="", state_names=()), robot.heard)
    assert finding.level == "fail" and "without a finite position" in finding.text


def test_the_arm_is_checked_where_the_policy_sees_only_pictures(needs: Needs, robot: Any) -> None:
    blind = replace(needs, state_topic="", state_names=())
    (finding,) = joints(blind, robot.heard)
    assert finding.level == "ok"
    robot.joints[STATE] = JointNames(("panda_joint1", "gripper"), (0.0, 0.0))
    (finding,) = joints(blind, robot.heard)
    assert finding.level == "fail" and "commands waist, which the arm does not have" in finding.text
    robot.joints = {}
    assert not list(joints(blind, robot.heard))
