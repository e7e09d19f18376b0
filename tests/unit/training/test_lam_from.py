"""``clam train --lam-from``: everything but the policy comes from another run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clam_core.cli import main
from clam_core.errors import ClamError
from clam_core.methods import method_class
from clam_core.training import trainer
from clam_core.training.checkpoint import Position, load_checkpoint
from clam_core.training.config import Config
from clam_core.training.lam_from import deviations, learned_stages
from clam_core.training.load_config import load_config
from clam_core.training.metrics import read_metrics
from clam_core.training.run import load_method, load_run_config, train

MakeDataset = Callable[..., Path]
QUICK = ["device=cpu", "policy.encoder=none", "policy.hidden=[16]", "lam.latent_dim=4", "lam.hidden=[16]",
         "lam.context=0", "lam_training.updates=20", "policy_training.updates=20",
         "grounding_training.updates=10"]  # fmt: skip


def config(method: str, data: list[str], *extra: str) -> Config:
    roles = data[1:] if method == "vpt" else data[1:2] if method == "bc" else data
    return load_config(method, overrides=[*QUICK, *roles, *extra])


def learned(run: Path) -> dict[str, torch.Tensor]:
    state = load_method(run, torch.device("cpu")).state_dict()
    own = ("actor.policy.", "latent_head.", "latent_mean", "latent_std", "actor.latent_mean", "actor.latent_std")
    return {name: value for name, value in state.items() if not name.startswith(own)}


def changed(run: Path) -> None:
    """Make what `run` learned something that no training comes to by itself."""
    path = next((run / "checkpoints").glob("[0-9]*")) / "weights.safetensors"
    weights = load_file(path)
    save_file({name: value + 0.125 if value.is_floating_point() else value for name, value in weights.items()}, path)


@pytest.mark.parametrize("method", ["clam", "vpt", "lapo", "lapa"])
def test_everything_but_the_policy_is_the_other_runs(method: str, data: list[str], tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    train(config(method, data), one)
    changed(one)
    metrics = train(config(method, data, "policy.hidden=[8, 8]", "seed=5"), other, lam_from=one)
    theirs, ours = learned(one), learned(other)
    assert theirs.keys() == ours.keys() and theirs
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    stages = learned_stages(load_run_config(other))
    assert any(name.startswith(f"{stages[-1]}/") for name in metrics)  # measured again, on what this run holds out
    logged = [line for line in read_metrics(other) if line["name"] in stages]
    assert logged == [line for line in read_metrics(one) if line["name"] in stages] and logged
    assert (other / "bundle").is_dir()
    assert load_run_config(other).policy.hidden == (8, 8)


def test_a_run_that_took_over_goes_on_after_it_was_killed(data: list[str], tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    train(config("clam", data), one)
    changed(one)
    train(config("clam", data), other, lam_from=one, until="lam")
    assert not (other / "bundle").exists()
    shutil.move(one, tmp_path / "gone")
    train(config("clam", data), other, resume=True)
    theirs, ours = learned(tmp_path / "gone"), learned(other)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert json.loads((other / "result.json").read_text())["lam_from"] == str(one)
    with pytest.raises(ClamError, match="leave out --lam-from"):
        train(config("clam", data), other, resume=True, lam_from=tmp_path / "gone")
    with pytest.raises(ClamError, match="add --resume instead of --lam-from"):
        train(config("clam", data), other, lam_from=tmp_path / "gone")


def test_a_run_that_was_killed_before_it_took_over_is_no_run(
    data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config("clam", data)
    train(settings, tmp_path / "one")
    monkeypatch.setattr(trainer, "save_checkpoint", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "other", lam_from=tmp_path / "one")
    with pytest.raises(ClamError, match="holds no run to go on with"):
        train(settings, tmp_path / "other")
    with pytest.raises(ClamError, match="nothing to resume"):
        train(settings, tmp_path / "other", resume=True)


def test_other_demonstrations_may_be_imitated(data: list[str], make_dataset: MakeDataset, tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    new = f"data.expert={make_dataset('expert2', 'expert', 12, seed=7)}"
    train(config("clam", [*data, new]), tmp_path / "other", lam_from=tmp_path / "one")
    latents = [load_method(tmp_path / run, torch.device("cpu")).latent_mean for run in ("one", "other")]
    assert not torch.equal(*latents)


def test_a_policy_may_standardize_latent_actions_or_not(data: list[str], tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    plain = config("clam", [*data, "policy.standardize_latent=false"])
    train(plain, tmp_path / "two", lam_from=tmp_path / "one")
    method = load_method(tmp_path / "two", torch.device("cpu"))
    for mean, std in ((method.latent_mean, method.latent_std), (method.actor.latent_mean, method.actor.latent_std)):
        assert not torch.as_tensor(mean).any() and (torch.as_tensor(std) == 1).all()


def test_fine_tuning_of_lapas_policy_may_differ_but_not_lapos_decoder(data: list[str], tmp_path: Path) -> None:
    for method in ("lapa", "lapo"):
        train(config(method, data), tmp_path / method)
    shorter = "grounding_training.updates=5"
    assert train(config("lapa", data, shorter), tmp_path / "other", lam_from=tmp_path / "lapa")
    with pytest.raises(ClamError, match=r"grounding_training\.updates is 10 there, not 5"):
        train(config("lapo", data, shorter), tmp_path / "two", lam_from=tmp_path / "lapo")


@pytest.mark.parametrize("judged", ["select=best", "early_stopping=2"])
def test_averaged_labels_may_be_other_unless_they_decided_which_model_is_kept(judged: str, data: list[str]) -> None:
    measured = ["augmentation.test_time=2", "evaluate_every=7", "evaluate_transitions=9"]

    def refused(method: str, *extra: str) -> list[str]:
        one, other = (
            method_class(method).configure(config(method, [*data, *extra, *other])) for other in ([], measured)
        )
        return [key for key, *_ in deviations(one, other)]

    assert not refused("clam")
    assert len(refused("clam", f"lam_training.{judged}")) == 3
    assert len(refused("lapo", f"grounding_training.{judged}")) == 3
    assert not refused("lapa", f"grounding_training.{judged}"), "there it is the policy that is fine-tuned"


def test_what_shaped_the_latent_action_model_must_be_the_same(data: list[str], tmp_path: Path) -> None:
    train(config("clam", data), tmp_path / "one")
    with pytest.raises(ClamError, match=r"is another: lam\.latent_dim is 4 there, not 8; only the policy"):
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
    with pytest.raises(ClamError, match="'bc' learns nothing that another policy could take over"):
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
