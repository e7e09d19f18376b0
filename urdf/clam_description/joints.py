"""Joints as a URDF describes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Limit:
    """Range of a joint in rad or m (infinite for a continuous one), in rad/s or m/s, and in N·m or N."""

    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class Mimic:
    """The joint follows another: position = multiplier · position of `joint` + offset."""

    joint: str
    multiplier: float
    offset: float


@dataclass(frozen=True)
class Joint:
    """One joint. `xyz` in m and `rpy` in rad place the child in the parent at position 0; `axis` is in the child.

    `limit` is None for a fixed joint, `mimic` for a joint that follows no other.
    """

    name: str
    type: str
    parent: str
    child: str
    xyz: Vector
    rpy: Vector
    axis: Vector
    limit: Limit | None
    mimic: Mimic | None


def read_joints(urdf: str) -> tuple[Joint, ...]:
    """All joints of a URDF text in the order in which it names them.

    Raises:
        ValueError: a joint without a parent or a child.
    """
    return tuple(map(_joint, ElementTree.fromstring(urdf).findall("joint")))


def _joint(element: ElementTree.Element) -> Joint:
    name, kind = element.attrib["name"], element.attrib["type"]
    parent, child = element.find("parent"), element.find("child")
    if parent is None or child is None:
        raise ValueError(f"joint '{name}' of the URDF needs a parent and a child")
    return Joint(
        name=name,
        type=kind,
        parent=parent.attrib["link"],
        child=child.attrib["link"],
        xyz=_vector(element.find("origin"), "xyz", "0 0 0"),
        rpy=_vector(element.find("origin"), "rpy", "0 0 0"),
        axis=_vector(element.find("axis"), "xyz", "1 0 0"),
        limit=_limit(element.find("limit"), kind),
        mimic=_mimic(element.find("mimic")),
    )


def _limit(element: ElementTree.Element | None, kind: str) -> Limit | None:
    if element is None:
        return None
    end = math.inf if kind == "continuous" else 0.0
    return Limit(
        lower=float(element.get("lower", -end)),
        upper=float(element.get("upper", end)),
        velocity=float(element.attrib["velocity"]),
        effort=float(element.attrib["effort"]),
    )


def _mimic(element: ElementTree.Element | None) -> Mimic | None:
    if element is None:
        return None
    return Mimic(
        joint=element.attrib["joint"],
        multiplier=float(element.get("multiplier", 1.0)),
        offset=float(element.get("offset", 0.0)),
    )


def _vector(element: ElementTree.Element | None, key: str, default: str) -> Vector:
    x, y, z = map(float, (default if element is None else element.get(key, default)).split())
    return x, y, z
