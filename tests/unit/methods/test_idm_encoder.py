"""``policy.encoder=idm``: the policy's image encoder begins as that of the latent IDM (Section 3.2)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.errors import ClamError
from clam_core.methods import method_class
from clam_core.models.encoders import IdmEncoder
from clam_core.training.load_config import load_config
from clam_core.training.run import load_method, train

CNN = "{channels: [4, 4], scale: 1, embedding_dim: 8}"
QUICK = ["device=cpu", "features.cameras=['*']", "lam.architecture=impala", "lam.context=1", f"lam.cnn={CNN}",
         f"policy.cnn={CNN}", "policy.encoder=idm", "policy.hidden=[8]", "lam.latent_dim=4", "lam_training.updates=3",
         "policy_training.updates=1", "grounding_training.updates=1"]  # fmt: skip


@pytest.fixture
def roles(make_dataset: Callable[..., Path]) -> dict[str, Path]:
    expert = make_dataset("expert", "expert", 3, seed=2, image_size=16)
    play = make_dataset("play", "play", 3, seed=1, image_size=16)
    return {"unlabeled": play, "labeled": play, "expert": expert}


def trained(name: str, roles: dict[str, Path], run: Path, *overrides: str) -> tuple[torch.nn.Module, IdmEncoder]:
    """The method's IDM and its policy's encoder after one update of the policy, or of each stage that trains it."""
    given = [f"data.{role}={path}" for role, path in roles.items() if role in method_class(name).USES]
    train(load_config(name, overrides=[*QUICK, *given, *overrides]), run)
    method = load_method(run, torch.device("cpu"))
    encoder = method.actor.policy.encoder
    assert isinstance(encoder, IdmEncoder)
    idm = method.idm if name == "vpt" else method.lam.idm
    assert isinstance(idm, torch.nn.Module)
    return idm, encoder


@pytest.mark.parametrize("name", ["clam", "vpt", "lapo", "lapa"])
def test_the_policy_begins_with_the_trained_encoder_and_makes_it_its_own(
    name: str, roles: dict[str, Path], tmp_path: Path
) -> None:
    shared = ("policy_training.learning_rate=1e-12", "grounding_training.learning_rate=1e-12")
    idm, encoder = trained(name, roles, tmp_path / "still", *shared)
    theirs = dict(idm.named_parameters())
    alike = [key for key, value in encoder.idm.named_parameters() if value.shape == theirs[key].shape]
    convolutions = [key for key in alike if theirs[key].dim() == 4]
    assert convolutions
    for key in alike:
        assert torch.allclose(encoder.idm.get_parameter(key), theirs[key], atol=1e-6)
    idm, encoder = trained(name, roles, tmp_path / "moving")
    assert not torch.equal(encoder.idm.get_parameter(convolutions[0]), idm.get_parameter(convolutions[0]))


def test_a_method_without_an_idm_says_so(roles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ClamError, match=r"policy\.encoder=idm, but this method has no latent IDM"):
        trained("bc", roles, tmp_path / "run")
