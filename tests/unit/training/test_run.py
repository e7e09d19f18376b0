"""Run folders: resume, refusals, checkpoints of another version, hostile files."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
import zarr
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clam_core.cli import main
from clam_core.data.select import Selection, select
from clam_core.data.store import EpisodeStore
from clam_core.deploy.device import computes_bf16
from clam_core.errors import ClamError
from clam_core.methods.base import Method
from clam_core.methods.stage import Losses
from clam_core.models.actor import Actor, ActorConfig
from clam_core.models.config import PolicyConfig
from clam_core.plain import to_plain
from clam_core.training.config import Config
from clam_core.training.load_config import load_config
from clam_core.training.metrics import read_metrics
from clam_core.training.optimization import MovingAverage, clip_gradients
from clam_core.training.run import open_data, train
from clam_core.training.sampler import Sampler
from clam_core.training.stage_run import StageRun
from clam_core.training.transitions import RawEpisodes, Span, Transitions


@pytest.fixture
def config(make_dataset: Callable[..., Path]) -> Config:
    overrides = [
        "lam.hidden=[16]", "grounding.decoder.hidden=[8]", "policy.hidden=[16]", "policy.embedding_dim=8",
        "grounding.state_noise=0.1", "device=cpu", "lam_training.ema=0.9",
        "lam_training.updates=60", "policy_training.updates=60", "lam_training.schedule=one_cycle",
        "log_every=10", "evaluate_every=20", "checkpoint_every=20",
        f"data.unlabeled={make_dataset('mixed', 'mixed', 12)}", f"data.labeled={make_dataset('play', 'play', 12)}",
        f"data.expert={make_dataset('expert', 'expert', 12)}",
    ]  # fmt: skip
    return load_config("clam", overrides=overrides)


def same_weights(first: Path, second: Path) -> bool:
    """Whether two runs ended with the same weights and moving averages, bit for bit."""
    for file in ("bundle/weights.safetensors", "checkpoints/01-000000060/weights.safetensors"):
        one, other = load_file(first / file), load_file(second / file)
        assert one.keys() == other.keys()
        if not all(torch.equal(one[name], other[name]) for name in one):
            return False
    return True


@pytest.mark.parametrize("killed_at", [33, 60, 85])
def test_a_resumed_run_ends_with_the_same_weights(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    train(config, tmp_path / "whole")
    update, count = StageRun.update, 0

    def dying(run: StageRun, number: int) -> Losses:
        nonlocal count
        count += 1
        if count > killed_at:
            raise KeyboardInterrupt
        return update(run, number)

    monkeypatch.setattr(StageRun, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "killed")
    monkeypatch.setattr(StageRun, "update", update)
    torch.manual_seed(123)  # whatever state the new process starts from
    train(config, tmp_path / "killed", resume=True)

    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    positions = [[(line["stage"], line["update"]) for line in read_metrics(tmp_path / r)] for r in ("whole", "killed")]
    assert positions[0] == positions[1]


@pytest.mark.parametrize(("seconds", "kept"), [(1e-6, 30), (3600.0, 20), (0.0, 20)])
def test_slow_updates_are_checkpointed_by_the_clock(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, kept: int
) -> None:
    update = StageRun.update

    def dying(run: StageRun, number: int) -> Losses:
        if number > 35:
            raise KeyboardInterrupt
        return update(run, number)

    monkeypatch.setattr(StageRun, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(replace(config, checkpoint_seconds=seconds), tmp_path / "run")
    assert [path.name for path in sorted((tmp_path / "run/checkpoints").glob("[0-9]*"))] == [f"00-{kept:09d}"]


SLOW_CLOCK = """
import itertools, os, sys, time, types
from clam_core.cli import main
from clam_core.data.select import Selection, select
from clam_core.data.store import EpisodeStore
from clam_core.training import stage_run

if os.environ["RANK"] == "1":  # by its clock no checkpoint is ever due
    ticks = itertools.count()
    stage_run.time = types.SimpleNamespace(monotonic=lambda: next(ticks) * 1e-12, time=time.time)
sys.exit(main(sys.argv[1:]))
"""


def test_one_clock_says_when_all_processes_checkpoint(config: Config, tmp_path: Path) -> None:
    config = replace(config, checkpoint_every=10**6, checkpoint_seconds=1e-6)
    (tmp_path / "train.py").write_text(SLOW_CLOCK)
    command = clam_train(config, tmp_path / "run", "--until", "lam", processes=2)
    command[command.index("-m", 2) : command.index("train")] = [str(tmp_path / "train.py")]
    assert subprocess.run(command, env=ONE_THREAD, timeout=300).returncode == 0


def test_no_checkpoint_of_the_past_is_asked_for() -> None:
    for text in ("-1", "nan"):
        with pytest.raises(ClamError, match="checkpoint_seconds must be at least 0, got"):
            load_config("clam", overrides=[f"checkpoint_seconds={text}"])


def clam_train(config: Config, run: Path, *extra: str, processes: int = 1) -> list[str]:
    """The command line of a training with this configuration."""
    file = run.with_suffix(".yaml")
    if not file.exists():
        file.write_text(yaml.safe_dump(to_plain(config)))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] * (processes > 1)
    return [sys.executable, *torchrun, "-m", "clam_core", "train", config.method, "--config", str(file),
            "--out", str(run), *extra]  # fmt: skip


ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def test_a_run_killed_at_any_moment_ends_with_the_same_weights(config: Config, tmp_path: Path) -> None:
    # Killed as the operating system kills, in updates, evaluations and checkpoints, wherever the moment falls.
    config = replace(config, checkpoint_every=5, checkpoint_seconds=1e-6, log_every=3)
    run, kills = tmp_path / "killed", 0
    while not (run / "result.json").exists() or kills < 3:
        if (run / "result.json").exists():  # it was too quick to be killed: this machine stood still
            shutil.rmtree(run)
            kills = 0
        resume = ["--resume"] * (run / "config.yaml").exists()
        if run.exists() and not resume:
            shutil.rmtree(run)  # killed before there was anything to resume
        process = subprocess.Popen(clam_train(config, run, *resume), env=ONE_THREAD, stderr=subprocess.DEVNULL)
        lines, aim = _count_lines(run), 2 + kills
        while process.poll() is None and (kills >= 6 or _count_lines(run) < lines + aim):
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        assert process.wait() in (0, -signal.SIGKILL)
    assert subprocess.run(clam_train(config, tmp_path / "whole"), env=ONE_THREAD).returncode == 0
    assert same_weights(tmp_path / "whole", run)


def _count_lines(run: Path) -> int:
    path = run / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_two_processes_follow_the_loss_curve_of_one(config: Config, tmp_path: Path) -> None:
    # Without noise: every process draws its own.
    config = replace(config, grounding=replace(config.grounding, state_noise=0.0))
    for name, processes in (("one", 1), ("two", 2)):
        command = clam_train(config, tmp_path / name, processes=processes)
        assert subprocess.run(command, env=ONE_THREAD).returncode == 0
    one, two = (
        {(line["stage"], line["update"], key): line[key] for line in read_metrics(tmp_path / run)
         for key in line if key in ("loss", "action", "held_out_loss", "grounding/error")}
        for run in ("one", "two")
    )  # fmt: skip
    assert one.keys() == two.keys() and len(one) > 20
    assert [two[key] for key in one] == pytest.approx(list(one.values()), rel=1e-3, abs=1e-5)
    result = json.loads((tmp_path / "two/result.json").read_text())
    assert result["processes"] == 2
    assert len((tmp_path / "two/metrics.jsonl").read_text().splitlines()) == len(read_metrics(tmp_path / "one"))


DISAGREEING = """
import itertools, os, sys
from clam_core.cli import main
from clam_core.data.select import Selection, select
from clam_core.data.store import EpisodeStore
from clam_core.training.stage_run import StageRun

errors = itertools.chain([3.0, 2.0, 1.0] if os.environ["RANK"] == "0" else [], itertools.repeat(9.0))
StageRun._measured = lambda run: {"held_out_loss": next(errors)}
sys.exit(main(sys.argv[1:]))
"""


def test_processes_whose_held_out_errors_differ_stop_early_together(config: Config, tmp_path: Path) -> None:
    options = replace(config.policy_training, updates=200, early_stopping=2)
    config = replace(config, method="bc", evaluate_every=10, policy_training=options)
    (tmp_path / "train.py").write_text(DISAGREEING)
    command = clam_train(config, tmp_path / "run", processes=2)
    command[command.index("-m", 2) : command.index("train")] = [str(tmp_path / "train.py")]
    assert subprocess.run(command, env=ONE_THREAD, timeout=300).returncode == 0
    assert read_metrics(tmp_path / "run")[-1]["update"] == 50  # two evaluations after the first process's best


def test_training_can_stop_after_a_stage_and_go_on(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", until="lam")
    assert not (tmp_path / "parts/bundle").exists()
    train(config, tmp_path / "parts", resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def test_an_unknown_stage_to_stop_at_is_named(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="no stage 'lamm': did you mean 'lam'"):
        train(config, tmp_path / "run", until="lamm")


def test_early_stopping_keeps_the_best_weights(config: Config, tmp_path: Path) -> None:
    # A learning rate that soon makes things worse.
    options = replace(config.lam_training, learning_rate=1.0, clip_grad_norm=1e9, early_stopping=1, select="best",
                      updates=400, ema=0.0, schedule="constant")  # fmt: skip
    config = replace(config, lam_training=options, evaluate_every=2, log_every=2)
    metrics = train(config, tmp_path / "run", until="lam")
    errors = [line["grounding/error"] for line in read_metrics(tmp_path / "run") if "grounding/error" in line]
    assert len(errors) < 200
    assert errors[-1] >= min(errors)
    assert metrics["lam/grounding/error"] == pytest.approx(min(errors))
    position = json.loads((tmp_path / "run/checkpoints/best-00/checkpoint.json").read_text())
    assert position["update"] == 2 * (1 + errors.index(min(errors)))


def test_the_moving_average_is_what_is_kept(config: Config, tmp_path: Path) -> None:
    modules = [torch.nn.Linear(2, 1, bias=False)]
    average = MovingAverage(modules, 0.5)
    for value in (1.0, 3.0, 5.0):
        torch.nn.init.constant_(modules[0].weight, value)
        average.update()
    with average.applied():
        assert modules[0].weight.tolist() == [[3.5, 3.5]]  # the first update sets the average
    assert modules[0].weight.tolist() == [[5.0, 5.0]]
    average.adopt()
    assert modules[0].weight.tolist() == [[3.5, 3.5]]


@pytest.mark.parametrize("native", [True, False])
def test_bf16_trains_in_it_where_the_device_has_it(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr("clam_core.training.stage_run.computes_bf16", lambda device: native)
    metrics = train(replace(config, bf16=True), tmp_path / "run", until="lam")
    exact = train(config, tmp_path / "exact", until="lam")
    assert metrics["lam/grounding/error"] == pytest.approx(exact["lam/grounding/error"], rel=0.05)
    assert (metrics == exact) is not native


def test_bf16_is_for_processors_with_its_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for found, expected in (({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"bf16": True}, True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert computes_bf16(cpu) is expected
    assert not computes_bf16(torch.device("mps"))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_networks_train_as_the_others_do(config: Config, tmp_path: Path) -> None:
    compiled = train(replace(config, compile=True), tmp_path / "compiled", until="lam")
    plain = train(config, tmp_path / "plain", until="lam")
    assert compiled["lam/grounding/error"] == pytest.approx(plain["lam/grounding/error"], rel=1e-3)


def test_rollouts_during_training_are_logged(tmp_path: Path) -> None:
    arguments = ["gym", "Pendulum-v1", "--kind", "play", "--episodes", "2", "--workers", "1"]
    assert main(["generate", *arguments, "--out", str(tmp_path / "play")]) == 0
    overrides = [f"data.labeled={tmp_path / 'play'}", "policy.hidden=[8]", "policy_training.updates=4", "device=cpu",
                 "evaluate_every=2", "rollouts.every=3", "rollouts.episodes=1"]  # fmt: skip
    train(load_config("bc", overrides=overrides), tmp_path / "run")
    rolled = [line for line in read_metrics(tmp_path / "run") if "rollout/return" in line]
    assert [line["update"] for line in rolled] == [3, 4]
    assert all(line["rollout/return"] < 0 for line in rolled)


def test_every_run_is_one_of_its_own_at_weights_and_biases(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def init(**arguments: str) -> types.SimpleNamespace:
        names.append(arguments["id"])
        nothing = lambda *_, **__: None  # noqa: E731
        return types.SimpleNamespace(log=nothing, finish=nothing, define_metric=nothing)

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    config = replace(config, wandb="clam")
    train(config, tmp_path / "run", until="lam")
    train(config, tmp_path / "run", resume=True)
    shutil.rmtree(tmp_path / "run")
    train(config, tmp_path / "run", until="lam")
    assert names[0] == names[1] != names[2]


def test_weights_and_biases_get_what_the_metrics_file_gets(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in with the calls that we make: the service itself cannot be asked here.
    logged: list[dict[str, float]] = []
    run = types.SimpleNamespace(
        log=logged.append,
        finish=lambda exit_code: logged.append({"exit": exit_code}),
        define_metric=lambda *_, **__: None,
    )
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **_: run))
    train(replace(config, wandb="clam"), tmp_path / "run")
    assert logged[-1] == {"exit": 0}
    assert len(logged) - 1 == len(read_metrics(tmp_path / "run"))
    assert "lam/reconstruction" in logged[0] and logged[0]["lam/update"] == 10


def test_weights_and_biases_missing_is_one_clear_line(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ClamError, match="wandb is not installed; pip install wandb"):
        train(replace(config, wandb="clam"), tmp_path / "run")


def test_an_existing_run_is_not_overwritten(config: Config, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/precious").touch()
    with pytest.raises(ClamError, match="exists and holds no run to go on with; choose another --out"):
        train(config, tmp_path / "run")
    assert (tmp_path / "run/precious").exists()


def test_nothing_to_resume_is_said(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="nothing to resume"):
        train(config, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_tells_of_its_earlier_stages_too(config: Config, tmp_path: Path) -> None:
    whole = train(config, tmp_path / "whole")
    train(config, tmp_path / "run", until="lam")
    assert train(config, tmp_path / "run", resume=True) == pytest.approx(whole)
    seconds = json.loads((tmp_path / "run/result.json").read_text())["seconds"]
    train(config, tmp_path / "run", resume=True)
    assert json.loads((tmp_path / "run/result.json").read_text())["seconds"] >= seconds


def test_tensorboard_shows_a_resumed_run_once(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run", until="lam")
    train(config, tmp_path / "run", resume=True)
    (file,) = (tmp_path / "run/tensorboard").iterdir()
    board = EventAccumulator(str(file))
    board.Reload()
    assert [event.step for event in board.Scalars("lam/reconstruction")] == [10, 20, 30, 40, 50, 60]


def test_a_run_is_resumed_with_its_own_numbers_or_not_at_all(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(config, run, until="lam")
    resume = ["train", "clam", "--out", str(run), "--resume"]
    assert main([*resume, "policy_training.updates=500", "data.labeled=elsewhere"]) == 1
    error = capsys.readouterr().err
    assert "policy_training.updates is 60, not 500" in error and "data.labeled is" in error
    assert main([*resume, "--preset", "recommended/state"]) == 1
    assert main([*resume, "policy_training.updates=60", "--until", "lam"]) == 0


def test_a_stage_that_this_training_does_not_have_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="has no stage 'decoder'"):
        train(config, tmp_path / "run", until="decoder")
    assert not (tmp_path / "run").exists()


def test_missing_weights_of_the_last_stage_are_missed_at_once(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    overrides = [f"data.labeled={make_dataset('play', 'play', 3, image_size=16)}", "features.cameras=[top]"]
    overrides += ["policy.architecture=action_token", "policy.action_token.resnet_weights=nowhere.pth", "device=cpu"]
    with pytest.raises(ClamError, match=r"no file 'nowhere.pth'"):
        train(load_config("bc", overrides=overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_episodes_longer_than_the_positions_are_refused_at_once(config: Config, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(to_plain(config)))
    overrides = ["lam.architecture=transformer", "lam.transformer.max_timesteps=5"]
    with pytest.raises(ClamError, match=r"raise lam.transformer.max_timesteps to \d+"):
        train(load_config("clam", None, tmp_path / "config.yaml", overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_action_that_never_moves_is_learned_around(config: Config, tmp_path: Path) -> None:
    actor = Actor(ActorConfig((0,), (-1,), False, 2, PolicyConfig()))
    actor.low.copy_(torch.tensor([-2.0, 0.3]))
    actor.high.copy_(torch.tensor([2.0, 0.3]))
    scaled = actor.scale(torch.tensor([[1.0, 0.3]]))
    assert scaled.tolist() == [[0.5, 0.0]]
    assert torch.allclose(actor.unscale(scaled), torch.tensor([[1.0, 0.3]]))


def test_held_out_errors_weigh_every_transition_alike(config: Config) -> None:
    states = [torch.arange(2001.0)[:, None]]
    transitions = Transitions(states[0], RawEpisodes(states, None), Span.of_policy(1), Sampler(0, torch.device("cpu")))
    method = types.SimpleNamespace(evaluation_batches=lambda held: held.batches(batch_size=1999))
    mean = Method.held_out_mean(method, lambda batch: batch.observation.state.mean(), transitions)  # type: ignore[arg-type]
    assert mean == pytest.approx(999.5)


def test_a_limit_of_zero_clips_nothing() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    for limit, expected in ((0.0, [3.0, 4.0]), (1.0, [0.6, 0.8])):
        parameter.grad = torch.tensor([3.0, 4.0])
        clip_gradients([parameter], limit)
        assert parameter.grad.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["log_every", "evaluate_every", "evaluate_transitions", "checkpoint_every"])
def test_an_interval_of_zero_is_refused(name: str) -> None:
    with pytest.raises(ClamError, match=f"{name} must be at least 1, got 0"):
        load_config("clam", overrides=[f"{name}=0"])


def test_a_run_with_nothing_to_judge_by_says_so(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(config, data=replace(config.data, held_out=0.0))
    config = replace(config, lam_training=replace(config.lam_training, early_stopping=1))
    train(config, tmp_path / "run", until="lam")
    assert [record.message for record in caplog.records].count(caplog.records[-1].message) == 1
    assert "stage lam: nothing is held out" in caplog.text


def test_a_run_is_not_resumed_as_another_method(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    with pytest.raises(ClamError, match="trains 'clam', not 'vpt'"):
        train(replace(config, method="vpt"), tmp_path / "run", resume=True)


def test_a_checkpoint_of_another_version_is_refused(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    header = next((tmp_path / "run/checkpoints").glob("01-*/checkpoint.json"))
    header.write_text(json.dumps(json.loads(header.read_text()) | {"format_version": 99}))
    with pytest.raises(ClamError, match="format version 99, this clam reads 2") as caught:
        train(config, tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)


def test_a_hostile_checkpoint_is_not_executed(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "run")
    marker = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (marker,))

    state = next((tmp_path / "run/checkpoints").glob("01-*/training_state.pt"))
    state.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ClamError, match="cannot be read"):
        train(config, tmp_path / "run", resume=True)
    assert not marker.exists()


@pytest.mark.parametrize("another", [("mixed", 10, 0), ("mixed", 12, 9)])
def test_a_run_goes_on_with_the_data_that_it_began_with(
    config: Config, tmp_path: Path, make_dataset: Callable[..., Path], another: tuple[str, int, int]
) -> None:
    train(config, tmp_path / "run", until="lam")
    before = {file: (tmp_path / "run" / file).read_text() for file in ("episodes.json", "data.json", "metrics.jsonl")}
    (tmp_path / "mixed").rename(tmp_path / "kept")
    kind, episodes, seed = another
    make_dataset("mixed", kind, episodes, seed=seed)
    told = "12 episodes then, 10 now" if episodes != 12 else "other states"
    with pytest.raises(ClamError, match=rf"data.unlabeled .*mixed.* is not what '.*' began with \({told}\)"):
        train(config, tmp_path / "run", resume=True)
    assert {file: (tmp_path / "run" / file).read_text() for file in before} == before
    shutil.rmtree(tmp_path / "mixed")
    (tmp_path / "kept").rename(tmp_path / "mixed")
    train(config, tmp_path / "run", resume=True)
    train(config, tmp_path / "whole")
    assert same_weights(tmp_path / "run", tmp_path / "whole")


def test_a_role_that_the_method_does_not_use_is_told(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    open_data(("labeled",), replace(config, method="bc"), torch.device("cpu"))
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"data.{role} is not used: 'bc' learns from labeled" for role in ("expert", "unlabeled")]


def test_numbers_that_are_not_finite_are_named(config: Config, tmp_path: Path) -> None:
    states = zarr.open(str(tmp_path / "play"), mode="r+")["data/state"]
    values = states[:]
    values[int(EpisodeStore.open(tmp_path / "play").episode_ends[1]) + 1, 1] = float("nan")
    states[:] = values
    name = EpisodeStore.open(tmp_path / "play").info.spec.observation.names[1]
    with pytest.raises(ClamError, match=f"play': state '{name}' of episode 2 is not finite; .*clam select"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ClamError, match=r"episode 2 of '.*play' is not sound .*--episodes"):
        select([tmp_path / "play"], tmp_path / "picked", Selection())
    assert select([tmp_path / "play"], tmp_path / "sound", Selection(episodes=slice(3, None))).num_episodes == 9
