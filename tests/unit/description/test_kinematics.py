"""Poses of links against the published end effector, a product of exponentials, and MuJoCo."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from clam_description import (
    ARM_JOINTS,
    END_EFFECTOR_LINK,
    HOME,
    SLEEP,
    end_effector_pose,
    joint_limits,
    link_poses,
    read_joints,
    urdf,
)

Matrix = NDArray[np.float64]

PUBLISHED_END_EFFECTOR = (0.458325, 0, 0.36065)  # m in base_link, at zeros
POSE = (0.7, -0.5, 0.9, 1.1, -0.6, 2.0)  # rad


def exponential(axis: str, point: tuple[float, float, float], angle: float) -> Matrix:
    """Turn by `angle` about the line along `axis` through `point` (m in base_link at zeros)."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.eye(4)
    turn[:3, :3] = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    turn[:3, 3] = (np.eye(3) - turn[:3, :3]) @ point
    return turn


def product_of_exponentials(arm: tuple[float, ...]) -> Matrix:
    """Forward kinematics from the joints' lines at zeros, written down apart from the URDF."""
    lines = [
        ("z", (0, 0, 0)),
        ("y", (0, 0, 0.11065)),
        ("y", (0.04975, 0, 0.36065)),
        ("x", (0, 0, 0.36065)),
        ("y", (0.29975, 0, 0.36065)),
        ("x", (0, 0, 0.36065)),
    ]
    pose = np.eye(4)
    pose[:3, 3] = PUBLISHED_END_EFFECTOR
    for (axis, point), angle in reversed(list(zip(lines, arm, strict=True))):
        pose = exponential(axis, point, angle) @ pose
    return pose


def test_at_zeros_the_end_effector_is_where_the_maker_says() -> None:
    np.testing.assert_allclose(end_effector_pose(HOME)[:3, 3], PUBLISHED_END_EFFECTOR, atol=1e-6)
    np.testing.assert_allclose(end_effector_pose(HOME)[:3, :3], np.eye(3), atol=1e-12)


@pytest.mark.parametrize("arm", [SLEEP, POSE])
def test_elsewhere_it_is_where_a_product_of_exponentials_says(arm: tuple[float, ...]) -> None:
    np.testing.assert_allclose(end_effector_pose(arm), product_of_exponentials(arm), atol=1e-6)


def test_a_finger_that_is_not_named_follows_the_other() -> None:
    poses = link_poses(read_joints(urdf()), {"left_finger": 0.02})
    np.testing.assert_allclose(poses["left_finger_link"][1, 3], 0.02)
    np.testing.assert_allclose(poses["right_finger_link"][1, 3], -0.02)


def test_wrong_positions_are_errors_that_name_the_valid_joints() -> None:
    with pytest.raises(ValueError, match=r"no movable joint 'ee_arm'; valid: waist"):
        link_poses(read_joints(urdf()), {"ee_arm": 1.0})
    with pytest.raises(ValueError, match="5 joint positions; the arm needs 6"):
        end_effector_pose(HOME[:5])


class Simulated:
    """The same URDF text in MuJoCo; it has no `mimic`, so both fingers are set."""

    def __init__(self, name: str) -> None:
        self.model = mujoco.MjModel.from_xml_string(urdf(name))
        self.data = mujoco.MjData(self.model)

    def put(self, arm: tuple[float, ...], finger: float = 0.02) -> dict[str, float]:
        positions = {**dict(zip(ARM_JOINTS, arm, strict=True)), "left_finger": finger, "right_finger": -finger}
        for joint, position in positions.items():
            self.data.joint(joint).qpos[0] = position
        mujoco.mj_forward(self.model, self.data)
        return positions


@pytest.mark.parametrize("name", ["wx250s", "workcell"])
def test_mujoco_puts_every_link_at_the_same_pose(name: str) -> None:
    simulated = Simulated(name)
    poses = link_poses(read_joints(urdf(name)), simulated.put(POSE))
    assert simulated.model.nbody == len(poses)
    for link, pose in poses.items():
        body = simulated.data.body(link)
        np.testing.assert_allclose(body.xpos, pose[:3, 3], atol=1e-6, err_msg=link)
        np.testing.assert_allclose(body.xmat.reshape(3, 3), pose[:3, :3], atol=1e-6, err_msg=link)
    np.testing.assert_allclose(
        simulated.data.body(END_EFFECTOR_LINK).xpos, product_of_exponentials(POSE)[:3, 3], atol=1e-6
    )


def test_mujoco_reads_the_same_limits_and_masses_that_the_package_gives() -> None:
    model = Simulated("wx250s").model
    for name in (*ARM_JOINTS, "left_finger", "right_finger"):
        limit = joint_limits()[name]
        np.testing.assert_allclose(model.joint(name).range, [limit.lower, limit.upper])
        np.testing.assert_allclose(model.jnt_actfrcrange[model.joint(name).id], [-limit.effort, limit.effort])
    assert model.body_mass.sum() == pytest.approx(2.138, abs=1e-3)


@pytest.mark.parametrize("arm", [HOME, SLEEP])
@pytest.mark.parametrize("finger", [joint_limits()["left_finger"].lower, joint_limits()["left_finger"].upper])
def test_at_its_named_poses_the_arm_touches_neither_itself_nor_the_workcell(
    arm: tuple[float, ...], finger: float
) -> None:
    simulated = Simulated("workcell")
    simulated.put(arm, finger)
    geoms = [(simulated.model.geom(c.geom1).name, simulated.model.geom(c.geom2).name) for c in simulated.data.contact]
    assert geoms == []
