from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clam_eval.correction import Corrections, main
from clam_eval.plan import make_plan
from clam_eval.report import write_report
from clam_eval.results_file import NAME, Identity, ResultsFile, read_results, scored


def test_the_last_score_is_corrected_by_a_line_and_nothing_is_edited(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    file = ResultsFile(tmp_path, identity, {})
    corrections = Corrections(file, "somebody")
    assert corrections.last == "" and "no person" in corrections.correct(1.0)
    file.append("rollout", **rollout_line(0, 1.0, scored_by="person"))
    file.append("rollout", **rollout_line(1, 0.0, scored_by="person"))
    file.append("invalid", index=2, reason="arm: fault")
    before = file.path.read_bytes()
    assert corrections.last == "rollout 2: 0"
    assert corrections.correct(1.0) == "" and corrections.correct(0.5) == ""
    assert corrections.last == "rollout 2: 0.5"
    file.close()
    assert (tmp_path / NAME).read_bytes().startswith(before)
    lines = read_results(tmp_path)[2]
    assert {index: line["score"] for index, line in scored(lines).items()} == {0: 1.0, 1: 0.5}
    assert [(line["score"], line["was"], line["operator"]) for line in lines[3:]] == [
        (1.0, 0.0, "somebody"),
        (0.5, 1.0, "somebody"),
    ]


def test_a_simulators_score_is_not_corrected(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    file = ResultsFile(tmp_path, identity, {})
    file.append("rollout", **rollout_line(0, 1.0))
    assert Corrections(file, "").last == "" and "no person" in Corrections(file, "").correct(0.0)
    file.close()


def test_any_score_is_corrected_in_the_terminal_and_the_report_says_so(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = ResultsFile(tmp_path, identity, {})
    for trial in make_plan(2, 3, identity.seed):
        file.append("rollout", **rollout_line(trial.index, 1.0, scored_by="person"))
    assert main([str(tmp_path), "2", "0"]) == 1 and "another evaluation writes" in capsys.readouterr().err
    file.close()
    assert main([str(tmp_path), "2", "0"]) == 0
    assert main([str(tmp_path), "9", "0"]) == 1 and "rollout 9 has no score yet" in capsys.readouterr().err
    assert main([str(tmp_path), "0", "0"]) == 1, "they count from 1"
    summary, _ = write_report(tmp_path)
    assert sorted(bundle.mean for bundle in summary.bundles if bundle.mean is not None) == [pytest.approx(2 / 3), 1.0]
    text = (tmp_path / "report.md").read_text()
    assert "corrected afterwards: 1." in text and "without width" in text
