"""DynaMo: an observation encoder from embedding-space dynamics on unlabeled data; then BC on its frozen embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from clam_core.errors import ClamError
from clam_core.methods.bc import BehaviourCloning
from clam_core.methods.stage import Datasets, Losses, Stage, one_batch
from clam_core.models.encoders import IdmEncoder, ImageEncoder, StateEncoder
from clam_core.models.observations import Observations
from clam_core.models.policy import MlpPolicy
from clam_core.models.transformer_lam import TransformerFDM, TransformerIDM
from clam_core.spec import EnvironmentSpec
from clam_core.training.config import Config
from clam_core.training.diagnostics import effective_dimension
from clam_core.training.transitions import Batch, RawEpisodes, Span, Transitions


class Dynamo(BehaviourCloning):
    """Transformer IDM and FDM, causal both (Appendix I), predict the embedding of the next observation."""

    USES: ClassVar[tuple[str, ...]] = ("unlabeled", "labeled")
    STAGES: ClassVar[tuple[str, ...]] = ("encoder", "policy")

    def __init__(self, config: Config, spec: EnvironmentSpec) -> None:
        super().__init__(config, spec)
        if not isinstance(self.actor.policy, MlpPolicy):
            raise ClamError("DynaMo trains the encoder of an MLP policy; use policy.architecture=mlp")
        lam = config.lam
        self.idm = TransformerIDM(self.encoder.dim, lam.latent_dim, lam.transformer, causal=True)
        self.fdm = TransformerFDM(self.encoder.dim, lam.latent_dim, lam.transformer, causal_cross=True)

    @property
    def encoder(self) -> StateEncoder | ImageEncoder | IdmEncoder:
        """The policy's encoder, which is what DynaMo trains."""
        assert isinstance(self.actor.policy, MlpPolicy)
        return self.actor.policy.encoder

    @classmethod
    def configure(cls, config: Config) -> Config:
        """The policy's encoder is what DynaMo trains: a CNN for images, an MLP for states; frozen afterwards."""
        encoder = "impala" if config.features.cameras else "mlp"
        return replace(config, policy=replace(config.policy, encoder=encoder, freeze_encoder=True))

    def stages(self, data: Datasets) -> Iterator[Stage]:
        """Self-supervised encoder, then behaviour cloning."""
        assert data.unlabeled and data.labeled
        yield self._encoder_stage(data.unlabeled)
        yield from super().stages(data)

    def _encoder_stage(self, unlabeled: RawEpisodes) -> Stage:
        train, held_out = self.split(unlabeled, Span.of_lam(self.config.lam.context, 1))
        options = self.config.lam_training

        def loss(batch: Batch) -> Losses:
            embedding = self.embed(batch.window)
            dynamics = self.dynamics_loss(embedding, batch)
            covariance = covariance_loss(embedding)
            total = dynamics + self.config.dynamo.covariance_weight * covariance
            return {"loss": total, "dynamics": dynamics, "covariance": covariance}

        draw = one_batch(train, options.batch_size)
        modules: list[nn.Module] = [self.encoder, self.idm, self.fdm]
        return Stage("encoder", modules, options, draw, loss, lambda: self._metrics(held_out), "dynamics/held_out")

    def embed(self, window: Observations) -> Tensor:
        """Embeddings s of a window ``(B, T, E)``."""
        images = None if window.images is None else window.images.flatten(0, 1)
        flat = Observations(window.state.flatten(0, 1), images, window.timestep.flatten())
        embedding: Tensor = self.encoder(flat)
        return embedding.reshape(*window.timestep.shape, -1)

    def dynamics_loss(self, embedding: Tensor, batch: Batch) -> Tensor:
        """1 − cosine similarity of predicted and true next embeddings; no gradient through the target."""
        window = Observations(embedding, None, batch.window.timestep)
        prediction = self.fdm(window.time(slice(0, -1)), self.idm(window))
        error = 1 - cosine_similarity(prediction, embedding[:, 1:].detach(), dim=-1)
        return (error * batch.mask).sum() / batch.mask.sum()

    @torch.no_grad()
    def _metrics(self, held_out: Transitions | None) -> dict[str, float]:
        if held_out is None:
            return {}
        embeddings: list[Tensor] = []

        def loss(batch: Batch) -> Tensor:
            embeddings.append(self.embed(batch.window))
            return self.dynamics_loss(embeddings[-1], batch)

        error = self.held_out_mean(loss, held_out)
        dimension = effective_dimension(torch.cat(embeddings)[:, -1])
        return {"dynamics/held_out": error, "embedding/effective_dimension": dimension}


def covariance_loss(embedding: Tensor) -> Tensor:
    """Sum of squared off-diagonal covariances of ``(B, T, E)`` over E, DynaMo's regularization against collapse."""
    covariance = torch.cov(embedding.flatten(0, 1).T)
    off_diagonal = covariance - torch.diag(torch.diagonal(covariance))
    return off_diagonal.square().sum() / embedding.shape[-1]
