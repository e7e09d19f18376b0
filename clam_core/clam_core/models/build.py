"""From configuration to networks."""

from __future__ import annotations

from torch import nn

from clam_core.errors import ClamError
from clam_core.models.config import InputShape, LamConfig
from clam_core.models.feature_fdm import FeatureFDM
from clam_core.models.impala_lam import ImpalaFDM, ImpalaIDM
from clam_core.models.lam import LatentActionModel
from clam_core.models.latent_space import LatentSpace
from clam_core.models.mlp_lam import MlpFDM, MlpIDM
from clam_core.models.space_time_lam import SpaceTimeFDM, SpaceTimeIDM
from clam_core.models.transformer_lam import TransformerFDM, TransformerIDM


def build_lam(config: LamConfig, shape: InputShape) -> LatentActionModel:
    """The latent action model that `config` names.

    Raises:
        ClamError: an architecture that does not fit what is observed.
    """
    space = LatentSpace(config.latent, config.latent_dim)
    idm = build_idm(config, shape, space.input_dim)
    return LatentActionModel(idm, build_fdm(config, shape), space, predicts_images=shape.image is not None)


def build_idm(config: LamConfig, shape: InputShape, output_dim: int) -> nn.Module:
    """A latent IDM that puts out `output_dim` numbers per transition; VPT uses one as its IDM."""
    _check(config, shape)
    if config.architecture == "mlp":
        return MlpIDM(shape.state_dim, output_dim, config)
    if config.architecture == "transformer":
        return TransformerIDM(shape.state_dim, output_dim, config.transformer)
    assert shape.image is not None
    if config.architecture == "space_time":
        return SpaceTimeIDM(shape.image, shape.state_dim, output_dim, config.patch_size, config.transformer)
    return ImpalaIDM(shape.image, shape.state_dim, output_dim, config)


def build_fdm(config: LamConfig, shape: InputShape) -> nn.Module:
    """A latent FDM."""
    _check(config, shape)
    if config.architecture == "mlp":
        return MlpFDM(shape.state_dim, config)
    if config.architecture == "transformer":
        return TransformerFDM(shape.state_dim, config.latent_dim, config.transformer)
    assert shape.image is not None
    if config.target == "features":
        return FeatureFDM(shape.image, shape.state_dim, config)
    if config.architecture == "space_time":
        return SpaceTimeFDM(shape.image, shape.state_dim, config.latent_dim, config.patch_size, config.transformer)
    return ImpalaFDM(shape.image, shape.state_dim, config)


def _check(config: LamConfig, shape: InputShape) -> None:
    states, images = ("mlp", "transformer"), ("space_time", "impala")
    if config.target == "features" and config.architecture != "impala":
        raise ClamError(
            f"lam.target=features goes with lam.architecture=impala, not '{config.architecture}'; "
            "use lam.target=observation"
        )
    if shape.image is None and config.architecture in images:
        raise ClamError(
            f"lam.architecture '{config.architecture}' learns from images: name features.cameras, "
            f"or use one for states: {', '.join(states)}"
        )
    if shape.image is not None and config.architecture in states:
        raise ClamError(
            f"lam.architecture '{config.architecture}' sees no images: use one of {', '.join(images)}, "
            "or leave features.cameras empty"
        )
