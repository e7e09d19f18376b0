"""The launch files under the real `launch` of a ROS 2 installation, which pip does not have."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

launch_pytest = pytest.importorskip(
    "launch_pytest", reason="needs launch and launch_pytest, which come with a system ROS 2 (not on PyPI)"
)

import rclpy  # noqa: E402
from ament_index_python.packages import get_package_prefix  # noqa: E402
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction  # noqa: E402
from launch.events import Shutdown  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch.utilities import perform_substitutions  # noqa: E402
from launch_pytest.actions import ReadyToTest  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from clam_bringup.graph_file import graph_files, load_graph  # noqa: E402
from clam_bringup.launch_description import launch_description  # noqa: E402
from clam_core.errors import ClamError  # noqa: E402
from launch import LaunchContext, LaunchDescription, LaunchService  # noqa: E402

LAUNCH_FILES = Path(__file__).parents[2] / "launch/launch"


def _workspace_is_sourced() -> bool:
    try:
        return bool(get_package_prefix("clam_sim"))
    except (LookupError, OSError):
        return False


def _source(name: str) -> PythonLaunchDescriptionSource:
    return PythonLaunchDescriptionSource(str(LAUNCH_FILES / f"{name}.launch.py"))


@pytest.mark.parametrize("name", sorted(graph_files()))
def test_a_launch_file_declares_the_arguments_of_its_graph(name: str) -> None:
    description = _source(name).get_launch_description(LaunchContext())
    declared = {entity.name: entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)}
    arguments = {argument.name: argument for argument in load_graph(name).arguments}
    assert declared.keys() == arguments.keys()
    for key, argument in arguments.items():
        text = declared[key].default_value and perform_substitutions(LaunchContext(), declared[key].default_value)
        assert (text is None) == argument.required
        assert argument.required or repr(argument.parse(text)) == repr(argument.default)


@pytest.mark.parametrize("name", ["robot", "sim_kitchen"])
def test_the_description_is_launched_too_where_its_node_is_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    *_, last = _source(name).get_launch_description(LaunchContext()).entities
    assert isinstance(last, LogInfo)
    said = perform_substitutions(LaunchContext(), last.msg)
    assert "no robot_state_publisher here" in said and "apt-get install" in said
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "robot_state_publisher").touch()
    *_, last = _source(name).get_launch_description(LaunchContext()).entities
    assert isinstance(last, IncludeLaunchDescription)
    included = last.launch_description_source.get_launch_description(LaunchContext())
    declared = {entity.name for entity in included.entities if isinstance(entity, DeclareLaunchArgument)}
    assert {"description", "rviz", "namespace"} <= declared


@pytest.mark.parametrize("end", ["kill -9 $$", "exit 3"])
def test_launch_starts_a_node_again_that_a_signal_ended_and_no_other(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is a script: it writes down each start; the first two end as told, the third one by itself."""
    starts, graph = tmp_path / "starts", tmp_path / "crashing.yaml"
    script = tmp_path / "lib/crashing/node"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\necho start >> {starts}\n[ $(wc -l < {starts}) -ge 3 ] || {end}\n")
    script.chmod(0o755)
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "crashing").touch()
    graph.write_text("nodes: [{package: crashing, executable: node, name: n, on_exit: shutdown, respawn: true}]")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setattr("clam_bringup.launch_description.RESPAWN_DELAY", 0.2)
    service = LaunchService(noninteractive=True)
    service.include_launch_description(launch_description(str(graph)))
    service.run()
    assert starts.read_text().count("start") == (3 if "kill" in end else 1)


def test_launch_refuses_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    service = LaunchService(noninteractive=True)
    arguments = {"bundle": str(tmp_path / "nothing")}
    service.include_launch_description(
        LaunchDescription([IncludeLaunchDescription(_source("policy"), launch_arguments=arguments.items())])
    )
    assert service.run() == 1


def test_launch_says_that_the_bundle_is_of_another_task_and_refuses_a_node_that_runs_already(make_bundle: Any) -> None:
    arguments = {"bundle": str(make_bundle("gym", "Pendulum-v1")), "task": "Hopper-v5"}
    context = LaunchContext()
    description = launch_description("policy")
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            context.launch_configurations[entity.name] = arguments.get(entity.name) or perform_substitutions(
                context, entity.default_value
            )
    (nodes,) = (entity for entity in description.entities if isinstance(entity, OpaqueFunction))
    warning, freeing, *started = nodes.execute(context)
    said = perform_substitutions(context, warning.msg)
    assert "trained on 'Pendulum-v1', task is 'Hopper-v5'" in said and len(started) == 2
    with pytest.raises(ClamError, match=f"'/policy' runs already .*stop process {os.getpid()} "):
        nodes.execute(context)
    freeing.event_handler.handle(Shutdown(), context)
    rclpy.init()
    try:
        twin = rclpy.create_node("policy", namespace="/here")
        _, freeing, *_ = nodes.execute(context)  # another namespace
        freeing.event_handler.handle(Shutdown(), context)
        context.launch_configurations["ros_namespace"] = "/here"
        with pytest.raises(ClamError, match="'/here/policy' runs already"):
            nodes.execute(context)
        twin.destroy_node()
    finally:
        rclpy.shutdown()


@launch_pytest.fixture
def simulator() -> Iterator[LaunchDescription]:
    arguments = {"env": "gym", "task": "Pendulum-v1", "namespace": "robot"}
    yield LaunchDescription(
        [IncludeLaunchDescription(_source("sim"), launch_arguments=arguments.items()), ReadyToTest()]
    )


@pytest.mark.skipif(
    not _workspace_is_sourced(),
    reason="needs the workspace: colcon build in ros2_ws, source install/setup.bash",
)
@pytest.mark.launch(fixture=simulator)
def test_the_sim_launch_file_starts_a_simulator_in_its_namespace() -> None:
    received: list[JointState] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("probe", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_subscription(JointState, "/robot/observation/state", received.append, 10)
    deadline = time.monotonic() + 60
    while not received and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.1)
    node.destroy_node()
    rclpy.shutdown(context=context)
    assert received
    assert "episode/step" in received[0].name
