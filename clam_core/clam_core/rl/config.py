"""Numbers of the agent, one set per task."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

ALGORITHMS = ("sac", "td3")


@dataclass(frozen=True)
class AgentConfig:
    """SAC (Haarnoja et al., 2018), as D4RL's agents, or TD3 (Fujimoto et al., 2018), both with half an update per
    environment step: simulation is cheap, updates are not.

    Attributes:
        algorithm: ``sac`` or ``td3``.
        total_steps: environment steps after which training ends at the latest.
        expert_score: normalized return at which it ends before that.
        random_steps: uniformly random actions at the start.
        collect: environment steps between two rounds of updates.
        updates: gradient steps in a round.
        exploration_noise: of TD3, standard deviation on every action in units of half the action range; SAC samples.
        evaluate_every: environment steps between two evaluations, each followed by a checkpoint.
        evaluation_episodes: episodes per evaluation, without noise.
    """

    algorithm: str = ALGORITHMS[0]
    total_steps: int = 1_000_000
    expert_score: float = 95.0
    random_steps: int = 10_000
    collect: int = 16
    updates: int = 8
    batch_size: int = 128
    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 3e-4
    discount: float = 0.99
    exploration_noise: float = 0.1
    evaluate_every: int = 10_000
    evaluation_episodes: int = 10

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `agent.json`."""
        return {**asdict(self), "hidden": list(self.hidden)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AgentConfig:
        """Inverse of `to_json`.

        Raises:
            TypeError: an unknown key.
        """
        config = cls(**data)
        return replace(config, hidden=tuple(config.hidden))
