"""``clam train --lam-from``: everything but the policy comes from another run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.cli import main
from clam_core.errors import ClamError
from clam_core.training.checkpoint import Position, load_checkpoint
from clam_core.training.config import Config
from clam_core.training.lam_from import learned_stages
from clam_core.training.load_config import load_config
from clam_core.training.run import load_method, load_run_config, train

MakeDataset = Callable[..., Path]
QUICK = ["device=cpu", "policy.encoder=none", "policy.hidden=[16]", "lam.latent_dim=4", "lam.hidden=[16]",
         "lam.context=0", "lam_training.updates=20", "policy_training.updates=20",
         "grounding_training.updates=10"]  # fmt: skip


@pytest.fixture
def data(make_dataset: MakeDataset) -> list[str]:
    return [
        f"data.unlabeled={make_dataset('mixed', 'mixed', 10, actions=False)}",
        f"data.labeled={make_dataset('play', 'play', 10, seed=1)}",
        f"data.expert={make_dataset('expert', 'expert', 10, seed=2)}",
    ]


def config(method: str, data: list[str], *extra: str) -> Config:
    roles = data[1:] if method == "vpt" else data[1:2] if method == "bc" else data
    return load_config(method, overrides=[*QUICK, *roles, *extra])


def learned(run: Path) -> dict[str, torch.Tensor]:
    state = load_method(run, torch.device("cpu")).state_dict()
    own = ("actor.policy.", "latent_head.", "latent_mean", "latent_std", "actor.latent_mean", "actor.latent_std")
    return {name: value for name, value in state.items() if not name.startswith(own)}


@pytest.mark.parametrize("method", ["clam", "vpt", "lapo", "lapa"])
def test_everything_but_the_policy_is_the_other_runs(method: str, data: list[str], tmp_path: Path) -> None:
    train(config(method, data), tmp_path / "one")
    other = config(method, data, "policy.hidden=[8, 8]", "seed=5")
    metrics = train(other, tmp_path / "other", lam_from=tmp_path / "one")
    theirs, ours = learned(tmp_path / "one"), learned(tmp_path / "other")
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    first = learned_stages(load_run_config(tmp_path / "other"))[-1]
    assert any(name.startswith(f"{first}/") for name in metrics)  # measured again, on what this run holds out
    assert (tmp_path / "other" / "bundle").is_dir()
    assert load_run_config(tmp_path / "other").policy.hidden == (8, 8)


def test_the_policy_alone_is_trained_and_its_result_says_from_where(data: list[str], tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    train(config("clam", data), tmp_path / "other", lam_from=tmp_path / "one", until="lam")
    method = load_method(tmp_path / "other", torch.device("cpu"))
    assert load_checkpoint(tmp_path / "other" / "checkpoints", method) is not None
    assert not (tmp_path / "other" / "bundle").exists()
    assert not (tmp_path / "other" / "metrics.jsonl").read_text()
    train(config("clam", data), tmp_path / "other", resume=True)  # killed before the policy's first checkpoint
    assert f'"lam_from": "{tmp_path / "one"}"' in (tmp_path / "other" / "result.json").read_text()
    assert all(torch.equal(a, b) for a, b in zip(learned(tmp_path / "one").values(),
                                                 learned(tmp_path / "other").values(), strict=True))  # fmt: skip


def test_other_demonstrations_may_be_imitated(data: list[str], make_dataset: MakeDataset, tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    new = f"data.expert={make_dataset('expert2', 'expert', 12, seed=7)}"
    train(config("clam", [*data, new]), tmp_path / "other", lam_from=tmp_path / "one")
    latents = [load_method(tmp_path / run, torch.device("cpu")).latent_mean for run in ("one", "other")]
    assert not torch.equal(*latents)


def test_what_shaped_the_latent_action_model_must_be_the_same(data: list[str], tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    with pytest.raises(ClamError, match=r"is another: lam\.latent_dim is 4 there, not 8; only the policy's may differ"):
        train(config("clam", data, "lam.latent_dim=8"), tmp_path / "two", lam_from=tmp_path / "one")
    swapped = [data[0], data[2].replace("expert", "labeled", 1), data[2]]
    with pytest.raises(ClamError, match=r"data\.labeled"):
        train(config("clam", swapped), tmp_path / "two", lam_from=tmp_path / "one")
    with pytest.raises(ClamError, match="trains 'clam', not 'vpt'"):
        train(config("vpt", data), tmp_path / "two", lam_from=tmp_path / "one")
    assert not (tmp_path / "two").exists()


def test_a_run_that_has_not_got_so_far_is_refused(data: list[str], tmp_path: Path) -> None:
    settings = config("lapo", data)
    train(settings, tmp_path / "one", until="lam")
    with pytest.raises(ClamError, match="has not finished its stage 'decoder'"):
        train(settings, tmp_path / "two", lam_from=tmp_path / "one")
    with pytest.raises(ClamError, match="is not a run folder"):
        train(settings, tmp_path / "two", lam_from=tmp_path / "nowhere")


def test_a_method_that_learns_nothing_before_its_policy_is_refused(data: list[str], tmp_path: Path) -> None:
    settings = config("bc", data)
    train(settings, tmp_path / "one")
    with pytest.raises(ClamError, match="'bc' trains nothing before its policy"):
        train(settings, tmp_path / "two", lam_from=tmp_path / "one")
    assert learned_stages(load_config("dynamo")) == ()


def test_the_command_takes_the_numbers_of_the_other_run(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    train(config("clam", data), one)
    arguments = ["train", "clam", "--lam-from", str(one), "--out", str(other)]
    assert main([*arguments, "--preset", "recommended/state"]) != 0
    assert "leave out --preset" in capsys.readouterr().err
    assert main([*arguments, "policy.hidden=[12]"]) == 0
    found = load_run_config(other)
    assert (found.policy.hidden, found.lam.latent_dim) == ((12,), 4)
    position = load_checkpoint(other / "checkpoints", load_method(other, torch.device("cpu")))
    assert position is not None and position[0] == Position(1, 20)
