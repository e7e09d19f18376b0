"""A graph is data: the nodes that run together, their parameters, and the arguments that people may set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clam_core.errors import ClamError, did_you_mean

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
RESPAWN_DELAY = 2.0  # [s] from the end of a process that is started again
REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Argument:
    """One argument of a graph. `default` has the Python type of `type`; a required argument has none.

    `only_if`: what other arguments must be for this one to mean anything; else it may only have its default.
    `required_if`: under any of these groups of values its default is none, and it must be given.
    `of_bundle`: what of the bundle it is where nothing is given: its ``task``, ``env``, ``camera`` or ``image_size``;
    see `clam_bringup.bundles`.
    """

    name: str
    type: str
    description: str
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    only_if: Mapping[str, Any] = field(default_factory=dict)
    required_if: tuple[Mapping[str, Any], ...] = ()
    of_bundle: str = ""

    def parse(self, text: str) -> Any:
        """Value of the argument's type from command-line text.

        Raises:
            ClamError: not of that type, or not one of the choices.
        """
        try:
            value = _parse_bool(text) if self.type == "bool" else TYPES[self.type](text)
        except ValueError as error:
            wanted = {"int": "a whole number", "float": "a number", "bool": "true or false"}[self.type]
            raise ClamError(f"argument '{self.name}' is '{text}', but must be {wanted}: {self.name}:=…") from error
        if self.choices and value not in self.choices:
            raise ClamError(f"argument '{self.name}' is '{text}': {did_you_mean(text, map(str, self.choices))}")
        return value


@dataclass(frozen=True)
class Node:
    """One process. Strings may hold ``${argument}``; alone in a string it keeps the argument's type.

    The node is part of the graph when all arguments of `only_if` have the given values, and not all of any group
    of `unless`. With `respawn` a process that a signal ended (it crashed, or was killed) is started again; one that
    ended by itself, as with a wrong parameter, would only do so again, and `on_exit` counts.
    """

    package: str
    executable: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""
    only_if: Mapping[str, Any] = field(default_factory=dict)
    unless: tuple[Mapping[str, Any], ...] = ()
    on_exit: str | None = None
    respawn: bool = False

    @property
    def ends_graph(self) -> bool:
        """True when the whole graph shuts down once this node has ended."""
        return self.on_exit == "shutdown"

    def present(self, values: Mapping[str, Any]) -> bool:
        """True when the node is part of the graph under these argument values."""
        return holds(self.only_if, values) and not any(holds(group, values) for group in self.unless)

    @property
    def takes(self) -> set[str]:
        """Names of the arguments whose values it is given."""
        return references([*self.parameters.values(), self.namespace])

    @property
    def depends_on(self) -> set[str]:
        """Names of the arguments that decide whether it is there."""
        return {*self.only_if}.union(*self.unless)

    @property
    def uses(self) -> set[str]:
        """Names of the arguments that it refers to."""
        return self.takes | self.depends_on


@dataclass(frozen=True)
class Graph:
    """Nodes that run together. Read one with `clam_bringup.graph_file.load_graph`."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    nodes: tuple[Node, ...]

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Typed value of every argument: the given text, or the default.

        Raises:
            ClamError: unknown argument, required argument missing, value of the wrong type or not a choice, or an
            argument that means nothing beside the others. Nothing was started then.
        """
        arguments = {argument.name: argument for argument in self.arguments}
        for name in texts:
            if name not in arguments:
                raise ClamError(f"graph '{self.name}' has no argument '{name}': {did_you_mean(name, arguments)}")
        values: dict[str, Any] = {}
        for name, argument in arguments.items():
            if name in texts:
                values[name] = argument.parse(texts[name])
            elif argument.required:
                raise ClamError(f"graph '{self.name}' needs {name}:=… ({argument.description})")
            else:
                values[name] = argument.default
        for name, argument in arguments.items():
            if name not in texts:
                self._check_default(argument, values)
            elif values[name] != argument.default:
                self._check_meaning(argument, values)
        return values

    def _check_default(self, argument: Argument, values: Mapping[str, Any]) -> None:
        for group in argument.required_if:
            if holds(group, values):
                needs = f"{argument.name}:=… with {spelled(group)}"
                raise ClamError(f"graph '{self.name}' needs {needs} ({argument.description})")

    def _check_meaning(self, argument: Argument, values: Mapping[str, Any]) -> None:
        """A switch that is connected to nothing is a mistake of whoever turns it."""
        what = f"argument '{argument.name}' of graph '{self.name}'"
        if not holds(argument.only_if, values):
            raise ClamError(f"{what} is only for {spelled(argument.only_if)}: leave it out")
        if any(argument.name in node.depends_on for node in self.nodes):
            return
        takers = [node for node in self.nodes if argument.name in node.takes]
        if takers and not any(node.present(values) for node in takers):
            deciding = sorted(set().union(*(node.depends_on for node in takers)))
            now = spelled({name: values[name] for name in deciding})
            raise ClamError(f"{what} means nothing with {now}: leave it out")

    def resolve(self, texts: Mapping[str, str]) -> tuple[Node, ...]:
        """The nodes to start for these arguments, with every ``${argument}`` replaced.

        Raises:
            ClamError: as `parse`.
        """
        return self.nodes_for(self.parse(texts))

    def nodes_for(self, values: Mapping[str, Any]) -> tuple[Node, ...]:
        """The nodes to start for these values of all arguments, with every ``${argument}`` replaced."""
        return tuple(
            replace(
                node,
                parameters={name: substitute(value, values) for name, value in node.parameters.items()},
                namespace=str(substitute(node.namespace, values)),
            )
            for node in self.nodes
            if node.present(values)
        )


def holds(condition: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """True when all arguments have the values of `condition`."""
    return all(values[name] == value for name, value in condition.items())


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """`value` with every ``${argument}`` replaced; alone in a string it keeps the argument's type."""
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return values[whole[1]]
    return REFERENCE.sub(lambda match: str(values[match[1]]), value)


def references(value: Any) -> set[str]:
    """Names of the arguments that `value` refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    return set(REFERENCE.findall(value)) if isinstance(value, str) else set()


def text(value: Any) -> str:
    """A value as people type it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def spelled(values: Mapping[str, Any]) -> str:
    """Arguments as people type them: ``key:=value key:=value``."""
    return " ".join(f"{name}:={text(value)}" for name, value in values.items())


def _parse_bool(text: str) -> bool:
    words = {"true": True, "false": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]
