"""Running cells for real, small: what is left behind, going on after an interruption, one failure among many."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clam_core.bench.tables import Pool
from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.pool import make_datasets, run_cells, stacks
from clam_core.bench.tables.rows import STATE_ROWS, roles_of
from clam_core.bench.tables.run_cell import Outcome, load_outcome, run_cell, run_stack, shared_lam
from clam_core.bench.tables.sources import Source
from clam_core.cores import usable_cores
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.training import run as run_module
from clam_core.training.metrics import read_metrics


def small_cell(slug: str, seed: int = 0) -> Cell:
    """A cell of a few episodes and updates on Meta-World."""

    def source(kind: str, first: int) -> Source:
        return Source("metaworld", "reach", kind, 3, first)

    row = STATE_ROWS[slug]
    data = roles_of(row, (source("mixed", 300_000),), (source("play", 310_000),), (source("expert", 320_000),))
    config = row.config("recommended", seed, 0.001, ("device=cpu", "data.held_out=0.34", "evaluate_transitions=50"))
    return Cell("recommended", slug, "metaworld", "reach", seed, config, data, 2, EVALUATION_SEED, 0.001)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the datasets of all small cells."""
    folder = tmp_path_factory.mktemp("bench")
    make_datasets([small_cell("mlp-clam"), small_cell("bc-expert")], folder, workers=1)
    return folder


def test_datasets_are_made_once_and_go_on_where_a_call_was_interrupted(root: Path, tmp_path: Path) -> None:
    source = Source("metaworld", "reach", "mixed", 3, 300_000)
    assert source.make(root, workers=1) == 0.0
    shorter = replace(source, episodes=2)
    shorter.make(tmp_path, workers=1)
    shutil.move(shorter.folder(tmp_path), source.folder(tmp_path))  # as if killed after two of three episodes
    assert source.make(tmp_path, workers=1) > 0.0
    whole, resumed = (EpisodeStore.open(source.folder(folder)) for folder in (root, tmp_path))
    assert (whole.episode(2).actions == resumed.episode(2).actions).all()
    logged = [json.loads(line) for line in (root / "data" / "seconds.jsonl").read_text().splitlines()]
    assert len(logged) == 3 and all(line["seconds"] > 0 for line in logged)


def test_a_cell_leaves_a_run_that_opens_its_rollouts_and_the_quality_of_its_labels(root: Path) -> None:
    cell = small_cell("mlp-clam")
    outcome = run_cell(cell, root)
    folder = cell.folder(root)
    assert (folder / "train" / "bundle" / "bundle.json").is_file()
    assert json.loads((folder / "cell.json").read_text()) == cell.to_json()
    rollouts = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    assert [r["seed"] for r in rollouts] == [EVALUATION_SEED, EVALUATION_SEED + 1]
    assert outcome.successes == [r["success"] for r in rollouts]
    assert outcome.label_quality["grounding/r2"] <= 1.0
    assert outcome.metrics["reconstruction/trivial"] > 0.0 and outcome.metrics["grounding/error"] > 0.0
    assert outcome.train_seconds > 0.0 and not outcome.resumed
    assert load_outcome(cell, root) == outcome == run_cell(cell, root)


def test_a_cell_is_found_again_after_the_configuration_got_new_keys(tmp_path: Path) -> None:
    cell = small_cell("mlp-clam")
    old = cell.folder(tmp_path).with_name("mlp-clam-3-labels-seed0-01234567")
    old.mkdir(parents=True)
    stored = json.loads(json.dumps(cell.to_json()))
    del stored["config"]["policy"]["squash"], stored["data"][0][1][0]["parts"]  # as if they were added later
    (old / "cell.json").write_text(json.dumps(stored))
    assert cell.folder(tmp_path) == old
    other = replace(cell, config=replace(cell.config, policy=replace(cell.config.policy, squash=False)))
    assert other.folder(tmp_path) != old
    (old / "cell.json").write_text(json.dumps(stored | {"config": stored["config"] | {"gone": 1}}))
    assert cell.folder(tmp_path) != old


def test_an_evaluation_goes_on_after_a_torn_line_with_the_same_numbers(root: Path) -> None:
    cell = small_cell("vpt")
    outcome = run_cell(cell, root)
    folder = cell.folder(root)
    (folder / "outcome.json").unlink()
    first, second = (folder / "rollouts.jsonl").read_text().splitlines()
    (folder / "rollouts.jsonl").write_text(f"{first}\n{second[:9]}")
    again = run_cell(cell, root)
    assert again.resumed
    assert (again.successes, again.returns) == (outcome.successes, outcome.returns)


def test_an_interrupted_training_goes_on_to_the_same_weights(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = small_cell("bc-al", seed=1)
    outcome = run_cell(cell, root)
    folder = cell.folder(root)
    whole = (folder / "train" / "bundle" / "weights.safetensors").read_bytes()
    shutil.rmtree(folder)
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "save_bundle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_cell(cell, root)
    assert load_outcome(cell, root) is None
    again = run_cell(cell, root)
    assert again.resumed and again.returns == outcome.returns
    assert (folder / "train" / "bundle" / "weights.safetensors").read_bytes() == whole


def test_a_training_that_was_killed_before_it_began_starts_anew(root: Path) -> None:
    cell = small_cell("bc-al", seed=2)
    (cell.folder(root) / "train" / "tensorboard").mkdir(parents=True)
    assert len(run_cell(cell, root).successes) == 2


def test_one_cell_that_fails_does_not_stop_the_others(root: Path) -> None:
    good, other = small_cell("bc-al", seed=3), small_cell("bc-expert", seed=3)
    bad = replace(good, config=replace(good.config, device="tpu"))
    with pytest.raises(ClamError, match=r"1 of 3 cells failed, first bc-al on reach seed 3: .*'tpu'.*log.txt"):
        run_cells([bad, good, other], root, Pool(2))
    assert load_outcome(good, root) and load_outcome(other, root)
    run_cells([good, other], root, Pool(1))  # nothing left to do


def test_seeds_are_trained_as_a_stack_and_leave_what_they_would_alone(root: Path, tmp_path: Path) -> None:
    cells = [small_cell("mlp-clam", seed=seed) for seed in (5, 6)]
    (tmp_path / "data").symlink_to(root / "data")
    for cell in cells:
        run_cell(cell, tmp_path)
    run_cells(cells, root, Pool(1, stack=2))
    for cell in cells:
        alone, stacked = load_outcome(cell, tmp_path), load_outcome(cell, root)
        assert alone and stacked and (alone.stacked, stacked.stacked) == (1, 2)
        assert stacked.returns == pytest.approx(alone.returns, rel=1e-2)
        assert stacked.metrics == pytest.approx(alone.metrics, rel=1e-2, abs=1e-3)
        assert "trained together, in the first one's log: mlp-clam" in (cell.folder(root) / "log.txt").read_text()
    assert run_stack(cells, root) == [load_outcome(cell, root) for cell in cells]


def test_a_row_that_differs_in_the_policy_alone_takes_over_a_latent_action_model(root: Path) -> None:
    one = small_cell("mlp-clam")
    run_cell(one, root)
    policy = replace(one.config, policy=replace(one.config.policy, error_unit="spread"))
    model = replace(one.config, lam=replace(one.config.lam, latent_dim=5))
    other, unlike = replace(one, method="spread", config=policy), replace(one, method="wide", config=model)
    (outcome,) = run_stack([other], root, share_lam=True)
    assert isinstance(outcome, Outcome) and (outcome.lam_of, outcome.resumed) == ("mlp-clam", False)
    assert outcome.metrics["grounding/r2"] == run_cell(one, root).metrics["grounding/r2"]  # of the log that came along
    logs = [read_metrics(cell.folder(root) / "train") for cell in (one, other)]
    assert [line for line in logs[0] if line["name"] == "lam"] == [line for line in logs[1] if line["name"] == "lam"]

    def donor(cell: Cell) -> Path | None:
        sources = {role: tuple(str(source.folder(root)) for source in of_role) for role, of_role in cell.data}
        return shared_lam(cell, replace(cell.config, data=replace(cell.config.data, **sources)), root)

    assert donor(replace(other, method="third")) == one.folder(root) / "train"  # not of one that took over itself
    assert donor(unlike) is None
    assert donor(replace(other, seed=1, config=replace(policy, seed=1))) is None


def test_of_a_stack_the_cells_fail_one_by_one(root: Path) -> None:
    good, bad, done = (small_cell("bc-al", seed=seed) for seed in (5, 6, 7))
    outcome = run_cell(done, root)
    bad = replace(bad, env="metaworld", task="no-such-task")
    first, second, third = run_stack([good, bad, done], root)
    assert first == load_outcome(good, root) and third == outcome
    assert isinstance(second, ClamError) and "no-such-task" in str(second)
    assert "no-such-task" in (bad.folder(root) / "log.txt").read_text()
    assert first.stacked == 2


def test_what_differs_in_more_than_seed_and_data_is_not_stacked() -> None:
    clam = [small_cell("mlp-clam", seed=seed) for seed in range(3)]
    bc = [small_cell("bc-al", seed=seed) for seed in range(2)]
    longer = replace(clam[0], config=replace(clam[0].config, evaluate_every=7))
    cells = [clam[0], bc[0], longer, clam[1], bc[1], clam[2]]
    assert stacks(cells, 3) == [clam, bc, [longer]]
    assert stacks(cells, 2) == [clam[:2], bc, [longer], clam[2:]]
    assert stacks(cells, 1) == [[cell] for cell in cells]
    quantized = [small_cell("lapo", seed=seed) for seed in range(2)]
    assert stacks(quantized, 3) == [[cell] for cell in quantized]  # they would be trained one by one


def test_processes_share_the_cores() -> None:
    cores = usable_cores()
    assert Pool(1).threads == cores
    assert Pool(cores).threads == Pool(10 * cores).threads == 1


def test_ray_is_asked_for_where_it_is_not_installed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClamError, match="ray is not installed"):
        run_cells([small_cell("bc-al", seed=9)], root, Pool(1, ray="auto"))


def test_cells_run_on_a_ray_cluster(root: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    good = small_cell("bc-al", seed=4)
    bad = replace(good, config=replace(good.config, device="tpu"))
    with pytest.raises(ClamError, match="1 of 2 cells failed"):
        run_cells([good, bad], root, Pool(2, ray="local"))
    assert load_outcome(good, root)
