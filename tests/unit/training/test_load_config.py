from pathlib import Path

import pytest

from clam_core.errors import ClamError
from clam_core.training.config import Config
from clam_core.training.load_config import load_config


def test_override_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("lam:\n  latent_dim: 8\n  hidden: [32]\nseed: 4\n")
    config = load_config("clam", file=file, overrides=["lam.latent_dim=4", "policy_training.learning_rate=1e-3"])
    assert (config.lam.latent_dim, config.lam.hidden, config.seed) == (4, (32,), 4)
    assert config.policy_training.learning_rate == 1e-3
    assert config.lam.context == Config().lam.context


def test_preset_of_the_training_package_is_found() -> None:
    assert load_config("clam", preset="recommended/state").grounding.weight == 0.1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lam.latnet_dim=4", "unknown key 'lam.latnet_dim': did you mean 'latent_dim'"),
        ("lam.latent_dim=many", "lam.latent_dim must be int, got 'many'"),
        ("lam.hidden=64", "lam.hidden must be a list"),
        ("lam=3", "lam must be 'key: value' pairs"),
        ("seed", "not of the form dotted.key=value"),
        ("lam_training.schedule=cosine", "unknown schedule 'cosine': valid: constant, one_cycle"),
        ("policy_training.learning_rate=.nan", "learning_rate \\(nan\\) must be"),
        ("policy_training.learning_rate=-0.001", "learning_rate \\(-0.001\\) must be at least 0"),
        ("policy_training.weight_decay=-1.0", "weight_decay must be at least 0"),
        ("seed=99999999999999999999999", "seed must be from 0"),
        ("lam.transformer.heads=0", "heads \\(0\\) must be at least 1"),
        ("lam.transformer.dropout=2.0", "dropout \\(2.0\\)"),
        ("lam.hidden=[0]", "lam.hidden must be sizes of at least 1"),
        ("policy.ensembling_m=.nan", "ensembling_m must be a finite number"),
        ("grounding.weight=-1.0", "grounding.weight must be at least 0"),
        ("method=vpt", "write clam train vpt"),
        ("lam_training.updates=0", "updates \\(0\\) and batch_size \\(128\\) must be at least 1"),
    ],
)
def test_bad_override_is_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(ClamError, match=message) as caught:
        load_config("clam", overrides=[override])
    assert "\n" not in str(caught.value)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ClamError, match="did you mean 'recommended/state'"):
        load_config("clam", preset="recommended/stat")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="no configuration file at"):
        load_config("clam", file=tmp_path / "none.yaml")
