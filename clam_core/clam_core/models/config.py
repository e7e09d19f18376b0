"""Sizes of every network: frozen dataclasses that a training configuration holds and a bundle stores."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from clam_core.errors import ClamError, did_you_mean

LATENT_KINDS = ("continuous", "gaussian", "vq", "residual_vq", "fsq")
LAM_ARCHITECTURES = ("mlp", "transformer", "space_time", "impala")
LAM_TARGETS = ("observation", "features")
POLICY_ARCHITECTURES = ("mlp", "action_token")
POLICY_ENCODERS = ("linear", "none", "mlp", "impala", "idm")
ERROR_UNITS = ("range", "spread")


def check_choice(key: str, value: str, valid: tuple[str, ...]) -> None:
    """Raise ClamError unless `value` is one of `valid`."""
    if value not in valid:
        raise ClamError(f"unknown {key} '{value}': {did_you_mean(value, valid)}")


def check_sizes(key: str, sizes: tuple[int, ...]) -> None:
    """Raise ClamError unless all layers have a unit."""
    if any(size < 1 for size in sizes):
        raise ClamError(f"{key} must be sizes of at least 1, got {list(sizes)}")


@dataclass(frozen=True)
class InputShape:
    """What a network sees at one time step: F standardized state features, and an image C×H×W where there is one.

    Cameras and stacked frames lie along the channels: C = 3 · cameras · frame_stack.
    """

    state_dim: int
    image: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class LatentConfig:
    """The space of latent actions: continuous (CLAM), Gaussian with KL weight, or quantized (LAPO, LAPA).

    The numbers of ``vq`` are LAPO's (EMA codebook); ``residual_vq`` and ``fsq`` are the library's variants.
    """

    kind: str = "continuous"
    kl_weight: float = 1e-2  # gaussian
    codebook_size: int = 128  # vq, residual_vq
    decay: float = 0.99  # of the codebook's moving average
    commitment_weight: float = 1.0
    dead_code_threshold: int = 2  # codes with a smaller moving cluster size are replaced
    quantizers: int = 2  # residual_vq
    levels: tuple[int, ...] = (8, 5, 5, 5)  # fsq

    def __post_init__(self) -> None:
        check_choice("lam.latent.kind", self.kind, LATENT_KINDS)

    @property
    def quantized(self) -> bool:
        """Whether latent actions are codes."""
        return self.kind in ("vq", "residual_vq", "fsq")

    @property
    def follows(self) -> bool:
        """Whether there is a codebook that moves with its inputs, besides what gradients do."""
        return self.kind in ("vq", "residual_vq")


@dataclass(frozen=True)
class TransformerConfig:
    """Table 12; the defaults are its numbers. Table 13 is larger.

    `timesteps`: positions are those in the ``episode`` (the paper's embedding of timestep indices) or in the
    ``window``; `max_timesteps` is the size of the learned embedding (200 in the printed architectures).
    """

    encoder_layers: int = 3
    decoder_layers: int = 3
    dim: int = 256
    feedforward_dim: int = 2048
    heads: int = 4
    dropout: float = 0.1
    activation: str = "gelu"
    pre_norm: bool = False
    timesteps: str = "episode"
    max_timesteps: int = 200

    def __post_init__(self) -> None:
        check_choice("transformer.timesteps", self.timesteps, ("episode", "window"))
        if self.heads < 1 or not 0 <= self.dropout < 1:
            raise ClamError(
                f"transformer.heads ({self.heads}) must be at least 1, dropout ({self.dropout}) from 0 to below 1"
            )
        if self.dim % self.heads:
            raise ClamError(f"transformer.dim {self.dim} is not divisible by transformer.heads {self.heads}")


@dataclass(frozen=True)
class CnnConfig:
    """IMPALA-CNN (Appendix G.1): three sequences of convolution, pooling and two residual blocks."""

    channels: tuple[int, ...] = (16, 32, 32)
    scale: int = 4  # multiplies all channels
    embedding_dim: int = 256
    patch: int = 1  # above 1: the network works on embedded patches of so many pixels each way, not on pixels

    def __post_init__(self) -> None:
        if self.patch < 1 or not self.channels:
            raise ClamError(f"cnn.patch ({self.patch}) must be at least 1, and cnn.channels not empty")


@dataclass(frozen=True)
class LamConfig:
    """Latent action model (Section 3.1, Table 11, Appendix G.3).

    `context` H counts the observations before o_t: the paper's "context len 2" is o_{t−1} and o_t, H = 1. Images are
    resized to `image_size` for the latent action model (null: it sees what the policy sees).

    Beyond the paper, for images: with `target` ``features`` the latent FDM predicts what a frozen ResNet-18 (filled
    from `resnet_weights`, torchvision's file; null: random) makes of the next image, not its pixels. `change_weight`
    is the share of the pixels' error that counts where the picture changes, in proportion to the change.
    """

    architecture: str = "mlp"
    context: int = 1
    latent_dim: int = 16
    steps: int = 1  # k of the multi-step latent FDM
    reconstruction_weight: float = 1.0
    latent: LatentConfig = field(default_factory=LatentConfig)
    hidden: tuple[int, ...] = (1024, 1024)  # mlp
    activation: str = "leaky_relu"
    residual: bool = False  # the latent FDM predicts the change from o_t (mlp and impala)
    shortcut: bool = False  # a linear map beside the latent IDM's MLP
    transformer: TransformerConfig = field(default_factory=TransformerConfig)  # transformer and space_time
    image_size: int | None = None
    patch_size: int = 16  # space_time
    cnn: CnnConfig = field(default_factory=CnnConfig)  # impala
    target: str = "observation"
    resnet_weights: str | None = None
    change_weight: float = 0.0

    def __post_init__(self) -> None:
        check_choice("lam.architecture", self.architecture, LAM_ARCHITECTURES)
        check_choice("lam.target", self.target, LAM_TARGETS)
        check_sizes("lam.hidden", self.hidden)
        if not 0 <= self.change_weight <= 1:
            raise ClamError(f"lam.change_weight must be between 0 and 1, got {self.change_weight}")
        if self.target == "features" and (self.steps > 1 or self.change_weight):
            raise ClamError("lam.target=features goes with lam.steps=1 and lam.change_weight=0: nothing is drawn")
        if self.steps < 1 or self.context < 0 or self.latent_dim < 1:
            raise ClamError(
                f"lam.steps ({self.steps}) and lam.latent_dim ({self.latent_dim}) must be at least 1, "
                f"lam.context ({self.context}) at least 0"
            )


@dataclass(frozen=True)
class DecoderConfig:
    """Action decoder p(a | z) (Table 11). `embedding_dim` 0: no linear embedding before the MLP."""

    embedding_dim: int = 512
    hidden: tuple[int, ...] = (1024, 1024, 1024)
    activation: str = "leaky_relu"
    shortcut: bool = False  # a linear map beside the MLP
    squash: bool = True  # Tanh output


@dataclass(frozen=True)
class ActionTokenConfig:
    """The real-robot policy's transformer (Appendix F, Figure 6), after ACT: sizes the paper leaves out are ACT's.

    `stem_tokens`: what the stem makes of each camera's image, after HPT.
    `resnet_weights`: a file with torchvision's published ResNet-18 weights (``.pth`` or ``.safetensors``).
    """

    dim: int = 512
    layers: int = 4
    heads: int = 8
    feedforward_dim: int = 2048
    dropout: float = 0.1
    stem_tokens: int = 16
    resnet_weights: str | None = None

    def __post_init__(self) -> None:
        if self.dim % self.heads or self.dim % 4:
            raise ClamError(f"action_token.dim {self.dim} is not divisible by action_token.heads {self.heads} and by 4")
        if self.stem_tokens < 1:
            raise ClamError(f"action_token.stem_tokens must be at least 1, got {self.stem_tokens}")


@dataclass(frozen=True)
class PolicyConfig:
    """Policy (Appendix G.1; Appendix F for ``action_token``), chunk K, temporal ensembling m (null: newest only).

    `encoder` turns an observation into the MLP's input: a ``linear`` embedding of the state (G.1), ``none``, an
    ``mlp`` with `encoder_hidden`, an ``impala`` CNN for images, or ``idm``, the latent IDM's image encoder (Section
    3.2). With `freeze_encoder` policy training leaves it as it is. An action-token policy has encoders of its own.

    `error_unit` is what imitation measures the error of an action in: ``range``, half of the action's range; or
    ``spread``, its standard deviation over what the policy imitates, as demonstrations may use a small part of it.
    """

    architecture: str = "mlp"
    encoder: str = "linear"
    embedding_dim: int = 512
    encoder_hidden: tuple[int, ...] = (256, 256)  # mlp
    freeze_encoder: bool = False
    use_state: bool = True  # whether an image policy sees the state features too
    use_motion: bool = True  # whether a policy sees how the state changed; imitators that do copy their last action
    hidden: tuple[int, ...] = (1024, 1024)
    activation: str = "leaky_relu"
    squash: bool = True  # Tanh output of a policy that predicts actions, not latent actions
    cnn: CnnConfig = field(default_factory=CnnConfig)
    action_token: ActionTokenConfig = field(default_factory=ActionTokenConfig)
    standardize_latent: bool = True  # the policy's targets are standardized latent actions
    decoded_weight: float = 0.0  # share of the decoded actions' error in the latent policy's loss
    error_unit: str = "range"
    chunk: int = 1
    ensembling_m: float | None = None

    def __post_init__(self) -> None:
        check_choice("policy.architecture", self.architecture, POLICY_ARCHITECTURES)
        check_choice("policy.encoder", self.encoder, POLICY_ENCODERS)
        check_choice("policy.error_unit", self.error_unit, ERROR_UNITS)
        check_sizes("policy.hidden", self.hidden)
        if self.chunk < 1:
            raise ClamError(f"policy.chunk must be at least 1, got {self.chunk}")
        if self.ensembling_m is not None and not math.isfinite(self.ensembling_m):
            raise ClamError(f"policy.ensembling_m must be a finite number or null, got {self.ensembling_m}")
