from __future__ import annotations

import numpy as np
import pytest

from clam_core.errors import ClamError
from clam_core.safety import ForwardKinematics

JOINTS = ("yaw", "pitch", "slide")


def against_mujoco(
    urdf: str, base: str, tip: str, joints: tuple[str, ...], low: list[float], high: list[float]
) -> float:
    """Greatest difference of any element of the pose over 200 random postures."""
    mujoco = pytest.importorskip("mujoco")
    kinematics = ForwardKinematics(urdf, base, tip, joints)
    compiler = '<mujoco><compiler fusestatic="false" boundmass="0.01" boundinertia="0.001"/></mujoco>'
    spec = mujoco.MjSpec.from_string(urdf if "<mujoco>" in urdf else urdf.replace("<link", compiler + "<link", 1))
    model = spec.compile()
    data, worst, rng = mujoco.MjData(model), 0.0, np.random.default_rng(0)
    for positions in rng.uniform(low, high, (200, len(joints))):
        for name, value in zip(joints, positions, strict=True):
            data.qpos[model.joint(name).qposadr[0]] = value
        mujoco.mj_kinematics(model, data)
        poses = []
        for link in (base, tip):
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = data.body(link).xmat.reshape(3, 3), data.body(link).xpos
            poses.append(pose)
        worst = max(worst, float(np.abs(np.linalg.inv(poses[0]) @ poses[1] - kinematics.pose(positions)).max()))
    return worst


def test_poses_equal_those_of_mujoco_on_a_small_arm(urdf: str) -> None:
    assert against_mujoco(urdf, "base", "tip", JOINTS, [-2, -1.5, 0], [2, 1.5, 0.2]) < 1e-9


def test_poses_equal_those_of_mujoco_on_the_widowx() -> None:
    description = pytest.importorskip("clam_description")
    limits = [description.joint_limits()[name] for name in description.ARM_JOINTS]
    low, high = [limit.lower for limit in limits], [limit.upper for limit in limits]
    ends = description.BASE_LINK, description.END_EFFECTOR_LINK
    assert against_mujoco(description.urdf("wx250s"), *ends, description.ARM_JOINTS, low, high) < 1e-6


def test_the_widowx_reaches_as_far_as_its_links() -> None:
    description = pytest.importorskip("clam_description")
    kinematics = ForwardKinematics(
        description.urdf("wx250s"), description.BASE_LINK, description.END_EFFECTOR_LINK, description.ARM_JOINTS
    )
    # upper arm 49.75 mm out and 250 mm up; forearm 175 + 75, wrist 65, gripper 43 + 23 + 27.575 mm; shoulder 110.65 mm
    assert kinematics.position(np.zeros(6)) == pytest.approx([0.458325, 0, 0.36065], abs=1e-9)
    assert kinematics.position(np.array([np.pi / 2, 0, 0, 0, 0, 0])) == pytest.approx([0, 0.458325, 0.36065], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tip": "tipp"}, "did you mean 'tip'"),
        ({"base": "floor"}, "no link 'floor'"),
        ({"base": "tip", "tip": "base"}, "does not carry"),
        ({"joints": ("yaw", "pitch")}, "joint 'slide' moves the end effector"),
        ({"joints": (*JOINTS, "more")}, "does not move with more"),
        ({"urdf": "<robot>"}, "not valid XML"),
    ],
)
def test_a_chain_that_does_not_fit_is_refused(urdf: str, change: dict[str, str], says: str) -> None:
    arguments = {"urdf": urdf, "base": "base", "tip": "tip", "joints": JOINTS, **change}
    with pytest.raises(ClamError, match=says):
        ForwardKinematics(**arguments)  # type: ignore[arg-type]
