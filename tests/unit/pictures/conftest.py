"""A run on the point mass whose latent action model is exact, so that every number of its pictures is known."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from clam_core.methods.clam import Clam
from clam_core.models.observations import Observations
from clam_core.pictures.learned import Learned
from clam_core.training.load_config import load_config
from clam_core.training.run import train

SMALL = (
    "device=cpu", "lam.hidden=[8]", "lam.latent_dim=2", "lam.context=0", "policy.hidden=[8]", "data.held_out=0.25",
    "grounding.decoder.hidden=[8]", "lam_training.updates=1", "policy_training.updates=1", "features.standardize=false",
)  # fmt: skip


class ExactIDM(nn.Module):
    """z is the push, from v' = 0.9 v + 0.1 a."""

    def forward(self, window: Observations) -> Tensor:
        before, after = window.state[:, -2, 2:4], window.state[:, -1, 2:4]
        return ((after - 0.9 * before) / 0.1).unsqueeze(1)


class ExactFDM(nn.Module):
    """The point mass itself, off by `error` in x."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error

    def forward(self, past: Observations, z: Tensor) -> Tensor:
        place, velocity = past.state[:, -1, :2], 0.9 * past.state[:, -1, 2:4] + 0.1 * z[:, 0]
        shift = torch.tensor([self.error, 0.0])
        return torch.cat([place + 0.1 * velocity + shift, velocity], dim=-1).unsqueeze(1)


class Scaled(nn.Module):
    """Action decoder: pushes of ±2 N → `gain` times what they are in [−1, 1]."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, z: Tensor) -> Tensor:
        return self.gain * z / 2


@pytest.fixture
def run(tmp_path: Path, make_dataset: Callable[..., Path]) -> Path:
    """A run of CLAM on eight episodes of play."""
    play = make_dataset("play", "play", 8)
    roles = [f"data.{role}={play}" for role in ("unlabeled", "labeled", "expert")]
    train(load_config("clam", overrides=[*SMALL, *roles]), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def exact(run: Path) -> Learned:
    """The run with an exact latent IDM, a latent FDM that is off by 0.5 m, a decoder that decodes half of the push."""
    learned = Learned(run, torch.device("cpu"), {})
    assert isinstance(learned.method, Clam)
    learned.method.lam.idm, learned.method.lam.fdm = ExactIDM(), ExactFDM(0.5)
    learned.method.actor.decoder = Scaled(0.5)  # type: ignore[assignment]
    return learned
