"""Pixels of places in the kitchen are where MuJoCo draws what is there."""

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import pytest

from clam_core.envs.kitchen_projection import end_effector_place, pixels
from clam_core.envs.kitchen_simulator import KitchenSimulator
from clam_core.envs.kitchen_spec import ACTION, CAMERAS
from clam_core.envs.rendering import OffscreenRenderer
from clam_core.errors import ClamError
from clam_description import END_EFFECTOR_LINK

PLACES = np.array([[0.30, 0.10, 0.35], [0.25, -0.15, 0.30], [0.40, 0.0, 0.45]])
MAGENTA = np.array([1.0, 0.0, 1.0])


@pytest.fixture
def simulator() -> KitchenSimulator:
    """The kitchen with its arm turned away and the block shrunk to a magenta dot."""
    simulator = KitchenSimulator()
    simulator.model.geom("block").rgba = [*MAGENTA, 1.0]
    simulator.model.geom("block").size = [0.006] * 3
    simulator.model.geom("block").matid = -1
    simulator.data.joint("waist").qpos[0] = np.pi
    return simulator


@pytest.fixture
def draw(simulator: KitchenSimulator) -> Iterator[Any]:
    renderer = OffscreenRenderer(simulator.model)

    def drawn(camera: str, height: int, width: int) -> Any:
        try:
            return renderer.render(simulator.data, height, width, camera)
        except ClamError as error:
            if "OpenGL" not in str(error):
                raise
            pytest.skip(str(error))

    yield drawn
    renderer.close()


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(("height", "width"), [(480, 480), (480, 640)])
def test_a_dot_is_drawn_where_its_place_is_projected_to(
    simulator: KitchenSimulator, draw: Any, camera: str, height: int, width: int
) -> None:
    seen = 0
    for place in PLACES:
        simulator.data.joint("block").qpos[:] = [*place, 1, 0, 0, 0]
        mujoco.mj_forward(simulator.model, simulator.data)
        image = draw(camera, height, width).astype(float)
        dot = (image[..., 0] > 1.5 * image[..., 1] + 40) & (image[..., 2] > 1.5 * image[..., 1] + 40)
        column, row = pixels(place[None], camera, height, width)[0]
        if not (0 <= column < width and 0 <= row < height):
            assert not dot.any()
            continue
        assert dot.any(), f"no magenta for {place} seen from {camera}"
        rows, columns = np.nonzero(dot)
        assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((column, row), abs=1.0)
        seen += 1
    assert seen


def test_what_is_behind_a_camera_has_no_pixel() -> None:
    behind = pixels(np.array([[0.3, 0.0, 0.3], [100.0, 0.0, 0.3], [-100.0, 0.0, 0.3]]), CAMERAS[0], 480, 480)
    assert np.isfinite(behind[0]).all()
    assert np.isnan(behind[1:]).all(axis=1).sum() == 1


def test_no_such_camera_is_one_line() -> None:
    with pytest.raises(ClamError, match="unknown kitchen camera 'top'"):
        pixels(PLACES, "top", 480, 480)


def test_the_end_effector_is_where_the_simulator_has_it() -> None:
    simulator = KitchenSimulator()
    rng = np.random.default_rng(0)
    for _ in range(5):
        action = rng.uniform(ACTION.low, ACTION.high)
        simulator.arm.place(action)
        mujoco.mj_kinematics(simulator.model, simulator.data)
        np.testing.assert_allclose(
            end_effector_place(action[:-1]), simulator.data.body(END_EFFECTOR_LINK).xpos, atol=1e-6
        )
