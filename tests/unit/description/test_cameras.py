"""Camera frames: REP-103 axes, and a view of where the arm works."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clam_description import link_poses, read_joints, urdf

# optical frame: the frame with x forward that it belongs to
FRAMES = {
    "external_optical_frame": "external_color_frame",
    "over_shoulder_optical_frame": "over_shoulder_camera_link",
}
WORK_AREA = (0.35, 0.0, 0.08)  # m in world: on the toy kitchen's counter


@pytest.fixture(scope="module")
def poses() -> dict[str, NDArray[np.float64]]:
    return link_poses(read_joints(urdf("workcell")), {})


@pytest.mark.parametrize(("optical", "body"), FRAMES.items())
def test_an_optical_frame_looks_along_z_with_x_right_and_y_down(
    poses: dict[str, NDArray[np.float64]], optical: str, body: str
) -> None:
    right, down, forward = poses[optical][:3, :3].T
    body_forward, body_left, body_up = poses[body][:3, :3].T
    np.testing.assert_allclose(forward, body_forward, atol=1e-9)
    np.testing.assert_allclose(right, -body_left, atol=1e-9)
    np.testing.assert_allclose(down, -body_up, atol=1e-9)
    np.testing.assert_allclose(poses[optical][:3, 3], poses[body][:3, 3])


@pytest.mark.parametrize("optical", FRAMES)
def test_a_camera_stands_upright_and_has_the_work_area_before_it(
    poses: dict[str, NDArray[np.float64]], optical: str
) -> None:
    right, down, _ = poses[optical][:3, :3].T
    assert abs(right[2]) < 1e-9  # horizon level
    assert down[2] < -0.5
    x, y, z, _ = np.linalg.inv(poses[optical]) @ [*WORK_AREA, 1]
    assert z > 0.5
    assert np.hypot(x, y) / z < 0.05  # within 3° of the image's middle


def test_the_external_camera_is_outside_and_the_other_is_behind_the_shoulder(
    poses: dict[str, NDArray[np.float64]],
) -> None:
    assert poses["external_camera_link"][0, 3] > 0.6
    x, _, z = poses["over_shoulder_camera_link"][:3, 3]
    assert x < 0
    assert z > poses["upper_arm_link"][2, 3]


def test_the_d435_colour_sensor_is_15_mm_left_of_its_link(poses: dict[str, NDArray[np.float64]]) -> None:
    between = np.linalg.inv(poses["external_camera_link"]) @ poses["external_color_frame"]
    np.testing.assert_allclose(between[:3, 3], [0, 0.015, 0], atol=1e-12)


def test_kitchen_frames_stand_where_they_should(poses: dict[str, NDArray[np.float64]]) -> None:
    assert poses["table"][2, 3] == 0
    assert poses["kitchen"][2, 3] == 0
    assert poses["stove_right_button"][1, 3] < poses["stove"][1, 3]  # right as seen from the arm
    assert poses["stove"][2, 3] == poses["microwave"][2, 3] == pytest.approx(0.08)
