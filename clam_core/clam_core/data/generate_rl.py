"""Datasets of locomotion from a trained agent: its replay, or rollouts of what it became.

Kinds:
  medium-replay   all that the agent lived through until it was a third as good as an expert (D4RL; Section 4)
  play            the same: nothing in it is expert
  mixed           all that it lived through
  expert          rollouts of its best policy: as it acts best, as it explores, or with noise on its actions

An episode that the environment ended early is as long as it was: no transition is made up.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.generate import GenerateReport
from clam_core.data.provenance import provenance
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.envs import Environment, make_env
from clam_core.errors import ClamError, did_you_mean
from clam_core.evaluation import EVALUATION_SEED, reference_scores
from clam_core.rl.config import AgentConfig

if TYPE_CHECKING:
    from clam_core.rl.folder import AgentFolder

LEARNED_KINDS = ("expert", "mixed", "medium-replay", "play")
MEDIUM_SCORE = 100.0 / 3.0  # normalized return
EXPERT_SCORE = 90.0  # below which a policy's rollouts are called expert with a warning only
PACKAGES = ("gymnasium", "mujoco", "sbx-rl", "jax", "zarr")  # whose versions decide what comes out
_log = logging.getLogger(__name__)


def is_learned(env: str, task: str) -> bool:
    """Whether the data of `task` comes from a trained agent, as no scripted operator masters it."""
    return reference_scores(env, task) is not None


def generate_rl(
    env: str,
    task: str,
    kind: str,
    episodes: int | None,
    seed: int,
    out: str | Path,
    *,
    agent: str | Path | None = None,
    config: AgentConfig | None = None,
    explore: bool = False,
    noise: float = 0.0,
    progress: bool | None = False,
) -> GenerateReport:
    """Write episodes of `kind` to dataset folder `out`; train the agent as far as that needs, if it is not yet.

    Args:
        episodes: how many; of replay they are spread evenly over training, and None is all of it.
        seed: of the agent, and of the first expert episode.
        agent: the agent's folder, where an interrupted training goes on; None for ``.agent-TASK-SEED`` beside
            `out`, so that all kinds share one.
        config: the agent's numbers; None for the defaults.
        explore: kind expert acts as in training, as D4RL's experts do: SAC samples its actions. Who imitates one that
            never errs has not seen how errors are mended.
        noise: of kind expert, standard deviation on every action in units of half the action range.
        progress: show bars; None for only on a terminal.

    Raises:
        ClamError: unknown names, existing `out`, no `episodes` for kind expert, `explore` or `noise` for another kind,
            fewer episodes of replay than asked for, a training that never became medium, or the reinforcement-learning
            extra is not installed.
    """
    out = Path(out)
    check_free(out)
    _check(env, task, kind, episodes, seed)
    if not 0.0 <= noise <= 1.0:
        raise ClamError(f"noise {noise:g}; give 0 to 1, in units of half the action range")
    if (noise or explore) and kind != "expert":
        raise ClamError(f"--noise and --explore are of kind expert, not {kind}; leave them out")
    from clam_core.rl.folder import AgentFolder  # needs Gymnasium

    config = config or AgentConfig()
    folder = Path(agent) if agent else out.parent / f".agent-{task}-{seed}"
    with AgentFolder(folder, env, task, seed, config) as trained:
        replay = kind in ("medium-replay", "play")
        reached = trained.train(MEDIUM_SCORE if replay else None, progress=progress)
        if replay and reached is None:
            raise ClamError(
                f"agent '{folder}' did not become a third as good as an expert in {trained.agent.steps} steps; "
                "try another --seed, or --kind mixed for all of its replay"
            )
        spec = trained.agent.env.spec
        info = DatasetInfo(spec, kind, provenance("generate", PACKAGES))
        scores = [evaluation.to_json() for evaluation in trained.agent.evaluations]
        info.provenance.update({"seed": seed, "agent": config.to_json(), "agent_evaluations": scores})
        if kind == "expert":
            assert episodes is not None
            best = trained.load_best()
            info.provenance.update({"policy": best.to_json(), "explore": explore, "noise": noise})
            if best.normalized < EXPERT_SCORE:
                _log.warning(
                    "the best policy of agent '%s' has normalized return %.0f: no expert", folder, best.normalized
                )
            chosen, count = _rollouts(trained, range(seed, seed + episodes), explore, noise), episodes
        else:
            available = reached.episodes if replay and reached else sum(1 for _ in trained.agent.replay.episodes(seed))
            count = _count(f"{kind} of {env} {task}", episodes, available)
            lived = itertools.islice(trained.agent.replay.episodes(seed), available)
            chosen = _spread(lived, count, available)
        return _write(out, info, chosen, count, progress)


def _check(env: str, task: str, kind: str, episodes: int | None, seed: int) -> None:
    if kind not in LEARNED_KINDS:
        raise ClamError(f"unknown kind '{kind}', {did_you_mean(kind, LEARNED_KINDS)}")
    if not is_learned(env, task):
        make_env(env, task).close()  # a misspelt name is answered with the nearest one
        raise ClamError(f"{env} '{task}' has no reference scores of an expert, so its data cannot be learned")
    if kind == "expert" and episodes is None:
        raise ClamError("kind expert is rolled out, not remembered; give --episodes")
    if (episodes is not None and episodes < 1) or not 0 <= seed <= EVALUATION_SEED - (episodes or 0):
        raise ClamError(
            f"{episodes} episodes from seed {seed}; give at least 1 episode, and a seed of at least 0 that stays below "
            f"the evaluation seeds (from {EVALUATION_SEED} on)"
        )


def _count(what: str, asked: int | None, available: int) -> int:
    if asked is None:
        return available
    if asked > available:
        raise ClamError(f"{what} has {available} episodes, fewer than the {asked} asked for; ask for fewer")
    return asked


def _spread(episodes: Iterable[Episode], count: int, available: int) -> Iterator[Episode]:
    """`count` of the `available` ones, at even distances."""
    wanted = set(np.linspace(0, available - 1, count).round().astype(int).tolist())
    return (episode for index, episode in enumerate(episodes) if index in wanted)


def _rollouts(trained: AgentFolder, seeds: range, explore: bool, noise: float) -> Iterator[Episode]:
    """Episodes of the policy, up to where the environment ends them; what is random in one is its seed's."""
    networks = trained.agent.networks
    env: Environment = trained.agent.env
    low, high = np.array(env.spec.action.low), np.array(env.spec.action.high)
    for seed in seeds:
        rng = np.random.default_rng((seed, 1))
        states = [env.reset(seed)["state"]]
        actions, rewards, over = [], [], False
        while not over:
            state = states[-1].astype(np.float32)
            action = networks.explore(state, rng) if explore else networks.act(state)
            if noise:
                action = np.clip(action + noise * (high - low) / 2 * rng.standard_normal(len(low)), low, high)
            actions.append(action)
            step = env.step(actions[-1])
            states.append(step.observation["state"])
            rewards.append(step.reward)
            terminated = bool(getattr(env, "terminated", False))
            over = step.done or terminated
        successes = np.zeros(len(rewards), dtype=bool)
        metadata = {"terminated": terminated}
        yield Episode({"state": np.stack(states)}, np.stack(actions), np.array(rewards), successes, seed, metadata)


def _write(
    out: Path, info: DatasetInfo, episodes: Iterator[Episode], count: int, progress: bool | None
) -> GenerateReport:
    quiet = None if progress is None else not progress
    bar = tqdm(episodes, total=count, desc=f"{info.kind} {info.spec.task}", unit="episode", disable=quiet)
    kept = transitions = 0
    with StoreWriter(out, info, actions=True) as writer:
        for episode in bar:
            writer.append(episode)
            kept, transitions = kept + 1, transitions + len(episode)
    return GenerateReport(out, kept, kept, 0, transitions)
