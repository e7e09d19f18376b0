"""A camera that stands as in training passes, in other light and among other things; a wrong one does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

import mujoco

from clam_core.data.images import resize
from clam_core.deploy.camera_view import CameraView
from clam_core.deploy.view_calibration import calibrate
from clam_core.envs.kitchen import Kitchen
from clam_core.envs.kitchen_spec import CAMERAS
from clam_core.errors import ClamError

SIZE = 64
Picture = Any


class Photographer:
    """Pictures of the kitchen, as the robot's cameras give them and the policy gets them."""

    def __init__(self) -> None:
        self.kitchen = Kitchen("reach-block")
        self.model = self.kitchen._simulator.model

    def picture(self, camera: str) -> Picture:
        return resize(self.kitchen.render(240, 240, camera), SIZE, SIZE)

    def episode(self, seed: int) -> None:
        self.kitchen.reset(seed)

    def move_arm(self, seed: int) -> None:
        spec = self.kitchen.spec.action
        goal = np.random.default_rng(seed).uniform(np.array(spec.low) / 2, np.array(spec.high) / 2)
        for _ in range(6):
            self.kitchen.step(goal)

    def turned(self, camera: str, axis: str, degrees: float) -> Picture:
        number, turn, both = self.model.camera(camera).id, np.zeros(4), np.zeros(4)
        was = self.model.cam_quat[number].copy()
        mujoco.mju_axisAngle2Quat(turn, np.array([axis == name for name in "xyz"], dtype=float), np.deg2rad(degrees))
        mujoco.mju_mulQuat(both, was, turn)
        try:
            self.model.cam_quat[number] = both
            mujoco.mj_forward(self.model, self.kitchen._simulator.data)
            return self.picture(camera)
        finally:
            self.model.cam_quat[number] = was
            mujoco.mj_forward(self.model, self.kitchen._simulator.data)

    def lit(self, camera: str, head: float, lamp: float) -> Picture:
        lights = self.model.vis.headlight.ambient, self.model.vis.headlight.diffuse, self.model.light_diffuse
        were = [light.copy() for light in lights]
        for light, factor in zip(lights, (head, head, lamp), strict=True):
            light[:] *= factor
        shown = self.picture(camera)
        for light, was in zip(lights, were, strict=True):
            light[:] = was
        return shown


@pytest.fixture(scope="module")
def photographer() -> Iterator[Photographer]:
    """Skips where nothing can be drawn."""
    before = os.environ.get("MUJOCO_GL")
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and before is None:
        os.environ["MUJOCO_GL"] = "egl"
    someone = Photographer()
    try:
        someone.kitchen.render(8, 8)
    except ClamError as error:
        pytest.skip(f"no rendering here: {error}")
    yield someone
    someone.kitchen.close()
    if before is None:
        os.environ.pop("MUJOCO_GL", None)


@pytest.fixture(scope="module")
def views(photographer: Photographer) -> dict[str, CameraView]:
    """As `clam train` writes them: beginnings of episodes, and an arm on its way."""
    shown: dict[str, list[Picture]] = {camera: [] for camera in CAMERAS}
    for seed in range(12):
        photographer.episode(seed)
        if seed % 2:
            photographer.move_arm(seed)
        for camera in CAMERAS:
            shown[camera].append(photographer.picture(camera))
    one, other = CAMERAS
    return {
        camera: calibrate(np.stack(shown[camera][:6]), shown[camera][6:], shown[another])
        for camera, another in ((one, other), (other, one))
    }


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_same_camera_passes_whatever_lies_there(
    photographer: Photographer, views: dict[str, CameraView], camera: str
) -> None:
    view = views[camera]
    assert view.wrong < view.threshold < view.right
    for seed in range(100, 106):
        photographer.episode(seed)
        assert view.similarity(photographer.picture(camera)) > view.threshold
        for head, lamp in ((0.6, 0.6), (1.4, 1.4), (0.7, 1.8)):
            assert view.similarity(photographer.lit(camera, head, lamp)) > view.threshold
        assert view.colour_agreement(photographer.picture(camera)) > 0.5
        photographer.move_arm(seed)
        assert view.similarity(photographer.picture(camera)) > view.threshold


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("axis", "xyz")
@pytest.mark.parametrize("degrees", [-10.0, 10.0])
def test_a_camera_turned_by_ten_degrees_does_not(
    photographer: Photographer, views: dict[str, CameraView], camera: str, axis: str, degrees: float
) -> None:
    for seed in (200, 201, 202):
        photographer.episode(seed)
        assert views[camera].similarity(photographer.turned(camera, axis, degrees)) < views[camera].threshold


WRONG: dict[str, Callable[[Picture], Picture]] = {
    "turned over": lambda picture: picture[::-1, ::-1],
    "on its side": lambda picture: np.rot90(picture),
    "mirrored": lambda picture: picture[:, ::-1],
    "black": np.zeros_like,
    "blocked": lambda picture: np.random.default_rng(0).normal(60, 3, picture.shape).astype(np.uint8),
    "blocked but for an edge": lambda picture: np.where(np.arange(SIZE)[None, :, None] < SIZE - 8, 40, picture),
    "noise": lambda picture: np.random.default_rng(0).integers(0, 256, picture.shape),
}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_shows_something_else_does_not(
    photographer: Photographer, views: dict[str, CameraView], camera: str, wrong: Callable[[Picture], Picture]
) -> None:
    photographer.episode(300)
    shown = np.ascontiguousarray(wrong(photographer.picture(camera))).astype(np.uint8)
    assert views[camera].similarity(shown) < views[camera].threshold


def test_exchanged_cameras_and_colours_are_told(photographer: Photographer, views: dict[str, CameraView]) -> None:
    photographer.episode(400)
    one, other = CAMERAS
    for camera, another in ((one, other), (other, one)):
        assert views[camera].similarity(photographer.picture(another)) < views[camera].threshold
        picture = photographer.picture(camera)
        assert views[camera].colour_agreement(np.ascontiguousarray(picture[..., ::-1])) < -0.5
        assert views[camera].similarity(picture) > views[camera].threshold


def test_a_single_demonstration_is_enough_for_a_threshold(photographer: Photographer) -> None:
    photographer.episode(500)
    picture = photographer.picture(CAMERAS[0])
    view = calibrate(picture[None], [], [])
    assert view.similarity(picture) == pytest.approx(1.0, abs=1e-5) and 0.3 < view.threshold < 0.95
    photographer.episode(501)
    assert view.similarity(photographer.picture(CAMERAS[0])) > view.threshold


def test_pictures_that_have_nothing_in_common_leave_a_threshold_that_they_pass() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    view = calibrate(pictures[:3], list(pictures[3:]), [])
    assert view.threshold == 0.1 and view.similarity(np.zeros((32, 32, 3), np.uint8)) < view.threshold


def test_another_size_is_refused() -> None:
    view = CameraView(np.zeros((1, 8, 8, 3), np.uint8), 0.5, 1.0, 0.0)
    with pytest.raises(ValueError, match="the training pictures have"):
        view.similarity(np.zeros((4, 4, 3), np.uint8))
