"""The desk without its page: what presses come to, with a node and a robot that are fakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")

from clam_eval import buttons
from clam_eval.correction import Corrections
from clam_eval.desk import Desk
from clam_eval.pictures import Pictures
from clam_eval.plan import Trial
from clam_eval.results_file import Identity, ResultsFile, scored
from clam_eval.rollout import Phase, Rollout, Rules


class FakeNode:
    def publish(self, kind: type, topic: str, qos: Any) -> None: ...

    def serve(self, kind: type, name: str, callback: Any) -> None: ...

    def value(self, name: str) -> str:
        return name


class FakeRobot:
    def __init__(self) -> None:
        self.let_go_calls = self.releases = 0
        self.reason = ""

    def let_go(self) -> None:
        self.let_go_calls += 1

    def release(self) -> None:
        self.releases += 1

    def not_ready(self) -> str:
        return self.reason


@pytest.fixture
def robot() -> Any:
    return FakeRobot()


@pytest.fixture
def results(tmp_path: Path, identity: Identity) -> Any:
    file = ResultsFile(tmp_path, identity, {})
    yield file
    file.close()


@pytest.fixture
def desk(robot: Any, results: ResultsFile, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(buttons, "DOUBLE", 0.0)
    node: Any = FakeNode()
    return Desk(node, robot, None, Corrections(results, ""), page=False)


def begin(desk: Desk, phase: Phase = Phase.PREPARING) -> Rollout:
    rollout = Rollout(Rules(by_person=True), rate=5.0)
    desk.begin(Trial(0, 0, 0, 0), rollout, 1, 4)
    rollout.phase, rollout.commands = phase, 1
    return rollout


def test_a_press_that_comes_late_does_not_count_for_the_next_rollout(desk: Desk) -> None:
    begin(desk, Phase.RUNNING)
    saw = desk.status(0.0)["number"]
    rollout = begin(desk, Phase.RUNNING)
    for button in ("score_1", "invalid", "abort", "correct_1"):
        assert "rollout before" in desk.press(button, saw)
    assert rollout.phase is Phase.RUNNING
    assert not desk.press("estop", saw) and rollout.phase is Phase.SCORING, "an e-stop is never too late"


def test_what_is_pressed_twice_does_not_spoil_the_next_attempt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "DOUBLE", 1000.0)
    first = begin(desk)
    assert not desk.press("invalid") and first.phase is Phase.INVALID
    second = begin(desk)
    assert desk.press("invalid") == "pressed twice" and second.phase is Phase.PREPARING


@pytest.mark.parametrize("phase", [Phase.ENABLING, Phase.RUNNING])
def test_whoever_stops_a_policy_stops_it_at_once(desk: Desk, robot: Any, phase: Phase) -> None:
    for button in ("abort", "invalid", "estop"):
        begin(desk, phase)
        before = robot.let_go_calls
        assert not desk.press(button) and robot.let_go_calls == before + 1


def test_the_arm_is_not_released_while_it_is_stopped(desk: Desk, robot: Any) -> None:
    rollout, robot.reason = begin(desk, Phase.SCENE), "arm: e-stop"
    assert desk.press("scene_ready") == "not yet: arm: e-stop" and rollout.phase is Phase.SCENE
    robot.reason = ""
    assert not robot.releases
    assert not desk.press("scene_ready") and rollout.phase is Phase.ENABLING and not robot.let_go_calls
    assert robot.releases == 1


def test_the_arm_is_released_by_a_press_that_counts_and_by_no_other_button(desk: Desk, robot: Any) -> None:
    rollout = begin(desk)
    assert desk.press("clear") == "nobody asks for that now"
    rollout.phase = Phase.SCORING
    assert not desk.press("score_1") and not robot.releases
    rollout = begin(desk, Phase.BARRED)
    assert not desk.press("clear") and rollout.phase is Phase.PREPARING and robot.releases == 1


def test_why_the_last_attempt_was_invalid_is_still_shown_in_the_next_one(desk: Desk) -> None:
    begin(desk, Phase.RUNNING).invalidate("camera external has been silent for 3 s")
    begin(desk)
    assert desk.status(time.monotonic())["notice"] == {
        "text": "repeated: camera external has been silent for 3 s",
        "ok": False,
    }


class FakePlacements:
    """On a machine whose graphics library fails, as MuJoCo's FatalError does."""

    def photo(self, trial: Trial) -> None: ...

    def draw(self, trial: Trial) -> Future[bytes]:
        drawing: Future[bytes] = Future()
        drawing.set_exception(RuntimeError("an OpenGL platform library has not been loaded"))
        return drawing


def test_a_machine_that_cannot_draw_goes_on_without_an_overlay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(desk, "_placements", FakePlacements())
    monkeypatch.setattr(desk, "_publish", type("Publisher", (), {"publish": lambda self, message: None})())
    begin(desk, Phase.SCENE)
    desk._node.get_logger = lambda: type("L", (), {"warning": lambda self, text, once: warnings.append(text)})()
    desk.tick(time.monotonic(), None)
    assert warnings == ["no overlay of the placement: an OpenGL platform library has not been loaded"]


def test_the_last_score_is_corrected_whatever_runs(
    desk: Desk, results: ResultsFile, rollout_line: Callable[..., Any]
) -> None:
    rollout = begin(desk, Phase.RUNNING)
    assert "correct_1" not in desk.status(0.0)["buttons"]
    results.append("rollout", **rollout_line(0, 0.0, scored_by="person"))
    assert desk.status(0.0)["last"] == "rollout 1: 0" and "correct_1" in desk.status(0.0)["buttons"]
    assert not desk.press("correct_1") and rollout.phase is Phase.RUNNING
    assert scored(results.lines)[0]["score"] == 1.0


def test_a_video_that_fails_in_whatever_way_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no ffmpeg\nfound")

    monkeypatch.setattr("clam_eval.pictures.write_video", fail)
    pictures = Pictures(tmp_path)
    pictures.write("one.mp4", [b""], 5.0)
    while pictures.writing:
        lines = pictures.failures()
    assert lines == ["no video one.mp4: no ffmpeg found"]
    pictures.close()
