"""Whose inference is measured: the policy of a bundle, or those of presets with random weights; and what they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from clam_core.bench.bundle_name import bundle_name
from clam_core.deploy import load_bundle
from clam_core.errors import ClamError
from clam_core.methods import method_class
from clam_core.models.actor import Actor
from clam_core.spec import CameraSpec, EnvironmentSpec, Observation
from clam_core.training.load_config import load_config

METHOD, TASK = "clam", "reach-block"
PRESETS = ("recommended/kitchen-cpu", "paper/appendix_f_widowx")


@dataclass(frozen=True)
class Subject:
    """A network, and the spec of what it sees and does."""

    name: str
    actor: Actor
    spec: EnvironmentSpec

    @property
    def what(self) -> str:
        """Its size, for people."""
        image = self.actor.config.image
        sees = f"{len(image.cameras)} cameras {image.height}×{image.width}" if image else "no camera"
        count = sum(parameter.numel() for parameter in self.actor.parameters())
        return f"{sees}, {count:,} parameters, chunks of {self.actor.config.policy.chunk}"


def subject_of_bundle(bundle: Path, device: torch.device) -> Subject:
    """The policy of a bundle.

    Raises:
        ClamError: see `load_bundle`.
    """
    policy = load_bundle(bundle, str(device))
    return Subject(bundle_name(bundle), policy.actor, policy.spec)


def subject_of_preset(preset: str, overrides: Sequence[str], device: torch.device) -> Subject:
    """A policy of `preset` for the kitchen with its cameras, untrained: the time does not depend on the weights.

    Raises:
        ClamError: unknown key, or no image size.
    """
    from clam_core.envs.kitchen_spec import CAMERAS, kitchen_spec  # reads the URDF

    kind = method_class(METHOD)
    config = kind.configure(load_config(METHOD, preset, overrides=overrides))
    size = config.features.image_size
    if size is None:
        raise ClamError(f"{preset} with {' '.join(overrides)} names no features.image_size; leave the preset's")
    spec = kitchen_spec(TASK, cameras=tuple(CameraSpec(name, size, size) for name in CAMERAS))
    torch.manual_seed(0)
    return Subject(preset, kind(config, spec).actor.to(device).eval(), spec)


def observations_of(spec: EnvironmentSpec, count: int) -> list[Observation]:
    """What a policy could see: states, and images of noise as cameras give them (uint8)."""
    rng = np.random.default_rng(0)
    return [
        {"state": rng.normal(size=len(spec.observation.names))}
        | {c.name: rng.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in spec.observation.cameras}
        for _ in range(count)
    ]
