"""What stands in a report: numbers with intervals beside the paper's, and nobody's results lost."""

import importlib.util
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from clam_core.bench.tables import TABLES, TableOptions
from clam_core.bench.tables.cell import FIRST
from clam_core.bench.tables.records import Known, read_records, records
from clam_core.bench.tables.report import written
from clam_core.bench.tables.run_cell import Outcome
from clam_core.bench.tables.run_table import finished, missing, report
from clam_core.bench.tables.sources import Source
from clam_core.bench.tables.statistics import average, difference, estimate, values_of
from clam_core.bench.tables.summary import AVERAGE, Entry, Summary
from clam_core.bench.tables.table import Request, Table
from clam_core.cli import main
from clam_core.errors import ClamError
from clam_core.evaluation import bootstrap_mean, wilson
from clam_core.plain import to_plain
from clam_core.training.config import Config

PAGES = Path(__file__).parents[3] / "docs" / "results"


def outcome(rate: float, returned: float = 50.0, **metrics: float) -> Outcome:
    successes = [index < round(rate * 50) for index in range(50)]
    machine = {"processor": "a processor", "threads": 1, "torch": "2", "python": "3"}
    return Outcome(successes, [returned] * 50, metrics, {"grounding/r2": 0.5}, 60.0, 10.0, 65.0, False, machine)


def scored(*scores: float, resumed: bool = False) -> Outcome:
    """Of the kitchen: rollouts with `scores`."""
    whole = outcome(0.0)
    return replace(whole, successes=[score == 1.0 for score in scores], scores=list(scores), resumed=resumed)


def entry(table: Table, row: str, column: str, result: Outcome, seed: int = 0, setting: str = "recommended") -> Entry:
    cell = table.cell(row, column, seed, Request(setting))
    assert cell is not None
    return Entry(row, column, cell, result, cell.digest())


def test_a_rate_has_wilsons_interval_over_the_rollouts_of_all_seeds() -> None:
    found = estimate("success", [[1.0] * 40 + [0.0] * 10, [1.0] * 30 + [0.0] * 20])
    assert found.value == 0.7 and (found.low, found.high) == wilson(70, 100)
    assert (found.by_seed, found.episodes, found.seeds) == ((0.8, 0.6), 100, 2)


def test_the_interval_of_a_mean_sees_rollouts_of_one_seed_and_the_spread_over_several() -> None:
    values = [0.1, 0.5, 0.9, 0.7]
    found = estimate("normalized_return", [values])
    assert (found.low, found.high) == pytest.approx(bootstrap_mean(values), abs=0.01)
    apart = estimate("score", [[1.0] * 50, [0.5] * 50, [0.0] * 50])
    assert apart.value == 0.5 and apart.low < 0.05 and apart.high > 0.95


def test_ten_successes_are_not_certain_to_go_on() -> None:
    for found in (estimate("score", [[1.0] * 10]), average([[[1.0] * 10], [[1.0] * 10]])):
        assert found.value == found.high == 1.0 and 0.7 < found.low < 0.97
    sure = difference([[[1.0] * 10]], [[[1.0] * 10]])
    assert sure.low < 0.0 < sure.high


def test_the_interval_of_an_average_sees_the_spread_over_seeds() -> None:
    agreed = average([[[1.0] * 25 + [0.0] * 25] * 4] * 2)
    disagreed = average([[[1.0] * 50, [0.0] * 50, [1.0] * 50, [0.0] * 50]] * 2)
    assert agreed.value == disagreed.value == 0.5
    assert disagreed.high - disagreed.low > 2 * (agreed.high - agreed.low)
    assert agreed.low < 0.5 < agreed.high and agreed.by_seed == (0.5,) * 4


def test_a_gap_is_uncertain_where_either_row_is() -> None:
    sure, unsure = [[[1.0] * 10] * 3], [[[0.0, 1.0] * 5] * 3]
    found = difference(unsure, sure)
    assert found.value == -0.5 and found.low < -0.5 < found.high < 0.0
    back = difference(sure, unsure)
    assert back.value == 0.5 and 0.0 < back.low < 0.5 < back.high


def test_every_record_says_what_ran_and_how_to_repeat_it() -> None:
    table = TABLES["table5"]
    (record,) = records(table, [entry(table, "vpt", "assembly", outcome(0.8), seed=2)])
    low, high = wilson(40, 50)
    expected = {
        "table": "table5", "setting": "recommended", "method": "vpt", "task": "assembly", "seed": 2,
        "metric": "success", "value": 0.8, "low": low, "high": high, "episodes": 50, "labels": 100, "wall_s": 70.0,
        "machine": "a processor, 1 thread(s); torch 2, Python 3", "label_r2": 0.5,
        "command": "clam bench table5 --setting recommended --rows vpt --columns assembly --first-seed 2 --seeds 1 "
        "--episodes 50",
    }  # fmt: skip
    assert expected.items() <= record.items()
    assert record["updates"] > 0


def test_returns_are_normalized_to_one() -> None:
    table = TABLES["table1"]
    (record,) = records(table, [entry(table, "vpt", "Hopper-v5", outcome(0.0, returned=80.0))])
    assert record["metric"] == "normalized_return" and record["value"] == pytest.approx(0.8)


def test_a_score_has_a_bootstrap_interval_and_the_success_rate_wilsons_beside_it() -> None:
    table = TABLES["table3"]
    (record,) = records(table, [entry(table, "st-clam", "reach-block", scored(1.0, 0.5, 0.5, 0.0))])
    assert (record["metric"], record["value"]) == ("score", 0.5) and 0.05 < record["low"] < 0.5 < record["high"] < 0.95
    assert (record["success_rate"], record["success_low"], record["success_high"]) == (0.25, *wilson(1, 4))
    assert record["preset"].startswith("recommended/kitchen-")


def test_a_page_of_scores_shows_success_rates_the_gap_to_the_privileged_row_and_what_it_took(tmp_path: Path) -> None:
    table = TABLES["table3"]
    results = {"st-clam": scored(1.0, 0.5), "bc-expert": scored(1.0, 1.0)}
    entries = [
        entry(table, row, task, results[row], seed) for row in results for task in table.columns for seed in (0, 1)
    ]
    page = (written(table, entries, {}, tmp_path / "out", tmp_path / "other") / "table3.md").read_text()
    low, high = wilson(2, 4)
    (line,) = [line for line in page.splitlines() if line.startswith("| ST-CLAM | 0.85 | 0.75 (")]
    assert line.endswith(f" | 0.50 ({low:.2f} to {high:.2f}) |")
    assert "## Each row minus BC-Expert" in page
    gaps = [line for line in page.splitlines() if line.startswith("| ST-CLAM | recommended | -0.25")]
    assert len(gaps) == 1 and gaps[0].count("-0.25") == 5  # the average and four tasks
    ahead = [line for line in page.split("## Each row minus ST-CLAM")[1].splitlines() if line.startswith("| BC-Expert")]
    assert ahead[0].count("+0.25") == 5
    updates = entries[0].cell.updates()
    assert f"| ST-CLAM | recommended | 8 | {updates} | 1.0 | 0.2 | – | – |" in page
    assert "interrupted" not in page


def test_a_page_says_how_good_the_labels_were_and_has_no_column_for_a_paper_that_prints_nothing(tmp_path: Path) -> None:
    table = TABLES["image-lam"]
    results = [
        replace(scored(1.0, 0.5), metrics={"grounding/r2": r2}, label_quality={"grounding/error": error})
        for r2, error in ((0.5, 0.02), (0.6, 0.04), (0.9, 0.03))
    ]
    entries = [entry(table, "pixels", "reach-block", result, seed) for seed, result in enumerate(results)]
    page = (written(table, entries, {}, tmp_path / "out", tmp_path / "other") / "image-lam.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("| CNN, next") and "| recommended | 3 |" in line]
    assert line.endswith("| 1.0 | 0.2 | 0.60 | 0.0300 |")
    assert "paper" not in page.split("## What")[0].lower() and "Paper:" not in page


def test_a_page_says_which_presets_ran_and_how_to_run_them(tmp_path: Path) -> None:
    table = TABLES["table3"]
    options = TableOptions(("recommended",), episodes=10, device="cpu", root=tmp_path / "bench", out=tmp_path / "out")
    entries = [entry(table, "vpt", "push-button", scored(0.5))]
    page = (report(table, options, entries, 60.0) / "table3.md").read_text()
    assert "Presets: recommended: recommended/kitchen-" in page
    assert "Command: `clam bench table3 --setting recommended --budget cpu --seeds 3`" in page
    more = replace(options, episodes=30)
    page = (report(table, more, entries, 60.0) / "table3.md").read_text()
    assert "Command: `clam bench table3 --setting recommended --budget cpu --seeds 3 --episodes 30`" in page


def test_times_of_interrupted_cells_are_left_out_and_the_page_says_so(tmp_path: Path) -> None:
    table = TABLES["table3"]
    entries = [entry(table, "vpt", "reach-block", scored(1.0), 0)]
    entries.append(entry(table, "vpt", "reach-block", replace(scored(1.0, resumed=True), train_seconds=6000.0), 1))
    page = (written(table, entries, {}, tmp_path / "out", tmp_path / "other") / "table3.md").read_text()
    assert "| VPT | recommended | 2 |" in page and "| 1.0 | 0.2 |" in page
    assert "leave out 1 cells that were interrupted" in page


def test_a_measure_is_read_from_the_metrics_of_training() -> None:
    table = TABLES["table9"]
    result = outcome(0.0, **{"reconstruction/held_out": 0.01, "reconstruction/trivial": 0.02})
    rows = {row: records(table, [entry(table, row, "assembly", result)])[0]["value"] for row in table.rows}
    assert rows == {"reconstruction": 0.01, "trivial": 0.02}


def test_an_average_with_a_hole_is_no_average() -> None:
    table = TABLES["table4"]
    entries = [entry(table, "vpt", task, outcome(0.5)) for task in list(table.columns)[:3]]
    assert Summary(table, entries).at("recommended", "vpt", AVERAGE) is None
    entries.append(entry(table, "vpt", list(table.columns)[3], outcome(1.0)))
    found = Summary(table, entries).at("recommended", "vpt", AVERAGE)
    assert found is not None and found.value == pytest.approx(0.625)


@pytest.mark.parametrize("name", ["table4", "table9", "fig4c"])
def test_a_page_shows_paper_and_ours_and_a_picture(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    metrics = {"reconstruction/held_out": 0.01, "reconstruction/trivial": 0.02}
    entries = [
        entry(table, row, column, outcome(0.8, **metrics), seed)
        for row in table.rows for column in table.columns for seed in (0, 1)
    ]  # fmt: skip
    folder = written(table, entries, {"Budget": "all of it"}, tmp_path / "out", tmp_path / "other")
    assert folder == tmp_path / "out"
    page = (folder / f"{name}.md").read_text()
    assert "ours, recommended setting" in page and "Budget: all of it" in page
    if name == "table4":
        assert "of 2 seeds" not in page
        low, high = wilson(80, 100)
        assert f"| VPT | 0.24 ± 0.06 | 0.80 ({low:.2f} to {high:.2f}) |" in page
        assert "over 2 seeds with 50 rollouts each" in page
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((folder / f"{name}.json").read_text())) == len(entries)


def test_a_row_with_fewer_seeds_says_so(tmp_path: Path) -> None:
    table = TABLES["table4"]
    entries = [entry(table, "vpt", "assembly", outcome(0.5), seed) for seed in (0, 1)]
    entries.append(entry(table, "bc-al", "assembly", outcome(0.0)))
    page = (written(table, entries, {}, tmp_path / "out", tmp_path / "other") / "table4.md").read_text()
    assert "| BC-AL | 0.19 ± 0.03 | 0.00 (0.00 to 0.07), 1 of 2 seeds |" in page


def test_fewer_cells_never_replace_a_page_of_more(tmp_path: Path) -> None:
    table = TABLES["table4"]
    two = [entry(table, row, "assembly", outcome(0.5)) for row in ("vpt", "bc-al")]
    assert written(table, two, {}, tmp_path / "out", tmp_path / "other") == tmp_path / "out"
    before = (tmp_path / "out" / "table4.json").read_text()
    assert written(table, two[:1], {}, tmp_path / "out", tmp_path / "other") == tmp_path / "other"
    assert (tmp_path / "out" / "table4.json").read_text() == before
    three = [*two, entry(table, "lapo", "assembly", outcome(0.1))]
    assert written(table, three, {}, tmp_path / "out", tmp_path / "other") == tmp_path / "out"


@pytest.mark.parametrize(
    ("name", "row", "column", "result"),
    [
        ("table5", "vpt", "assembly", outcome(0.8)),
        ("fig4c", "vpt", "10", outcome(0.3)),
        ("table1", "vpt", "Hopper-v5", outcome(0.0, returned=83.125)),
        ("table3", "st-clam", "reach-block", scored(*[1.0] * 7, *[0.5] * 2, 0.0)),
        ("table9", "trivial", "assembly", outcome(0.0, **{"reconstruction/trivial": 0.02})),
    ],
)
def test_a_page_is_written_anew_from_its_own_records(
    tmp_path: Path, name: str, row: str, column: str, result: Outcome
) -> None:
    result = replace(result, metrics=result.metrics | {"grounding/r2": 0.75}, label_quality={"grounding/error": 0.01})
    table = TABLES[name]
    column = column if column in table.columns else next(iter(table.columns))
    asked = Request("recommended", episodes=len(result.successes))
    cell = table.cell(row, column, 0, asked)
    assert cell is not None
    first = [Entry(row, column, cell, result, cell.digest())]
    page = (written(table, first, {}, tmp_path / "out", tmp_path / "other") / f"{name}.md").read_text()
    found = Known(table, read_records(tmp_path / "out" / f"{name}.json")).entry(row, column, cell)
    assert found is not None
    again = [found]
    assert records(table, again) == records(table, first)
    assert (written(table, again, {}, tmp_path / "b", tmp_path / "other") / f"{name}.md").read_text() == page


def test_a_table_goes_on_from_the_cells_of_a_page_whose_runs_lie_elsewhere(tmp_path: Path) -> None:
    table = TABLES["table5"]
    options = TableOptions(("recommended",), rows=("vpt",), seeds=1, root=tmp_path / "bench", out=tmp_path / "out")
    written(table, [entry(table, "vpt", "assembly", outcome(0.8))], {}, tmp_path / "out", tmp_path / "other")
    assert len(missing(table, options)) == 4 and finished(table, options) == []
    merging = replace(options, merge=True)
    assert [cell.task for cell in missing(table, merging)] == [name for name in table.columns if name != "assembly"]
    (known,) = finished(table, merging)
    assert known.digest == entry(table, "vpt", "assembly", outcome(0.8)).digest
    assert known.outcome.successes == outcome(0.8).successes
    assert len(missing(table, replace(merging, budget="0.5"))) == len(missing(table, replace(merging, episodes=7))) == 4


def test_tables_share_the_cells_of_their_pages(tmp_path: Path) -> None:
    own, other = TABLES["fig4c"], TABLES["table4"]
    (tmp_path / "inference.json").write_text('{"rounds": 7}')
    written(other, [entry(other, "vpt", "assembly", outcome(0.8))], {}, tmp_path, tmp_path / "other")
    known = Known.read(own, tmp_path)
    assert [row for row in own.rows if known.entry(row, "50", entry(own, row, "50", outcome(0.0)).cell)] == ["vpt"]
    assert known.entry("vpt", "25", entry(own, "vpt", "25", outcome(0.0)).cell) is None


def test_a_page_of_other_numbers_is_not_gone_on_from(tmp_path: Path) -> None:
    table = TABLES["table5"]
    here = entry(table, "vpt", "assembly", outcome(0.8))
    other = replace(here.cell, config=replace(here.cell.config, seed=99))
    (record,) = records(table, [replace(here, cell=other, digest=other.digest())])
    assert Known(table, [record]).entry("vpt", "assembly", here.cell) is None
    record.pop("digest")  # as pages were before they had one
    found = Known(table, [record]).entry("vpt", "assembly", here.cell)
    assert found is not None and "digest" not in records(table, [found])[0]  # nobody knows what it was made with
    old = {name: value for name, value in record.items() if name not in ("train_s", "evaluate_s")}
    read = Known(table, [old]).entry("vpt", "assembly", here.cell)
    assert read is not None
    (again,) = records(table, [read])
    assert (again["wall_s"], again["resumed"]) == (70.0, False)  # what it took is not forgotten
    assert "train_s" not in again  # nor made up
    record["updates"] += 1
    assert Known(table, [record]).entry("vpt", "assembly", here.cell) is None


def test_a_digest_outlives_new_keys_and_sees_changed_defaults() -> None:
    cell = entry(TABLES["table5"], "vpt", "assembly", outcome(0.8)).cell
    assert replace(cell, config=replace(cell.config, device="cuda")).digest() == cell.digest()
    assert replace(cell, config=replace(cell.config, log_every=777)).digest() != cell.digest()
    assert keys(FIRST["config"]) == keys(to_plain(Config())), (
        "a new key is added to first_values.json, with its default"
    )
    required = {"env", "task", "kind", "episodes", "seed"}
    assert {*FIRST["source"]} | required == {field.name for field in fields(Source)}


def keys(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted keys of nested dictionaries."""
    return {
        key
        for name, value in values.items()
        for key in (keys(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}"})
    }


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.json")), ids=lambda path: path.stem)
def test_every_cell_of_a_committed_page_is_read_as_it_was_written(path: Path) -> None:
    table = TABLES.get(path.stem)
    if table is None:
        pytest.skip("a speed benchmark's")
    for record in read_records(path):
        request = Request(record["setting"], record["budget"], record["episodes"])
        column = record.get("column", record["task"])
        cell = table.cell(record["method"], column, record["seed"], request)
        assert cell is not None
        found = Known(table, [record]).entry(record["method"], column, cell)
        if found is not None:  # else its preset has changed since
            again = estimate(table.metric, [values_of(table, record["method"], found.outcome)])
            assert again.value == pytest.approx(record["value"], rel=1e-9)


def test_a_broken_page_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "table5.json").write_text("[{]")
    with pytest.raises(ClamError, match=r"table5.json is no table of cells .*; restore it, or move it away"):
        read_records(tmp_path / "table5.json")
    (tmp_path / "table5.json").write_text('[{"seed": 1}]')
    with pytest.raises(ClamError, match="lacks its value"):
        read_records(tmp_path / "table5.json")


def test_the_command_says_what_it_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bench", "table4", "--rows", "vpt", "--seeds", "2", "--plan", "--folder", str(tmp_path / "bench")]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and all(line.startswith("to do") and "vpt-50-labels" in line for line in lines)
    assert main([*asked, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan) == 8 and all(not cell["done"] and "vpt-50-labels" in cell["folder"] for cell in plan)
    assert not (tmp_path / "bench").exists()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["data"], "data has no cells"),
        (["inference"], "inference has no cells"),
        (["execution"], "execution has no cells"),
        (["tabel4"], "unknown benchmark 'tabel4': did you mean 'table4'"),
        (["table4", "lam.latent_dim=8"], "a table's numbers are those of its presets"),
        (["table4", "--budget", "lots"], "--budget 'lots'"),
        (["table4", "--setting", "mine"], "no setting 'mine'"),
        (["table8"], "needs the package calvin_env"),
    ],
)
def test_wrong_arguments_are_answered_in_one_line(
    asked: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if asked == ["table8"] and importlib.util.find_spec("calvin_env"):
        pytest.skip("calvin_env is installed here")
    assert main(["bench", *asked, "--plan"]) == 1
    error = capsys.readouterr().err
    assert answer in error and len(error.strip().splitlines()) == 1
