"""The measurement of sustained load, for a few seconds: it must count right, and tell a loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_recorder import measure_recording, stress_life, stress_recorder


@pytest.mark.parametrize("images", [[], ["--raw"]], ids=["jpeg", "raw"])
def test_what_is_published_is_in_the_bag(tmp_path: Path, capfd: pytest.CaptureFixture[str], images: list[str]) -> None:
    status = measure_recording.main(["--minutes", "0.05", "--tolerance", "0.9", "--out", str(tmp_path), *images])
    result = json.loads(capfd.readouterr().out)
    assert status == (1 if any(row["lost"] for row in result["topics"].values()) else 0)
    kind = "image_raw" if images else "compressed"
    assert set(result["topics"]) == {
        "joint_states",
        "command",
        *(f"camera/{name}/{part}" for name in ("front", "wrist") for part in (kind, "camera_info")),
    }
    for topic, row in result["topics"].items():
        assert row["in_bag"] > 0 and row["lost"] <= 0.5 * row["published"], topic  # not here to be quick
    assert result["dropped_by_recorder"] == 0
    assert not list(tmp_path.iterdir())


def test_a_message_that_is_not_in_the_bag_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        topic = "/ns/joint_states"

    class Reader:
        def __init__(self, _: Any) -> None: ...
        def __enter__(self) -> Reader:
            return self

        def __exit__(self, *_: Any) -> None: ...
        def messages(self) -> list[tuple[Any, int, int]]:
            return [(Connection, 0, 1), (Connection, 0, 2), (Connection, 0, 4)]

    monkeypatch.setattr(measure_recording, "Reader", Reader)
    monkeypatch.setattr(measure_recording, "stamp_of", lambda data: data)
    rows = measure_recording._compare(tmp_path, "/ns", "compressed", {"arm": [1, 2, 3, 4, 5], "front": [4]}, began=1)
    assert rows == {
        "camera/front/camera_info": {"published": 1, "in_bag": 0, "lost": 1},
        "camera/front/compressed": {"published": 1, "in_bag": 0, "lost": 1},
        "command": {"published": 4, "in_bag": 0, "lost": 4},  # not one of them, and yet a row
        "joint_states": {"published": 4, "in_bag": 2, "lost": 2},
    }


@pytest.mark.parametrize("arguments", [["--minutes", "0"], ["--minutes", "nan"], ["--minutes", "x"]])
def test_a_time_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        measure_recording.main(arguments)
    assert ended.value.code == 2 and "--minutes" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", [measure_recording.main, stress_recorder.main])
def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, capsys: Any, command: Any) -> None:
    assert command(["--out", str(tmp_path / "nowhere")]) == 1
    error = capsys.readouterr().err
    assert "No such file or directory" in error and "Traceback" not in error


def test_a_refused_stop_is_a_failure_of_the_stress_and_no_crash() -> None:
    from std_srvs.srv import Trigger

    with pytest.raises(stress_life.Refused, match="record/stop failed: the disk is full"):
        stress_life._summary(Trigger.Response(success=False, message="the disk is full"))
