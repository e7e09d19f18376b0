"""A small agent that learns next to nothing, quickly: what counts is what is kept of it."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from clam_core.data.generate_rl import generate_rl, is_learned
from clam_core.data.store import EpisodeStore
from clam_core.envs import make_env
from clam_core.errors import ClamError
from clam_core.rl.config import AgentConfig

pytest.importorskip("sbx", reason="the reinforcement-learning extra is not installed (requirements-rl.txt)")

CONFIG = AgentConfig(
    total_steps=700, random_steps=96, batch_size=16, hidden=(16,), evaluate_every=100, evaluation_episodes=1
)
ARGUMENTS = ("gym", "Hopper-v5", 0, CONFIG)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of an agent that was trained without interruption."""
    from clam_core.rl.folder import AgentFolder

    path = tmp_path_factory.mktemp("agent") / "agent"
    with AgentFolder(path, *ARGUMENTS) as folder:
        folder.train(None)
    return path


def contents(path):
    """Everything that training left, as bytes."""
    files = [path / "checkpoint.msgpack", path / "best.msgpack", path / "progress.json"]
    return [file.read_bytes() for file in files], [
        {name: shard[name].tobytes() for name in shard.files}
        for shard in (np.load(file) for file in sorted((path / "replay").iterdir()))
    ]


@pytest.mark.parametrize("algorithm", ["sac", "td3"])
def test_killed_in_mid_episode_and_resumed_it_becomes_the_same_agent(tmp_path, algorithm):
    from clam_core.rl.folder import AgentFolder

    config = dataclasses.replace(CONFIG, algorithm=algorithm)
    with AgentFolder(tmp_path / "whole", "gym", "Hopper-v5", 0, config) as folder:
        folder.train(None)
    code = f"""
import sys
from pathlib import Path
from clam_core.rl.config import AgentConfig
from clam_core.rl.folder import AgentFolder
folder = AgentFolder(Path(sys.argv[1]), "gym", "Hopper-v5", 0, AgentConfig.from_json({config.to_json()}))
print("ready", flush=True)
folder.train(None)
"""
    path = tmp_path / "agent"
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        deadline = time.monotonic() + 200
        while not (path / "replay" / "00001.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if len(json.loads((path / "progress.json").read_text())) < 7:
            break
        shutil.rmtree(path)  # it was at its end already: this machine stood still
    with AgentFolder(path, "gym", "Hopper-v5", 0, config) as folder:
        assert 0 < folder.agent.steps < 700
        folder.train(None)
    assert contents(path) == contents(tmp_path / "whole")


def test_replay_becomes_whole_episodes_of_real_transitions(trained, tmp_path):
    report = generate_rl("gym", "Hopper-v5", "mixed", None, 0, tmp_path / "mixed", agent=trained, config=CONFIG)
    store = EpisodeStore.open(tmp_path / "mixed")
    assert (report.kept, report.transitions) == (store.num_episodes, store.num_transitions)
    assert 700 - 200 < store.num_transitions <= 700
    env = make_env("gym", "Hopper-v5")
    for index in (0, store.num_episodes - 1):
        episode = store.episode(index)
        states = [env.reset(episode.seed)["state"]]
        for action in episode.actions:
            assert not env.terminated
            states.append(env.step(action).observation["state"])
        assert env.terminated
        np.testing.assert_allclose(episode.observations["state"], np.stack(states), rtol=1e-5, atol=1e-5)


def test_episodes_asked_for_are_spread_over_training(trained, tmp_path):
    few = generate_rl("gym", "Hopper-v5", "mixed", 3, 0, tmp_path / "few", agent=trained, config=CONFIG)
    assert few.kept == 3
    seeds = EpisodeStore.open(tmp_path / "few").episode_seeds
    generate_rl("gym", "Hopper-v5", "mixed", None, 0, tmp_path / "all", agent=trained, config=CONFIG)
    every = EpisodeStore.open(tmp_path / "all").episode_seeds
    assert (seeds[0], seeds[-1]) == (every[0], every[-1])
    with pytest.raises(ClamError, match="fewer than the 100000 asked for"):
        generate_rl("gym", "Hopper-v5", "mixed", 100_000, 0, tmp_path / "x", agent=trained, config=CONFIG)


def test_expert_episodes_are_those_of_the_best_policy(trained, tmp_path, caplog):
    generate_rl("gym", "Hopper-v5", "expert", 2, 7, tmp_path / "a", agent=trained.parent / "other", config=CONFIG)
    assert "no expert" in caplog.text  # after a few hundred steps
    store = EpisodeStore.open(tmp_path / "a")
    assert list(store.episode_seeds) == [7, 8]
    evaluations = store.info.provenance["agent_evaluations"]
    assert store.info.provenance["policy"]["mean_return"] == max(e["mean_return"] for e in evaluations)


@pytest.mark.parametrize("how", [{"noise": 0.3}, {"explore": True}], ids=["noise", "explore"])
def test_what_is_random_in_an_expert_s_actions_is_its_seed_s_and_within_the_limits(trained, tmp_path, how):
    agent = trained.parent / "other"

    def actions(name, seed, **options):
        generate_rl("gym", "Hopper-v5", "expert", 2, seed, tmp_path / name, agent=agent, config=CONFIG, **options)
        store = EpisodeStore.open(tmp_path / name)
        assert {name: store.info.provenance[name] for name in ("explore", "noise")} == {
            "explore": False, "noise": 0.0, **options
        }  # fmt: skip
        return [store.episode(index).actions for index in range(2)]

    plain, noisy, again = actions("plain", 7), actions("random", 7, **how), actions("again", 7, **how)
    assert 0.1 < np.abs(noisy[0][0] - plain[0][0]).mean() < 1.0, "of the same state"
    assert all(np.array_equal(a, b) for a, b in zip(noisy, again, strict=True))
    assert not np.array_equal(noisy[0][0], noisy[1][0]) and np.abs(noisy[0]).max() <= 1.0
    with pytest.raises(ClamError, match="are of kind expert, not mixed"):
        generate_rl("gym", "Hopper-v5", "mixed", 2, 0, tmp_path / "x", agent=trained, config=CONFIG, **how)


def test_an_agent_that_never_became_medium_has_no_medium_replay(trained, tmp_path):
    with pytest.raises(ClamError, match="did not become a third as good"):
        generate_rl("gym", "Hopper-v5", "medium-replay", None, 0, tmp_path / "x", agent=trained, config=CONFIG)
    assert not (tmp_path / "x").exists()


def test_a_folder_belongs_to_one_agent_and_to_one_process(trained, tmp_path):
    from clam_core.rl.folder import AgentFolder

    with pytest.raises(ClamError, match="holds an agent with seed 0, not 1"):
        AgentFolder(trained, "gym", "Hopper-v5", 1, CONFIG)
    with AgentFolder(trained, *ARGUMENTS), pytest.raises(ClamError, match="in use by another process"):
        AgentFolder(trained, *ARGUMENTS)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ClamError, match="not an agent's folder"):
        AgentFolder(tmp_path, *ARGUMENTS)


def test_more_steps_continue_an_agent_and_other_numbers_do_not(trained, tmp_path):
    from clam_core.rl.folder import AgentFolder

    shutil.copytree(trained, tmp_path / "agent")
    longer = dataclasses.replace(CONFIG, total_steps=800)
    with AgentFolder(tmp_path / "agent", "gym", "Hopper-v5", 0, longer) as folder:
        folder.train(None)
        assert folder.agent.steps == 800
    with pytest.raises(ClamError, match="holds an agent with batch_size 16, not 32"):
        AgentFolder(trained, "gym", "Hopper-v5", 0, dataclasses.replace(CONFIG, batch_size=32))


def test_a_folder_from_before_there_was_a_choice_is_of_td3(trained, tmp_path):
    from clam_core.rl.folder import AgentFolder

    shutil.copytree(trained, tmp_path / "agent")
    there = json.loads((tmp_path / "agent/agent.json").read_text())
    (tmp_path / "agent/agent.json").write_text(json.dumps({k: v for k, v in there.items() if k != "algorithm"}))
    with pytest.raises(ClamError, match="algorithm td3, not sac; choose another --agent, or --algorithm td3"):
        AgentFolder(tmp_path / "agent", *ARGUMENTS)


def test_a_damaged_checkpoint_is_named(trained, tmp_path):
    from clam_core.rl.folder import AgentFolder

    shutil.copytree(trained, tmp_path / "agent")
    (tmp_path / "agent/checkpoint.msgpack").write_bytes(b"\x93nonsense")
    with pytest.raises(ClamError, match=r"checkpoint\.msgpack' cannot be read"):
        AgentFolder(tmp_path / "agent", *ARGUMENTS)


def test_only_tasks_with_an_expert_reference_are_learned(tmp_path):
    assert is_learned("gym", "HalfCheetah-v5") and not is_learned("gym", "Pendulum-v1")
    with pytest.raises(ClamError, match="no reference scores"):
        generate_rl("gym", "Pendulum-v1", "mixed", 1, 0, tmp_path / "x")
    with pytest.raises(ClamError, match="did you mean 'medium-replay'"):
        generate_rl("gym", "Hopper-v5", "medium", 1, 0, tmp_path / "x")
    with pytest.raises(ClamError, match="give --episodes"):
        generate_rl("gym", "Hopper-v5", "expert", None, 0, tmp_path / "x")
