"""The arm against the numbers that its maker publishes (Interbotix wx250s)."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from clam_description import (
    ARM_JOINTS,
    END_EFFECTOR_LINK,
    FINGER_JOINTS,
    HOME,
    JOINT_STATE_ORDER,
    SLEEP,
    Joint,
    joint_limits,
    names,
    read_joints,
    urdf,
)

# lower and upper in rad, effort in N·m
PUBLISHED_LIMITS = {
    "waist": (-3.14158, 3.14158, 10),
    "shoulder": (-1.88496, 1.98968, 20),
    "elbow": (-2.14675, 1.60570, 15),
    "forearm_roll": (-3.14158, 3.14158, 2),
    "wrist_angle": (-1.74533, 2.14675, 5),
    "wrist_rotate": (-3.14158, 3.14158, 1),
}
PUBLISHED_ORIGINS = {  # m in the parent
    "waist": (0, 0, 0.072),
    "shoulder": (0, 0, 0.03865),
    "elbow": (0.04975, 0, 0.25),
    "forearm_roll": (0.175, 0, 0),
    "wrist_angle": (0.075, 0, 0),
    "wrist_rotate": (0.065, 0, 0),
    "ee_arm": (0.043, 0, 0),
    "gripper_bar": (0, 0, 0),
    "ee_bar": (0.023, 0, 0),
    "ee_gripper": (0.027575, 0, 0),
}
PUBLISHED_MASSES = {  # kg
    "base_link": 0.5387,
    "shoulder_link": 0.4809,
    "upper_arm_link": 0.4308,
    "upper_forearm_link": 0.2346,
    "lower_forearm_link": 0.2210,
    "wrist_link": 0.0850,
    "gripper_link": 0.0729,
    "ee_arm_link": 0.001,
    "gripper_bar_link": 0.0342,
    "left_finger_link": 0.0162,
    "right_finger_link": 0.0162,
}


@pytest.fixture(scope="module")
def joints() -> dict[str, Joint]:
    return {joint.name: joint for joint in read_joints(urdf())}


def test_moving_joints_come_in_the_order_of_joint_states(joints: dict[str, Joint]) -> None:
    moving = tuple(joint.name for joint in joints.values() if joint.type != "fixed")
    assert moving == JOINT_STATE_ORDER == (*ARM_JOINTS, "gripper", *FINGER_JOINTS) == tuple(joint_limits())


@pytest.mark.parametrize("name", ARM_JOINTS)
def test_an_arm_joint_has_its_published_limits(name: str) -> None:
    limit = joint_limits()[name]
    assert (limit.lower, limit.upper, limit.effort) == pytest.approx(PUBLISHED_LIMITS[name], abs=6e-6)
    assert limit.velocity == pytest.approx(math.pi)


def test_axes_and_origins_are_the_published_ones(joints: dict[str, Joint]) -> None:
    axes = "".join("xyz"[joints[name].axis.index(1)] for name in ARM_JOINTS)
    assert axes == "zyyxyx"
    assert {name: joints[name].xyz for name in PUBLISHED_ORIGINS} == PUBLISHED_ORIGINS
    assert {joint.rpy for joint in joints.values()} == {(0, 0, 0)}


def test_the_right_finger_mirrors_the_left(joints: dict[str, Joint]) -> None:
    left, right = (joints[name] for name in FINGER_JOINTS)
    assert left.limit and right.limit and right.mimic
    assert left.mimic is None
    assert (left.type, left.axis, left.limit.lower, left.limit.upper) == ("prismatic", (0, 1, 0), 0.015, 0.037)
    assert (right.type, right.axis, right.limit.lower, right.limit.upper) == ("prismatic", (0, 1, 0), -0.037, -0.015)
    assert (right.mimic.joint, right.mimic.multiplier, right.mimic.offset) == ("left_finger", -1, 0)


def test_masses_are_the_published_ones() -> None:
    masses = {
        link.attrib["name"]: float(mass.attrib["value"])
        for link in ElementTree.fromstring(urdf()).findall("link")
        if (mass := link.find("inertial/mass")) is not None
    }
    assert {name: masses[name] for name in PUBLISHED_MASSES} == pytest.approx(PUBLISHED_MASSES, abs=6e-5)
    assert sum(masses.values()) == pytest.approx(2.138, abs=1e-3)


@pytest.mark.parametrize("name", names())
def test_every_inertia_is_that_of_a_possible_body(name: str) -> None:
    inertials = list(ElementTree.fromstring(urdf(name)).iter("inertia"))
    assert len(inertials) == 14
    for element in inertials:
        xx, yy, zz, xy, xz, yz = (float(element.attrib[f"i{key}"]) for key in ("xx", "yy", "zz", "xy", "xz", "yz"))
        moments = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        assert moments[0] > 0
        assert moments[0] + moments[1] >= moments[2]


@pytest.mark.parametrize("pose", [HOME, SLEEP])
def test_named_poses_are_within_the_limits(pose: tuple[float, ...]) -> None:
    limits = [joint_limits()[name] for name in ARM_JOINTS]
    assert all(limit.lower <= position <= limit.upper for limit, position in zip(limits, pose, strict=True))


def test_the_end_effector_is_midway_between_the_fingers(joints: dict[str, Joint]) -> None:
    (end_effector,) = (joint for joint in joints.values() if joint.child == END_EFFECTOR_LINK)
    assert end_effector.parent == joints["left_finger"].parent == joints["right_finger"].parent
    assert end_effector.xyz[1] == joints["left_finger"].xyz[1] == joints["right_finger"].xyz[1] == 0
