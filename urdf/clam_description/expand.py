"""From xacro files to URDF text, with the `xacro` package of PyPI or of a system ROS 2.

The files lie inside this Python package, so that an editable install, a wheel and a colcon workspace all have them,
and include each other by relative paths, so that no ament index is needed.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import xacro  # type: ignore[import-untyped]

SUFFIX = ".urdf.xacro"
XACRO = "{http://www.ros.org/wiki/xacro}"


def urdf(name: str = "wx250s", **values: str) -> str:
    """URDF text of a description; `values` set its xacro arguments, e.g. ``prefix="left_"``.

    The text is the same on every machine: it names neither the time nor a path.

    Raises:
        ValueError: no such description, or it has no such argument.
    """
    return _expand(name, tuple(sorted(values.items())))


def names() -> tuple[str, ...]:
    """The descriptions that there are: ``workcell``, ``wx250s``."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in _folder("urdf").glob(f"*{SUFFIX}")))


def arguments(name: str = "wx250s") -> dict[str, str]:
    """The xacro arguments of a description with their defaults.

    Raises:
        ValueError: no such description.
    """
    return _declared(_file(name))


def rviz_config(name: str = "workcell") -> Path:
    """RViz configuration that shows a description."""
    return _folder("rviz") / f"{name}.rviz"


@cache
def _expand(name: str, values: tuple[tuple[str, str], ...]) -> str:
    path = _file(name)
    declared = _declared(path)
    for key, _ in values:
        if key not in declared:
            raise ValueError(f"description '{name}' has no argument '{key}'; valid: {', '.join(declared)}")
    document = xacro.process_file(str(path), mappings=dict(values))
    robot = ElementTree.fromstring(document.toxml())  # without the comments, one of which holds the path
    ElementTree.indent(robot)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"


def _declared(path: Path) -> dict[str, str]:
    """Arguments of a xacro file and of those that it includes."""
    found: dict[str, str] = {}
    for element in ElementTree.parse(path).iter():
        if element.tag == f"{XACRO}arg":
            found[element.attrib["name"]] = element.attrib["default"]
        elif element.tag == f"{XACRO}include":
            found |= _declared(path.parent / element.attrib["filename"])
    return found


def _file(name: str) -> Path:
    if name not in names():
        raise ValueError(f"no description '{name}'; valid: {', '.join(names())}")
    return _folder("urdf") / f"{name}{SUFFIX}"


def _folder(name: str) -> Path:
    return Path(str(files("clam_description"))) / name
