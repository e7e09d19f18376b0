"""What colcon and rosdep are told that a package needs is what it imports and launches."""

from __future__ import annotations

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDERS = {
    file.parent: ElementTree.parse(file).getroot()
    for pattern in ("*/package.xml", "ros2_ws/src/*/package.xml")
    for file in sorted(ROOT.glob(pattern))
    if not file.parent.is_symlink()
}
#: Module → the name that it has as a dependency.
SYSTEM = {"cv2": "python3-opencv", "yaml": "python3-yaml"}
#: Without a rosdep key of their own, or optional: `make setup` installs them, or a line says what to install.
FROM_PIP = {
    *("aiohttp", "cryptography", "imageio", "interbotix_common_modules", "interbotix_xs_modules", "jinja2"),
    *("matplotlib", "PIL", "playwright", "pyrealsense2", "rich", "rosbags", "segno", "torch", "tqdm"),
}


def name_of(folder: Path) -> str:
    return str(FOLDERS[folder].findtext("name"))


def imported(folder: Path) -> set[str]:
    """Top-level modules that the package imports, its own and Python's left out."""
    found: set[str] = set()
    for file in (folder / name_of(folder)).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {name_of(folder)}


def packages_in(value: Any) -> set[str]:
    """What stands after ``package:`` anywhere in a graph file."""
    if isinstance(value, dict):
        named = {value["package"]} if isinstance(value.get("package"), str) else set()
        return named.union(*map(packages_in, value.values()))
    return set().union(*map(packages_in, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_package_depends_on_what_it_imports_and_launches(folder: Path) -> None:
    if name_of(folder) == "clam_core":
        pytest.skip("no ROS package needs its simulators and importers: requirements.txt names them")
    depends = {str(element.text) for element in FOLDERS[folder] if element.tag.endswith("depend")}
    needed = {SYSTEM.get(module, module) for module in imported(folder) - FROM_PIP}
    for graph in (folder / name_of(folder) / "graphs").glob("*.yaml"):
        needed |= packages_in(yaml.safe_load(graph.read_text()))
    missing = {name for name in needed if not {name, f"python3-{name}"} & depends}
    assert not missing, f"{folder.name}/package.xml lacks <exec_depend> of {sorted(missing)}"
