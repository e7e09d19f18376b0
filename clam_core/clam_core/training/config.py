"""Configuration of a training run: frozen dataclasses, one per concern. YAML and command line fill them in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from clam_core.errors import ClamError
from clam_core.models.config import DecoderConfig, LamConfig, PolicyConfig, check_choice
from clam_core.training.augmentation import AugmentationConfig

SCHEDULES = ("constant", "one_cycle")
OPTIMIZERS = ("adam", "adamw")


@dataclass(frozen=True)
class DataConfig:
    """Dataset folders of each role. `labeled` is opened with actions, the others never are (Section 2).

    Images that take more than `memory_limit_gib` are streamed from disk instead of held on the device; those of a
    dataset in several roles are there once.
    """

    unlabeled: tuple[str, ...] = ()
    labeled: tuple[str, ...] = ()
    expert: tuple[str, ...] = ()
    held_out: float = 0.1  # share of the episodes kept for held-out metrics: every n-th of all, in every role
    memory_limit_gib: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out <= 0.5:
            raise ClamError(f"data.held_out must be 0 to 0.5, got {self.held_out:g}")


@dataclass(frozen=True)
class FeatureConfig:
    """What of an observation is used, and how.

    `include`, `exclude`: patterns of state names (shell style); an empty `include` leaves the state out. `difference`:
    append the change since the previous observation. `frame_difference`: where the state repeats the simulator's
    previous frame as ``previous/<name>``, use the change since that frame instead. `cameras`: names of the cameras
    to use, resized to `image_size` (null: as recorded), the last `frame_stack` frames of each.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    standardize: bool = True
    difference: bool = False
    frame_difference: bool = False
    cameras: tuple[str, ...] = ()
    image_size: int | None = None
    frame_stack: int = 1

    def __post_init__(self) -> None:
        if self.frame_stack < 1:
            raise ClamError(f"features.frame_stack must be at least 1, got {self.frame_stack}")


@dataclass(frozen=True)
class GroundingConfig:
    """What learns from the action labels: CLAM's action decoder (Table 11), VPT's and BC's supervised part.

    `training`: ``joint`` with the latent action model (Algorithm 1), ``afterwards`` on frozen latent actions, or
    ``none`` (β = 0: the decoder stays random). `weight` is β, `every` is K of Algorithm 1. `state_noise` and
    `motion_noise` are standard deviations of Gaussian noise on the standardized features of labeled batches (in joint
    training, and of VPT's IDM), the regularization that 50 labeled episodes need: what an action does shows in the
    motion, and much noise on the state keeps the labels from being learned by heart. State entries that a pattern of
    `exact` names get only `motion_noise`: those that an action cannot be told without, as whether a still gripper is
    open or closed.

    Actions are scaled to [−1, 1]: by the environment's ``limits``, or, with `action_range` ``data``, by the range of
    the labeled actions and a tenth of it on either side. Where joints may turn much farther than they do, the former
    leaves nearly all of the loss to the gripper.
    """

    training: str = "joint"
    weight: float = 1.0
    every: int = 2
    batch_size: int = 128
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    state_noise: float = 0.0
    motion_noise: float = 0.0
    exact: tuple[str, ...] = ()
    action_range: str = "limits"

    def __post_init__(self) -> None:
        check_choice("grounding.action_range", self.action_range, ("limits", "data"))
        check_choice("grounding.training", self.training, ("joint", "afterwards", "none"))
        if self.every < 1 or self.batch_size < 1:
            raise ClamError(f"grounding.every ({self.every}) and batch_size ({self.batch_size}) must be at least 1")
        for name in ("weight", "state_noise", "motion_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ClamError(f"grounding.{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class DynamoConfig:
    """DynaMo's self-supervised encoder (Appendix I): weight of its covariance regularization."""

    covariance_weight: float = 0.04


@dataclass(frozen=True)
class OptimizationConfig:
    """One training stage.

    `schedule` is ``constant`` (after `warmup` updates) or ``one_cycle``. `ema` is the decay of a moving average of
    the weights, which then are what is evaluated and kept (0: none). `clip_grad_norm` 0 clips nothing.
    `early_stopping` ends the stage after so many evaluations without a lower held-out error (0: never). `select`: keep
    the ``last`` weights or the ``best``.
    """

    updates: int = 10_000
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 3e-4
    schedule: str = "constant"
    warmup: int = 0
    weight_decay: float = 0.0
    epsilon: float = 1e-5  # of Adam, Table 10
    clip_grad_norm: float = 1.0
    ema: float = 0.0
    early_stopping: int = 0
    select: str = "last"

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("select", self.select, ("last", "best"))
        if not (0 <= self.learning_rate < math.inf and 0 < self.epsilon < math.inf):
            raise ClamError(f"learning_rate ({self.learning_rate}) must be at least 0, epsilon ({self.epsilon}) above")
        if not 0 <= self.weight_decay < math.inf:
            raise ClamError(f"weight_decay must be at least 0, got {self.weight_decay}")
        if self.updates < 1 or self.batch_size < 1:
            raise ClamError(f"updates ({self.updates}) and batch_size ({self.batch_size}) must be at least 1")
        if not 0 <= self.ema < 1:
            raise ClamError(f"ema must be at least 0 and below 1, got {self.ema}")
        if self.clip_grad_norm < 0:
            raise ClamError(f"clip_grad_norm must be at least 0 (no clipping), got {self.clip_grad_norm}")


@dataclass(frozen=True)
class RolloutConfig:
    """Evaluation rollouts during policy training, on layouts that no evaluation uses (`every` 0: none)."""

    every: int = 0
    episodes: int = 10
    seed: int = 700_000


@dataclass(frozen=True)
class Config:
    """A whole run. `lam` is stage 1 of CLAM (and VPT's IDM), `policy` is stage 2 (and all of BC).

    `grounding_training` is the stage that sees action labels alone: the action decoder on frozen latent actions
    (LAPO, "no joint training") and LAPA's fine-tuning. `bf16` runs the losses under autocast, where the device has
    instructions for it, `compile` compiles the networks. A checkpoint is written every `checkpoint_every` updates, and
    where they are slow, at a multiple of `log_every`, once `checkpoint_seconds` have gone by (0: never for that).
    `wandb` names a Weights & Biases project to log to as well.
    """

    method: str = "clam"
    seed: int = 0
    device: str = "auto"
    bf16: bool = False
    compile: bool = False
    log_every: int = 100
    evaluate_every: int = 1000
    evaluate_transitions: int = 16_384  # at most so many held-out transitions, evenly spaced
    checkpoint_every: int = 2000
    checkpoint_seconds: float = 300.0
    wandb: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    lam: LamConfig = field(default_factory=LamConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    dynamo: DynamoConfig = field(default_factory=DynamoConfig)
    rollouts: RolloutConfig = field(default_factory=RolloutConfig)
    lam_training: OptimizationConfig = field(default_factory=OptimizationConfig)
    grounding_training: OptimizationConfig = field(default_factory=OptimizationConfig)
    policy_training: OptimizationConfig = field(default_factory=OptimizationConfig)

    def __post_init__(self) -> None:
        for name in ("log_every", "evaluate_every", "evaluate_transitions", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ClamError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**63:
            raise ClamError(f"seed must be from 0 to 2^63 − 1, got {self.seed}")
        if not self.checkpoint_seconds >= 0:
            raise ClamError(f"checkpoint_seconds must be at least 0, got {self.checkpoint_seconds}")
