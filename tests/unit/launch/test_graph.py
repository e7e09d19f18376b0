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


def test_an_argument_that_means_nothing_beside_the_others_is_refused() -> None:
    only = {"type": "int", "default": 0, "only_if": {"loud": True}}
    arguments = {**small()["arguments"], "volume": only}
    made = graph(arguments=arguments)
    assert made.parse({"name": "x", "volume": "0"})["volume"] == 0
    assert made.parse({"name": "x", "volume": "3", "loud": "true"})["volume"] == 3
    with pytest.raises(ClamError, match="'volume' of graph 'g' is only for loud:=true: leave it out"):
        made.parse({"name": "x", "volume": "3"})


def test_a_default_counts_only_where_it_may() -> None:
    choice = {"type": "str", "default": "a", "description": "A choice", "required_if": [{"loud": True}, {"count": 1}]}
    made = graph(arguments={**small()["arguments"], "choice": choice})
    assert made.parse({"name": "x"})["choice"] == "a"
    assert made.parse({"name": "x", "loud": "true", "choice": "a"})["choice"] == "a"
    for other in ({"loud": "true"}, {"count": "1"}):
        ((key, value),) = other.items()
        with pytest.raises(ClamError, match=rf"graph 'g' needs choice:=… with {key}:={value} \(A choice\)"):
            made.parse({"name": "x", **other})


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
        (
            {"arguments": {**small()["arguments"], "a": {"type": "int", "default": 0, "only_if": {"b": 1}}}},
            "argument 'a' uses 'b', no argument",
        ),
        (
            {"arguments": {**small()["arguments"], "a": {"type": "int", "default": 0, "required_if": [{"b": 1}]}}},
            "argument 'a' uses 'b', no argument",
        ),
        ({"arguments": {"a": {"type": "int", "default": 0, "required_if": {"b": 1}}}}, "must be a list"),
        ({"arguments": {"a": {"type": "int", "default": 0, "required_if": [{}]}}}, "write required: true"),
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
        ({"nodes": [{"package": "p", "executable": "e", "name": "n", "respawn": "yes"}]}, "respawn 'yes': valid: true"),
    ],
)
def test_an_unsound_graph_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClamError, match=said):
        graph(**changes)


def test_all_graphs_of_the_package_are_sound_and_described() -> None:
    assert {"sim", "record", "policy", "arm", "camera", "robot", "sim_kitchen"} <= graph_files().keys()
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


ROBOT = {"arm_driver", "camera", "camera_2", "watch"}


def names(name: str, **texts: str) -> dict[str, Any]:
    """Parameters of the nodes of a graph of the package, by node."""
    nodes = load_graph(name).resolve(texts)
    assert len({node.name for node in nodes}) == len(nodes), "two processes of one name"
    return {node.name: node.parameters for node in nodes}


def test_the_arm_brings_the_kitchen_only_where_it_is_driven() -> None:
    assert names("arm").keys() == {"kitchen", "arm_driver"}
    assert names("arm", backend="interbotix").keys() == names("arm", backend="mujoco_arm").keys() == {"arm_driver"}


def test_the_robot_has_an_arm_and_two_cameras_of_its_own_kind() -> None:
    simulated, real = names("robot"), names("robot", backend="interbotix", over_shoulder_device="/dev/video2")
    assert simulated.keys() == {"kitchen", *ROBOT} and real.keys() == ROBOT
    for nodes in (simulated, real):
        assert {*nodes["watch"]["nodes"]} == ROBOT - {"watch"}, "each of them is missed when it is silent"
    for nodes in (simulated, real):
        assert [nodes[name]["camera"] for name in ("camera", "camera_2")] == ["external", "over_shoulder"]
    assert [simulated[name]["backend"] for name in ("arm_driver", "camera", "camera_2")] == ["mujoco"] * 3
    assert [real[name]["backend"] for name in ("arm_driver", "camera", "camera_2")] == [
        "interbotix",
        "realsense",
        "opencv",
    ]
    assert real["camera_2"]["device"] == "/dev/video2"
    assert names("sim_kitchen") == simulated


@pytest.mark.parametrize("name", ["camera", "robot", "policy", "evaluate", "record"])
def test_cameras_and_only_they_are_started_again_after_a_crash(name: str) -> None:
    texts = {argument.name: "x" for argument in load_graph(name).arguments if argument.required}
    texts |= {"camera": {"camera_2": "side"}, "robot": {}}.get(name, {"robot": "interbotix", "task": "x"})
    if name == "policy":
        del texts["task"]
    nodes = load_graph(name).resolve(texts)
    assert {node.name for node in nodes if node.respawn} == {"camera", "camera_2"}
    assert all(node.ends_graph for node in nodes), "one that ends by itself still ends all"


def test_a_policy_drives_the_bridge_or_a_robot_never_both() -> None:
    simulated = names("robot", task="push-button")
    driven = names("policy", bundle="b", robot="mujoco", task="push-button", seed="0")
    assert driven.keys() == {*simulated, "policy"}
    assert driven["policy"]["mode"] == "realtime", "a robot does not wait for commands"
    assert driven["arm_driver"] == {**simulated["arm_driver"], "on_fast": "scale"}
    assert driven["kitchen"] == simulated["kitchen"]
    assert names("policy", bundle="b", robot="interbotix").keys() == {*ROBOT, "policy"}
    with pytest.raises(ClamError, match="'episodes' of graph 'policy' is only for robot:=none"):
        names("policy", bundle="b", robot="mujoco", task="push-button", episodes="5")


def test_a_recording_is_of_a_scripted_operator_or_of_a_person_with_a_robot() -> None:
    scripted = names("record", out="bags", task="assembly", camera="corner4")
    assert scripted.keys() == {"sim_bridge", "recorder", "scripted_operator"}
    assert (scripted["recorder"]["operator"], scripted["recorder"]["cameras"]) == ("scripted", ["corner4"])
    robot = names("robot", task="push-button")
    session = names("record", out="bags", robot="mujoco", task="push-button", kind="play", rate="15.0")
    assert session.keys() == {*robot, "teleop", "recorder"}
    assert (session["recorder"]["kind"], session["recorder"]["task"]) == ("play", "push-button")
    assert session["recorder"]["session"] == "robot" and session["teleop"]["record"] is True
    cameras = [session[name] for name in ("camera", "camera_2")]
    assert session["recorder"]["cameras"] == [camera["camera"] for camera in cameras]
    assert {session["recorder"]["camera_rate"], *(camera["rate"] for camera in cameras)} == {15.0}
    assert scripted["scripted_operator"]["out"] == "bags", "it looks there for seeds that were recorded already"
    assert (session["recorder"]["rate_tolerance"], session["recorder"]["required"]) == (0.2, [""])
    busy = {"rate_tolerance": "0.5", "required": "joint_states:30"}
    allowed = names("record", out="bags", robot="mujoco", task="push-button", **busy)["recorder"]
    assert (allowed["rate_tolerance"], allowed["required"]) == (0.5, ["joint_states:30"])
    real = names("record", out="bags", robot="interbotix", task="any")
    assert real.keys() == {*ROBOT, "teleop", "recorder"}
    with pytest.raises(ClamError, match="'episodes' of graph 'record' is only for robot:=none"):
        names("record", out="bags", robot="mujoco", task="push-button", episodes="5")


def test_a_robot_needs_a_task_of_its_own() -> None:
    for robot in ("mujoco", "interbotix"):
        with pytest.raises(ClamError, match=rf"graph 'record' needs task:=… with robot:={robot} \(Task"):
            names("record", out="bags", robot=robot)
    assert names("record", out="bags")["recorder"]["task"] == "assembly"


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [
        ("policy", {"bundle": "b", "torque": "false"}, "'torque' of graph 'policy' means nothing with robot:=none:"),
        ("policy", {"bundle": "b", "robot": "interbotix", "task": "x"}, "'task' .* with .*robot:=interbotix"),
        ("record", {"out": "x", "images": "raw"}, "'images' of graph 'record' means nothing with robot:=none"),
        ("arm", {"backend": "mujoco_arm", "speed": "2.0"}, "'speed' .* means nothing with backend:=mujoco_arm"),
        ("camera", {"device_2": "1"}, "'device_2' of graph 'camera' means nothing with camera_2:=: leave it out"),
    ],
)
def test_a_switch_that_is_connected_to_nothing_is_refused(name: str, texts: dict[str, str], said: str) -> None:
    with pytest.raises(ClamError, match=said):
        names(name, **texts)


def test_a_switch_in_its_default_is_never_refused() -> None:
    assert names("policy", bundle="b", torque="true").keys() == names("policy", bundle="b").keys()


def test_what_only_ros2_launch_can_start_says_so_in_one_line() -> None:
    with pytest.raises(ClamError, match=r"ros2 launch clam_bringup description\.launch\.py") as refused:
        load_graph("description")
    assert "\n" not in str(refused.value)
