from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pytest

from clam_core.evaluation.statistics import bootstrap_mean, wilson
from clam_eval.film import Film, read_video, write_video
from clam_eval.plan import make_plan
from clam_eval.report import VIDEOS, main, markdown, write_report
from clam_eval.results_file import Identity, ResultsFile
from clam_eval.summary import summarize

SCORES = {0: (1.0, 1.0, 0.5), 1: (0.0, 1.0, 0.0)}  # of contenders a and b on three layouts


def jpeg(colour: tuple[int, int, int]) -> bytes:
    return bytes(imageio.imwrite("<bytes>", np.full((48, 64, 3), colour, np.uint8), format="jpg"))


@pytest.fixture
def lines(identity: Identity, rollout_line: Callable[..., Any]) -> list[dict[str, Any]]:
    plan = make_plan(2, 3, identity.seed)
    return [rollout_line(t.index, SCORES[t.contender][t.layout], layout=t.layout, type="rollout") for t in plan]


def test_scores_are_counted_by_bundle_with_the_usual_intervals(identity: Identity, lines: list[dict[str, Any]]) -> None:
    summary = summarize(identity, lines)
    a, b = summary.bundles
    assert (a.name, a.scores, a.successes) == ("a", SCORES[0], 2) and (b.scores, b.successes) == (SCORES[1], 1)
    assert a.mean == pytest.approx(2.5 / 3) and a.success_interval == wilson(2, 3)
    assert a.mean_interval == bootstrap_mean(SCORES[0])
    assert summary.planned == 6 and summary.overhead == 6.0 and summary.agreement is None


def test_a_bundle_of_another_task_is_named_beside_its_scores(identity: Identity, lines: list[dict[str, Any]]) -> None:
    assert "another task" not in markdown(identity, summarize(identity, lines), False)
    a, b = identity.bundles
    other = dataclasses.replace(identity, bundles=(a, dataclasses.replace(b, task="push-button")))
    said = markdown(other, summarize(other, lines), False)
    assert "Trained on another task than this one: b on 'push-button'." in said


def test_differences_are_of_the_same_layouts_and_only_of_those_that_both_met(
    identity: Identity, lines: list[dict[str, Any]]
) -> None:
    (difference,) = summarize(identity, lines).differences
    assert (difference.first, difference.second, difference.layouts) == ("a", "b", 3)
    assert difference.mean == pytest.approx(0.5) and difference.interval == bootstrap_mean([1.0, 0.0, 0.5])
    plan = make_plan(2, 3, identity.seed)
    gone = next(trial.index for trial in plan if trial.layout == 0 and trial.contender == 1)
    partial = summarize(identity, [line for line in lines if line["index"] != gone])
    assert partial.differences[0].layouts == 2 and len(partial.bundles[1].scores) == 2
    assert partial.differences[0].mean == pytest.approx(0.25)


def test_invalid_attempts_are_shown_and_never_counted_as_scores(
    identity: Identity, lines: list[dict[str, Any]]
) -> None:
    bad = {"type": "invalid", "index": 0, "reason": "arm: fault"}
    summary = summarize(identity, [bad, bad, *lines])
    assert sorted(bundle.invalid for bundle in summary.bundles) == [0, 2]
    assert summary.bundles[0].scores == SCORES[0]
    empty = summarize(identity, [bad])
    assert empty.bundles[0].mean is None and not empty.differences and empty.overhead is None


def test_repeating_does_not_hide_what_the_policy_itself_spoiled(
    identity: Identity, lines: list[dict[str, Any]]
) -> None:
    spoiled = {"type": "invalid", "index": 0, "reason": "policy: its output is not finite"}
    bundles = summarize(identity, [spoiled, {**spoiled, "reason": "arm: fault"}, *lines]).bundles
    (bundle,) = (bundle for bundle in bundles if bundle.invalid)
    assert (bundle.invalid, bundle.spoiled) == (2, 1)
    assert bundle.strict_mean == pytest.approx(sum(bundle.scores) / (len(bundle.scores) + 1))
    assert all(other.strict_mean == other.mean for other in bundles if not other.invalid)
    text = markdown(identity, summarize(identity, [spoiled, *lines]), False)
    assert f"counted as 0, the mean is: {bundle.name} {bundle.strict_mean:.2f} (1 of them)" in text
    assert "counted as 0" not in markdown(identity, summarize(identity, lines), False)


def test_where_a_person_scored_a_simulator_their_agreement_is_told(
    identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    said = [
        rollout_line(i, 1.0, type="rollout", scored_by="person", simulator_score=score)
        for i, score in enumerate((1.0, 0.5, None))
    ]
    assert summarize(identity, said).agreement == (1, 2)


def test_the_report_has_a_table_and_a_wall_with_scores_as_borders(
    tmp_path: Path, identity: Identity, lines: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = ResultsFile(tmp_path, identity, {"software": {"clam-core": "0"}})
    for line in lines:
        name = f"rollout_{line['index']:04d}.mp4"
        if line["index"] != 5:  # its video was lost
            write_video(tmp_path / VIDEOS / name, [jpeg((0, 0, 250))] * (3 + line["index"]), 5.0)
        file.append("rollout", **{key: value for key, value in line.items() if key != "type"}, video=name)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr()
    assert "| a | 0.83 |" in out.out and "| a − b | +0.50 |" in out.out and "Not complete" not in out.out
    assert "no video of rollout 5" in out.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["bundles"][0]["scores"] == [1.0, 1.0, 0.5] and report["software"] == {"clam-core": "0"}
    frames = [np.asarray(frame) for frame in imageio.get_reader(tmp_path / "wall.mp4")]
    assert len(frames) == 7, "as long as the longest rollout"
    frame = frames[-1].astype(int)
    assert frame.shape == (2 * (24 + 128), 3 * 168, 3)
    border = frame[24 + 1, 60], frame[24 + 1, 2 * 168 + 60], frame[152 + 24 + 1, 60]
    assert border[0][1] > border[0][0] + 50, "green: a's first rollout was a success"
    assert border[1][0] > 150 and border[1][1] > 110, "yellow: its third one was half of one"
    assert border[2][0] > border[2][1] + 50, "red: b's first one failed"
    assert frame[24 + 60, 80][2] > 150, "and inside is the picture"
    file.close()


def test_a_report_of_half_an_evaluation_says_so(
    tmp_path: Path, identity: Identity, lines: list[dict[str, Any]]
) -> None:
    file = ResultsFile(tmp_path, identity, {})
    file.append("rollout", **{key: value for key, value in lines[0].items() if key != "type"})
    write_report(tmp_path)
    assert "Not complete: 1 of 6" in (tmp_path / "report.md").read_text()
    file.close()


def test_a_folder_without_an_evaluation_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no evaluation in" in capsys.readouterr().err


def test_a_film_has_one_picture_for_each_step_even_if_somebody_looks_late(tmp_path: Path) -> None:
    film = Film(5.0)
    for now in (10.0, 10.1, 10.2, 10.9, 11.0):
        if film.is_due(now):
            film.look(jpeg((int(100 * (now - 10)), 0, 0)), now)
    assert len(film.pictures) == 6
    write_video(tmp_path / "film.mp4", film.pictures, 5.0)
    assert len(read_video(tmp_path / "film.mp4", 120, 160)) == 6
    with pytest.raises(ValueError, match="no picture"):
        write_video(tmp_path / "none.mp4", [], 5.0)


def test_many_layouts_go_on_below(tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]) -> None:
    many = dataclasses.replace(identity, rollouts=12, bundles=identity.bundles[:1])
    file = ResultsFile(tmp_path, many, {})
    write_video(tmp_path / VIDEOS / "one.mp4", [jpeg((0, 0, 250))] * 2, 5.0)
    file.append("rollout", **rollout_line(0, 1.0, video="one.mp4"))
    file.close()
    write_report(tmp_path)
    frame = next(iter(imageio.get_reader(tmp_path / "wall.mp4")))
    assert np.asarray(frame).shape == (24 + 2 * 128, 10 * 168, 3)
