"""Pictures of a kitchen that somebody else simulates, from the positions of its joints."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_scene import FIELD_OF_VIEW, build_model, scene_names
from clam_core.envs.kitchen_spec import check_camera
from clam_core.envs.rendering import OffscreenRenderer


class KitchenView:
    """Draws what `KitchenWorld.scene` says. Used by one thread, that of its graphics context."""

    def __init__(self) -> None:
        self._model = build_model()
        self._data = mujoco.MjData(self._model)
        self._renderer = OffscreenRenderer(self._model)
        #: Names of the entries that `render` takes.
        self.names = scene_names(self._model)

    def render(self, scene: npt.NDArray[np.float64], height: int, width: int, camera: str) -> npt.NDArray[np.uint8]:
        """RGB image ``(height, width, 3)`` from `camera` of a scene in the order of `names`.

        Raises:
            ClamError: no such camera, or no OpenGL library for headless rendering.
        """
        self._data.qpos[:] = scene
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)  # lights and cameras are placed with it
        mujoco.mj_camlight(self._model, self._data)
        return self._renderer.render(self._data, height, width, check_camera(camera))

    def close(self) -> None:
        """Free the graphics context."""
        self._renderer.close()


def focal_length(camera: str, height: int) -> float:
    """Focal length of `camera` in images of `height` [pixels]; pixels are square."""
    return height / 2 / math.tan(math.radians(FIELD_OF_VIEW[check_camera(camera)]) / 2)
