"""Headless MuJoCo images, without what software rendering is slow at: shadows, reflections, multisampling."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import weakref
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError

MAX_GEOMS = 2000


class OffscreenRenderer:
    """Renders one model into an offscreen buffer that grows to the largest image asked for.

    The GL back end is ``MUJOCO_GL`` where that is set, else EGL, else OSMesa: no display is needed. It is
    chosen when the first image is asked for, so that a machine without any OpenGL can still simulate.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._scene: Any = None
        self._gl: Any = None
        self._context: Any = None
        self._size = (0, 0)

    def render(self, data: Any, height: int, width: int, camera: str) -> npt.NDArray[np.uint8]:
        """RGB image ``(height, width, 3)``, first row on top, seen from `camera`.

        Raises:
            ClamError: no such camera, or no OpenGL library for headless rendering.
        """
        camera_id = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if camera_id < 0:
            names = ", ".join(self._model.camera(i).name for i in range(self._model.ncam))
            raise ClamError(f"unknown camera '{camera}', valid: {names}")
        self._prepare(height, width)
        view = mujoco.MjvCamera()
        view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera_id
        mujoco.mjv_updateScene(
            self._model,
            data,
            mujoco.MjvOption(),
            None,
            view,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        image = np.empty((height, width, 3), dtype=np.uint8)
        viewport = mujoco.MjrRect(0, 0, width, height)
        self._gl.make_current()  # last: whatever another renderer made current until here, by being freed too
        mujoco.mjr_render(viewport, self._scene, self._context)
        mujoco.mjr_readPixels(image, None, viewport, self._context)
        upright = image[::-1]  # OpenGL's first row is the bottom one
        if self._is_upside_down(data, camera_id):
            upright = upright[::-1, ::-1]
        return np.ascontiguousarray(upright)

    def close(self) -> None:
        """Free the graphics context."""
        if self._context is not None:
            self._free()
            atexit.unregister(self._free)
            self._context = self._gl = None

    def _is_upside_down(self, data: Any, camera_id: int) -> bool:
        """Whether a camera that stands in the world has its up axis pointing down, as the corner ones do."""
        stands = self._model.cam_bodyid[camera_id] == 0
        return bool(stands and data.cam_xmat[camera_id].reshape(3, 3)[2, 1] < -0.1)

    def _prepare(self, height: int, width: int) -> None:
        if self._context is not None and height <= self._size[0] and width <= self._size[1]:
            return
        self.close()
        self._size = max(height, self._size[0]), max(width, self._size[1])
        self._model.vis.global_.offheight, self._model.vis.global_.offwidth = self._size
        self._model.vis.quality.offsamples = 0
        self._model.vis.quality.shadowsize = 0
        self._gl = _gl_context(self._size[1], self._size[0])
        self._gl.make_current()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        # At exit PyOpenGL and the display end before this object does, and perhaps before `finalize` has its turn: what
        # is registered now goes first.
        self._free = weakref.finalize(self, _free, self._context, self._gl)
        self._free.atexit = False
        atexit.register(self._free)
        self._scene = mujoco.MjvScene(self._model, maxgeom=MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0


def _free(context: Any, gl: Any) -> None:
    gl.make_current()  # what `context` frees are numbers, which mean other things in the context of another renderer
    context.free()
    gl.free()


def _gl_context(width: int, height: int) -> Any:
    """A current-able GL context of the first back end that works here."""
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    if asked in ("egl", "osmesa", "glfw"):
        backends: tuple[str, ...] = (asked,)
    else:
        backends = ("egl", "osmesa") if sys.platform == "linux" else ("glfw",)
    failures = []
    for backend in backends:
        try:
            return importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
        except Exception as error:  # what a missing GL library raises differs between PyOpenGL platforms
            failures.append(f"{backend}: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}")
    raise ClamError(
        f"no OpenGL for headless rendering ({'; '.join(failures)}); install libegl1 or libosmesa6, or leave images out"
    )
