"""What comes from a camera, and whether it shows what training showed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.data.images import resize
from clam_core.deploy.camera_view import CameraView
from clam_core.deploy.view_calibration import calibrate
from clam_core.doctor.cameras import images, views
from clam_core.doctor.heard import Needs, Seen

from .conftest import scene


@pytest.mark.parametrize(
    ("seen", "level", "text"),
    [
        (Seen(32, 32, "rgb8", scene()), "ok", "32x32 rgb8, as trained"),
        (Seen(480, 640, "bgr8", scene()), "ok", "640x480 bgr8 → 32x32, its middle"),
        (Seen(100, 100, "rgb8", scene()), "ok", "100x100 rgb8 → 32x32"),
        (Seen(16, 16, "rgb8", scene()), "warn", "smaller than in training"),
        (Seen(100, 400, "rgb8", scene()), "warn", "its middle, 25% of it"),
        (Seen(64, 64, "mono8", scene()[..., :1].repeat(3, -1)), "warn", "it is gray"),
        (Seen(problem="encoding 'bayer_rggb8' is not one of …"), "fail", "bayer_rggb8"),
    ],
)
def test_size_and_encoding(needs: Needs, robot: Any, seen: Seen, level: str, text: str) -> None:
    robot.seen["top"] = seen
    (finding,) = images(needs, robot.heard)
    assert finding.level == level and text in finding.text


def test_a_camera_that_looks_as_in_training_passes_at_any_size(needs: Needs, robot: Any, view: CameraView) -> None:
    robot.seen["top"] = Seen(48, 48, "rgb8", resize(scene(), 48, 48))
    (finding,) = views(needs, robot.heard, {"top": view})
    assert finding.level == "ok" and finding.about == "view of top"


@pytest.mark.parametrize(
    ("picture", "level", "text"),
    [
        (scene(7), "fail", "another camera, moved, turned or blocked"),
        (np.zeros((32, 32, 3), np.uint8), "fail", "nothing to be seen"),
        (np.ascontiguousarray(scene()[:, ::-1]), "fail", "similarity"),
        (np.ascontiguousarray(scene()[..., ::-1]), "fail", ""),
        ((scene() * 0.35).astype(np.uint8), "warn", "times as bright"),
    ],
    ids=["another", "black", "mirrored", "red is blue", "dark"],
)
def test_one_that_does_not_is_told(
    needs: Needs, robot: Any, view: CameraView, picture: Any, level: str, text: str
) -> None:
    robot.seen["top"] = Seen(32, 32, "rgb8", picture)
    (finding,) = views(needs, robot.heard, {"top": view})
    assert finding.level == level and text in finding.text


def test_a_camera_that_always_shows_something_else_cannot_be_compared_and_does_not_keep_the_gate_closed(
    needs: Needs, robot: Any
) -> None:
    moving = calibrate(np.stack([scene(k) for k in range(8)]), [scene(k) for k in range(8, 24)], [scene(99)])
    assert moving.right <= moving.threshold, "as of a camera on the wrist"
    robot.seen["top"] = Seen(32, 32, "rgb8", scene(30))
    (finding,) = views(needs, robot.heard, {"top": moving})
    assert finding.level == "warn" and "differ too much" in finding.text
    robot.seen["top"] = Seen(32, 32, "rgb8", np.zeros((32, 32, 3), np.uint8))
    (finding,) = views(needs, robot.heard, {"top": moving})
    assert finding.level == "fail" and "nothing to be seen" in finding.text


def test_a_bundle_without_reference_pictures_is_a_warning(needs: Needs, robot: Any) -> None:
    (finding,) = views(needs, robot.heard, {})
    assert finding.level == "warn" and "no reference picture" in finding.text and "retrain" in finding.mend
