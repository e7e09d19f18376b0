"""What all methods share: an actor to deploy, the datasets they may see, training stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.actor import Actor, ActorConfig
from clam_core.models.features import select_entries
from clam_core.models.policy import MlpPolicy
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config, OptimizationConfig
from clam_core.training.transitions import Batch, RawEpisodes, Transitions

#: Scalars of one update; key ``loss`` is what is minimized.
Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Stage:
    """One optimization: `loss(update)` is called for update 1, 2, …; `metrics()` looks at held-out data."""

    name: str
    parameters: list[nn.Parameter]
    optimization: OptimizationConfig
    loss: Callable[[int], Losses]
    metrics: Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Datasets:
    """The episodes a method was given, by role; what it may not see is not here."""

    unlabeled: RawEpisodes | None = None
    labeled: RawEpisodes | None = None
    expert: RawEpisodes | None = None

    def roles(self) -> dict[str, RawEpisodes]:
        """The roles that are present."""
        return {role: episodes for role, episodes in vars(self).items() if episodes is not None}


class Method(nn.Module, ABC):
    """A system of the paper. Subclasses name the dataset roles they `use`; only ``labeled`` ever has actions."""

    USES: ClassVar[tuple[str, ...]] = ()
    LATENT: ClassVar[bool] = False

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.actor = Actor(self._actor_config())
        self.actor.low.copy_(torch.tensor(spec.action.low))
        self.actor.high.copy_(torch.tensor(spec.action.high))

    @abstractmethod
    def stages(self, data: Datasets) -> Iterator[Stage]:
        """The stages in order. A stage is built when the one before it has ended."""

    def fit_features(self, data: Datasets) -> None:
        """Standardize with the statistics of every state that this method may see."""
        self.actor.features.fit(state for role in data.roles().values() for state in role.states)

    def _actor_config(self) -> ActorConfig:
        config, features = self.config, self.config.features
        select, minus = select_entries(self.spec.observation.names, features.exclude, features.frame_difference)
        if -1 not in minus:
            raise ClamError(f"features.exclude {list(features.exclude)} leaves no observation to learn from")
        return ActorConfig(
            select=select,
            minus=minus,
            difference=features.difference,
            action_dim=len(self.spec.action.names),
            chunk=config.policy.chunk,
            policy_hidden=config.policy.hidden,
            policy_activation=config.policy.activation,
            latent_dim=config.lam.latent_dim if self.LATENT else None,
            decoder_hidden=config.grounding.hidden if self.LATENT else (),
            decoder_activation=config.grounding.activation,
            decoder_shortcut=self.LATENT and config.grounding.shortcut,
        )

    def transitions(self, episodes: RawEpisodes, context: int, chunk: int = 1) -> Transitions:
        """`episodes` as standardized features with scaled actions (if labeled) as targets."""
        with torch.no_grad():
            features = torch.cat([self.actor.features.episode(states) for states in episodes.states])
            targets = None
            if episodes.actions is not None:
                targets = self.actor.scale(torch.cat(episodes.actions))
        lengths = [len(states) - 1 for states in episodes.states]
        return Transitions(features, lengths, context, chunk, targets)

    def split(
        self, episodes: RawEpisodes, held_out: float, context: int, chunk: int = 1
    ) -> tuple[Transitions, Transitions | None]:
        """Train and held-out transitions of `episodes`; None where there are too few episodes to hold any out."""
        train, held = episodes.split(held_out)
        return self.transitions(train, context, chunk), self.transitions(held, context, chunk) if held else None

    @abstractmethod
    def label(self, transitions: Transitions) -> Tensor:
        """The method's own actions for every transition ``(M, A)``, scaled to [−1, 1]."""

    @torch.no_grad()
    def grounding(self, held_out: Transitions | None) -> dict[str, float]:
        """R² of `label` against the true actions, per action dimension and on average."""
        if held_out is None or held_out.targets is None:
            return {}
        scores = r_squared(self.label(held_out), held_out.targets)
        names = self.spec.action.names
        metrics = {f"grounding/r2/{name}": float(score) for name, score in zip(names, scores, strict=True)}
        return metrics | {"grounding/r2": float(scores.mean())}

    def noisy(self, batch: Batch) -> Batch:
        """A labeled batch with the input noise of `GroundingConfig`."""
        grounding, features = self.config.grounding, self.actor.features
        scale = torch.full_like(batch.window[0, 0], grounding.motion_noise)
        scale[: features.state_dim] = grounding.state_noise
        return Batch(batch.window + torch.randn_like(batch.window) * scale, batch.target, batch.mask)


def imitation_stage(policy: MlpPolicy, train: Transitions, held_out: Transitions | None, config: Config) -> Stage:
    """Imitation learning of the targets of `train` (Algorithm 1, lines 14–18)."""

    def loss(update: int) -> Losses:
        batch = train.sample(config.policy_training.batch_size)  # line 15
        return {"loss": masked_mse(policy(batch.observation), batch)}  # line 17

    @torch.no_grad()
    def metrics() -> dict[str, float]:
        if held_out is None:
            return {}
        errors = [masked_mse(policy(batch.observation), batch) for batch in held_out.batches()]
        return {"held_out_loss": float(torch.stack(errors).mean())}

    return Stage("policy", list(policy.parameters()), config.policy_training, loss, metrics)


def masked_mse(prediction: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of a chunk ``(B, K, ·)`` over the steps that lie inside the episode."""
    assert batch.target is not None
    error = (prediction - batch.target).square().mean(-1)
    return (error * batch.mask).sum() / batch.mask.sum()


def r_squared(prediction: Tensor, truth: Tensor) -> Tensor:
    """Coefficient of determination per dimension: ``(N, A)``, ``(N, A)`` → ``(A,)``."""
    residual = (truth - prediction).square().sum(0)
    total = (truth - truth.mean(0)).square().sum(0)
    return 1 - residual / total.clamp_min(1e-12)
