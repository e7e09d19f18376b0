"""Reads graphs from YAML, and refuses what does not fit together before anything is started.

description: one line
namespace: ${namespace}          # optional, of all nodes
arguments:
  task: {type: str, default: assembly, description: …}      # or required: true; choices: […]
nodes:
  - package: clam_sim
    executable: sim_bridge
    name: sim_bridge
    parameters: {task: "${task}"}
    only_if: {task: assembly}    # or unless: …
    on_exit: shutdown            # the graph ends with this node
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clam_bringup.graph import TYPES, Argument, Graph, Node, references
from clam_core.errors import ClamError, did_you_mean

ARGUMENT_KEYS = ("type", "description", "required", "default", "choices")
NODE_KEYS = ("package", "executable", "name", "parameters", "only_if", "unless", "on_exit")


def graph_files() -> dict[str, Path]:
    """The graphs that come with this package, by name."""
    folder = Path(str(files("clam_bringup"))) / "graphs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_graph(name: str) -> Graph:
    """A graph of this package by its name, or any YAML file by its path.

    Raises:
        ClamError: no such graph, or the file is not a sound graph.
    """
    known = graph_files()
    path = known.get(name) or Path(name)
    if path.suffix != ".yaml" or not path.is_file():
        raise ClamError(f"no graph '{name}': {did_you_mean(name, known)}, or the path of a .yaml file")
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ClamError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return parse_graph(path.stem, data)
    except ClamError as error:
        raise ClamError(f"'{path}': {error}") from error


def parse_graph(name: str, data: Any) -> Graph:
    """Checked conversion of plain data to a `Graph`; raises `ClamError`."""
    data = _mapping(data, "the graph", ("description", "namespace", "arguments", "nodes"))
    arguments = tuple(_argument(key, value) for key, value in _mapping(data.get("arguments"), "arguments").items())
    namespace = data.get("namespace", "")
    nodes = tuple(_node(value, namespace) for value in data.get("nodes") or ())
    if not nodes:
        raise ClamError("nodes is empty: name at least one")
    graph = Graph(name, str(data.get("description", "")), arguments, nodes)
    for node in nodes:
        _check_references(node, [argument.name for argument in arguments])
    return graph


def _argument(name: str, data: Any) -> Argument:
    data = _mapping(data, f"argument '{name}'", ARGUMENT_KEYS)
    kind = data.get("type")
    if kind not in TYPES:
        raise ClamError(f"argument '{name}' has type '{kind}': {did_you_mean(str(kind), TYPES)}")
    argument = Argument(
        name=name,
        type=kind,
        description=str(data.get("description", "")),
        required=bool(data.get("required", False)),
        default=data.get("default"),
        choices=tuple(data.get("choices", ())),
    )
    if argument.required == ("default" in data):
        raise ClamError(f"argument '{name}' must have either a default or required: true")
    for value in (*argument.choices, *([] if argument.required else [argument.default])):
        if type(value) is not TYPES[kind]:
            raise ClamError(f"argument '{name}' is a {kind}, but {value!r} is not")
    if argument.choices and not argument.required and argument.default not in argument.choices:
        raise ClamError(f"argument '{name}' has default {argument.default!r}, which is no choice")
    return argument


def _node(data: Any, namespace: str) -> Node:
    data = _mapping(data, "a node", NODE_KEYS)
    for key in ("package", "executable", "name"):
        if not isinstance(data.get(key), str):
            raise ClamError(f"a node has no {key}: {dict(data)}")
    if data.get("on_exit", "shutdown") != "shutdown":
        raise ClamError(f"node '{data['name']}' has on_exit '{data['on_exit']}': valid: shutdown")
    for key in ("parameters", "only_if", "unless"):
        _mapping(data.get(key), f"{key} of node '{data['name']}'")
    return Node(**data, namespace=namespace)


def _check_references(node: Node, arguments: Iterable[str]) -> None:
    used = references([*node.parameters.values(), node.namespace]) | {*node.only_if, *node.unless}
    for name in sorted(used - set(arguments)):
        raise ClamError(f"node '{node.name}' uses '{name}', no argument: {did_you_mean(name, arguments)}")


def _mapping(data: Any, what: str, keys: Iterable[str] | None = None) -> Mapping[str, Any]:
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ClamError(f"{what} must be 'key: value' pairs, got {data!r}")
    for key in data:
        if keys is not None and key not in keys:
            raise ClamError(f"{what} has unknown key '{key}': {did_you_mean(str(key), keys)}")
    return data
