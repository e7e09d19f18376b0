"""The package `mujoco`, imported late and missed helpfully; and URDFs as it shall read them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from clam_core.errors import ClamError


def import_mujoco(what: str) -> Any:
    """The mujoco module, for `what`, which the error names.

    Raises:
        ClamError: it is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise ClamError(f"{what} needs MuJoCo ({error}): pip install mujoco, or make setup") from error
    return mujoco


def without_shapes(urdf: str) -> ElementTree.Element:
    """The URDF as XML with neither visuals nor collisions: joints and masses, and no mesh files to look for."""
    robot = ElementTree.fromstring(urdf)
    for link in robot.findall("link"):
        for shape in [*link.findall("visual"), *link.findall("collision")]:
            link.remove(shape)
    return robot
