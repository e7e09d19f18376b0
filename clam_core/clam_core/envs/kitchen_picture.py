"""A picture of the robot description alone, as it is in `urdf/`: `python -m clam_core.envs.kitchen_picture OUT.png`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import imageio.v2 as imageio
import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_scene import add_room, delete_twins
from clam_core.envs.kitchen_tasks import READY
from clam_core.envs.rendering import OffscreenRenderer
from clam_core.errors import ClamError
from clam_description import ARM_JOINTS, FINGER_JOINTS, names, urdf

Vector = npt.NDArray[np.float64]

EYE, TARGET = np.array([-0.15, -1.75, 1.15]), np.array([0.28, -0.05, 0.27])  # in world [m]
FIELD_OF_VIEW = 42.0  # [degrees]
KINDS = (".png", ".jpg", ".jpeg")
MAX_SIZE = 8192  # [pixels]


def picture(description: str, height: int, width: int) -> npt.NDArray[np.uint8]:
    """RGB image ``(height, width, 3)`` of a description of `clam_description`, its arm ready over the table.

    Raises:
        ClamError: no OpenGL library for headless rendering.
    """
    spec = mujoco.MjSpec.from_string(urdf(description))
    delete_twins(spec)
    add_room(spec)
    spec.worldbody.add_camera(name="view", pos=EYE, quat=_look(EYE, TARGET), fovy=FIELD_OF_VIEW)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, angle in zip(ARM_JOINTS, READY, strict=True):
        data.joint(name).qpos[0] = angle
    for name, place in zip(FINGER_JOINTS, (0.025, -0.025), strict=True):
        data.joint(name).qpos[0] = place
    mujoco.mj_forward(model, data)
    renderer = OffscreenRenderer(model)
    try:
        return renderer.render(data, height, width, "view")
    finally:
        renderer.close()


def _look(eye: Vector, target: Vector) -> Vector:
    """Quaternion ``(4,)`` of a MuJoCo camera at `eye`, which looks along −z with y up, at `target`."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.column_stack([right, np.cross(back, right), back]).ravel())
    return quaternion


def _check(options: argparse.Namespace) -> None:
    """Before anything is drawn.

    Raises:
        ClamError: no kind of file that can be written, or no size of a picture.
    """
    if Path(options.out).suffix.lower() not in KINDS:
        raise ClamError(f"'{options.out}' is no picture: end its name with {', '.join(KINDS)}")
    if not (1 <= options.width <= MAX_SIZE and 1 <= options.height <= MAX_SIZE):
        raise ClamError(f"a picture of {options.width}x{options.height}: give from 1 to {MAX_SIZE} pixels")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the picture; returns 0, or 1 after one line that names the error."""
    parser = argparse.ArgumentParser(prog="kitchen_picture", description="A picture of the robot description alone.")
    parser.add_argument("out", help="file to write, for example workcell.png")
    parser.add_argument("--description", default="workcell", choices=names(), help="default: workcell")
    parser.add_argument("--width", type=int, default=640, help="pixels (default: 640)")
    parser.add_argument("--height", type=int, default=480, help="pixels (default: 480)")
    options = parser.parse_args(arguments)
    try:
        _check(options)
        imageio.imwrite(options.out, picture(options.description, options.height, options.width))
    except (ClamError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
