"""What all methods share: an actor to deploy, labels, and the stage that imitates them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.methods.imitation import imitation_loss, prepare_policy, trained_modules
from clam_core.methods.stage import Datasets, Stage, current_target, one_batch
from clam_core.models.action_token import ActionTokenPolicy
from clam_core.models.actor import Actor, ActorConfig, ImageConfig
from clam_core.models.config import InputShape
from clam_core.models.features import select_entries
from clam_core.models.observations import Observations
from clam_core.models.transformer import TimePositions
from clam_core.spec import EnvironmentSpec, ObservationSpec
from clam_core.training.augmentation import shifted_views
from clam_core.training.config import Config, FeatureConfig
from clam_core.training.diagnostics import r_squared
from clam_core.training.sampler import Sampler
from clam_core.training.transitions import Batch, RawEpisodes, Span, Transitions

#: How far scaled actions reach beyond the labeled ones, in ranges of these (``grounding.action_range=data``).
ACTION_MARGIN = 0.1

#: What an action counts to spread at least (``policy.error_unit=spread``), in halves of its range: less is noise.
LEAST_SPREAD = 0.02


class Method(nn.Module, ABC):
    """A system of the paper. Subclasses name the dataset roles they use and their stages in order.

    Only the role ``labeled`` ever has actions.
    """

    USES: ClassVar[tuple[str, ...]] = ()
    STAGES: ClassVar[tuple[str, ...]] = ("policy",)
    LATENT: ClassVar[bool] = False
    error_unit: Tensor

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.sampler = Sampler(config.seed, torch.device("cpu"))
        self.actor = Actor(self._actor_config())
        self.actor.low.copy_(torch.tensor(spec.action.low))
        self.actor.high.copy_(torch.tensor(spec.action.high))
        self.register_buffer("error_unit", torch.ones(len(spec.action.names)), persistent=False)

    @classmethod
    def configure(cls, config: Config) -> Config:
        """`config` with what this method does not leave open."""
        return config

    @classmethod
    def stage_names(cls, config: Config) -> tuple[str, ...]:
        """The stages of a training with `config`: an action decoder has its own only where it is trained alone."""
        alone = config.grounding.training == "afterwards"
        return tuple(name for name in cls.STAGES if name != "decoder" or alone)

    def check(self, data: Datasets) -> None:
        """Refuse at once what would end the training after a stage of hours.

        Raises:
            ClamError: weights that are not there, or episodes longer than a transformer has positions for.
        """
        weights = self.config.policy.action_token.resnet_weights
        if weights is not None and isinstance(self.actor.policy, ActionTokenPolicy) and not Path(weights).is_file():
            raise ClamError(f"policy.action_token.resnet_weights: no file '{weights}'")
        lam = self.config.lam
        if not self.has_timesteps():
            return
        longest = max(len(states) for role in data.roles().values() for states in role.states)
        if longest + lam.steps - 1 > lam.transformer.max_timesteps:
            raise ClamError(
                f"an episode of {longest} observations needs more learned positions than the "
                f"{lam.transformer.max_timesteps} there are: raise lam.transformer.max_timesteps to "
                f"{longest + lam.steps - 1}, or count within the window with lam.transformer.timesteps=window"
            )

    def has_timesteps(self) -> bool:
        """Whether its networks have a learned position for every time step of an episode."""
        return any(isinstance(module, TimePositions) for module in self.modules()) and (
            self.config.lam.transformer.timesteps == "episode"
        )

    @property
    def span(self) -> Span:
        """What `label` must see of every transition."""
        return Span.of_policy(1)

    @property
    def lam_span(self) -> Span:
        """What a latent action model sees of every transition."""
        return Span.of_lam(self.config.lam.context, 1, self.config.lam.image_size)

    @property
    def lam_shape(self) -> InputShape:
        """What a latent action model sees of one observation."""
        shape, size = self.actor.shape, self.config.lam.image_size
        if shape.image is None or size is None:
            return shape
        return InputShape(shape.state_dim, (shape.image[0], size, size))

    @abstractmethod
    def stages(self, data: Datasets) -> Iterator[Stage]:
        """The stages in order. A stage is built when the one before it has ended."""

    def fit_features(self, data: Datasets) -> None:
        """Standardize with the statistics of every state that this method may see, and scale actions as asked for."""
        if self.config.features.standardize:
            self.actor.features.fit(state for role in data.roles().values() for state in role.states)
        if self.config.grounding.action_range == "data" and data.labeled and data.labeled.actions:
            actions = torch.cat(data.labeled.actions)
            least = 1e-3 * (self.actor.high - self.actor.low)
            margin = ACTION_MARGIN * torch.maximum(actions.amax(0) - actions.amin(0), least)
            low, high = actions.amin(0) - margin, actions.amax(0) + margin
            self.actor.low.copy_(torch.maximum(low, self.actor.low))
            self.actor.high.copy_(torch.minimum(high, self.actor.high))

    def _actor_config(self) -> ActorConfig:
        config, features = self.config, self.config.features
        names = self.spec.observation.names
        select, minus = select_entries(names, features.include, features.exclude, features.frame_difference)
        if -1 not in minus and not features.cameras:
            raise ClamError(
                f"features.include {list(features.include)} without features.exclude {list(features.exclude)} leaves "
                f"no observation to learn from; the state has {', '.join(names)}"
            )
        return ActorConfig(
            select=select,
            minus=minus,
            difference=features.difference,
            image=image_config(features, self.spec.observation),
            action_dim=len(self.spec.action.names),
            policy=config.policy,
            latent_dim=config.lam.latent_dim if self.LATENT else None,
            decoder=config.grounding.decoder,
            lam=config.lam,
        )

    def transitions(self, episodes: RawEpisodes, span: Span) -> Transitions:
        """`episodes` as standardized features with scaled actions (if labeled) as targets."""
        with torch.no_grad():
            features = torch.cat([self.actor.features.episode(states) for states in episodes.states])
            targets = None
            if episodes.actions is not None:
                targets = self.actor.scale(torch.cat(episodes.actions))
        return Transitions(features, episodes, span, self.sampler, targets, self.config.augmentation)

    def split(self, episodes: RawEpisodes, span: Span) -> tuple[Transitions, Transitions | None]:
        """Train and held-out transitions of `episodes`; None where there are too few episodes to hold any out."""
        train, held = episodes.split(self.config.data.held_out)
        return self.transitions(train, span), self.transitions(held, span) if held else None

    @abstractmethod
    def label(self, batch: Batch) -> Tensor:
        """The method's own actions for transitions t ``(B, A)``, scaled to [−1, 1]."""

    def mean_over_views(self, label: Callable[[Observations], Tensor], window: Observations) -> Tensor:
        """`label` of a window; with ``augmentation.test_time`` its mean over shifted views."""
        return torch.stack([label(view) for view in shifted_views(window, self.config.augmentation)]).mean(0)

    @torch.no_grad()
    def label_all(self, transitions: Transitions) -> Tensor:
        """`label` of every transition ``(M, A)``."""
        return torch.cat([self.label(batch) for batch in transitions.batches()])

    def evaluation_batches(self, transitions: Transitions) -> Iterator[Batch]:
        """At most ``evaluate_transitions`` transitions, evenly spaced."""
        return transitions.batches(limit=self.config.evaluate_transitions)

    @torch.no_grad()
    def grounding(self, held_out: Transitions | None) -> dict[str, float]:
        """Error and R² of `label` against the true actions, per action dimension that varies and on average."""
        if held_out is None or held_out.targets is None:
            return {}
        batches = [(self.label(batch), current_target(batch)) for batch in self.evaluation_batches(held_out)]
        labels, truth = (torch.cat(part) for part in zip(*batches, strict=True))
        scores = r_squared(labels, truth)
        names = self.spec.action.names
        r2 = {name: float(score) for name, score in zip(names, scores, strict=True) if not score.isnan()}
        average = {"grounding/r2": float(scores.nanmean())} if r2 else {}
        return (
            {f"grounding/r2/{name}": score for name, score in r2.items()}
            | average
            | {
                "grounding/error": float((labels - truth).square().mean()),
            }
        )

    @cached_property
    def exact(self) -> list[int]:
        """Indices of the state features that `GroundingConfig.exact` names."""
        names, actor = self.spec.observation.names, self.actor.config
        plain = [names[i] for i, minus in zip(actor.select, actor.minus, strict=True) if minus < 0]
        patterns = self.config.grounding.exact
        return [i for i, name in enumerate(plain) if any(fnmatchcase(name, pattern) for pattern in patterns)]

    def noisy(self, batch: Batch) -> Batch:
        """A labeled batch with the input noise of `GroundingConfig` on its state features."""
        grounding, features, window = self.config.grounding, self.actor.features, batch.window
        if not (grounding.state_noise or grounding.motion_noise):
            return batch
        scale = torch.full_like(window.state[0, 0], grounding.motion_noise)
        scale[: features.state_dim] = grounding.state_noise
        scale[: features.state_dim][self.exact] = grounding.motion_noise
        state = window.state + torch.randn_like(window.state) * scale
        return Batch(Observations(state, window.images, window.timestep), batch.context, batch.target, batch.mask)

    def imitation_stage(self, train: Transitions, held_out: Transitions | None, idm: nn.Module | None = None) -> Stage:
        """Imitation learning of the targets of `train` (Algorithm 1, lines 14–18); `idm` may lend its encoder."""
        policy, options = self.actor.policy, self.config.policy_training
        self.measure_error_unit(train)
        return Stage(
            "policy",
            trained_modules(policy),
            options,
            one_batch(train, options.batch_size),
            lambda batch: {"loss": self.imitation_loss(batch)},
            lambda: self.imitation_error(self.imitation_loss, held_out),
            begin=lambda: prepare_policy(policy, idm),
            deployable=True,
        )

    def imitated_actions(self, train: Transitions) -> Tensor | None:
        """The actions ``(M, A)``, scaled to [−1, 1], that the targets of `train` are or stand for; None: no actions."""
        return train.targets

    def measure_error_unit(self, train: Transitions) -> None:
        """From here on errors of actions count as `PolicyConfig.error_unit` says, of a policy that imitates `train`."""
        if self.config.policy.error_unit == "range":
            return
        actions = self.imitated_actions(train)
        if actions is not None:
            self.error_unit.copy_(actions.std(0, correction=0).clamp_min(LEAST_SPREAD))

    def imitation_loss(self, batch: Batch) -> Tensor:
        """What the policy minimizes (Algorithm 1, line 17)."""
        return imitation_loss(self.actor.policy, batch, self.error_unit)

    @torch.no_grad()
    def imitation_error(self, loss: Callable[[Batch], Tensor], held_out: Transitions | None) -> dict[str, float]:
        """Held-out `loss` of a policy."""
        if held_out is None:
            return {}
        return {"held_out_loss": self.held_out_mean(loss, held_out)}

    @torch.no_grad()
    def held_out_mean(self, loss: Callable[[Batch], Tensor], held_out: Transitions) -> float:
        """Mean of `loss` over what its batches do not mask."""
        errors = [(loss(batch), batch.mask.sum()) for batch in self.evaluation_batches(held_out)]
        values, weights = (torch.stack(part) for part in zip(*errors, strict=True))
        return float((values * weights).sum() / weights.sum())


def image_config(features: FeatureConfig, observation: ObservationSpec) -> ImageConfig | None:
    """Cameras and size in use; None for a policy that only sees states.

    Raises:
        ClamError: a pattern that fits no camera, or cameras of several sizes.
    """
    there = [camera.name for camera in observation.cameras]
    for pattern in features.cameras:
        if not any(fnmatchcase(name, pattern) for name in there):
            known = ", ".join(there) or "none; generate with --image-size, or import the camera topics"
            raise ClamError(f"features.cameras names '{pattern}', but the cameras of this dataset are: {known}")
    used = [c for c in observation.cameras if any(fnmatchcase(c.name, pattern) for pattern in features.cameras)]
    if not used:
        return None
    sizes = {(features.image_size or camera.height, features.image_size or camera.width) for camera in used}
    names = tuple(camera.name for camera in used)
    if len(sizes) > 1:
        raise ClamError(f"cameras {', '.join(names)} have several sizes {sorted(sizes)}; set features.image_size")
    return ImageConfig(names, *sizes.pop(), features.frame_stack)
