"""On a point mass with known forces: do the methods learn what they should, from what they may see?"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.methods import METHODS, method_class
from clam_core.methods.clam import Clam
from clam_core.methods.stage import Stage
from clam_core.training.config import Config
from clam_core.training.load_config import load_config
from clam_core.training.run import load_method, open_data, train

MakeDataset = Callable[..., Path]
SMALL = [
    "lam.hidden=[64,64]", "lam.context=0", "lam.latent_dim=4", "lam.activation=gelu", "features.difference=true",
    "grounding.decoder.hidden=[32]", "grounding.decoder.embedding_dim=0", "grounding.decoder.squash=false",
    "policy.encoder=none", "policy.hidden=[64,64]", "policy.activation=gelu", "device=cpu",
    "evaluate_every=500", "checkpoint_every=500",
] + [
    f"{stage}_training.{setting}" for stage in ("lam", "grounding", "policy")
    for setting in ("updates=1500", "learning_rate=3e-3", "schedule=one_cycle")
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


def lam_alone(method: str, data: list[str], run: Path, *extra: str) -> dict[str, float]:
    return train(config(method, data, *extra), run, until="decoder" if method == "lapo" else "lam")


def test_clam_recovers_the_forces_and_beats_the_trivial_prediction(data: list[str], tmp_path: Path) -> None:
    metrics = train(config("clam", data), tmp_path / "run")
    assert metrics["lam/grounding/r2"] > 0.95
    assert metrics["lam/latent/linear_probe_r2"] > 0.8
    assert 1 < metrics["lam/latent/effective_dimension"] <= 4
    assert metrics["lam/reconstruction/held_out"] < 0.5 * metrics["lam/reconstruction/trivial"]
    assert metrics["policy/held_out_loss"] < 0.2  # standardized latent actions: 1.0 is predicting their mean


def test_a_small_codebook_or_no_joint_training_recovers_measurably_less(data: list[str], tmp_path: Path) -> None:
    joint = lam_alone("clam", data, tmp_path / "joint", "lam.latent_dim=8")["lam/grounding/r2"]
    afterwards = train(
        config("clam", data, "lam.latent_dim=8", "grounding.training=afterwards", "grounding.decoder.hidden=[]"),
        tmp_path / "afterwards",
        until="decoder",
    )["decoder/grounding/r2"]
    codebook = lam_alone("lapo", data, tmp_path / "codes", "lam.latent.codebook_size=8")
    assert joint > 0.95
    assert afterwards < joint - 0.02
    assert codebook["decoder/grounding/r2"] < joint - 0.1
    assert 1 < codebook["lam/latent/perplexity"] <= 8


@pytest.mark.parametrize("kind", ["gaussian", "residual_vq", "fsq"])
def test_other_latent_spaces_train(data: list[str], tmp_path: Path, kind: str) -> None:
    extra = [f"lam.latent.kind={kind}", "lam.latent.kl_weight=1e-4", "lam_training.updates=600"]
    metrics = lam_alone("clam", data, tmp_path / "run", *extra)
    assert metrics["lam/grounding/r2"] > 0.5
    assert ("lam/latent/perplexity" in metrics) == (kind != "gaussian")


def test_the_forward_model_learns_several_steps_ahead(data: list[str], tmp_path: Path) -> None:
    metrics = lam_alone("clam", data, tmp_path / "run", "lam.steps=3")
    assert metrics["lam/grounding/r2"] > 0.9
    assert metrics["lam/reconstruction/held_out"] < 0.5 * metrics["lam/reconstruction/trivial"]


def test_without_the_action_loss_the_decoder_knows_nothing(data: list[str], tmp_path: Path) -> None:
    settings = config("clam", data, "grounding.training=none", "policy_training.updates=1")
    assert "lam/grounding/r2" not in train(settings, tmp_path / "run")
    method = load_method(tmp_path / "run", torch.device("cpu"))
    opened = open_data(Clam.USES, settings, torch.device("cpu"))
    assert opened.datasets.labeled
    assert method.grounding(method.transitions(opened.datasets.labeled, method.span))["grounding/r2"] < 0.3


def test_vpt_recovers_the_forces(data: list[str], tmp_path: Path) -> None:
    metrics = train(config("vpt", data, "policy_training.updates=1"), tmp_path / "run")
    assert metrics["idm/grounding/r2"] > 0.95


def test_behaviour_cloning_of_experts_imitates_them(make_dataset: MakeDataset, tmp_path: Path) -> None:
    expert = make_dataset("labeled-expert", "expert", 40)
    metrics = train(config("bc", [f"data.labeled={expert}"]), tmp_path / "run")
    assert metrics["policy/held_out_loss"] < 0.01


def test_lapa_keeps_what_it_pretrained(data: list[str], make_dataset: MakeDataset, tmp_path: Path) -> None:
    # Given labeled experts (as in the LAPA paper) fine-tuning imitates them.
    data[1] = f"data.labeled={make_dataset('labeled-expert', 'expert', 10, seed=5)}"
    metrics = train(config("lapa", data, "lam_training.updates=300"), tmp_path / "run")
    assert metrics["policy/held_out_loss"] < 0.02


def test_dynamo_embeddings_do_not_collapse(data: list[str], make_dataset: MakeDataset, tmp_path: Path) -> None:
    data[1] = f"data.labeled={make_dataset('labeled-expert', 'expert', 20, seed=5)}"
    small = ["lam.transformer.dim=32", "lam.transformer.feedforward_dim=64", "lam.transformer.encoder_layers=1",
             "lam.transformer.decoder_layers=1", "policy.embedding_dim=16", "lam_training.updates=400"]  # fmt: skip
    metrics = train(config("dynamo", data, *small), tmp_path / "run")
    assert metrics["encoder/dynamics/held_out"] < 0.1
    assert metrics["encoder/embedding/effective_dimension"] > 1.5
    assert metrics["policy/held_out_loss"] < 0.1


def built(name: str, data: list[str], *extra: str) -> tuple[Clam, Config]:
    settings = method_class(name).configure(config(name, data, *extra))
    opened = open_data(Clam.USES, settings, torch.device("cpu"))
    method = method_class(name)(settings, opened.spec)
    assert isinstance(method, Clam)
    method.fit_features(opened.datasets)
    method.datasets = opened.datasets  # type: ignore[assignment]
    return method, settings


def first_loss(stage: Stage) -> torch.Tensor:
    return stage.loss(*stage.draw(1))["loss"]


def touched(module: torch.nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


@pytest.mark.parametrize(("training", "reached"), [("joint", True), ("afterwards", False), ("none", False)])
def test_the_action_loss_reaches_the_idm_in_joint_training_only(data: list[str], training: str, reached: bool) -> None:
    method, _ = built(
        "clam", data, f"grounding.training={training}", "lam.reconstruction_weight=0", "grounding.every=1"
    )
    stages = method.stages(method.datasets)  # type: ignore[arg-type]
    first_loss(next(stages)).backward()
    assert touched(method.lam.idm) == reached
    assert method.actor.decoder is not None and touched(method.actor.decoder) == reached
    assert not touched(method.lam.fdm)
    if training == "afterwards":
        first_loss(next(stages)).backward()
        assert touched(method.actor.decoder)
        assert not touched(method.lam)


def test_fine_tuning_of_lapa_reaches_everything_that_is_deployed(data: list[str]) -> None:
    method, _ = built("lapa", data, "policy.encoder=linear", "lam_training.updates=1", "policy_training.updates=1")
    *_, finetuning = method.stages(method.datasets)  # type: ignore[arg-type]
    first_loss(finetuning).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.actor.policy.parameters())
    assert finetuning.modules == [method.actor.policy]


@pytest.mark.parametrize("name", METHODS)
def test_no_method_can_touch_expert_labels(
    make_dataset: MakeDataset, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All three have labels on disk; only the labeled role may show them, and nothing asks for the others' again.
    roles = ("unlabeled", "labeled", "expert")
    paths = [f"data.{role}={make_dataset(role, 'mixed', 4)}" for role in roles]
    read: list[str] = []
    rows = EpisodeStore._rows

    def watched(store: EpisodeStore, array: str, start: int, end: int | None) -> object:
        if array == "action":
            read.append(store.path.name)
        return rows(store, array, start, end)

    monkeypatch.setattr(EpisodeStore, "_rows", watched)
    quick = [f"{stage}_training.updates=2" for stage in ("lam", "grounding", "policy")]
    train(config(name, paths, *quick), Path(str(make_dataset("any", "play", 1)) + "-run"))
    assert set(read) == {"labeled"}
    opened = open_data(METHODS[name].USES, config(name, paths), torch.device("cpu")).datasets
    assert all((episodes.actions is not None) == (role == "labeled") for role, episodes in opened.roles().items())


def test_a_loaded_run_labels_as_the_trained_one_did(data: list[str], tmp_path: Path) -> None:
    settings = config("clam", data, "lam_training.updates=50", "policy_training.updates=20")
    metrics = train(settings, tmp_path / "run")
    method = load_method(tmp_path / "run", torch.device("cpu"))
    opened = open_data(Clam.USES, settings, torch.device("cpu"))
    _, held_out = method.split(opened.datasets.labeled, method.span)  # type: ignore[arg-type]
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


def test_actions_can_be_scaled_by_the_range_of_the_labeled_ones(data: list[str], tmp_path: Path) -> None:
    found = config("bc", data, "grounding.action_range=data")
    opened = open_data(method_class("bc").USES, found, torch.device("cpu"))
    method = method_class("bc")(found, opened.spec)
    limits = method.actor.low.clone(), method.actor.high.clone()
    method.fit_features(opened.datasets)
    assert opened.datasets.labeled is not None and opened.datasets.labeled.actions is not None
    actions = torch.cat(opened.datasets.labeled.actions)
    reach = method.actor.scale(actions).abs().amax(0)
    assert ((reach > 0.8) & (reach <= 1)).all()
    torch.testing.assert_close(method.actor.unscale(method.actor.scale(actions)), actions)
    assert (method.actor.low >= limits[0]).all() and (method.actor.high <= limits[1]).all()
