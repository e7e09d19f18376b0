from __future__ import annotations

import math
from typing import Any

import pytest

from clam_bringup.graph import Graph
from clam_bringup.graph_file import graph_files, load_graph, parse_graph
from clam_core.errors import ClamError


def small(**changes: Any) -> dict[str, Any]:
    """A sound graph as plain data."""
    node = {
        "package": "p",
        "executable": "e",
        "name": "n",
        "parameters": {"rate": "${rate}", "topic": "a/${name}/b"},
    }
    arguments = {
        "rate": {"type": "float", "default": 2.0},
        "name": {"type": "str", "required": True, "description": "A name"},
        "count": {"type": "int", "default": 0},
        "loud": {"type": "bool", "default": False},
    }
    return {"description": "d", "arguments": arguments, "nodes": [node], **changes}


def graph(**changes: Any) -> Graph:
    return parse_graph("g", small(**changes))


def test_a_lone_reference_keeps_the_type_and_others_become_text() -> None:
    (node,) = graph().resolve({"name": "x", "rate": "3"})
    assert node.parameters == {"rate": 3.0, "topic": "a/x/b"}
    assert type(node.parameters["rate"]) is float


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "1e-3", 1e-3),
        ("count", "-2", -2),
        ("loud", "True", True),
        ("loud", "false", False),
        ("name", "7", "7"),
    ],
)
def test_text_becomes_a_value_of_the_arguments_type(name: str, text: str, value: object) -> None:
    parsed = graph().parse({"name": "x", name: text})[name]
    assert (type(parsed), parsed) == (type(value), value)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({}, "needs name:=… .A name."),
        ({"name": "x", "rat": "1"}, "no argument 'rat': did you mean 'rate'"),
        ({"name": "x", "count": "1.5"}, "'1.5', but must be a whole number"),
        ({"name": "x", "loud": "1"}, "must be true or false"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_mend(texts: dict[str, str], said: str) -> None:
    with pytest.raises(ClamError, match=said):
        graph().resolve(texts)


def test_conditions_choose_nodes() -> None:
    base = {"package": "p", "executable": "e"}
    nodes = [
        {**base, "name": "always"},
        {**base, "name": "idle", "only_if": {"count": 0}},
        {**base, "name": "busy", "unless": {"count": 0}},
    ]
    chosen = [node.name for node in graph(nodes=nodes).resolve({"name": "x"})]
    assert chosen == ["always", "idle"]
    chosen = [node.name for node in graph(nodes=nodes).resolve({"name": "x", "count": "3"})]
    assert chosen == ["always", "busy"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nods": []}, "unknown key 'nods': did you mean 'nodes'"),
        ({"nodes": []}, "nodes is empty"),
        ({"nodes": [{"package": "p", "name": "n"}]}, "no executable"),
        ({"arguments": {"a": {"type": "strng", "default": ""}}}, "did you mean 'str'"),
        ({"arguments": {"a": {"type": "int", "default": 1.0}}}, "1.0 is not"),
        ({"arguments": {"a": {"type": "int"}}}, "either a default or required"),
        (
            {"arguments": {"a": {"type": "str", "default": "z", "choices": ["x", "y"]}}},
            "'z', which is no choice",
        ),
        ({"arguments": {}}, "uses 'name', no argument"),
    ],
)
def test_an_unsound_graph_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClamError, match=said):
        graph(**changes)


def test_all_graphs_of_the_package_are_sound_and_described() -> None:
    assert {"sim", "record", "policy"} <= graph_files().keys()
    for name in graph_files():
        loaded = load_graph(name)
        assert loaded.description
        assert all(argument.description for argument in loaded.arguments)


def test_the_policy_graph_rolls_out_only_when_episodes_are_asked_for() -> None:
    policy = load_graph("policy")
    idle = {node.name: node for node in policy.resolve({"bundle": "b"})}
    assert idle.keys() == {"sim_bridge", "policy"}
    assert idle["sim_bridge"].parameters["auto_reset"] is True
    assert math.isnan(idle["policy"].parameters["ensembling_m"])
    busy = {node.name: node for node in policy.resolve({"bundle": "b", "episodes": "5"})}
    assert busy.keys() == {"sim_bridge", "policy", "rollouts"}
    assert busy["sim_bridge"].parameters["auto_reset"] is False
    assert busy["rollouts"].ends_graph
