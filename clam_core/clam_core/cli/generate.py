"""Make a dataset with a scripted operator in a simulator, or with an agent that is trained for it.

Kinds:
  expert         successful episodes only
  mixed          every episode, from random motion to expert skill
  play           noisy and task-agnostic: successful episodes are thrown away
  random         random actions, each held for five steps: successful episodes are thrown away
  medium-replay  locomotion: all that the agent lived through until it was a third as good as an expert

The same seed gives the same dataset, whatever the number of workers. What was interrupted is a readable,
unfinished dataset; --resume goes on with it, also to more episodes than were asked for first.

Hopper, HalfCheetah and the other locomotion tasks have no scripted expert: an agent is trained first, once per
--agent folder, which keeps its replay. That takes hours; interrupted, it goes on where it stopped. `expert` is what
its best policy does, `mixed` all of its replay, and `play` the same as `medium-replay`.

Examples:
  clam generate metaworld assembly --kind mixed --episodes 800 --seed 0 --out data/mixed
  clam generate metaworld bin-picking --kind play --episodes 50 --seed 5000 --image-size 84 --out data/play
  clam generate gym Hopper-v5 --kind medium-replay --agent data/hopper-agent --out data/hopper-replay
  clam generate gym Hopper-v5 --kind expert --episodes 20 --agent data/hopper-agent --out data/hopper-expert
  clam generate gym Hopper-v5 --kind expert --episodes 20 --explore --agent data/hopper-agent --out data/hopper-d4rl
  clam generate calvin close-drawer --kind expert --episodes 50 --out data/drawer
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from clam_core.cli.types import positive_int
from clam_core.data.generate import GenerateReport, generate
from clam_core.data.generate_rl import LEARNED_KINDS, generate_rl, is_learned
from clam_core.envs import ENVS
from clam_core.errors import ClamError
from clam_core.operators import KINDS
from clam_core.rl.config import ALGORITHMS, AgentConfig

NAME = "generate"
HELP = "make a dataset with a scripted operator, or a trained agent, in a simulator"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clam generate``."""
    parser.add_argument("env", metavar="ENV", help=f"environment: {', '.join(ENVS)}")
    parser.add_argument("task", metavar="TASK", help="task, e.g. assembly, or a Gymnasium id")
    kinds = (*KINDS, *(kind for kind in LEARNED_KINDS if kind not in KINDS))
    parser.add_argument("--kind", required=True, choices=kinds, help="which episodes to keep")
    parser.add_argument(
        "--episodes", type=positive_int, metavar="N", help="episodes to keep (default: all, of an agent's replay)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the first attempt (default: 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset folder to make")
    parser.add_argument("--resume", action="store_true", help="go on with what is in DIR")
    parser.add_argument("--image-size", type=positive_int, metavar="N", help="store a camera's NxN images too")
    parser.add_argument(
        "--camera", metavar="NAMES", help="which camera, or several: a,b (default: the environment's usual one)"
    )
    parser.add_argument("--agent", type=Path, metavar="DIR", help="folder of the agent (default: beside --out)")
    parser.add_argument("--algorithm", choices=ALGORITHMS, help=f"of the agent (default: {ALGORITHMS[0]})")
    parser.add_argument(
        "--explore", action="store_true", help="an agent's expert acts as in training, as D4RL's do: SAC samples"
    )
    parser.add_argument(
        "--noise", type=float, metavar="SIGMA",
        help="of an agent's expert: noise on its actions, in units of half their range (default: none)",
    )  # fmt: skip
    parser.add_argument("--workers", type=positive_int, metavar="W", help="processes (default: one per core)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clam generate``."""
    learned = is_learned(arguments.env, arguments.task)
    report = _from_agent(arguments) if learned else _from_operator(arguments)
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(report), "path": str(report.path)}))
    else:
        print(
            f"{report.path}: {report.kept} {arguments.kind} episodes ({report.successes} successful) of "
            f"{report.attempts} attempts, {report.transitions} transitions"
        )
    return 0


def _from_operator(arguments: argparse.Namespace) -> GenerateReport:
    if arguments.episodes is None:
        raise ClamError("a scripted operator never ends; give --episodes")
    if arguments.agent is not None:
        raise ClamError(f"{arguments.env} '{arguments.task}' has a scripted operator; leave --agent out")
    if arguments.noise is not None or arguments.explore or arguments.algorithm:
        raise ClamError("--algorithm, --noise and --explore are an agent's; scripted operators act as --kind says")
    if arguments.camera and not arguments.image_size:
        raise ClamError("--camera without --image-size; give the size of its images, e.g. 84")
    options: dict[str, Any] = {}
    if arguments.image_size:
        options["image_size"] = arguments.image_size
    if arguments.camera:
        options["camera"] = arguments.camera
    return generate(
        arguments.env,
        arguments.task,
        arguments.kind,
        arguments.episodes,
        arguments.seed,
        arguments.out,
        workers=arguments.workers,
        resume=arguments.resume,
        progress=None,
        **options,
    )


def _from_agent(arguments: argparse.Namespace) -> GenerateReport:
    if arguments.image_size or arguments.camera:
        raise ClamError("an agent's replay holds no images; leave --image-size and --camera out")
    if arguments.workers:
        raise ClamError("an agent is trained in one process; leave --workers out")
    if arguments.resume:
        raise ClamError("an agent's training goes on by itself from its --agent folder; leave --resume out")
    return generate_rl(
        arguments.env,
        arguments.task,
        arguments.kind,
        arguments.episodes,
        arguments.seed,
        arguments.out,
        agent=arguments.agent,
        config=AgentConfig(algorithm=arguments.algorithm or ALGORITHMS[0]),
        explore=arguments.explore,
        noise=arguments.noise or 0.0,
        progress=None,
    )
