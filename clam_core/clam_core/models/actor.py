"""The network that a bundle deploys: raw states and images in, chunk of environment actions out (Algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from clam_core.models.action_decoder import ActionDecoder
from clam_core.models.action_token import ActionTokenPolicy
from clam_core.models.config import DecoderConfig, InputShape, LamConfig, PolicyConfig
from clam_core.models.encoders import build_encoder
from clam_core.models.features import StateFeatures
from clam_core.models.observations import Observations
from clam_core.models.policy import MlpPolicy


@dataclass(frozen=True)
class ImageConfig:
    """Cameras to look at, the size in pixels that they are resized to, and the number of frames stacked of each."""

    cameras: tuple[str, ...]
    height: int
    width: int
    frame_stack: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W of one observation."""
        return 3 * len(self.cameras) * self.frame_stack, self.height, self.width


@dataclass(frozen=True)
class ActorConfig:
    """Sizes of an `Actor`, as stored in ``bundle.json``. `latent_dim` None: the policy predicts actions itself.

    `lam` is what the encoder of ``policy.encoder: idm`` is built from.
    """

    select: tuple[int, ...]
    minus: tuple[int, ...]
    difference: bool
    action_dim: int
    policy: PolicyConfig
    image: ImageConfig | None = None
    latent_dim: int | None = None
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    lam: LamConfig = field(default_factory=LamConfig)


class Actor(nn.Module):
    """Features → policy → (latent actions → action decoder) → actions in [low, high].

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
        self.shape = InputShape(self.features.dim, config.image.shape if config.image else None)
        self.policy = self._build_policy()
        self.decoder: ActionDecoder | None = None
        if config.latent_dim is not None:
            self.decoder = ActionDecoder(config.latent_dim, config.action_dim, config.decoder)
            self.register_buffer("latent_mean", torch.zeros(config.latent_dim))
            self.register_buffer("latent_std", torch.ones(config.latent_dim))
        self.register_buffer("low", -torch.ones(config.action_dim))
        self.register_buffer("high", torch.ones(config.action_dim))

    def _build_policy(self) -> MlpPolicy | ActionTokenPolicy:
        config, policy = self.config, self.config.policy
        target_dim, squash = config.latent_dim or config.action_dim, config.latent_dim is None and policy.squash
        state_dim = self.features.dim if policy.use_motion else self.features.state_dim
        if self.shape.image is not None and not policy.use_state:
            state_dim = 0
        if policy.architecture == "action_token":
            shape = InputShape(state_dim, self.shape.image)
            cameras, stack = (len(config.image.cameras), config.image.frame_stack) if config.image else (0, 1)
            return ActionTokenPolicy(shape, cameras, stack, target_dim, policy.chunk, policy.action_token, squash)
        return MlpPolicy(build_encoder(policy, self.shape, config.lam, state_dim), target_dim, policy, squash)

    def scale(self, action: Tensor) -> Tensor:
        """Environment actions ``(..., A)`` → [−1, 1]; 0 for an entry whose limits are equal: it never moves."""
        span = self.high - self.low
        scaled = (action - self.low) / torch.where(span > 0, span, 1.0) * 2 - 1
        return torch.where(span > 0, scaled, 0.0)

    def unscale(self, scaled: Tensor) -> Tensor:
        """Inverse of `scale`."""
        return (scaled + 1) / 2 * (self.high - self.low) + self.low

    def forward(self, state: Tensor, previous: Tensor, images: Tensor | None = None) -> Tensor:
        """Raw states o_t and o_{t−1} ``(B, D)``, images ``(B, C, H, W)`` in [0, 1] → actions ``(B, K, A)``."""
        timestep = torch.zeros(len(state), dtype=torch.long, device=state.device)  # no policy looks at it
        targets = self.policy(Observations(self.features(state, previous), images, timestep))
        if self.decoder is not None:
            targets = self.decoder(targets * self.latent_std + self.latent_mean)
        return self.unscale(targets)
