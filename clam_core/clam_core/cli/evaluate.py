"""Roll out a bundle in a simulator and report success rate, return and, where D4RL has one, normalized return.

Evaluation seeds start at 1000000; no dataset that clam writes uses them. The numbers do not depend on --workers.

Examples:
  clam eval runs/clam/bundle --env metaworld --task assembly --episodes 50
  clam eval runs/clam/bundle --env metaworld --task assembly --episodes 4 --video rollouts.mp4
  clam eval runs/robot/bundle --episodes 2 --video rollouts.mp4 --overlay chunk
  clam eval runs/hopper/bundle --episodes 50 --json
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from clam_core.cli.types import natural_int, positive_int
from clam_core.deploy import Policy, load_bundle
from clam_core.envs import Environment, make_env_of
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED, Rollout, rollout, rollout_many, summarize_normalized, wilson
from clam_core.evaluation.video import ChunkVideo, VideoRecorder
from clam_core.evaluation.watching import ChunkMemory, WatchedEnvironment

NAME = "eval"
HELP = "roll out a bundle in a simulator: success rate and return with 95 %% intervals"
OVERLAYS = ("chunk",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam eval``."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="bundle folder, e.g. RUN/bundle")
    parser.add_argument("--env", help="environment (default: the one of the bundle)")
    parser.add_argument("--task", help="task (default: the one of the bundle)")
    parser.add_argument("--episodes", type=positive_int, default=50, metavar="N")
    parser.add_argument("--seed", type=natural_int, default=EVALUATION_SEED, help="first seed (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.add_argument(
        "--workers", type=positive_int, default=1, metavar="W", help="simulator processes (default: %(default)s)"
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="write the rollouts as an MP4")
    parser.add_argument(
        "--overlay",
        choices=OVERLAYS,
        help="draw into the video what the policy is about to do: its actions over time, in the kitchen also the path "
        "of the end effector, with step number and score so far; every step, in real time",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam eval``."""
    if arguments.video and arguments.workers > 1:
        raise ClamError(f"--video with --workers {arguments.workers}; a video is drawn in one process, leave one out")
    if arguments.overlay and not arguments.video:
        raise ClamError(f"--overlay {arguments.overlay} draws into a video; name one with --video FILE")
    if arguments.video:
        _check_video(arguments.video)
    policy = load_bundle(arguments.bundle, arguments.device)
    env_name, task = arguments.env or policy.spec.env, arguments.task or policy.spec.task
    make = partial(make_env_of, policy.spec, env_name, task)
    env = make()
    if (env.spec.observation.names, env.spec.action.names) != (
        policy.spec.observation.names,
        policy.spec.action.names,
    ):
        raise ClamError(
            f"{env_name}/{task} shows other observations or takes other actions than bundle '{arguments.bundle}' "
            f"was trained on ({policy.spec.env}/{policy.spec.task}); evaluate it there"
        )
    seeds = range(arguments.seed, arguments.seed + arguments.episodes)
    with tqdm(total=len(seeds), desc="rollouts", unit="episode", disable=None) as bar:
        if arguments.workers > 1:
            env.close()
            load = partial(load_bundle, arguments.bundle, arguments.device)
            rollouts = rollout_many(make, load, seeds, workers=arguments.workers, on_episode=bar.update)
        else:
            rollouts = _one_by_one(env, policy, seeds, arguments, bar)
    result = _result(env_name, env.spec.task, rollouts)
    print(json.dumps(result) if arguments.json else _sentence(result))
    return 0


def _check_video(path: Path) -> None:
    """Raise ClamError unless a video can be written to `path`: before the rollouts, not after them."""
    if path.suffix.lower() != ".mp4":
        raise ClamError(f"--video {path}: videos are MP4 files; name one, as --video {path.with_suffix('.mp4')}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise ClamError(f"--video {path} cannot be written ({error.strerror}); choose another file") from error


def _one_by_one(
    env: Environment, policy: Policy, seeds: range, arguments: argparse.Namespace, bar: Any
) -> list[Rollout]:
    rollouts = []
    video: VideoRecorder | ChunkVideo | None = None
    if arguments.overlay:
        env = watched = WatchedEnvironment(env)
        policy.ensembler = chunks = ChunkMemory(policy.ensembler)
        video = ChunkVideo(watched, chunks, arguments.video)
    elif arguments.video:
        video = VideoRecorder(env, arguments.video)
    try:
        for seed in seeds:
            rollouts.append(rollout(env, policy, seed, video.capture if video else lambda: None))
            bar.update()
    finally:
        if video:
            video.close()
        env.close()
    return rollouts


def _result(env: str, task: str, rollouts: list[Rollout]) -> dict[str, Any]:
    successes, returns = sum(r.success for r in rollouts), [r.episode_return for r in rollouts]
    low, high = wilson(successes, len(rollouts))
    result = {
        "env": env, "task": task, "episodes": len(rollouts), "first_seed": rollouts[0].seed,
        "success_rate": successes / len(rollouts), "low": low, "high": high,
        "mean_return": float(np.mean(returns)),
    }  # fmt: skip
    normalized = summarize_normalized(env, task, returns)
    if normalized:
        result |= {
            "normalized_return": normalized.mean,
            "normalized_low": normalized.low,
            "normalized_high": normalized.high,
        }
    return result


def _sentence(result: dict[str, Any]) -> str:
    episodes, first = result["episodes"], result["first_seed"]
    seeds = f"seeds {first} to {first + episodes - 1}"
    if "normalized_return" in result:  # such a task has no success
        return (
            f"normalized return {result['normalized_return']:.1f} (95 % interval {result['normalized_low']:.1f} to "
            f"{result['normalized_high']:.1f}), mean return {result['mean_return']:.1f}, {episodes} episodes, {seeds}"
        )
    return (
        f"success {round(result['success_rate'] * episodes)}/{episodes} = {result['success_rate']:.0%} "
        f"(95 % interval {result['low']:.0%} to {result['high']:.0%}), mean return {result['mean_return']:.1f}, {seeds}"
    )
