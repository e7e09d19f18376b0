"""description.launch.py under the real `launch`, which pip does not have; nothing is started."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch and launch_ros, which come with a system ROS 2 (not on PyPI)")

from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import PythonLaunchDescriptionSource

from clam_description import arguments, names
from launch import LaunchContext

FILE = Path(__file__).parents[3] / "launch/launch/description.launch.py"


def visit(path: Path, **values: str) -> tuple[set[str], list[str]]:
    """Names of the arguments that a launch file declares, and packages of the nodes that it would start."""
    context, packages = LaunchContext(), []
    context.launch_configurations.update(values)
    description = PythonLaunchDescriptionSource(str(path)).get_launch_description(context)
    for entity in description.entities:
        packages += [node.node_package for node in entity.visit(context) or []]
    return {e.name for e in description.entities if isinstance(e, DeclareLaunchArgument)}, packages


def fake_package(prefix: Path, name: str) -> None:
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True, exist_ok=True)
    (index / name).touch()


@pytest.mark.parametrize("name", names())
def test_it_publishes_a_description_and_shows_it_when_asked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("robot_state_publisher", "joint_state_publisher_gui", "rviz2"):
        fake_package(tmp_path, package)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    declared, packages = visit(FILE, description=name)
    assert packages == ["robot_state_publisher"]
    assert set(arguments(name)) < declared
    _, packages = visit(FILE, description=name, joint_states="gui", rviz="true")
    assert packages == ["robot_state_publisher", "joint_state_publisher_gui", "rviz2"]


def test_a_missing_package_is_one_line_that_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"^ROS package 'robot_state_publisher' is not installed: .*not on PyPI$"):
        visit(FILE)
