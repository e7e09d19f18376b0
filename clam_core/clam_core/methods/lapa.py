"""LAPA: pretrain a policy on quantized latent actions, then replace its head and fine-tune it on labeled data.

The paper contradicts itself on what is fine-tuned: Section 4 says the IDM with a new last layer, Appendix I the
latent policy's backbone with a new linear action head. This is Appendix I, as in the LAPA paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from clam_core.methods.clam import Clam
from clam_core.methods.imitation import imitation_loss, prepare_policy, trained_modules
from clam_core.methods.lapo import quantized
from clam_core.methods.stage import Datasets, Losses, Stage, one_batch
from clam_core.models.observations import Observations
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.transitions import Batch, RawEpisodes, Span


class Lapa(Clam):
    """The deployed policy predicts actions; during pretraining `latent_head` reads latent actions from its trunk."""

    STAGES = ("lam", "latent_policy", "policy")
    LATENT = False

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        self.latent_head = self.actor.policy.new_head(config.lam.latent_dim)

    @classmethod
    def configure(cls, config: Config) -> Config:
        """Quantized, no action decoder."""
        return replace(quantized(config), grounding=replace(config.grounding, training="none"))

    @property
    def span(self) -> Span:
        """The deployed policy sees one observation."""
        return Span.of_policy(1)

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Latent action model, latent policy, fine-tuning end to end."""
        assert data.unlabeled and data.labeled and data.expert
        yield self.lam_stage(data)
        yield self._pretraining_stage(data.expert)
        yield self._finetuning_stage(data.labeled)

    def latent_policy(self, observations: Observations) -> Tensor:
        """π(z_t | o_t): observations ``(B, …)`` → ``(B, K, Z)``."""
        return self.actor.policy.read(self.latent_head, self.actor.policy.embed(observations))

    def _pretraining_stage(self, expert: RawEpisodes) -> Stage:
        train, held_out = self.demonstrations(expert)
        options, policy = self.config.policy_training, self.actor.policy
        return Stage(
            "latent_policy",
            [*trained_modules(policy), self.latent_head],
            options,
            one_batch(train, options.batch_size),
            lambda batch: {"loss": imitation_loss(self.latent_policy, batch)},
            lambda: self.imitation_error(lambda batch: imitation_loss(self.latent_policy, batch), held_out),
            begin=lambda: prepare_policy(policy, self.lam.idm),
        )

    def _finetuning_stage(self, labeled: RawEpisodes) -> Stage:
        train, held_out = self.split(labeled, Span.of_policy(self.config.policy.chunk))
        options, policy = self.config.grounding_training, self.actor.policy
        self.measure_error_unit(train)

        def loss(batch: Batch) -> Losses:
            return {"loss": self.imitation_loss(batch)}

        def metrics() -> dict[str, float]:
            return self.imitation_error(self.imitation_loss, held_out)

        return Stage("policy", [policy], options, one_batch(train, options.batch_size), loss, metrics, deployable=True)

    def label(self, batch: Batch) -> Tensor:
        """The policy's first action at o_t."""
        with torch.no_grad():
            return self.actor.policy(batch.observation)[:, 0]  # type: ignore[no-any-return]
