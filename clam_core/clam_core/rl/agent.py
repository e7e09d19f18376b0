"""Training an agent: act, remember, learn; evaluate and save at fixed steps. Killed and resumed, it becomes the
same agent as one that was never killed.

That is why nothing here depends on a random state that a crash would lose: episode k starts from ``seed + k``,
the exploration of step n and the batches of round n come from ``(seed, n)``, and the episode that was under way is
replayed from its actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.envs import Environment, make_env
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED, normalized_return
from clam_core.rl.config import AgentConfig
from clam_core.rl.library import Networks
from clam_core.rl.replay import Replay

#: Training evaluates on seeds from here on; its own episodes stay below, final evaluations begin at 1000000.
PROGRESS_SEED = EVALUATION_SEED - 1000


@dataclass(frozen=True)
class Evaluation:
    """Mean return of the policy without exploration after `step` environment steps, when `episodes` were finished."""

    step: int
    episodes: int
    mean_return: float
    normalized: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Agent:
    """An agent that learns `task` of environment `env`.

    Raises:
        ClamError: unknown names, no reference scores for the task, a seed that reaches the evaluation seeds, or
            the reinforcement-learning extra is not installed.
    """

    def __init__(self, env: str, task: str, seed: int, config: AgentConfig) -> None:
        if not 0 <= seed < PROGRESS_SEED - config.total_steps // 20:
            raise ClamError(f"seed {seed} leaves too few seeds below the evaluation seeds; choose one near 0")
        self.env: Environment = make_env(env, task)
        self.seed, self.config = seed, config
        self.evaluations: list[Evaluation] = []
        spec = self.env.spec
        self._low, self._high = np.asarray(spec.action.low), np.asarray(spec.action.high)
        size = len(spec.observation.names)
        self.replay = Replay(config.total_steps, size, self._low, self._high)
        self.networks = Networks(config, size, self._low, self._high, seed)
        self._state: npt.NDArray[np.float32] | None = None
        self._episodes = 0
        normalized_return(env, task, 0.0)  # raises for a task without reference scores

    @property
    def steps(self) -> int:
        """Environment steps taken."""
        return len(self.replay)

    @property
    def finished(self) -> bool:
        """Whether it is an expert, or its steps are used up."""
        expert = bool(self.evaluations) and self.evaluations[-1].normalized >= self.config.expert_score
        return expert or self.steps >= self.config.total_steps

    def first_above(self, score: float) -> Evaluation | None:
        """The first evaluation with a normalized return of at least `score`."""
        return next((e for e in self.evaluations if e.normalized >= score), None)

    def train_until_evaluation(self, on_step: Callable[[], object] = lambda: None) -> Evaluation:
        """Act and learn up to the next multiple of ``evaluate_every`` steps, then evaluate."""
        if self._state is None:
            self._begin_episode()
        while True:
            self._act_once()
            on_step()
            if self.steps % self.config.collect == 0 and self.steps >= self.config.random_steps:
                self.replay.rng = np.random.default_rng([self.seed, 1, self.steps])
                self.networks.update(self.replay)
            if self.steps % self.config.evaluate_every == 0 or self.steps >= self.config.total_steps:
                break
        self.evaluations.append(self._evaluate())
        return self.evaluations[-1]

    def continue_from(self, evaluations: list[Evaluation]) -> None:
        """After `replay` and `networks` were loaded: bring the environment to where the unfinished episode was."""
        self.evaluations = evaluations
        actions = self.replay.unfinished()
        self._episodes = sum(1 for _ in self.replay.episodes(self.seed))
        self._begin_episode()
        for action in actions:
            self._state = _state(self.env.step(action).observation)

    def _begin_episode(self) -> None:
        self._state = _state(self.env.reset(self.seed + self._episodes))

    def _act_once(self) -> None:
        assert self._state is not None
        rng = np.random.default_rng([self.seed, 0, self.steps])
        if self.steps < self.config.random_steps:
            action = rng.uniform(self._low, self._high)
        else:
            action = self.networks.explore(self._state, rng)
        action = np.clip(action, self._low, self._high).astype(np.float32)  # as it will be remembered
        step = self.env.step(action)
        terminated = bool(getattr(self.env, "terminated", False))
        following = _state(step.observation)
        self.replay.add(
            observation=self._state,
            next_observation=following,
            action=action,
            reward=step.reward,
            terminated=terminated,
            last=terminated or step.done,
        )
        self._state = following
        if terminated or step.done:
            self._episodes += 1
            self._begin_episode()

    def _evaluate(self) -> Evaluation:
        """On an environment of its own: the training episode goes on afterwards."""
        spec = self.env.spec
        env = make_env(spec.env, spec.task)
        returns = []
        for seed in range(PROGRESS_SEED, PROGRESS_SEED + self.config.evaluation_episodes):
            state, total, over = _state(env.reset(seed)), 0.0, False
            while not over:
                step = env.step(self.networks.act(state))
                state, total = _state(step.observation), total + step.reward
                over = step.done or bool(getattr(env, "terminated", False))
            returns.append(total)
        env.close()
        mean = float(np.mean(returns))
        return Evaluation(self.steps, self._episodes, mean, normalized_return(spec.env, spec.task, mean))


def _state(observation: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    return np.asarray(observation["state"], dtype=np.float32)
