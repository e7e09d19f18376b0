"""Start a graph of nodes with nothing but pip's packages, as `ros2 launch` does with a system ROS 2.

Examples:
  clam-launch sim --show
  clam-launch sim env:=gym task:=Pendulum-v1
  clam-launch record task:=assembly kind:=play episodes:=50 out:=bags/play
  clam-launch policy bundle:=runs/clam/bundle episodes:=20 out:=rollouts.json
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clam_bringup.bundles import settle
from clam_bringup.child import find_executable
from clam_bringup.graph import Graph, Node, text
from clam_bringup.graph_file import graph_files, load_graph
from clam_bringup.processes import Processes
from clam_bringup.twins import claim
from clam_core import broken_pipe
from clam_core.errors import ClamError


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script; returns the first exit status of a node that is a failure's."""
    parsed = _parser().parse_intermixed_args(arguments)
    try:
        graph = load_graph(parsed.graph)
        if parsed.show:
            print(describe(graph), flush=True)
            return 0
        nodes, warnings = settle(graph, _split(parsed.arguments))
        for warning in warnings:
            print(f"clam-launch: warning: {warning}", file=sys.stderr)
        return run(nodes)
    except BrokenPipeError as error:
        return broken_pipe.leave(error)
    except ClamError as error:
        print(f"clam-launch: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before there were nodes to end
        return 130


def run(nodes: Sequence[Node]) -> int:
    """Start the nodes, wait for their end; returns the first exit status that is a failure's.

    Raises:
        ClamError: an executable is not installed, or nodes of these names run already; then nothing was started.
    """
    for node in nodes:
        find_executable(node.package, node.executable)
    with claim(nodes) as claims, tempfile.TemporaryDirectory(prefix="clam-launch-") as folder:
        processes = Processes(inherited=claims.files)
        for node in nodes:
            file = Path(folder) / f"{node.name}.yaml"
            file.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(node.parameters)}}))
            processes.start(node.name, command(node, file), vital=node.ends_graph, respawn=node.respawn)
        return processes.run()


def command(node: Node, parameters: Path) -> list[str]:
    """Command line of a node's process."""
    module = [sys.executable, "-m", "clam_bringup.child", node.package, node.executable]
    ros = ["--ros-args", "--params-file", str(parameters), "-r", f"__node:={node.name}"]
    if node.namespace:
        ros += ["-r", f"__ns:=/{node.namespace.strip('/')}"]
    return [*module, *ros]


def describe(graph: Graph) -> str:
    """The graph as text for people: arguments, then nodes."""
    lines = [f"{graph.name}: {graph.description}", "", "arguments"]
    for argument in graph.arguments:
        default = "required" if argument.required else f"default {_quoted(argument.default)}"
        default = f"default {argument.of_bundle} of the bundle" if argument.of_bundle else default
        choices = f"; one of {', '.join(map(text, argument.choices))}" if argument.choices else ""
        choices += f"; only if {_condition(argument.only_if)}" if argument.only_if else ""
        choices += "".join(f"; required if {_condition(group)}" for group in argument.required_if)
        lines.append(f"  {argument.name}:=  ({argument.type}, {default}{choices})  {argument.description}")
    lines += ["", "nodes"]
    for node in graph.nodes:
        conditions = [f"if {_condition(node.only_if)}"] if node.only_if else []
        conditions += [f"unless {_condition(group)}" for group in node.unless]
        conditions += ["started again after a crash"] if node.respawn else []
        lines.append(f"  {node.name}  ({', '.join([f'{node.package} {node.executable}', *conditions])})")
        lines += [f"    {name}: {text(value)}" for name, value in node.parameters.items()]
    return "\n".join(lines)


def _condition(values: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} is {_quoted(value)}" for name, value in values.items())


def _quoted(value: Any) -> str:
    return repr(value) if isinstance(value, str) else text(value)


def _split(arguments: Sequence[str]) -> dict[str, str]:
    texts = {}
    for argument in arguments:
        name, separator, text = argument.partition(":=")
        if not separator:
            raise ClamError(f"'{argument}' is not of the form key:=value, e.g. task:=assembly")
        texts[name] = text
    return texts


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:10s} {load_graph(name).description}" for name in graph_files())
    parser = argparse.ArgumentParser(
        prog="clam-launch",
        description=__doc__,
        epilog=f"graphs:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("graph", metavar="GRAPH", help="one of the graphs below, or a .yaml file")
    parser.add_argument("arguments", nargs="*", metavar="key:=value", help="arguments of the graph, see --show")
    parser.add_argument("--show", action="store_true", help="print the graph and its arguments, start nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
