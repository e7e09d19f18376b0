"""Ways of executing chunks: what they do with known chunks, and what is measured of them on a toy."""

from __future__ import annotations

import dataclasses
import importlib
import json
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch

from clam_core.bench.execution import Options
from clam_core.bench.execution.moved import MovedBlock, departure
from clam_core.bench.execution.setup import DISTANCE, along_the_counter, kitchen_arm
from clam_core.bench.execution.smoothness import mean_squared_jerk
from clam_core.bench.execution.trial import Arm, Move, run_trial
from clam_core.bench.execution.ways import ways_of
from clam_core.bench.lock import locked
from clam_core.bench.tables.recipe import TUNING
from clam_core.cli import main
from clam_core.deploy.bundle import save_bundle
from clam_core.deploy.policy import Policy
from clam_core.envs.base import Step
from clam_core.envs.kitchen_spec import STATE_NAMES, kitchen_spec
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.models.actor import Actor, ActorConfig
from clam_core.models.config import PolicyConfig
from clam_core.spec import ActionSpec, EnvironmentSpec, Observation, ObservationSpec

RATE, STEPS, CHUNK = 5.0, 20, 5
SPEC = EnvironmentSpec(
    "toy",
    "follow",
    ObservationSpec(("x", "block"), ("m", "m")),
    ActionSpec(("x",), ("rad",), (-100.0,), (100.0,)),
    RATE,
    STEPS,
)
ARM = Arm([0], [0], lambda joints: np.array([joints[0], 0.0, 0.0]))


class Toy:
    """An arm at `x` that is at once where it is sent, and a block; where the block was put is written down."""

    spec = SPEC

    def __init__(self, *, blocked: bool = False) -> None:
        self.blocked = blocked
        self.moves: list[tuple[int, float]] = []

    def reset(self, seed: int) -> Observation:
        self.x, self.block, self.steps = 0.0, float(seed), 0
        return self.observe()

    def step(self, action: np.ndarray) -> Step:
        self.x, self.steps = float(action[0]), self.steps + 1
        on_block = self.x == self.block
        return Step(self.observe(), float(on_block), on_block, self.steps >= STEPS)

    def move_block(self, offset: np.ndarray) -> Observation:
        if self.blocked:
            raise ClamError("the arm is there")
        self.block += float(offset[0])
        self.moves.append((self.steps, float(offset[0])))
        return self.observe()

    def observe(self) -> Observation:
        return {"state": np.array([self.x, self.block])}

    def render(self, height: int = 0, width: int = 0, camera: str | None = None) -> np.ndarray:
        return np.zeros((height, width, 3), dtype=np.uint8)

    def close(self) -> None: ...


class Follows(Policy):
    """A policy whose chunk is K times where it sees the block; the steps at which it was asked are written down."""

    def __init__(self) -> None:
        config = PolicyConfig(encoder="none", hidden=(4,), chunk=CHUNK)
        super().__init__(Actor(ActorConfig((0,), (-1,), False, 1, config)), SPEC, torch.device("cpu"), 0.5, {})
        self.asked: list[int] = []

    def predict_chunk(self, observation: Observation) -> np.ndarray:
        self.asked.append(self._step)
        return np.full((CHUNK, 1), observation["state"][1])


class Counts(Follows):
    """Its chunk of step s is 100·s + 0, 1, 2, …: an action says which chunk it is of, and its place there."""

    def predict_chunk(self, observation: Observation) -> np.ndarray:
        return 100.0 * self._step + np.arange(CHUNK)[:, None]


def actions(policy: Policy, steps: int = 10) -> list[float]:
    policy.reset()
    return [float(policy.act({"state": np.zeros(2)})[0]) for _ in range(steps)]


def test_receding_horizon_takes_k_actions_of_a_chunk_and_then_the_next_chunk() -> None:
    policy = Counts()
    policy.execute(None, 5)
    assert actions(policy) == [0, 1, 2, 3, 4, 500, 501, 502, 503, 504]
    policy.execute(None, 3)
    assert actions(policy) == [0, 1, 2, 300, 301, 302, 600, 601, 602, 900]


def test_without_chunking_every_action_is_the_first_of_a_chunk_of_its_own() -> None:
    policy = Counts()
    policy.execute(None, 1)
    assert actions(policy, 4) == [0, 100, 200, 300]


def test_ensembling_averages_all_chunks_that_foretold_a_step() -> None:
    policy = Counts()
    policy.execute(0.0)
    assert actions(policy, 3) == pytest.approx([0, (1 + 100) / 2, (2 + 101 + 200) / 3])
    policy.execute(0.5)
    assert actions(policy, 2)[1] == pytest.approx((1 + np.exp(-0.5) * 100) / (1 + np.exp(-0.5)))


def test_a_horizon_beyond_the_chunk_is_refused_and_a_shorter_chunk_shortens_it() -> None:
    policy = Counts()
    with pytest.raises(ClamError, match="6 actions of a chunk asked for, it has 5: choose from 1 to 5"):
        policy.execute(None, 6)
    policy.execute(None, 5)
    policy.shorten_chunk(2)
    policy.predict_chunk = lambda observation: 100.0 * policy._step + np.arange(2)[:, None]  # type: ignore[method-assign]
    assert actions(policy, 4) == [0, 1, 200, 201]


def test_steps_between_chunks_are_seen_by_the_next_chunk() -> None:
    """The policy looks at x_t − x_{t−1}: also with a chunk at every third step, x_{t−1} is one step old."""
    torch.manual_seed(0)
    config = PolicyConfig(encoder="none", hidden=(4,), chunk=3)
    actor = Actor(ActorConfig((0,), (0,), True, 1, config))
    every, third = (Policy(actor, SPEC, torch.device("cpu"), None, {}) for _ in range(2))
    third.execute(None, 3)
    states = [{"state": np.array([x, 0.0])} for x in (0.0, 3.0, -2.0, 1.0)]
    one, other = ([policy.act(state) for state in states] for policy in (every, third))
    assert one[3] == other[3] and one[0] == other[0]
    assert one[2] != other[2]


def test_jerk_of_a_cubic_is_known_and_of_a_parabola_nothing() -> None:
    time = np.arange(12) / RATE
    cubic, parabola = 2.0 * time**3, 4.0 * time**2  # third derivatives 12 and 0 rad/s³
    assert mean_squared_jerk(np.stack([cubic], 1), RATE) == pytest.approx(144.0)
    assert mean_squared_jerk(np.stack([cubic, parabola], 1), RATE) == pytest.approx(72.0)
    assert mean_squared_jerk(np.stack([parabola], 1), RATE) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="3 positions"):
        mean_squared_jerk(np.zeros((3, 1)), RATE)


@pytest.mark.parametrize("step", [1, 7])
def test_the_observation_of_the_step_asked_for_is_the_first_to_show_the_move(step: int) -> None:
    toy = Toy()
    env = MovedBlock(toy, step, lambda observation: np.array([0.5 if observation["state"][1] == 3.0 else 9.0, 0.0]))
    blocks = [env.reset(3)["state"][1]]
    blocks += [env.step(np.zeros(1)).observation["state"][1] for _ in range(STEPS)]
    assert toy.moves == [(step, 0.5)]
    assert blocks == [3.0] * step + [3.5] * (STEPS + 1 - step)
    assert env.reset(4)["state"][1] == 4.0 and env.offset is None


def follow(infer_every: int, step: int, m: float | None = None, **toy: bool) -> object:
    policy = Follows()
    policy.execute(m, infer_every)
    move = Move(step, lambda observation: np.array([0.06, 0.0]))
    return run_trial("way", 1, Toy(**toy), policy, ARM, move).reaction


@pytest.mark.parametrize(("infer_every", "step", "late"), [(1, 7, 0), (5, 5, 0), (5, 6, 4), (5, 8, 2), (3, 7, 2)])
def test_reaction_is_the_time_until_the_next_chunk(infer_every: int, step: int, late: int) -> None:
    reaction = follow(infer_every, step)
    assert reaction.seconds == pytest.approx(late / RATE)
    assert reaction.towards and reaction.recovered and reaction.step == step


def test_ensembling_reacts_when_enough_of_the_mean_is_new() -> None:
    """6 cm, of which 1 cm must be reached: the new chunks' share of the weights exceeds 1/6 at the third one."""
    weights = np.exp(-0.5 * np.arange(CHUNK))
    shares = [weights[CHUNK - n :].sum() / weights.sum() for n in range(1, CHUNK)]
    assert shares[1] < 1 / 6 < shares[2]
    assert follow(1, 8, 0.5).seconds == pytest.approx(2 / RATE)
    assert follow(1, 8, -0.5).seconds == 0.0


def test_who_does_not_look_never_reacts() -> None:
    policy = Counts()
    trial = run_trial("way", 1, Toy(), policy, ARM, Move(4, lambda observation: np.array([0.06, 0.0])))
    assert trial.reaction is not None
    assert (trial.reaction.seconds, trial.reaction.towards, trial.reaction.refusal) == (None, False, None)
    assert not trial.success and not trial.reaction.recovered


def test_a_block_that_cannot_be_moved_is_said_and_not_counted_as_no_reaction() -> None:
    assert follow(1, 4, blocked=True).refusal == "the arm is there"


def test_rollouts_that_do_not_repeat_themselves_are_an_error() -> None:
    policy = Follows()
    noise = np.random.default_rng(0)
    policy.predict_chunk = lambda observation: noise.normal(size=(CHUNK, 1))  # type: ignore[method-assign]
    with pytest.raises(ClamError, match="differ before anything was moved"):
        run_trial("way", 1, Toy(), policy, ARM, Move(4, lambda observation: np.array([0.06, 0.0])))


def test_a_trial_knows_success_score_and_jerk_of_commands_and_of_what_was_measured() -> None:
    """The block is at 8: commanded 8 throughout, measured 0 and then 8."""
    trial = run_trial("way", 8, Toy(), Follows(), ARM, None)
    assert (trial.success, trial.score, trial.commanded_jerk, trial.reaction) == (True, 1.0, 0.0, None)
    differences = np.diff([0.0] + [8.0] * (STEPS - 1), 3)
    assert trial.measured_jerk == pytest.approx(np.mean((differences * RATE**3) ** 2))


def test_departure_counts_from_the_move_on() -> None:
    still = np.zeros((6, 3))
    moving = still.copy()
    moving[2, 1], moving[4, 1] = 0.5, -0.02
    assert departure(moving, still, 3, 0.01) == 4
    assert departure(moving, still, 5, 0.01) is None
    assert departure(moving[:5], still, 3, 0.02) is None


def test_ways_are_named_once_and_impossible_ones_are_refused() -> None:
    ways = ways_of(5, (0.5, 0.0), None)
    assert [way.name for way in ways] == ["ensembling-0.5", "ensembling-0", "horizon-5", "horizon-3", "no-chunking"]
    assert [(way.ensembling_m, way.infer_every) for way in ways[2:]] == [(None, 5), (None, 3), (None, 1)]
    for arguments, message in (
        ((1, (0.5,), None), "one action"),
        ((5, (0.5,), (6,)), "choose 2 to 5"),
        ((5, (0.5, 0.5), None), "twice"),
    ):
        with pytest.raises(ClamError, match=message):
            ways_of(*arguments)


def test_the_kitchens_block_goes_where_asked_and_only_where_nothing_is() -> None:
    from clam_core.envs.kitchen import Kitchen

    env, names = Kitchen("reach-block"), list(STATE_NAMES)
    before = env.reset(5)["state"]
    offset = along_the_counter(env.spec, {"state": before})
    after = env.move_block(offset)["state"]
    place, velocities = names.index("block_x"), slice(7, 14)
    np.testing.assert_allclose(after[place : place + 3] - before[place : place + 3], [*offset, 0.0], atol=1e-12)
    assert abs(offset[1]) == DISTANCE and (after[velocities] == before[velocities]).all()
    rest = [i for i in range(len(names)) if not place <= i < place + 3]
    np.testing.assert_allclose(after[rest], before[rest], atol=1e-12)
    later = env.step(before[:7]).observation["state"]
    np.testing.assert_allclose(later[place : place + 3], after[place : place + 3], atol=2e-3)  # it stays there
    with pytest.raises(ClamError, match="something is where the block shall be put"):
        env.move_block(np.array([0.05, 0.0]))
    np.testing.assert_array_equal(env._observation()["state"][place : place + 3], later[place : place + 3])


def test_the_arm_puts_the_end_effector_where_the_kitchen_says() -> None:
    from clam_core.envs.kitchen import Kitchen

    env = Kitchen("reach-block")
    state = env.reset(5)["state"]
    arm = kitchen_arm(env.spec)
    place = STATE_NAMES.index("end_effector_x")
    np.testing.assert_allclose(arm.place(state[arm.measured]), state[place : place + 3], atol=1e-9)


def test_choices_are_made_on_layouts_that_no_table_is_evaluated_on() -> None:
    assert Options(Path("bundle"), "cpu").seed == TUNING.layouts < EVALUATION_SEED


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Commands that depend on where the block is, in short episodes of the kitchen."""
    torch.manual_seed(0)
    spec = kitchen_spec("reach-block", max_steps=12)
    names = spec.observation.names
    select = (names.index("block_y"), names.index("waist"))
    actor = Actor(ActorConfig(select, (-1, -1), False, 7, PolicyConfig(encoder="none", hidden=(8,), chunk=3)))
    actor.low.copy_(torch.tensor(spec.action.low))
    actor.high.copy_(torch.tensor(spec.action.high))
    save_bundle(tmp_path / "run" / "bundle", actor, spec, 0.5, {"config": {"method": "bc"}})
    return tmp_path / "run" / "bundle"


def test_the_command_measures_and_goes_on_where_it_stopped(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "bench",
        "execution",
        "--bundle",
        str(bundle),
        "--ensembling",
        "0.5",
        "--device",
        "cpu",
        "--move-step",
        "2",
    ]
    folders = ["--folder", str(tmp_path / "bench"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*command, *folders, "--episodes", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [way["name"] for way in result["ways"]] == ["ensembling-0.5", "horizon-3", "horizon-2", "no-chunking"]
    assert len(result["trials"]) == 4 and all(trial["reaction"]["step"] == 2 for trial in result["trials"])
    assert all(way["moved"] == 1 and way["commanded_jerk"]["value"] >= 0 for way in result["ways"])
    page = (tmp_path / "out" / "execution.md").read_text()
    assert "no chunking" in page and "rad²/s⁶" in page and str(tmp_path) not in page
    assert (tmp_path / "out" / "execution.png").read_bytes().startswith(b"\x89PNG")
    (kept,) = (tmp_path / "bench" / "execution").glob("*/trials.jsonl")
    lines = kept.read_text().splitlines()
    changed = json.loads(lines[0]) | {"commanded_jerk": 12345.0}
    kept.write_text("\n".join([json.dumps(changed), *lines[1:-1], lines[-1][:20]]))  # killed while the last was written
    assert main([*command, *folders, "--episodes", "1", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert sum(trial["commanded_jerk"] == 12345.0 for trial in again["trials"]) == 1  # not done again
    for trial, first in zip(again["trials"], result["trials"], strict=True):  # and what was lost is as it was
        assert trial == first or trial["commanded_jerk"] == 12345.0


def test_a_second_process_waits_and_finds_what_the_first_has_done(
    bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one holds the file's lock, here a thread; what it writes meanwhile is neither lost nor done again."""
    command = ["bench", "execution", "--bundle", str(bundle), "--device", "cpu", "--move-step", "2", "--episodes", "1"]
    command += ["--ensembling", "0.5", "--horizons", "2", "--workers", "1", "--json"]
    command += ["--folder", str(tmp_path / "bench"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    (kept,) = (tmp_path / "bench" / "execution").glob("*/trials.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text(lines[0])
    capsys.readouterr()
    with ThreadPoolExecutor(1) as pool:
        with locked(kept):
            second = pool.submit(main, command)
            while not caplog.records and not second.done():
                wait([second], 0.05)
            kept.write_text("".join(json.dumps(json.loads(line) | {"score": 77.0}) + "\n" for line in lines))
        assert second.result(300.0) == 0
    assert [trial["score"] for trial in json.loads(capsys.readouterr().out)["trials"]] == [77.0] * len(lines)
    assert any("waiting until it is done" in record.getMessage() for record in caplog.records)


class Killed(ProcessPoolExecutor):
    """Its processes end at once."""

    def submit(self, *_: object) -> Future[None]:  # type: ignore[override]
        future: Future[None] = Future()
        future.set_exception(BrokenProcessPool("terminated abruptly"))
        return future


def test_a_killed_process_is_one_line(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module("clam_core.bench.execution.run")  # the package's `run` is the function
    monkeypatch.setattr(module, "process_pool", Killed)
    assert main(["bench", "execution", "--bundle", str(bundle), "--device", "cpu", "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip()
    assert "try fewer --workers" in error and "\n" not in error


def test_what_cannot_be_measured_is_one_line(
    bundle: Path, tmp_path: Path, point_spec: EnvironmentSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "execution"]) != 0
    assert "--bundle RUN/bundle" in capsys.readouterr().err
    actor = Actor(ActorConfig((0,), (-1,), False, 2, PolicyConfig(encoder="none", hidden=(4,), chunk=3)))
    save_bundle(tmp_path / "other", actor, dataclasses.replace(point_spec), 0.5, {})
    assert main(["bench", "execution", "--bundle", str(tmp_path / "other")]) != 0
    assert "use a kitchen's bundle" in capsys.readouterr().err
    assert main(["bench", "execution", "--bundle", str(bundle), "--move-step", "11"]) != 0
    assert "choose 1 to 9" in capsys.readouterr().err
