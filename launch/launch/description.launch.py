"""`ros2 launch clam_bringup description.launch.py --show-args`: the arm and its workcell as TF and for RViz.

No graph of clam_bringup describes this: a graph's parameters are plain values, and `robot_description` is the expanded
xacro; and what it starts are packages of a system ROS 2, which the pip-only runner does not have.
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from clam_description import arguments, names, rviz_config, urdf
from launch import LaunchContext, LaunchDescription

JOINT_STATE_PUBLISHERS = {"plain": "joint_state_publisher", "gui": "joint_state_publisher_gui"}
XACRO_ARGUMENTS = {key: value for name in names() for key, value in arguments(name).items()}


def generate_launch_description() -> LaunchDescription:
    """Called by launch."""
    flags = ["false", "true"]
    return LaunchDescription(
        [
            _declare("description", "workcell", "What to publish", list(names())),
            _declare("joint_states", "none", "Who publishes them, if no arm does", ["none", *JOINT_STATE_PUBLISHERS]),
            _declare("rviz", "false", "Show it in RViz", flags),
            _declare("namespace", "", "ROS namespace of all nodes"),
            *(_declare(name, value, "Argument of the xacro") for name, value in XACRO_ARGUMENTS.items()),
            OpaqueFunction(function=_nodes),
        ]
    )


def _declare(name: str, default: str, description: str, choices: list[str] | None = None) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def _nodes(context: LaunchContext) -> list[Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    name = value("description")
    text = urdf(name, **{key: value(key) for key in arguments(name)})
    description = {"robot_description": ParameterValue(text, value_type=str)}  # else it would be read as YAML
    nodes = [_node("robot_state_publisher", value("namespace"), parameters=[description])]
    if value("joint_states") != "none":
        publisher = JOINT_STATE_PUBLISHERS[value("joint_states")]
        nodes.append(_node(publisher, value("namespace"), parameters=[description]))
    if value("rviz") == "true":
        nodes.append(_node("rviz2", value("namespace"), arguments=["-d", str(rviz_config())]))
    return nodes


def _node(package: str, namespace: str, **options: object) -> Node:
    """The node of a ROS package that has one executable of its own name; if it is missing, one line says so."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError as error:
        mend = f"apt-get install ros-$ROS_DISTRO-{package.replace('_', '-')}; it is not on PyPI"
        raise RuntimeError(f"ROS package '{package}' is not installed: {mend}") from error
    return Node(package=package, executable=package, namespace=namespace or None, output="screen", **options)
