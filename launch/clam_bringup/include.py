"""A graph inside another one, so that a node is described once.

An argument of the included graph is what `arguments` of the include say: a value, or ``${argument}`` of the outer
graph. One that is not set there is an argument of the outer graph too, under the same name; what the outer graph says
about it (its default, its choices) counts. Nodes that can never be present under those values are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clam_bringup.graph import REFERENCE, TYPES, Argument, Graph, Node, substitute
from clam_core.errors import ClamError, did_you_mean


@dataclass(frozen=True)
class Include:
    """`graph` under `arguments`, present under the same conditions as a node's."""

    graph: Graph
    arguments: Mapping[str, Any] = field(default_factory=dict)
    only_if: Mapping[str, Any] = field(default_factory=dict)
    unless: Mapping[str, Any] = field(default_factory=dict)


def include(outer: Mapping[str, Argument], included: Include) -> tuple[dict[str, Argument], tuple[Node, ...]]:
    """All arguments of the outer graph, whose own so far are `outer`, and the nodes that come in.

    Raises:
        ClamError: an argument that the included graph does not have, or of another type.
    """
    graph = included.graph
    inner = {argument.name: argument for argument in graph.arguments}
    for name, value in included.arguments.items():
        if name not in inner:
            raise ClamError(f"graph '{graph.name}' has no argument '{name}': {did_you_mean(name, inner)}")
        _check_type(inner[name], value, outer)
    bound = {name: included.arguments.get(name, f"${{{name}}}") for name in inner}
    placed = [_place(node, bound) for node in graph.nodes]
    nodes = tuple(_under(node, included) for node in placed if node is not None)
    used = set[str]().union(*(node.uses for node in nodes))
    exposed = {name: inner[name] for name in inner if name not in included.arguments and name in used}
    for name, argument in exposed.items():
        if name in outer and outer[name].type != argument.type:
            raise ClamError(
                f"argument '{name}' is a {outer[name].type}, in included graph '{graph.name}' it is a {argument.type}"
            )
    return {**outer, **{name: argument for name, argument in exposed.items() if name not in outer}}, nodes


def _check_type(argument: Argument, value: Any, outer: Mapping[str, Argument]) -> None:
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if reference is None:
        sound = type(value) is TYPES[argument.type] and (not argument.choices or value in argument.choices)
    else:
        if reference[1] not in outer:
            raise ClamError(f"'{value}' of an include is no argument: {did_you_mean(reference[1], outer)}")
        sound = outer[reference[1]].type == argument.type
    if not sound:
        choices = f" of {', '.join(map(str, argument.choices))}" if argument.choices else ""
        raise ClamError(f"an include sets '{argument.name}' to {value!r}, it must be a {argument.type}{choices}")


def _place(node: Node, bound: Mapping[str, Any]) -> Node | None:
    """The node with its arguments bound; None if it can never be present."""
    only_if: dict[str, Any] = {}
    for name, value in node.only_if.items():
        outer, known = _bound(bound[name])
        if outer:
            only_if[outer] = value
        elif known != value:
            return None
    unless = []
    for group in node.unless:
        left = {outer: value for name, value in group.items() if (outer := _bound(bound[name])[0])}
        known = all(_bound(bound[name])[1] == value for name, value in group.items() if not _bound(bound[name])[0])
        if known and not left:
            return None
        if known:
            unless.append(left)
    parameters = {key: substitute(value, bound) for key, value in node.parameters.items()}
    namespace = str(substitute(node.namespace, bound))
    return replace(node, parameters=parameters, namespace=namespace, only_if=only_if, unless=tuple(unless))


def _bound(value: Any) -> tuple[str, Any]:
    """Name of the outer argument that a value refers to, or the value itself."""
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (reference[1], None) if reference else ("", value)


def _under(node: Node, included: Include) -> Node:
    """The node under the conditions of the include too."""
    for name, value in included.only_if.items():
        if node.only_if.get(name, value) != value:
            raise ClamError(f"node '{node.name}' is there if {name} is {node.only_if[name]}, its include if {value}")
    unless = (*node.unless, *([included.unless] if included.unless else []))
    return replace(node, only_if={**node.only_if, **included.only_if}, unless=unless)
