"""On a point mass with known forces: do the methods learn what they should, from what they may see?"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.errors import ClamError
from clam_core.methods.clam import Clam
from clam_core.training.config import Config, DataConfig
from clam_core.training.load_config import load_config
from clam_core.training.run import load_method, open_data, train

MakeDataset = Callable[..., Path]
SMALL = [
    "lam.hidden=[64,64]", "lam.context=0", "lam.latent_dim=4", "lam.activation=gelu", "grounding.hidden=[32]",
    "policy.hidden=[64,64]", "policy.activation=gelu", "features.difference=true", "device=cpu",
    "lam_training.updates=1500", "policy_training.updates=1500", "lam_training.learning_rate=3e-3",
    "policy_training.learning_rate=3e-3", "lam_training.schedule=one_cycle", "policy_training.schedule=one_cycle",
    "evaluate_every=500", "checkpoint_every=500",
]  # fmt: skip


@pytest.fixture
def data(make_dataset: MakeDataset) -> list[str]:
    return [
        f"data.unlabeled={make_dataset('mixed', 'mixed', 100, actions=False)}",
        f"data.labeled={make_dataset('play', 'play', 20, seed=1)}",
        f"data.expert={make_dataset('expert', 'expert', 40, seed=2)}",
    ]


def config(method: str, data: list[str], *extra: str) -> Config:
    return load_config(method, overrides=[*SMALL, *data, *extra])


def test_clam_recovers_the_forces_and_beats_the_trivial_prediction(data: list[str], tmp_path: Path) -> None:
    metrics = train(config("clam", data), tmp_path / "run")
    assert metrics["lam/grounding/r2"] > 0.95
    assert metrics["lam/reconstruction/held_out"] < 0.5 * metrics["lam/reconstruction/trivial"]
    assert metrics["policy/held_out_loss"] < 0.2  # standardized latent actions: 1.0 is predicting their mean


def test_without_the_action_loss_the_decoder_knows_nothing(data: list[str], tmp_path: Path) -> None:
    metrics = train(config("clam", data, "grounding.weight=0", "policy_training.updates=1"), tmp_path / "run")
    assert metrics["lam/grounding/r2"] < 0.3


def test_vpt_recovers_the_forces(data: list[str], tmp_path: Path) -> None:
    assert train(config("vpt", data), tmp_path / "run")["idm/grounding/r2"] > 0.95


def test_behaviour_cloning_of_experts_imitates_them(make_dataset: MakeDataset, tmp_path: Path) -> None:
    expert = make_dataset("labeled-expert", "expert", 40)
    metrics = train(config("bc", [f"data.labeled={expert}"]), tmp_path / "run")
    assert metrics["policy/held_out_loss"] < 0.01


def test_expert_and_unlabeled_episodes_are_opened_without_actions(make_dataset: MakeDataset) -> None:
    # All three have labels on disk; only the labeled role may show them.
    roles = ("unlabeled", "labeled", "expert")
    paths = DataConfig(**{role: (str(make_dataset(role, "mixed", 2)),) for role in roles})
    opened = open_data(Clam.USES, paths, torch.device("cpu"))
    assert opened.datasets.unlabeled and opened.datasets.unlabeled.actions is None
    assert opened.datasets.expert and opened.datasets.expert.actions is None
    assert opened.datasets.labeled and opened.datasets.labeled.actions is not None


def test_the_action_loss_reaches_the_idm(data: list[str]) -> None:
    settings = config("clam", data)
    opened = open_data(Clam.USES, settings.data, torch.device("cpu"))
    method = Clam(settings, opened.spec)
    method.fit_features(opened.datasets)
    assert method.actor.decoder is not None
    labeled, _ = method.split(opened.datasets.labeled, 0.1, 0)  # type: ignore[arg-type]
    method.actor.decoder(method.idm(labeled.sample(8).window)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.idm.parameters())
    assert all(p.grad is None for p in method.fdm.parameters())


def test_a_loaded_run_labels_as_the_trained_one_did(data: list[str], tmp_path: Path) -> None:
    settings = config("clam", data, "lam_training.updates=50", "policy_training.updates=20")
    metrics = train(settings, tmp_path / "run")
    method = load_method(tmp_path / "run", torch.device("cpu"))
    opened = open_data(Clam.USES, settings.data, torch.device("cpu"))
    _, held_out = method.split(opened.datasets.labeled, 0.1, 0)  # type: ignore[arg-type]
    assert method.grounding(held_out)["grounding/r2"] == pytest.approx(metrics["lam/grounding/r2"], abs=1e-6)


def test_unlabeled_data_given_as_labeled_is_refused(data: list[str], tmp_path: Path) -> None:
    wrong = [entry.replace("data.unlabeled=", "data.labeled=") for entry in data[:1]]
    with pytest.raises(ClamError, match="label") as caught:
        train(config("bc", wrong), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_role_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="role 'labeled'"):
        train(config("bc", []), tmp_path / "run")
