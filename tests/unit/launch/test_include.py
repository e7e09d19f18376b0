"""A graph inside another one: what is bound, what is passed on, and who is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clam_bringup.graph import Graph
from clam_bringup.graph_file import load_graph
from clam_core.errors import ClamError

INNER = {
    "namespace": "${space}",
    "arguments": {
        "space": {"type": "str", "default": ""},
        "kind": {"type": "str", "default": "a", "choices": ["a", "b"]},
        "second": {"type": "str", "default": ""},
        "rate": {"type": "float", "default": 1.0},
    },
    "nodes": [
        {"package": "p", "executable": "e", "name": "first", "parameters": {"kind": "${kind}", "rate": "${rate}"}},
        {"package": "p", "executable": "e", "name": "only_a", "only_if": {"kind": "a"}, "on_exit": "shutdown"},
        {
            "package": "p",
            "executable": "e",
            "name": "second",
            "parameters": {"topic": "x/${second}/y"},
            "unless": {"second": ""},
        },
    ],
}


@pytest.fixture
def outer(tmp_path: Path) -> Any:
    """``outer(include={…}, arguments={…})``: a graph that includes `INNER`."""
    (tmp_path / "inner.yaml").write_text(yaml.safe_dump(INNER, sort_keys=False))

    def make(include: dict[str, Any] | list[dict[str, Any]], **data: Any) -> Graph:
        includes = include if isinstance(include, list) else [include]
        data["include"] = [{"graph": str(tmp_path / "inner.yaml"), **each} for each in includes]
        (tmp_path / "outer.yaml").write_text(yaml.safe_dump(data))
        return load_graph(str(tmp_path / "outer.yaml"))

    return make


def resolved(graph: Graph, **texts: str) -> dict[str, Any]:
    return {node.name: dict(node.parameters) for node in graph.resolve(texts)}


def test_arguments_that_are_not_set_are_passed_on(outer: Any) -> None:
    graph = outer({})
    assert {argument.name: argument.default for argument in graph.arguments} == {
        "space": "",
        "kind": "a",
        "second": "",
        "rate": 1.0,
    }
    assert resolved(graph, rate="2", second="s") == {
        "first": {"kind": "a", "rate": 2.0},
        "only_a": {},
        "second": {"topic": "x/s/y"},
    }
    assert [node.namespace for node in graph.resolve({"space": "robot"})] == ["robot", "robot"]
    with pytest.raises(ClamError, match="did you mean 'kind'"):
        graph.resolve({"kin": "a"})


def test_a_value_binds_an_argument_keeps_its_type_and_decides_who_is_there(outer: Any) -> None:
    graph = outer({"arguments": {"kind": "b", "second": "s", "rate": 3.0}})
    assert [argument.name for argument in graph.arguments] == ["space"]
    assert [node.name for node in graph.nodes] == ["first", "second"], "never present: left out"
    assert resolved(graph) == {"first": {"kind": "b", "rate": 3.0}, "second": {"topic": "x/s/y"}}
    assert [node.name for node in outer({"arguments": {"second": ""}}).nodes] == ["first", "only_a"]


def test_a_reference_binds_to_an_argument_of_the_outer_graph(outer: Any) -> None:
    arguments = {"what": {"type": "str", "default": "none", "choices": ["none", "a", "b"]}}
    graph = outer({"arguments": {"kind": "${what}"}, "unless": {"what": "none"}}, arguments=arguments)
    assert graph.arguments[0].name == "what"
    assert resolved(graph) == {}
    assert resolved(graph, what="a").keys() == {"first", "only_a"}
    assert resolved(graph, what="b", second="s") == {
        "first": {"kind": "b", "rate": 1.0},
        "second": {"topic": "x/s/y"},
    }


def test_what_the_outer_graph_says_about_an_argument_counts(outer: Any) -> None:
    graph = outer({}, arguments={"rate": {"type": "float", "default": 9.0}})
    assert resolved(graph)["first"]["rate"] == 9.0
    with pytest.raises(ClamError, match="argument 'rate' is a int, in included graph 'inner' it is a float"):
        outer({}, arguments={"rate": {"type": "int", "default": 9}})


def test_two_includes_share_what_neither_sets(outer: Any) -> None:
    both = [{"arguments": {"kind": "a"}, "only_if": {"mode": 1}}, {"arguments": {"kind": "b"}, "only_if": {"mode": 2}}]
    graph = outer(both, arguments={"mode": {"type": "int", "default": 1}})
    assert [argument.name for argument in graph.arguments] == ["mode", "space", "second", "rate"]
    assert resolved(graph, rate="5")["first"] == {"kind": "a", "rate": 5.0}
    assert resolved(graph, mode="2", rate="5") == {"first": {"kind": "b", "rate": 5.0}}


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ({"arguments": {"knd": "a"}}, "graph 'inner' has no argument 'knd': did you mean 'kind'"),
        ({"arguments": {"kind": "c"}}, "sets 'kind' to 'c', it must be a str of a, b"),
        ({"arguments": {"rate": 1}}, "sets 'rate' to 1, it must be a float"),
        ({"arguments": {"kind": "${nothing}"}}, "'..nothing.' of an include is no argument"),
        ({"only_if": {"nothing": 1}}, "uses 'nothing', no argument"),
        ({"only_iff": {}}, "did you mean 'only_if'"),
        ({"graph": "nothing"}, "no graph 'nothing'"),
        ({"graph": None}, "an include has no graph"),
        ({"only_if": {"kind": "b"}}, "node 'only_a' is there if kind is a, its include if b"),
    ],
)
def test_an_include_that_does_not_fit_is_one_line(outer: Any, include: dict[str, Any], said: str) -> None:
    with pytest.raises(ClamError, match=said):
        outer(include)


def test_a_graph_that_includes_itself_is_one_line(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump({"include": [{"graph": str(second)}]}))
    second.write_text(yaml.safe_dump({"include": [{"graph": str(first)}]}))
    with pytest.raises(ClamError, match=r"first.yaml' includes itself: take it out"):
        load_graph(str(first))
