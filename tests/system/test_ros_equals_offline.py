"""The same bundle and seeds, offline and through the lockstep graph: actions and rewards agree number for number."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clam_core.data.generate import generate
from clam_core.deploy import load_bundle
from clam_core.envs import make_env
from clam_core.evaluation import evaluate
from clam_core.training.load_config import load_config
from clam_core.training.run import train

pytest.importorskip("rclpy", reason="needs rclpy")

SEEDS = range(1_000_000, 1_000_003)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "expert"
    generate("metaworld", "assembly", "expert", 4, 0, out, workers=1)
    return out


@pytest.fixture(scope="module", params=[(1, "null"), (5, "0.5")], ids=["one action", "chunks of 5"])
def bundle(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy with memory (difference features), latent actions and, in one case, overlapping chunks."""
    run, (chunk, m) = tmp_path_factory.mktemp("trained") / "run", request.param
    overrides = [
        *(f"data.{role}={data}" for role in ("unlabeled", "labeled", "expert")),
        *("lam_training.updates=200", "policy_training.updates=200"),
        *(f"policy.chunk={chunk}", f"policy.ensembling_m={m}"),
    ]
    train(load_config("clam", "recommended/state", overrides=overrides), run)
    return run / "bundle"


@pytest.mark.parametrize("horizon", [0, 3], ids=["as trained", "receding horizon"])
def test_a_ros_rollout_equals_the_offline_rollout(bundle: Path, horizon: int, tmp_path: Path) -> None:
    policy = load_bundle(bundle)
    if horizon > policy.chunk:
        pytest.skip("one action is no horizon")
    if horizon:
        policy.execute(None, horizon)
    out = tmp_path / "rollouts.json"
    arguments = {"bundle": bundle, "task": "assembly", "episodes": len(SEEDS), "seed": SEEDS.start, "out": out}
    arguments["receding_horizon"] = horizon
    launch = [sys.executable, "-m", "clam_bringup.runner", "policy", *(f"{k}:={v}" for k, v in arguments.items())]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    through_ros = json.loads(out.read_text())["episodes"]

    env = make_env("metaworld", "assembly")
    offline = evaluate(env, policy, SEEDS)
    env.close()
    assert [episode["seed"] for episode in through_ros] == list(SEEDS)
    for ros, rollout in zip(through_ros, offline, strict=True):
        assert np.ptp(rollout.actions, axis=0).min() > 0.1  # it does move: equal zeros would prove nothing
        np.testing.assert_array_equal(np.array(ros["actions"]), rollout.actions)
        np.testing.assert_array_equal(np.array(ros["rewards"]), rollout.rewards)
        assert ros["success"] == rollout.success
