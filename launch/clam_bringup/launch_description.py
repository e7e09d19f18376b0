"""The same graphs for ``ros2 launch``. Only this module and the launch files import ``launch``."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_prefix
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node as LaunchNode

from clam_bringup.bundles import settle
from clam_bringup.graph import RESPAWN_DELAY, Argument, Graph, Node, text
from clam_bringup.graph_file import load_graph
from clam_bringup.processes import PATIENCE
from clam_bringup.twins import claim
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PUBLISHER = "robot_state_publisher"


def launch_description(name: str, *more: LaunchDescriptionEntity) -> LaunchDescription:
    """The graph as a launch description: its arguments, then its nodes once the arguments are known, then `more`."""
    graph = load_graph(name)
    return LaunchDescription(
        [*map(_declare, graph.arguments), OpaqueFunction(function=_nodes, args=[graph]), *more],
    )


def robot_description(launch_file: Path) -> LaunchDescriptionEntity:
    """description.launch.py beside `launch_file`, with its arguments; a line in the log where its node is missing."""
    try:
        get_package_prefix(PUBLISHER)
    except (LookupError, OSError):  # not installed, or no workspace is sourced
        mend = f"apt-get install ros-$ROS_DISTRO-{PUBLISHER.replace('_', '-')}"
        return LogInfo(msg=f"no {PUBLISHER} here, so there is neither TF nor robot_description: {mend}")
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(launch_file.parent / "description.launch.py")))


def _declare(argument: Argument) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        argument.name,
        description=argument.description or argument.name,
        default_value=None if argument.required else text(argument.default),
        choices=[text(choice) for choice in argument.choices] or None,
    )


def _nodes(context: LaunchContext, graph: Graph) -> list[LaunchDescriptionEntity]:
    texts = {item.name: LaunchConfiguration(item.name).perform(context) for item in graph.arguments}
    defaults = {item.name: text(item.default) for item in graph.arguments if not item.required}
    given = {name: value for name, value in texts.items() if value != defaults.get(name)}  # launch fills in defaults
    nodes, warnings = settle(graph, given)
    claims = claim(nodes, within=context.launch_configurations.get("ros_namespace", ""))
    freed = RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: claims.close()))
    return [*(LogInfo(msg=f"warning: {warning}") for warning in warnings), freed, *map(_node, nodes)]


def _node(node: Node) -> LaunchNode:
    return LaunchNode(
        package=node.package,
        executable=node.executable,
        name=node.name,
        namespace=node.namespace or None,
        parameters=[dict(node.parameters)],
        output="screen",
        sigterm_timeout=str(PATIENCE[signal.SIGINT]),
        sigkill_timeout=str(PATIENCE[signal.SIGTERM]),
        on_exit=_on_exit(node),
        respawn=node.respawn,
        respawn_delay=RESPAWN_DELAY,
    )


def _on_exit(node: Node) -> Any:
    """What its end leads to. A node that launch starts again ends the graph only if no signal ended it."""
    if not node.ends_graph:
        return None
    shutdown = [Shutdown(reason=f"{node.name} has ended")]
    return (lambda event, _: shutdown if event.returncode >= 0 else None) if node.respawn else shutdown
