"""Runs that are trained together: each ends as it would have alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from clam_core.errors import ClamError
from clam_core.training import drive as drive_module
from clam_core.training.config import Config
from clam_core.training.load_config import load_config
from clam_core.training.metrics import read_metrics
from clam_core.training.run import Job, train, train_together
from clam_core.training.stack import Stack
from clam_core.training.transitions import Batch, Transitions

SMALL = [
    "lam.hidden=[16]", "lam.latent_dim=4", "grounding.decoder.hidden=[8]", "policy.hidden=[16]",
    "policy.embedding_dim=8", "lam.transformer.dim=8", "lam.transformer.feedforward_dim=16", "lam.transformer.heads=2",
    "lam.transformer.encoder_layers=1", "lam.transformer.decoder_layers=1", "lam.transformer.dropout=0",
    "grounding.state_noise=0.1", "grounding.every=2", "device=cpu", "lam_training.ema=0.9",
    "lam_training.schedule=one_cycle", "log_every=10", "evaluate_every=10", "checkpoint_every=10",
    *(f"{stage}_training.updates=20" for stage in ("lam", "grounding", "policy")),
    *(f"{stage}_training.batch_size=32" for stage in ("lam", "grounding", "policy")),
]  # fmt: skip

Configs = Callable[..., list[Config]]


@pytest.fixture
def configs(make_dataset: Callable[..., Path]) -> Configs:
    """``configs(method, *overrides, count=3)``: other seeds, and other datasets of other sizes."""

    def make(method: str, *overrides: str, count: int = 3, image_size: int = 0) -> list[Config]:
        def dataset(name: str, kind: str, episodes: int, seed: int) -> Path:
            return make_dataset(f"{name}{seed}", kind, episodes, seed=seed, image_size=image_size)

        return [
            load_config(method, overrides=[
                *SMALL, f"seed={seed}", f"data.unlabeled={dataset('mixed', 'mixed', 12 + seed, seed)}",
                f"data.labeled={dataset('play', 'play', 12 + seed, 10 + seed)}",
                f"data.expert={dataset('expert', 'expert', 12, 20 + seed)}", *overrides,
            ])
            for seed in range(count)
        ]  # fmt: skip

    return make


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each update of a stack had."""
    sizes: list[int] = []

    class Counted(Stack):
        def backward(self, *arguments: object) -> list[dict[str, torch.Tensor]]:
            sizes.append(len(self.runs))
            return super().backward(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(drive_module, "Stack", Counted)
    return sizes


def jobs(configs: list[Config], folder: Path, *, resume: bool = False) -> list[Job]:
    return [Job(config, folder / str(number), resume) for number, config in enumerate(configs)]


def assert_same(run: Path, other: Path) -> None:
    """The bundles' weights, up to the order in which numbers are summed up, and what was measured on the way."""
    first, second = (load_file(folder / "bundle/weights.safetensors") for folder in (run, other))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.allclose(first[name], second[name], rtol=2e-3, atol=2e-4), name
    places = [[(line["stage"], line["update"]) for line in read_metrics(folder)] for folder in (run, other)]
    assert places[0] == places[1]


TRANSFORMER = ("lam.architecture=transformer", "lam.context=1", "lam.transformer.timesteps=window")


@pytest.mark.parametrize(
    ("method", "overrides", "stacks"),
    [
        ("clam", (), 40),
        ("clam", ("features.difference=true", "policy.decoded_weight=1.0", "lam.steps=2"), 40),
        ("clam", ("grounding.training=afterwards",), 60),
        ("clam", TRANSFORMER, 40),
        ("clam", ("lam.latent.kind=fsq", "lam.latent.levels=[5,5,5]"), 40),
        ("vpt", (), 40),
        ("bc", (), 20),
        ("dynamo", TRANSFORMER, 40),
        ("lapo", (), 20),  # its codebook follows what it codes: only the policy is stacked
        ("lapa", (), 40),
    ],
)
def test_runs_trained_together_end_as_they_would_alone(
    configs: Configs, stacked: list[int], tmp_path: Path, method: str, overrides: tuple[str, ...], stacks: int
) -> None:
    wanted = configs(method, *overrides)
    for number, config in enumerate(wanted):
        train(config, tmp_path / "alone" / str(number))
    results = train_together(jobs(wanted, tmp_path / "together"))
    assert stacked == [3] * stacks
    assert [sorted(result) for result in results if isinstance(result, dict)] == [sorted(results[0])] * 3  # type: ignore[arg-type]
    for number in range(3):
        assert_same(tmp_path / "alone" / str(number), tmp_path / "together" / str(number))


CNN = "{channels: [4, 4], scale: 1, embedding_dim: 8}"
PATCHES = "{channels: [4, 4], scale: 1, embedding_dim: 8, patch: 4}"


@pytest.mark.parametrize(("architecture", "cnn"), [("impala", CNN), ("impala", PATCHES), ("space_time", CNN)])
def test_images_are_stacked_too(
    configs: Configs, stacked: list[int], tmp_path: Path, architecture: str, cnn: str
) -> None:
    wanted = configs(
        "clam", "features.cameras=['*']", f"lam.architecture={architecture}", "lam.context=1", f"lam.cnn={cnn}",
        f"policy.cnn={CNN}", "policy.encoder=impala", "augmentation.shift=1", "lam.patch_size=8", "data.held_out=0",
        *(f"{stage}_training.updates=6" for stage in ("lam", "policy")), count=2, image_size=16,
    )  # fmt: skip
    for number, config in enumerate(wanted):
        train(config, tmp_path / "alone" / str(number))
    train_together(jobs(wanted, tmp_path / "together"))
    assert stacked == [2] * 12
    for number in range(2):
        assert_same(tmp_path / "alone" / str(number), tmp_path / "together" / str(number))


def test_one_that_fails_or_is_ahead_does_not_disturb_the_others(
    configs: Configs, stacked: list[int], tmp_path: Path
) -> None:
    wanted = configs("clam")
    train(wanted[0], tmp_path / "0", until="lam")
    wanted[1] = replace(wanted[1], lam_training=replace(wanted[1].lam_training, learning_rate=1e30))
    begun, failing, other = jobs(wanted, tmp_path)
    first, second, third = train_together([replace(begun, resume=True), failing, other])
    assert isinstance(second, ClamError) and "lower learning_rate" in str(second)
    assert isinstance(first, dict) and isinstance(third, dict)
    assert set(stacked[:10]) == {2} and set(stacked[-20:]) == {2}
    for number in (0, 2):
        train(wanted[number], tmp_path / "alone" / str(number))
        assert_same(tmp_path / "alone" / str(number), tmp_path / str(number))


def test_a_stack_that_was_killed_goes_on(
    configs: Configs, stacked: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = configs("clam", count=2)

    class Dying(Stack):
        def backward(self, *arguments: object) -> list[dict[str, torch.Tensor]]:
            if self.runs[0].next == 16:
                raise KeyboardInterrupt
            return super().backward(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(drive_module, "Stack", Dying)
        with pytest.raises(KeyboardInterrupt):
            train_together(jobs(wanted, tmp_path / "together"))
    assert all(isinstance(one, dict) for one in train_together(jobs(wanted, tmp_path / "together", resume=True)))
    assert len(stacked) == 40 - 10
    for number, config in enumerate(wanted):
        train(config, tmp_path / "alone" / str(number))
        assert_same(tmp_path / "alone" / str(number), tmp_path / "together" / str(number))


def test_runs_that_stop_early_leave_the_stack(configs: Configs, stacked: list[int], tmp_path: Path) -> None:
    wanted = configs("bc", "policy_training.updates=60", "policy_training.select=best", count=2)
    policy_training = replace(wanted[0].policy_training, early_stopping=1, learning_rate=0.0)
    wanted[0] = replace(wanted[0], policy_training=policy_training)
    train_together(jobs(wanted, tmp_path / "together"))
    assert stacked == [2] * 20
    for number, config in enumerate(wanted):
        train(config, tmp_path / "alone" / str(number))
        assert_same(tmp_path / "alone" / str(number), tmp_path / "together" / str(number))


@pytest.mark.parametrize("change", [{"hidden": (8,)}, {"squash": False}])
def test_what_cannot_be_stacked_is_trained_one_by_one(
    configs: Configs, stacked: list[int], tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    wanted = configs("bc", count=2)
    wanted[1] = replace(wanted[1], policy=replace(wanted[1].policy, **change))
    train_together(jobs(wanted, tmp_path / "together"))
    assert stacked == [] and "so one by one: their configurations differ" in caplog.text
    for number, config in enumerate(wanted):
        train(config, tmp_path / "alone" / str(number))
        assert_same(tmp_path / "alone" / str(number), tmp_path / "together" / str(number))


def test_a_stack_that_fails_and_one_whose_data_fails(
    configs: Configs, stacked: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    wanted = configs("bc", count=3)
    sample, calls = Transitions.sample, 0

    def unreadable(transitions: Transitions, batch_size: int) -> Batch:
        nonlocal calls
        calls += 1
        if calls == 5:  # the second run's second update
            raise OSError("chunk cannot be read")
        return sample(transitions, batch_size)

    class Full(Stack):
        def backward(self, *arguments: object) -> list[dict[str, torch.Tensor]]:
            if self.runs[0].next == 7:
                raise torch.OutOfMemoryError("out of memory\nand more")
            return super().backward(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Transitions, "sample", unreadable)
        patch.setattr(drive_module, "Stack", Full)
        first, second, third = train_together(jobs(wanted, tmp_path / "together"))
    assert isinstance(first, dict) and isinstance(second, OSError) and isinstance(third, dict)
    assert "chunk cannot be read" in caplog.text and "so one by one: out of memory\n" in caplog.text
    assert second.__traceback__ is None


def test_dropout_and_sampled_latent_actions_differ_between_the_runs(
    configs: Configs, stacked: list[int], tmp_path: Path
) -> None:
    one = configs("clam", *TRANSFORMER, "lam.transformer.dropout=0.5", "lam.latent.kind=gaussian", count=1)[0]
    results = train_together(jobs([one, one], tmp_path))
    assert all(isinstance(result, dict) for result in results) and stacked == [2] * 40
    train_together(jobs([one, one], tmp_path / "again"))
    assert_same(tmp_path / "1", tmp_path / "again" / "1")
    first, second = (load_file(tmp_path / name / "bundle/weights.safetensors") for name in "01")
    assert any(not torch.allclose(first[name], second[name], atol=1e-3) for name in first)
