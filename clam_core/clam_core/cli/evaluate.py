"""Roll out a bundle in a simulator and report its success rate.

Evaluation seeds start at 1000000; no dataset that clam writes uses them.

Examples:
  clam eval runs/clam/bundle --env metaworld --task assembly --episodes 50
  clam eval runs/clam/bundle --env metaworld --task assembly --episodes 4 --video rollouts.mp4
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from clam_core.cli.types import positive_int
from clam_core.deploy import load_bundle
from clam_core.envs import make_env_of
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED, rollout, wilson
from clam_core.evaluation.video import VideoRecorder

NAME = "eval"
HELP = "roll out a bundle in a simulator: success rate with 95 %% interval"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam eval``."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="bundle folder, e.g. RUN/bundle")
    parser.add_argument("--env", help="environment (default: the one of the bundle)")
    parser.add_argument("--task", help="task (default: the one of the bundle)")
    parser.add_argument("--episodes", type=positive_int, default=50, metavar="N")
    parser.add_argument("--seed", type=int, default=EVALUATION_SEED, help="first seed (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument("--video", type=Path, metavar="FILE", help="write the rollouts as an MP4")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam eval``."""
    policy = load_bundle(arguments.bundle, arguments.device)
    env_name, task = arguments.env or policy.spec.env, arguments.task or policy.spec.task
    env = make_env_of(policy.spec, env_name, task)
    if (env.spec.observation.names, env.spec.action.names) != (
        policy.spec.observation.names,
        policy.spec.action.names,
    ):
        raise ClamError(
            f"{env_name}/{task} shows other observations or takes other actions than bundle '{arguments.bundle}' "
            f"was trained on ({policy.spec.env}/{policy.spec.task}); evaluate it there"
        )
    seeds = range(arguments.seed, arguments.seed + arguments.episodes)
    video = VideoRecorder(env, arguments.video) if arguments.video else None
    try:
        rollouts = [
            rollout(env, policy, seed, video.capture if video else lambda: None)
            for seed in tqdm(seeds, desc="rollouts", unit="episode", disable=None)
        ]
    finally:
        if video:
            video.close()
        env.close()
    successes = sum(r.success for r in rollouts)
    low, high = wilson(successes, len(rollouts))
    result = {
        "env": env_name, "task": task, "episodes": len(rollouts), "first_seed": arguments.seed,
        "success_rate": successes / len(rollouts), "low": low, "high": high,
        "mean_return": float(np.mean([r.episode_return for r in rollouts])),
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(result))
    else:
        print(
            f"success {successes}/{len(rollouts)} = {result['success_rate']:.0%} (95 % interval {low:.0%} to "
            f"{high:.0%}), mean return {result['mean_return']:.1f}, seeds {seeds.start} to {seeds.stop - 1}"
        )
    return 0
