"""Graphs and nodes are written apart; here they must agree."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy (make setup, or a system ROS 2)")

from clam_bringup.child import find_executable  # noqa: E402
from clam_bringup.graph import Graph  # noqa: E402
from clam_bringup.graph_file import graph_files, load_graph  # noqa: E402
from clam_ros.node import Node  # noqa: E402


def node_class(package: str, executable: str) -> type[Node]:
    """The node class of the module that an executable's main function lives in."""
    module = importlib.import_module(find_executable(package, executable).load().__module__)
    (found,) = (
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Node) and value.__module__ == module.__name__
    )
    return found


def variants(graph: Graph) -> Iterator[dict[str, str]]:
    """Texts of arguments under which every node of the graph is there at least once."""
    names = {argument.name: argument for argument in graph.arguments}
    required = {name: "x" for name, argument in names.items() if argument.required}
    yield required
    if "episodes" in names:
        yield required | {"episodes": "1"}
    for name in {"backend", "robot"} & names.keys():
        for choice in names[name].choices:
            needed = {a.name: "x" for a in graph.arguments if {name: choice} in a.required_if}
            yield required | {name: choice} | needed


@pytest.mark.parametrize("name", sorted(graph_files()))
def test_nodes_declare_every_parameter_that_a_graph_sets_with_the_same_type(name: str) -> None:
    graph = load_graph(name)
    rclpy.init()
    try:
        for texts in variants(graph):
            for node in graph.resolve(texts):
                made = node_class(node.package, node.executable)()
                declared = {parameter: made.get_parameter(parameter).value for parameter in made._parameters}
                made.destroy_node()
                for parameter, value in node.parameters.items():
                    assert parameter in declared, f"{node.name} declares no {parameter}"
                    assert type(value) is type(declared[parameter]), f"{node.name}: type of {parameter}"
    finally:
        rclpy.shutdown()
