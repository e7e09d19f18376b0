"""Where the end effector is: the chain of a URDF from a base link to a tip link."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clam_core.errors import ClamError, did_you_mean

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Joint:
    origin: Matrix  # (4, 4), child in parent at zero
    axis: Vector  # (3,) unit vector in the joint's frame
    index: int | None  # in the vector of joint positions; None: fixed
    slides: bool


class ForwardKinematics:
    """Pose of link `tip` in the frame of link `base`, from the positions of `joints`.

    Raises:
        ClamError: the XML is broken, there is no such link, or a joint between them is not among `joints`.
    """

    def __init__(self, urdf: str, base: str, tip: str, joints: Sequence[str]) -> None:
        try:
            robot = ElementTree.fromstring(urdf)
        except ElementTree.ParseError as error:
            raise ClamError(f"the URDF is not valid XML: {error}") from error
        links = [str(link.get("name")) for link in robot.findall("link")]
        for name in (base, tip):
            if name not in links:
                raise ClamError(f"the URDF has no link '{name}': {did_you_mean(name, links)}")
        parents = {_link(joint, "child"): joint for joint in robot.findall("joint")}
        self.joints = tuple(joints)
        self._chain: list[_Joint] = []
        link = tip
        while link != base:
            if link not in parents:
                raise ClamError(f"link '{base}' does not carry link '{tip}': choose a base further in")
            element = parents[link]
            self._chain.insert(0, self._parse(element))
            link = _link(element, "parent")
        missing = set(range(len(self.joints))) - {joint.index for joint in self._chain}
        if missing:
            names = ", ".join(self.joints[index] for index in sorted(missing))
            raise ClamError(f"link '{tip}' does not move with {names}: choose a link further out")

    def pose(self, positions: Vector) -> Matrix:
        """Homogeneous transform ``(4, 4)`` [m] of the tip at `positions` ``(J,)`` [rad, m]."""
        transform = np.eye(4)
        for joint in self._chain:
            transform = transform @ joint.origin
            if joint.index is not None:
                transform = transform @ _motion(joint, float(positions[joint.index]))
        return transform

    def position(self, positions: Vector) -> Vector:
        """Place of the tip ``(3,)`` [m] at `positions` ``(J,)`` [rad, m]."""
        return np.asarray(self.pose(positions)[:3, 3])

    def _parse(self, element: ElementTree.Element) -> _Joint:
        name, kind = str(element.get("name")), element.get("type")
        origin, axis = element.find("origin"), element.find("axis")
        transform = np.eye(4)
        if origin is not None:
            transform[:3, :3] = _rotation_from_rpy(_numbers(origin.get("rpy", "0 0 0")))
            transform[:3, 3] = _numbers(origin.get("xyz", "0 0 0"))
        if kind == "fixed":
            return _Joint(transform, np.zeros(3), None, False)
        if kind not in ("revolute", "continuous", "prismatic"):
            raise ClamError(f"joint '{name}' has type '{kind}': forward kinematics knows revolute, prismatic and fixed")
        if name not in self.joints:
            raise ClamError(f"joint '{name}' moves the end effector, but is not among {', '.join(self.joints)}")
        direction = _numbers("1 0 0" if axis is None else axis.get("xyz", "1 0 0"))
        return _Joint(transform, direction / np.linalg.norm(direction), self.joints.index(name), kind == "prismatic")


def _link(joint: ElementTree.Element, end: str) -> str:
    element = joint.find(end)
    if element is None or not element.get("link"):
        raise ClamError(f"joint '{joint.get('name')}' of the URDF has no {end} link")
    return str(element.get("link"))


def _numbers(text: str) -> Vector:
    return np.array([float(word) for word in text.split()])


def _motion(joint: _Joint, position: float) -> Matrix:
    transform = np.eye(4)
    if joint.slides:
        transform[:3, 3] = position * joint.axis
        return transform
    # Rodrigues' formula
    x, y, z = joint.axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    transform[:3, :3] += math.sin(position) * cross + (1 - math.cos(position)) * cross @ cross
    return transform


def _rotation_from_rpy(angles: Vector) -> Matrix:
    """URDF's fixed-axis roll, pitch, yaw [rad] as a rotation ``(3, 3)``: Rz(yaw) Ry(pitch) Rx(roll)."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles), np.cos(angles)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
