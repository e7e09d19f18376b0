"""What a bundle decides about the graph that runs it, before any node starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clam_bringup.bundles import settle
from clam_bringup.graph_file import load_graph, parse_graph
from clam_core.bundle_file import FORMAT_VERSION
from clam_core.envs.kitchen_spec import kitchen_spec
from clam_core.errors import ClamError
from clam_core.spec import CameraSpec, EnvironmentSpec


@pytest.fixture
def write(tmp_path: Path, point_spec: EnvironmentSpec) -> Callable[..., str]:
    """``write(env, task)`` is the folder of a bundle; in the kitchen and on the robot it commands the arm."""

    def make(env: str, task: str, *cameras: CameraSpec) -> str:
        folder = tmp_path / f"{env}-{task}"
        folder.mkdir()
        spec = kitchen_spec(task) if env in ("kitchen", "wx250s") else point_spec
        spec = replace(spec, observation=replace(spec.observation, cameras=cameras))
        description = {"format_version": FORMAT_VERSION, "spec": replace(spec, env=env, task=task).to_json()}
        (folder / "bundle.json").write_text(json.dumps(description))
        (folder / "weights.safetensors").touch()
        return str(folder)

    return make


def settled(graph: str, **texts: str) -> tuple[dict[str, Any], list[str]]:
    nodes, warnings = settle(load_graph(graph), texts)
    return {node.name: node.parameters for node in nodes}, warnings


def test_task_and_environment_are_those_of_the_bundle(write: Any) -> None:
    nodes, warnings = settled("policy", bundle=write("gym", "Pendulum-v1"))
    assert (nodes["sim_bridge"]["env"], nodes["sim_bridge"]["task"]) == ("gym", "Pendulum-v1") and not warnings
    kitchen = write("kitchen", "push-button")
    nodes, warnings = settled("policy", bundle=kitchen, robot="mujoco")
    assert nodes["kitchen"]["task"] == "push-button" and not warnings
    nodes, warnings = settled("evaluate", bundle=kitchen, out="x")
    assert nodes["kitchen"]["task"] == nodes["evaluator"]["task"] == "push-button" and not warnings
    nodes, _ = settled("evaluate", bundle=write("wx250s", "tidy-up"), out="x", robot="interbotix")
    assert nodes["evaluator"]["task"] == "tidy-up"


def test_cameras_are_those_that_the_bundle_looks_through_and_more_where_somebody_wants_to_see_them(write: Any) -> None:
    nodes, _ = settled("policy", bundle=write("gym", "Pendulum-v1"))
    assert nodes["sim_bridge"]["camera"] == "" and nodes["sim_bridge"]["image_size"] > 0
    bundle = write("kitchen", "push-button", CameraSpec("external", 64, 64), CameraSpec("over_shoulder", 64, 64))
    nodes, warnings = settled("policy", bundle=bundle)
    bridge = nodes["sim_bridge"]
    assert (bridge["camera"], bridge["image_size"], warnings) == ("external,over_shoulder", 64, [])
    bridge = settled("policy", bundle=bundle, camera="over_shoulder, wrist,external", image_size="128")[0]["sim_bridge"]
    assert (bridge["camera"], bridge["image_size"]) == ("over_shoulder, wrist,external", 128)
    with pytest.raises(ClamError, match="looks through over_shoulder too: leave camera out"):
        settled("policy", bundle=bundle, camera="external")
    wide = write("kitchen", "reach-block", CameraSpec("external", 48, 64))
    with pytest.raises(ClamError, match="square cameras of one size, this policy sees external 64x48"):
        settled("policy", bundle=wide)
    bridge = settled("policy", bundle=wide, camera="external", image_size="64")[0]["sim_bridge"]
    assert (bridge["camera"], bridge["image_size"]) == ("external", 64)


def test_bundles_of_one_task_may_spell_it_differently(write: Any) -> None:
    both = f"[{write('kitchen', 'push-button')}, {write('kitchen', 'push_button')}]"
    nodes, warnings = settled("evaluate", bundles=both, out="x")
    assert nodes["evaluator"]["task"] == "push-button" and not warnings


@pytest.mark.parametrize("texts", [{"robot": "none"}, {"robot": "mujoco"}])
def test_another_task_is_run_after_one_line_that_names_both(write: Any, texts: dict[str, str]) -> None:
    bundle = write("kitchen", "push-button")
    nodes, warnings = settled("policy", bundle=bundle, task="reach-block", **texts)
    assert nodes["kitchen" if "kitchen" in nodes else "sim_bridge"]["task"] == "reach-block"
    (warning,) = warnings
    assert "trained on 'push-button', task is 'reach-block'" in warning and bundle in warning and "\n" not in warning
    assert settled("policy", bundle=bundle, task="push_button", **texts)[1] == []


def test_an_evaluation_of_several_bundles_needs_one_task_and_says_which_were_trained_on_another(write: Any) -> None:
    one, other = write("kitchen", "push-button"), write("kitchen", "reach-block")
    both = {"bundles": f"[{one}, {other}]", "out": "x"}
    with pytest.raises(ClamError, match="of push-button and reach-block: say which with task:="):
        settled("evaluate", **both)
    _, (warning,) = settled("evaluate", task="push-button", **both)
    assert other in warning and one not in warning


@pytest.mark.parametrize(
    ("bundle", "texts", "said"),
    [
        (("gym", "Pendulum-v1"), {"env": "metaworld"}, "but bundle '.*' is of 'gym': leave env out"),
        (("metaworld", "assembly"), {"robot": "mujoco"}, "of another robot .metaworld/assembly.: it commands fx"),
        (("metaworld", "assembly"), {"robot": "interbotix"}, "this arm has waist, shoulder"),
        (("wx250s", "tidy-up"), {}, "is of 'wx250s', no simulator: robot:=mujoco"),
        (("unknown", "unknown"), {}, "does not say its env: give env:="),
        (("gym", "unknown"), {}, "does not say its task: give task:="),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(
    write: Any, bundle: tuple[str, str], texts: dict[str, str], said: str
) -> None:
    with pytest.raises(ClamError, match=said) as refused:
        settled("policy", bundle=write(*bundle), **texts)
    assert "\n" not in str(refused.value)


def test_an_evaluation_refuses_a_bundle_of_another_robot_also_as_one_of_several(write: Any) -> None:
    bundles = f"[{write('kitchen', 'push-button')}, {write('metaworld', 'assembly')}]"
    with pytest.raises(ClamError, match="metaworld-assembly' is of another robot"):
        settled("evaluate", bundles=bundles, out="x", task="push-button")


def test_where_the_bundle_is_silent_what_is_given_counts(write: Any) -> None:
    nodes, warnings = settled("policy", bundle=write("unknown", "unknown"), env="gym", task="Pendulum-v1")
    assert (nodes["sim_bridge"]["env"], nodes["sim_bridge"]["task"]) == ("gym", "Pendulum-v1")
    assert len(warnings) == 1 and "of 'unknown', env is 'gym'" in warnings[0]


def test_a_missing_bundle_is_refused_and_graphs_without_one_ask_for_none(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="no bundle at"):
        settled("policy", bundle=str(tmp_path))
    nodes, warnings = settled("sim")
    assert nodes["sim_bridge"]["task"] == "assembly" and not warnings


@pytest.mark.parametrize(
    "argument",
    [
        {"type": "str", "of_bundle": "rate", "default": ""},
        {"type": "str", "of_bundle": "task", "default": "x"},
        {"type": "int", "of_bundle": "image_size", "default": 84},
    ],
)
def test_an_unsound_of_bundle_is_refused(argument: dict[str, Any]) -> None:
    node = {"package": "p", "executable": "e", "name": "n"}
    with pytest.raises(ClamError, match="of_bundle is task with default '', env with"):
        parse_graph("g", {"arguments": {"a": argument}, "nodes": [node]})
