"""The measurement of sustained load, for a few seconds: it must count right, and tell a loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_recorder import measure_recording


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
        assert row["published"] > 10, topic
        assert row["lost"] == row["published"] - row["in_bag"] <= 0.2 * row["published"], topic  # not here to be quick
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
    rows = measure_recording._compare(tmp_path, {"arm": [1, 2, 3, 4, 5]}, began=1)
    assert rows == {"joint_states": {"published": 4, "in_bag": 2, "lost": 2}}
