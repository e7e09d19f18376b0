"""The tables' definitions: who sees what, which cells tables share, whose numbers stand beside ours."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clam_core.bench.tables import TABLES, TableOptions, find_table, planned
from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.rows import SETTINGS
from clam_core.bench.tables.run_table import shares
from clam_core.bench.tables.table import Request
from clam_core.data.generate_rl import is_learned
from clam_core.errors import ClamError
from clam_core.evaluation import EVALUATION_SEED
from clam_core.operators import make_operator

REQUEST = Request("recommended")


def cell(table: str, row: str, column: str = "assembly", seed: int = 0, request: Request = REQUEST) -> Cell:
    found = TABLES[table].cell(row, column, seed, request)
    assert found is not None
    return found


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_place_of_every_table_is_a_cell_with_evidence_of_its_own(name: str, setting: str) -> None:
    table = TABLES[name]
    cells = {
        (row, column, seed): table.cell(row, column, seed, Request(setting))
        for row in table.rows
        for column in table.columns
        for seed in (0, 1)
    }
    assert None not in cells.values()
    expected = (1 if table.measures else len(table.rows)) * len(table.columns)  # measures: one cell, several numbers
    if name == "fig4b":
        expected -= len(table.columns) - 1  # BC-AL sees no experts: its curve is one cell
    assert len({c for c in cells.values() if c}) == expected * 2
    assert set(table.paper) <= set(table.rows)
    for numbers in table.paper.values():
        assert set(numbers) <= set(table.columns)


def test_every_dataset_that_a_table_names_has_an_operator_that_makes_it() -> None:
    cells = {
        table.cell(row, column, 0, REQUEST)
        for table in TABLES.values()
        for row in table.rows
        for column in table.columns
    }
    sources = {source for found in cells if found for _, data in found.data for source in data}
    scripted = {(s.env, s.task, s.kind) for s in sources if not is_learned(s.env, s.task)}
    assert {env for env, _, _ in scripted} == {"metaworld", "kitchen", "calvin"}
    for env, task, kind in sorted(scripted):
        make_operator(env, task, kind)  # or it says what is unknown


def test_calvins_target_is_never_labeled_and_always_imitated() -> None:
    for target in TABLES["table8"].columns:
        data = dict(cell("table8", "mlp-clam", target).data)
        assert target not in {source.task for source in data["labeled"]}
        assert {source.task for source in data["expert"]} == {target}
        assert {source.task for source in data["unlabeled"]} >= {target, *(source.task for source in data["labeled"])}


@pytest.mark.parametrize("name", ["table1", "table4", "table5", "fig3"])
def test_only_the_privileged_row_learns_from_the_actions_of_experts(name: str) -> None:
    table = TABLES[name]
    for row in table.rows:
        for column in table.columns:
            labeled = dict(cell(name, row, column).data)["labeled"]
            kinds = {source.kind for source in labeled}
            assert kinds == ({"expert"} if row == "bc-expert" else {"play"})


def test_bc_expert_learns_from_the_experts_that_the_others_imitate() -> None:
    assert dict(cell("table4", "bc-expert").data)["labeled"] == dict(cell("table4", "mlp-clam").data)["expert"]


def test_tables_share_the_cells_that_are_the_same_runs() -> None:
    assert cell("table6", "cont-jt") == cell("table5", "mlp-clam")
    assert cell("table7", "0.1") == cell("table4", "mlp-clam") == cell("fig4a", "mlp-clam", "16")
    assert cell("fig4b", "vpt", "50") == cell("fig4c", "vpt", "50") == cell("table4", "vpt")
    assert cell("fig4d", "bc-al", "play") == cell("table5", "bc-al")
    assert cell("table4", "bc-expert") == cell("fig4b", "bc-expert", "50")
    assert cell("table4", "mlp-clam") != cell("table5", "mlp-clam")


def test_other_numbers_make_another_folder() -> None:
    root, one = Path("root"), cell("table4", "vpt")
    others = [
        cell("table4", "vpt", seed=1),
        cell("table4", "vpt", request=replace(REQUEST, budget=0.5)),
        cell("table4", "vpt", request=replace(REQUEST, episodes=10)),
        replace(one, config=replace(one.config, bf16=True)),
    ]
    folders = {c.folder(root) for c in (one, *others)}
    assert len(folders) == 5
    assert cell("table4", "vpt").folder(root) == one.folder(root)


def test_layouts_of_evaluation_are_used_by_no_data_and_by_no_two_seeds() -> None:
    seeds = [cell("table4", "mlp-clam", seed=seed) for seed in range(3)]
    evaluated = [range(c.first_seed, c.first_seed + c.episodes) for c in seeds]
    assert len({seed for chosen in evaluated for seed in chosen}) == 150
    for c in seeds:
        for _, sources in c.data:
            assert all(source.seed + 900 < EVALUATION_SEED <= c.first_seed for source in sources)


def test_what_state_policies_are_chosen_by_is_no_other_tables() -> None:
    mine = TABLES["state-policy"]
    others = {column for table in TABLES.values() if table is not mine for column in table.columns}
    assert not others & set(mine.columns)
    for seed in (0, 9):
        rows = {row: cell("state-policy", row, "basketball", seed) for row in mine.rows}
        for method in ("mlp-clam", "vpt", "bc-expert"):
            reported = cell("table4", method, seed=seed)
            assert rows[method].config == reported.config  # what is compared with is what table4 reports
            assert rows[f"{method}-spread"].data == rows[method].data
        assert len({found.config for found in rows.values()}) == len(rows)
        for found in rows.values():
            assert found.first_seed == 600_000 + 1_000 * seed
            assert all(400_000 <= source.seed < 500_000 for _, data in found.data for source in data)


def test_every_seed_has_play_and_experts_of_its_own() -> None:
    first, second = (dict(cell("table4", "mlp-clam", seed=seed).data) for seed in (0, 1))
    for role in ("labeled", "expert"):
        assert not set(first[role]) & set(second[role])


@pytest.mark.parametrize(
    ("table", "row", "printed"),
    [("table4", "bc-al", 0.16), ("table4", "vpt", 0.15), ("table4", "mlp-clam", 0.48), ("table4", "tf-clam", 0.60),
     ("table4", "bc-expert", 0.83), ("table5", "mlp-clam", 0.63)],
)  # fmt: skip
def test_the_papers_averages_are_those_of_its_columns(table: str, row: str, printed: float) -> None:
    mean = np.mean([value for value, _ in TABLES[table].paper[row].values()])
    assert mean == pytest.approx(printed, abs=0.006)


def test_a_budget_scales_the_updates_of_every_stage_and_nothing_else() -> None:
    whole, tenth = (cell("table4", "lapo", request=Request("paper", budget)) for budget in (1.0, 0.1))
    assert tenth.updates() == pytest.approx(whole.updates() / 10)
    assert tenth.config.policy_training.warmup == whole.config.policy_training.warmup / 10
    undone = replace(
        tenth.config, log_every=whole.config.log_every, evaluate_every=whole.config.evaluate_every,
        checkpoint_every=whole.config.checkpoint_every, lam_training=whole.config.lam_training,
        grounding_training=whole.config.grounding_training, policy_training=whole.config.policy_training,
    )  # fmt: skip
    assert undone == whole.config


def test_updates_are_those_of_the_stages_that_run() -> None:
    config = cell("table4", "mlp-clam").config
    lam, grounding, policy = (
        options.updates for options in (config.lam_training, config.grounding_training, config.policy_training)
    )
    assert cell("table4", "mlp-clam").updates() == lam + policy
    assert cell("table4", "lapo").updates() == lam + grounding + policy
    assert cell("table4", "lapa").updates() == lam + policy + grounding
    assert cell("table4", "vpt").updates() == cell("table4", "dynamo").updates() == lam + policy
    assert cell("table4", "bc-al").updates() == policy


def test_what_is_asked_for_wrongly_is_answered_with_what_there_is() -> None:
    table = find_table("table4")
    with pytest.raises(ClamError, match=r"no row 'mpl-clam'.*mlp-clam"):
        planned(table, TableOptions(("recommended",), rows=("mpl-clam",)))
    with pytest.raises(ClamError, match=r"no column 'assemble'.*assembly"):
        planned(table, TableOptions(("recommended",), columns=("assemble",)))
    with pytest.raises(ClamError, match="no setting 'best'"):
        planned(table, TableOptions(("best",)))
    with pytest.raises(ClamError, match="seeds 0 to 9, got --first-seed 8 --seeds 3"):
        TableOptions(("recommended",), first_seed=8, seeds=3)
    with pytest.raises(ClamError, match="unknown table 'table13'"):
        find_table("table13")
    for wrong in ("tpu", "0", "1.5", "-1"):
        with pytest.raises(ClamError, match="--budget"):
            shares(wrong)


def test_columns_are_found_by_the_title_that_the_page_shows() -> None:
    options = TableOptions(("recommended",), rows=("vpt",), columns=("slide-pot", "reach-block"), seeds=1)
    assert [place[:2] for place in planned(find_table("table3"), options)] == [
        ("vpt", "put-block-in-pot-and-slide-right"),
        ("vpt", "reach-block"),
    ]


def test_budgets_leave_the_recommended_setting_whole() -> None:
    assert shares("cpu") == {"paper": 0.01, "recommended": 1.0}
    assert shares("gpu") == {"paper": 1.0, "recommended": 1.0}
    assert shares("0.5") == {"paper": 0.5, "recommended": 0.5}
