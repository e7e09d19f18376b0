"""generate, import and inspect as a user calls them."""

import argparse
import json

import pytest

from clam_core.cli import generate, import_data, inspect, select
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError


def call(module, *arguments):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def pendulum(tmp_path):
    out = tmp_path / "pendulum"
    assert call(generate, "gym", "Pendulum-v1", "--kind", "play", "--episodes", 2, "--out", out) == 0
    return out


def test_generate_prints_what_it_made(pendulum, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / "more"
    call(generate, "gym", "Pendulum-v1", "--kind", "mixed", "--episodes", 2, "--out", out, "--json")
    result = json.loads(capsys.readouterr().out)
    assert result == {"path": str(out), "kept": 2, "attempts": 2, "successes": 0, "transitions": 400}
    assert EpisodeStore.open(out).num_transitions == 400


def test_generate_resumes_to_more_episodes(pendulum, capsys):
    arguments = ("gym", "Pendulum-v1", "--kind", "play", "--episodes", 3, "--out", pendulum)
    with pytest.raises(ClamError, match="exists already"):
        call(generate, *arguments)
    assert call(generate, *arguments, "--resume") == 0
    assert EpisodeStore.open(pendulum).episode_seeds.tolist() == [0, 1, 2]


def test_inspect_prints_a_table_and_json(pendulum, capsys):
    capsys.readouterr()
    assert call(inspect, pendulum) == 0
    text = capsys.readouterr().out
    assert "play data of gym Pendulum-v1" in text
    assert "action0" in text
    assert "recipe" in text
    assert call(inspect, pendulum, "--json") == 0
    assert json.loads(capsys.readouterr().out)["transitions"] == 400


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (generate, ("metaworld", "asembly", "--kind", "play", "--episodes", 1), "did you mean 'assembly'"),
        (generate, ("gym", "Pendulum-v1", "--kind", "expert", "--episodes", 1), "no scripted expert"),
        (
            generate,
            ("gym", "Pendulum-v1", "--kind", "play", "--episodes", 1, "--image-size", 64),
            "has no cameras",
        ),
        (generate, ("metaworld", "assembly", "--kind", "play", "--episodes", 1, "--camera", "x"), "--camera without"),
        (generate, ("metaworld", "assembly", "--kind", "play"), "give --episodes"),
        (generate, ("metaworld", "assembly", "--kind", "play", "--episodes", 1, "--agent", "a"), "leave --agent out"),
        (generate, ("gym", "Hopper-v5", "--kind", "mixed", "--resume"), "leave --resume out"),
        (generate, ("gym", "Hopper-v5", "--kind", "mixed", "--image-size", 64), "leave --image-size"),
        (generate, ("gym", "Hopper-v5", "--kind", "mixed", "--workers", 2), "leave --workers out"),
        (import_data, ("d4rl", "x.hdf5", "--tolerance", 1), "--tolerance is for rosbag"),
        (import_data, ("d4rl", "x.hdf5", "--cameras", "top=/t"), "a camera's topic is for rosbag"),
        (generate, ("gym", "Pendulum-v1", "--kind", "play", "--episodes", 1, "--seed", -1), "seed -1"),
        (import_data, ("rosbag", "/nonexistent"), "no folder at '/nonexistent'"),
        (select, ("/nonexistent", "--held-out", 0.5), "add --part train"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(tmp_path, module, arguments, message):
    with pytest.raises(ClamError, match=message) as caught:
        call(module, *arguments, "--out", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_out_must_be_new(pendulum):
    with pytest.raises(ClamError, match="exists already"):
        call(generate, "gym", "Pendulum-v1", "--kind", "play", "--episodes", 1, "--out", pendulum)


@pytest.mark.parametrize("module", [generate, import_data, inspect])
def test_help_shows_examples(module):
    assert f"clam {module.NAME} " in module.__doc__
    assert module.__doc__.count("Examples:") == 1
