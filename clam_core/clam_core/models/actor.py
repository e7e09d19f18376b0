"""The network that a bundle deploys: raw states in, chunk of environment actions out (Algorithm 2, lines 4–5)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clam_core.models.features import StateFeatures
from clam_core.models.lam import ActionDecoder
from clam_core.models.policy import MlpPolicy


@dataclass(frozen=True)
class ActorConfig:
    """Sizes of an `Actor`, as stored in ``bundle.json``. `latent_dim` None: the policy predicts actions itself."""

    select: tuple[int, ...]
    minus: tuple[int, ...]
    difference: bool
    action_dim: int
    chunk: int
    policy_hidden: tuple[int, ...]
    policy_activation: str
    latent_dim: int | None = None
    decoder_hidden: tuple[int, ...] = ()
    decoder_activation: str = "gelu"
    decoder_shortcut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``bundle.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ActorConfig:
        """Inverse of `to_json`; lists become tuples again."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


class Actor(nn.Module):
    """State features → policy → (latent actions → action decoder) → actions in [low, high].

    Latent actions are standardized for the policy; `latent_mean` and `latent_std` undo that before decoding.
    """

    latent_mean: Tensor
    latent_std: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, config: ActorConfig) -> None:
        super().__init__()
        self.config = config
        self.features = StateFeatures(config.select, config.minus, config.difference)
        latent = config.latent_dim is not None
        self.policy = MlpPolicy(
            self.features.dim,
            config.policy_hidden,
            config.latent_dim or config.action_dim,
            config.chunk,
            config.policy_activation,
            squash=not latent,
        )
        self.decoder: ActionDecoder | None = None
        if config.latent_dim is not None:
            self.decoder = ActionDecoder(
                config.latent_dim,
                config.decoder_hidden,
                config.action_dim,
                config.decoder_activation,
                config.decoder_shortcut,
            )
            self.register_buffer("latent_mean", torch.zeros(config.latent_dim))
            self.register_buffer("latent_std", torch.ones(config.latent_dim))
        self.register_buffer("low", -torch.ones(config.action_dim))
        self.register_buffer("high", torch.ones(config.action_dim))

    def scale(self, action: Tensor) -> Tensor:
        """Environment actions ``(..., A)`` → [−1, 1]."""
        return (action - self.low) / (self.high - self.low) * 2 - 1

    def unscale(self, scaled: Tensor) -> Tensor:
        """Inverse of `scale`."""
        return (scaled + 1) / 2 * (self.high - self.low) + self.low

    def forward(self, state: Tensor, previous: Tensor) -> Tensor:
        """Raw states o_t and o_{t−1}, both ``(B, D)`` → action chunk ``(B, K, A)`` in environment units."""
        targets = self.policy(self.features(state, previous))
        if self.decoder is not None:
            targets = self.decoder(targets * self.latent_std + self.latent_mean)
        return self.unscale(targets)
