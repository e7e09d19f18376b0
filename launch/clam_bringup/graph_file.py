"""Reads graphs from YAML, and refuses what does not fit together before anything is started.

description: one line
namespace: ${namespace}          # optional, of all nodes
arguments:
  task: {type: str, default: assembly, description: …}      # or required: true; choices: […]; only_if: {…};
                                                             # required_if: [{…}]; of_bundle: task (or env, …)
include:                         # optional: nodes of other graphs, see `clam_bringup.include`
  - {graph: arm, arguments: {backend: mujoco}, unless: {task: assembly}}
nodes:
  - package: clam_sim
    executable: sim_bridge
    name: sim_bridge
    parameters: {task: "${task}"}
    only_if: {task: assembly}    # or unless: …
    on_exit: shutdown            # the graph ends with this node
    respawn: true                # but when a signal ended it, a crash or a kill, it is started again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clam_bringup.graph import TYPES, Argument, Graph, Node
from clam_bringup.include import Include, include
from clam_core.errors import ClamError, did_you_mean

ARGUMENT_KEYS = ("type", "description", "required", "default", "choices", "only_if", "required_if", "of_bundle")
OF_BUNDLE = {"task": "", "env": "", "camera": "", "image_size": 0}  # and the default that says: nothing given
INCLUDE_KEYS = ("graph", "arguments", "only_if", "unless")
NODE_KEYS = ("package", "executable", "name", "parameters", "only_if", "unless", "on_exit", "respawn")

#: Launch files that start what pip does not have, and so are no graphs.
ONLY_LAUNCH_FILES = {
    "description": "it needs robot_state_publisher of a system ROS 2: run `ros2 launch clam_bringup "
    "description.launch.py` there; `clam_urdf workcell` prints the URDF anywhere"
}


def graph_files() -> dict[str, Path]:
    """The graphs that come with this package, by name."""
    folder = Path(str(files("clam_bringup"))) / "graphs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_graph(name: str, within: tuple[Path, ...] = ()) -> Graph:
    """A graph of this package by its name, or any YAML file by its path. `within`: the files that include it.

    Raises:
        ClamError: no such graph, the file is not a sound graph, or it includes itself.
    """
    known = graph_files()
    if name in ONLY_LAUNCH_FILES:
        raise ClamError(f"'{name}' is a launch file, no graph: {ONLY_LAUNCH_FILES[name]}")
    path = known.get(name) or Path(name)
    if path.suffix != ".yaml" or not path.is_file():
        raise ClamError(f"no graph '{name}': {did_you_mean(name, known)}, or the path of a .yaml file")
    if path.resolve() in within:
        raise ClamError(f"graph '{name}' includes itself: take it out of `include`")
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ClamError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return parse_graph(path.stem, data, (*within, path.resolve()))
    except ClamError as error:
        raise ClamError(f"'{path}': {error}") from error


def parse_graph(name: str, data: Any, within: tuple[Path, ...] = ()) -> Graph:
    """Checked conversion of plain data, read from the last file of `within`, to a `Graph`; raises `ClamError`."""
    data = _mapping(data, "the graph", ("description", "namespace", "arguments", "include", "nodes"))
    arguments = {key: _argument(key, value) for key, value in _mapping(data.get("arguments"), "arguments").items()}
    nodes: tuple[Node, ...] = ()
    for value in data.get("include") or ():
        arguments, included = include(arguments, _include(value, within))
        nodes += included
    nodes += tuple(_node(value, data.get("namespace", "")) for value in data.get("nodes") or ())
    if not nodes:
        raise ClamError("nodes is empty: name at least one, or include a graph")
    for user, used in (
        *((f"node '{node.name}'", node.uses) for node in nodes),
        *((f"argument '{a.name}'", {*a.only_if}.union(*a.required_if)) for a in arguments.values()),
    ):
        for unknown in sorted(used - set(arguments)):
            raise ClamError(f"{user} uses '{unknown}', no argument: {did_you_mean(unknown, arguments)}")
    return Graph(name, str(data.get("description", "")), tuple(arguments.values()), nodes)


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
        only_if=_mapping(data.get("only_if"), f"only_if of argument '{name}'"),
        required_if=tuple(_groups(data.get("required_if"), f"required_if of argument '{name}'")),
        of_bundle=str(data.get("of_bundle", "")),
    )
    if argument.of_bundle and argument.default != OF_BUNDLE.get(argument.of_bundle):
        wrong = f"of_bundle '{argument.of_bundle}' and default {argument.default!r}"
        sound = ", ".join(f"{key} with default {default!r}" for key, default in OF_BUNDLE.items())
        raise ClamError(f"argument '{name}' has {wrong}: of_bundle is {sound}")
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
    if not isinstance(data.get("respawn", False), bool):
        raise ClamError(f"node '{data['name']}' has respawn {data['respawn']!r}: valid: true, false")
    for key in ("parameters", "only_if", "unless"):
        _mapping(data.get(key), f"{key} of node '{data['name']}'")
    unless = (data["unless"],) if data.get("unless") else ()
    return Node(**{**data, "unless": unless}, namespace=namespace)


def _include(data: Any, within: tuple[Path, ...]) -> Include:
    data = _mapping(data, "an include", INCLUDE_KEYS)
    if not isinstance(data.get("graph"), str):
        raise ClamError(f"an include has no graph: {dict(data)}")
    conditions = {key: _mapping(data.get(key), f"{key} of an include") for key in ("arguments", "only_if", "unless")}
    return Include(load_graph(data["graph"], within), **conditions)


def _groups(data: Any, what: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(data, list | None):
        raise ClamError(f"{what} must be a list of 'key: value' pairs, got {data!r}")
    for group in data or ():
        if not group:
            raise ClamError(f"{what} has an empty group, which always holds: write required: true")
        yield _mapping(group, what)


def _mapping(data: Any, what: str, keys: Iterable[str] | None = None) -> Mapping[str, Any]:
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ClamError(f"{what} must be 'key: value' pairs, got {data!r}")
    for key in data:
        if keys is not None and key not in keys:
            raise ClamError(f"{what} has unknown key '{key}': {did_you_mean(str(key), keys)}")
    return data
