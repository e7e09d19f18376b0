"""Configuration of a training run: frozen dataclasses, one per concern. YAML and command line fill them in."""

from __future__ import annotations

from dataclasses import dataclass, field

from clam_core.errors import ClamError

SCHEDULES = ("constant", "one_cycle")


@dataclass(frozen=True)
class DataConfig:
    """Dataset folders of each role. `labeled` is opened with actions, the others never are (Section 2)."""

    unlabeled: tuple[str, ...] = ()
    labeled: tuple[str, ...] = ()
    expert: tuple[str, ...] = ()
    held_out: float = 0.1  # share of episodes of each dataset kept for held-out metrics


@dataclass(frozen=True)
class FeatureConfig:
    """State features beyond the raw numbers.

    `exclude`: name patterns to leave out (shell style). `difference`: append the change since the previous
    observation. `frame_difference`: where the state repeats the simulator's previous frame as ``previous/<name>``,
    use the change since that frame instead.
    """

    exclude: tuple[str, ...] = ()
    difference: bool = False
    frame_difference: bool = False


@dataclass(frozen=True)
class LamConfig:
    """Latent action model (Table 11): context H, latent dimension Z, MLP sizes."""

    context: int = 1
    latent_dim: int = 16
    hidden: tuple[int, ...] = (1024, 1024)
    activation: str = "leaky_relu"
    residual: bool = False  # the latent FDM predicts the change from o_t
    shortcut: bool = False  # a linear map beside the latent IDM's MLP


@dataclass(frozen=True)
class GroundingConfig:
    """What learns from the action labels: CLAM's action decoder (Table 11), VPT's and BC's supervised part.

    `weight` is β, `every` is K of Algorithm 1. `state_noise` and `motion_noise` are standard deviations of Gaussian
    noise on the standardized features of labeled batches, the regularization that 50 labeled episodes need: what an
    action does shows in the motion, and much noise on the state keeps the labels from being learned by heart.
    """

    weight: float = 1.0
    every: int = 2
    batch_size: int = 128
    hidden: tuple[int, ...] = (1024, 1024, 1024)
    activation: str = "leaky_relu"
    shortcut: bool = False  # a linear map beside the action decoder's MLP
    state_noise: float = 0.0
    motion_noise: float = 0.0


@dataclass(frozen=True)
class PolicyConfig:
    """MLP policy (Appendix G.1), chunk K, temporal ensembling m (null: only the newest prediction)."""

    hidden: tuple[int, ...] = (1024, 1024)
    activation: str = "leaky_relu"
    chunk: int = 1
    ensembling_m: float | None = None


@dataclass(frozen=True)
class OptimizationConfig:
    """One training stage. `schedule` is ``constant`` (after `warmup` updates) or ``one_cycle``."""

    updates: int = 10_000
    batch_size: int = 128
    learning_rate: float = 3e-4
    schedule: str = "constant"
    warmup: int = 0
    weight_decay: float = 0.0
    epsilon: float = 1e-5  # of Adam, Table 10
    clip_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ClamError(f"unknown schedule '{self.schedule}', valid: {', '.join(SCHEDULES)}")
        if self.updates < 1 or self.batch_size < 1:
            raise ClamError(f"updates ({self.updates}) and batch_size ({self.batch_size}) must be at least 1")


@dataclass(frozen=True)
class Config:
    """A whole run. `lam` is stage 1 of CLAM (and VPT's IDM), `policy` is stage 2 (and all of BC)."""

    method: str = "clam"
    seed: int = 0
    device: str = "auto"
    log_every: int = 100
    evaluate_every: int = 1000
    checkpoint_every: int = 2000
    data: DataConfig = field(default_factory=DataConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    lam: LamConfig = field(default_factory=LamConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    lam_training: OptimizationConfig = field(default_factory=OptimizationConfig)
    policy_training: OptimizationConfig = field(default_factory=OptimizationConfig)
