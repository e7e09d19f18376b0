"""Encoders of single observations: what a policy (or DynaMo's dynamics) sees instead of raw states and images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clam_core.errors import ClamError
from clam_core.models.build import build_idm
from clam_core.models.config import InputShape, LamConfig, PolicyConfig
from clam_core.models.images import resize
from clam_core.models.impala import ImpalaEncoder
from clam_core.models.impala_lam import ImpalaIDM
from clam_core.models.mlp import mlp
from clam_core.models.observations import Observations
from clam_core.models.space_time_lam import SpaceTimeIDM


class StateEncoder(nn.Module):
    """The first `state_dim` state features through `network`; `dim` is what comes out."""

    def __init__(self, network: nn.Module, state_dim: int, dim: int) -> None:
        super().__init__()
        self.network, self.state_dim, self.dim = network, state_dim, dim

    def forward(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → ``(B, dim)``."""
        embedding: Tensor = self.network(observations.state[..., : self.state_dim])
        return embedding


class ImageEncoder(nn.Module):
    """IMPALA-CNN embedding of the images (Appendix G.1), with `state_dim` > 0 beside the state features."""

    def __init__(self, cnn: ImpalaEncoder, state_dim: int) -> None:
        super().__init__()
        self.cnn, self.state_dim = cnn, state_dim
        self.dim = cnn.dim + state_dim

    def forward(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → ``(B, dim)``."""
        assert observations.images is not None
        embedding: Tensor = self.cnn(observations.images)
        return with_state(embedding, observations, self.state_dim)


class IdmEncoder(nn.Module):
    """The latent IDM's image encoder as policy features (Section 3.2): a copy of the IDM, asked for one observation."""

    def __init__(self, idm: SpaceTimeIDM | ImpalaIDM, dim: int, state_dim: int, image_size: int | None) -> None:
        super().__init__()
        self.idm, self.state_dim, self.image_size = idm, state_dim, image_size
        self.dim = dim + state_dim

    def forward(self, observations: Observations) -> Tensor:
        """Observations ``(B, …)`` → ``(B, dim)``."""
        assert observations.images is not None
        images = observations.images if self.image_size is None else resize(observations.images, self.image_size)
        if isinstance(self.idm, SpaceTimeIDM):
            embedding = self.idm.features(images, observations.state)
        else:
            embedding = self.idm.features(images)
        return with_state(embedding, observations, self.state_dim)


def with_state(embedding: Tensor, observations: Observations, state_dim: int) -> Tensor:
    """`embedding` beside the first `state_dim` state features."""
    return torch.cat([embedding, observations.state[..., :state_dim]], dim=-1) if state_dim else embedding


def build_encoder(
    config: PolicyConfig, shape: InputShape, lam: LamConfig, state_dim: int
) -> StateEncoder | ImageEncoder | IdmEncoder:
    """The encoder that `config` names for the first `state_dim` state features; `lam` is asked only for ``idm``.

    Raises:
        ClamError: an encoder that does not fit what is observed.
    """
    kind, images = config.encoder, shape.image
    if kind in ("impala", "idm"):
        if images is None:
            raise ClamError(f"policy.encoder={kind} needs images; name features.cameras, or use policy.encoder=linear")
        if kind == "impala":
            return ImageEncoder(ImpalaEncoder(images, config.cnn), state_dim)
        if lam.architecture not in ("space_time", "impala"):
            raise ClamError(
                f"a lam.architecture of '{lam.architecture}' has no image encoder; use policy.encoder=impala"
            )
        size = lam.image_size
        idm = build_idm(lam, InputShape(shape.state_dim, (images[0], size, size)) if size else shape, lam.latent_dim)
        assert isinstance(idm, SpaceTimeIDM | ImpalaIDM)
        dim = lam.transformer.dim if lam.architecture == "space_time" else lam.cnn.embedding_dim
        return IdmEncoder(idm, dim, state_dim, size)
    if images is not None:
        raise ClamError(
            f"policy.encoder={kind} sees no images; use policy.encoder=impala or idm, or no features.cameras"
        )
    if kind == "none":
        return StateEncoder(nn.Identity(), state_dim, state_dim)
    if kind == "mlp":
        network = mlp(state_dim, config.encoder_hidden, config.embedding_dim, config.activation)
        return StateEncoder(network, state_dim, config.embedding_dim)
    return StateEncoder(nn.Linear(state_dim, config.embedding_dim), state_dim, config.embedding_dim)
