"""What a recorder leaves when it is killed, and when its disk is really full."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rosbags.rosbag2 import Reader
from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_core.data.bag_integrity import check_files
from clam_recorder import stress_recorder
from clam_recorder.stress_recorder import stress

TEXT = "x" * 100_000


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_killed_at_random_moments_no_closed_episode_and_only_the_end_of_the_open_one_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    if kills > 3 and "CLAM_SLOW" not in os.environ:
        pytest.skip("takes a quarter of an hour: set CLAM_SLOW=1, or ros2 run clam_recorder stress_recorder")
    if kills == 3:  # not the second of a real recording: this machine may stand still
        monkeypatch.setattr(stress_recorder, "ALLOWED", 4.0)
    report = stress(tmp_path, kills, seed=kills)
    assert report.failures == []
    assert report.kills == kills


class SmallDisk:
    """A recorder in a mount namespace of its own, in which its folder is a file system of a few megabytes."""

    def __init__(self, out: Path, log: Path, mebibytes: int, **parameters: Any) -> None:
        recorder = [sys.executable, "-m", "clam_recorder.recorder", "--ros-args"]
        recorder += [word for name, value in {"out": out, **parameters}.items() for word in ("-p", f"{name}:={value}")]
        script = f"mount -t tmpfs -o size={mebibytes}m tmpfs '{out}' && exec {shlex.join(recorder)}"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        out.mkdir()
        self.log = log
        with log.open("w") as file:
            command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
            self.popen = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        self.out = Path(f"/proc/{self.popen.pid}/root") / out.relative_to("/")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """``small_disk(mebibytes, …)``"""
    made: list[SmallDisk] = []
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs a user namespace to mount a small file system in")

    def make(mebibytes: int, **parameters: Any) -> SmallDisk:
        made.append(SmallDisk(tmp_path / "out", tmp_path / "recorder.log", mebibytes, **parameters))
        return made[-1]

    yield make
    for disk in made:
        disk.popen.kill()
        disk.popen.wait()


def call(graph: Any, name: str) -> tuple[bool, str]:
    response = graph.call(Trigger, f"record/{name}")
    return response.success, response.message


@pytest.mark.parametrize(("size", "reserve"), [(40, 16), (8, 0)], ids=["before it is full", "when it is full"])
def test_a_full_disk_ends_the_episode_with_a_bag_that_opens_and_a_line(
    make_graph: Any, small_disk: Any, tmp_path: Path, size: int, reserve: int
) -> None:
    """The ballast takes 4 MiB; without a reserve the kernel itself says that the disk is full."""
    disk = small_disk(size, topics='["text:std_msgs/msg/String"]', disk_reserve=reserve, disk_minutes=0.0)
    graph = make_graph()
    publisher = graph.probe.create_publisher(String, "text", 100)
    graph.spin_until(lambda: call(graph, "start")[0], what="recording")
    graph.spin_until(publisher.get_subscription_count, what="the recorder's subscription")
    graph.probe.create_timer(0.02, lambda: publisher.publish(String(data=TEXT)))
    graph.spin_until(lambda: "has ended" in disk.log.read_text(), what="the end of the episode")
    log = disk.log.read_text()
    assert ("is full" if reserve else "No space left on device") in log and "Traceback" not in log
    shutil.copytree(disk.out / "episode_0000", tmp_path / "copy")
    counts = check_files(tmp_path / "copy")
    assert counts is not None and counts["/text"] > 10
    with Reader(tmp_path / "copy") as reader:
        assert sum(1 for _ in reader.messages()) == counts["/text"]
    description = yaml.safe_load((tmp_path / "copy/episode.yaml").read_text())
    assert description["complete"] is False and description["stop"] is not None
    assert description["dropped"] == 0 and ("lost_at_end" in description) == (not reserve)
    stopped, message = call(graph, "stop")
    assert not stopped and ("the bag is whole" if reserve else "the rest is in the bag") in message
    if reserve:
        started, message = call(graph, "start")
        assert not started and "is full (16 MiB are kept free): make room" in message


def test_a_disk_that_does_not_last_is_refused(make_graph: Any, small_disk: Any) -> None:
    small_disk(8, topics='["text:std_msgs/msg/String"]', disk_reserve=0, disk_minutes=10.0)
    graph = make_graph()
    publisher = graph.probe.create_publisher(String, "text", 100)
    graph.probe.create_timer(0.02, lambda: publisher.publish(String(data=TEXT)))
    graph.spin_until(lambda: "of 10 min" in call(graph, "start")[1], what="the refusal")
