"""Sizes and places in the toy kitchen [m]: those of the URDF, read from it, and those of the things it leaves out."""

from __future__ import annotations

from functools import cache
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from clam_description import END_EFFECTOR_LINK, link_poses, read_joints, urdf

DESCRIPTION = "workcell"

Vector = npt.NDArray[np.float64]


def place(link: str) -> Vector:
    """Where the frame of `link` is in world ``(3,)`` when all joints are at 0: the arm then points along x."""
    position: Vector = _poses()[link][:3, 3]
    return position


def box(shape: str) -> tuple[Vector, Vector]:
    """Sides ``(3,)`` of a box of the URDF, and its middle ``(3,)`` in the frame of its link.

    Raises:
        ValueError: no such box.
    """
    for collision in ElementTree.fromstring(urdf(DESCRIPTION)).iter("collision"):
        found, origin = collision.find("geometry/box"), collision.find("origin")
        if collision.get("name") == shape and found is not None and origin is not None:
            return _vector(found.attrib["size"]), _vector(origin.attrib["xyz"])
    raise ValueError(f"the URDF has no box '{shape}'")


def _vector(text: str) -> Vector:
    return np.array(text.split(), dtype=np.float64)


@cache
def _poses() -> dict[str, Vector]:
    return link_poses(read_joints(urdf(DESCRIPTION)), {})


_FINGER, _FINGER_MIDDLE = box("left_finger")
#: From the end effector to the fingertips, half of what a finger measures across the direction in which it moves, and
#: from its inner side to its middle.
TIP = float((place("left_finger_link") + _FINGER_MIDDLE + _FINGER / 2 - place(END_EFFECTOR_LINK))[0])
FINGER_HALF = float(_FINGER[2] / 2)
FINGER_MIDDLE = float(_FINGER_MIDDLE[1])

BLOCK_HALF = 0.018  # half the edge of the block; fingers hold 0.030 to 0.074
POT_RADIUS, POT_HEIGHT, POT_WALL = 0.045, 0.065, 0.003  # inner radius, height, thickness
POT_LIFT = 0.001  # over the stove: the pot slides in a plane, its friction is that of its joints
DOOR_HALF = (0.006, 0.098, 0.055)  # half sizes of the microwave's door
DOOR_GAP = 0.002  # between door and case

_CASE, _CASE_MIDDLE = box("microwave_box")
#: Hinge of the door in the frame of the microwave: left edge of its front, half-way up.
HINGE = _CASE_MIDDLE + np.array([-_CASE[0] / 2 - DOOR_GAP - DOOR_HALF[0], _CASE[1] / 2, 0.0])

#: Things that no task is about: name, type, half sizes (of a cylinder: radius, half height) and colour.
DISTRACTORS = (
    ("can", "CYLINDER", (0.018, 0.028, 0.0), (0.85, 0.55, 0.10, 1.0)),
    ("box", "BOX", (0.025, 0.015, 0.02), (0.20, 0.35, 0.75, 1.0)),
    ("sponge", "BOX", (0.03, 0.02, 0.012), (0.85, 0.80, 0.25, 1.0)),
)
