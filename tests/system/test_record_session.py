"""A session with a robot as a person begins it: one command, and bags that import and can be judged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from clam_core.cli import main  # noqa: E402
from clam_core.data.inspect import known_actions  # noqa: E402
from clam_core.data.store import EpisodeStore  # noqa: E402
from clam_core.doctor.machine import opengl  # noqa: E402

PATIENCE = 120.0  # [s] the machine may be busy
SECONDS = 5.0  # of an episode
RATE = 5.0  # [Hz] of the cameras: software rendering on a busy machine


class Operator:
    """Presses the buttons, and reads what the recorder says."""

    def __init__(self, launched: subprocess.Popen[str]) -> None:
        self.status: dict[str, Any] = {}
        self.commands = 0
        self._launched = launched
        self._node = rclpy.create_node("operator")
        self._executor = rclpy.executors.SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.create_subscription(String, "record/status", self._on_status, 10)
        self._node.create_subscription(JointTrajectory, "command", self._on_command, 10)

    def _on_command(self, _: JointTrajectory) -> None:
        self.commands += 1

    def _on_status(self, message: String) -> None:
        self.status = json.loads(message.data)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self._launched.poll() is None, f"the graph has ended: {self._launched.communicate()[0][-3000:]}"
            assert time.monotonic() < end, f"{what} did not come: {self.status}"
            self._executor.spin_once(timeout_sec=0.1)

    def press(self, button: str) -> tuple[bool, str]:
        client = self._node.create_client(Trigger, f"record/{button}")
        self.until(client.service_is_ready, button)
        future = client.call_async(Trigger.Request())
        self.until(future.done, f"the answer to {button}")
        self._node.destroy_client(client)
        return future.result().success, future.result().message


@pytest.fixture
def session(tmp_path: Path) -> Iterator[tuple[Operator, Path]]:
    """The simulated kitchen, its arm and cameras, scripted teleoperation, the recorder; and where the bags go."""
    if not any(finding.level == "ok" for finding in opengl()):
        pytest.skip("needs OpenGL without a display (apt-get install libegl1)")
    out = tmp_path / "bags"
    options = {"robot": "mujoco", "task": "reach-block", "kind": "play", "input": "script", "rate": RATE}
    options["rate_tolerance"] = 0.9  # the machine may be busy
    arguments = [f"{name}:={value}" for name, value in {**options, "width": 96, "height": 72, "out": out}.items()]
    launched = subprocess.Popen(
        [sys.executable, "-m", "clam_bringup.runner", "record", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    rclpy.init()
    try:
        yield Operator(launched), out
    finally:
        rclpy.try_shutdown()
        launched.send_signal(signal.SIGINT)
        try:
            launched.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            launched.kill()
            launched.communicate()


def test_a_session_with_the_simulated_robot_imports_and_says_what_it_covers(
    session: tuple[Operator, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator, out = session
    operator.until(lambda: operator.commands > 0, "the first squeeze")  # before it teleoperation sends nothing
    for kept in range(2):
        operator.until(lambda: operator.press("start")[0], "an episode")
        operator.until(lambda: operator.status.get("seconds", 0.0) > SECONDS, "its end")
        assert operator.press("stop")[0]
        operator.until(lambda kept=kept: operator.status["kept"] == kept + 1, "the count")
    data = tmp_path / "play"
    options = ["--rate", "5", "--tolerance", "1.0", "--image-size", "32", "--out", str(data), "--json"]
    assert main(["import", "rosbag", str(out), *options]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == ["episode_0000", "episode_0001"]
    store = EpisodeStore.open(data)
    assert (store.info.kind, store.info.spec.task) == ("play", "reach-block")
    assert [camera.name for camera in store.info.spec.observation.cameras] == ["external", "over_shoulder"]
    assert store.num_transitions >= 2 * (SECONDS - 2.0) * 5
    assert known_actions(store).std(axis=0).max() > 0.01  # the script moved the arm
    assert main(["inspect", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["space"]["workspace"]["reachable"] > 100 and facts["advice"]
