"""`clam doctor`: what it finds on a machine, and what it makes of what a killed recorder left."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.cli import main
from clam_core.data.bag_lock import lock_folder
from clam_core.doctor import machine
from clam_core.doctor.finding import Finding, as_text, is_ready, run_checks

STORE = get_typestore(Stores.ROS2_JAZZY)


def killed_bag(path: Path, messages: int) -> Path:
    """A bag as SIGKILL leaves it."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.open()
    connection = writer.add_connection("/text", "std_msgs/msg/String", typestore=STORE)
    for index in range(messages):
        message = STORE.types["std_msgs/msg/String"](data="x")
        writer.write(connection, 10**9 + index * 10**8, STORE.serialize_cdr(message, "std_msgs/msg/String"))
    storage: Any = writer.storage
    if messages:
        storage.close_chunk()
    storage.bio.flush()
    writer.abort()
    return path


def test_this_machine_is_ready_and_every_check_has_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ready"] is True
    about = {finding["about"] for finding in result["findings"]}
    assert {"python", "packages", "processor", "disk", "gpu"} <= about


def test_what_is_missing_is_named_with_the_mend(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    found = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: None if name in ("zarr", "mujoco") else found(name))
    monkeypatch.setattr(machine, "MACHINE", (machine.packages,))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fail") and "without zarr: run make setup" in lines[0]
    assert any(line.startswith("warn") and "without mujoco" in line for line in lines)
    assert lines[-1] == "not ready: see fail above"


def test_a_disk_without_room_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
    assert {finding.level for finding in machine.disk()} == {"fail"}
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    assert {finding.level for finding in machine.disk()} == {"warn"}


def test_opengl_that_crashes_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DRAW", "import os; os.kill(os.getpid(), 11)")
    (finding,) = machine.opengl()
    assert (finding.level, finding.mend) == ("warn", "apt-get install libegl1")


def test_opengl_that_hangs_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(machine.subprocess, "run", hang)
    (finding,) = machine.opengl()
    assert finding.level == "warn"


def test_without_ros_nodes_cannot_run_but_training_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    findings = list(machine.ros())
    assert findings[0].level == "warn" and is_ready(findings)


@pytest.mark.parametrize(
    ("name", "value"), [("RMW_IMPLEMENTATION", "rmw_nonsense"), ("ROS_DOMAIN_ID", "9999"), ("ROS_DOMAIN_ID", "x")]
)
def test_where_no_node_can_run_the_machine_is_not_ready(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    monkeypatch.setenv(name, value)
    finding = next(iter(machine.ros()))
    assert finding.level == "fail" and "no node can run" in finding.text and name in finding.mend


def test_a_node_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    monkeypatch.setattr(machine, "_NODE", "import time; time.sleep(600)")
    monkeypatch.setattr(machine, "NODE_PATIENCE", 0.5)
    finding = next(iter(machine.ros()))
    assert finding.level == "fail" and "none within 0.5 s" in finding.text


def test_a_check_that_fails_is_a_finding_and_the_others_go_on() -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("the driver\nis gone")

    findings = run_checks([broken, lambda: [Finding("b", "ok", "fine")]])
    assert not is_ready(findings)
    assert as_text(findings) == [
        "fail  broken  cannot be checked (RuntimeError: the driver is gone)",
        "ok    b       fine",
    ]


def test_recover_mends_and_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = killed_bag(tmp_path / "episode_0000", 21)
    killed_bag(tmp_path / "episode_0001", 0)
    assert main(["doctor", "--recover", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "episode_0000: 21 messages recovered, 2.0 s",
        "episode_0001: its recorder was killed before it wrote a message; delete it",
        "1 of 2 unfinished bags recovered",
    ]
    with Reader(bag) as reader:
        assert reader.message_count == 21
    assert main(["doctor", "--recover", str(bag)]) == 0
    assert capsys.readouterr().out == "no unfinished bag\n"


def test_bags_further_down_are_named_by_their_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed_bag(tmp_path / "play/episode_0000", 21)
    assert main(["doctor", "--recover", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "play/episode_0000: 21 messages recovered, 2.0 s"


def test_recover_without_room_is_status_3_and_json_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_bag(tmp_path / "episode_0000", 21)
    monkeypatch.setattr("clam_core.data.bag_mending.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    assert main(["doctor", "--recover", str(tmp_path), "--json"]) == 3
    (row,) = json.loads(capsys.readouterr().out)["recovered"]
    assert row["messages"] == 0 and "make room" in row["error"]


def test_recover_refuses_what_is_not_there_or_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--recover", str(tmp_path / "nowhere")]) == 1
    assert "no folder at" in capsys.readouterr().err
    assert main(["doctor", "--recover", str(tmp_path)]) == 1
    assert "no bag in" in capsys.readouterr().err
    killed_bag(tmp_path / "episode_0000", 21)
    with lock_folder(tmp_path):
        assert main(["doctor", "--recover", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"a recorder writes to '{tmp_path}': stop it first" in error and "`out`" not in error
