"""From joint positions to the end effector's place, and from places in the kitchen to pixels of its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_geometry import DESCRIPTION, Vector
from clam_core.envs.kitchen_spec import check_camera
from clam_core.envs.kitchen_view import focal_length
from clam_description import ARM_JOINTS, END_EFFECTOR_LINK, Joint, link_poses, read_joints, urdf

NEAREST = 0.01  # what is closer to a camera than this, or behind it, has no pixel [m]


def end_effector_place(arm: Sequence[float]) -> Vector:
    """Where the end effector is in the frame world ``(3,)`` [m], with the arm's joints at `arm` ``(6,)`` [rad]."""
    positions = dict(zip(ARM_JOINTS, map(float, arm), strict=True))
    place: Vector = link_poses(_joints(), positions)[END_EFFECTOR_LINK][:3, 3]
    return place


def pixels(places: npt.NDArray[np.float64], camera: str, height: int, width: int) -> npt.NDArray[np.float64]:
    """Column and row ``(N, 2)`` in an image of `camera` of places ``(N, 3)`` in world [m]; NaN where it cannot see.

    The middle of the image's first pixel is (0.5, 0.5), as in OpenGL.

    Raises:
        ClamError: no such camera.
    """
    pose = _optical_frame(check_camera(camera))
    seen = (places - pose[:3, 3]) @ pose[:3, :3]  # REP-103: x right, y down, z forward
    depth = np.where(seen[:, 2:] > NEAREST, seen[:, 2:], np.nan)
    return np.asarray(focal_length(camera, height) * seen[:, :2] / depth + (width / 2, height / 2))


@cache
def _optical_frame(camera: str) -> npt.NDArray[np.float64]:
    """Pose of a camera's optical frame in world ``(4, 4)``; the cameras stand still."""
    return link_poses(_joints(), {})[f"{camera}_optical_frame"]


@cache
def _joints() -> tuple[Joint, ...]:
    return read_joints(urdf(DESCRIPTION))
