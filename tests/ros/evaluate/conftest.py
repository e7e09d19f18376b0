"""The graph `evaluate`, or its nodes one by one, and an operator who reads what they publish."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")
pytest.importorskip("clam_eval", reason="needs clam_eval (make setup)")

from std_msgs.msg import String

EVALUATE = [sys.executable, "-m", "clam_bringup.runner", "evaluate"]
PATIENCE = 300.0  # [s] generous: the machine may be busy


@pytest.fixture
def bundles(make_bundle: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Two that differ in a word of their description."""
    first = make_bundle("kitchen", "push-button")
    one, other = tmp_path / "runs/one/bundle", tmp_path / "runs/other/bundle"
    shutil.copytree(first, one)
    shutil.copytree(first, other)
    description = json.loads((other / "bundle.json").read_text())
    description["provenance"] = {"made by": "another test"}
    (other / "bundle.json").write_text(json.dumps(description))
    return one, other


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``launch(out, key=value, …)`` starts the graph; its output goes to a file."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(out: Path, **arguments: Any) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"evaluate.{len(processes)}.log"
        with log.open("w") as file:
            command = [*EVALUATE, f"out:={out}", *(f"{key}:={value}" for key, value in arguments.items())]
            processes.append(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT))
        return processes[-1], log

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Display:
    """What an operator sees; `alive` says why nothing more can come, or nothing."""

    def __init__(self, graph: Any, alive: Callable[[], str] = lambda: "") -> None:
        self.graph, self.alive = graph, alive
        self.statuses = graph.collect(String, "evaluation/status", 100_000)

    @property
    def status(self) -> dict[str, Any]:
        return json.loads(self.statuses[-1].data) if self.statuses else {}

    def until(self, state: str, place: str = "", message: str = "") -> None:
        """Wait for this to be shown."""

        def there() -> bool:
            if ended := self.alive():
                pytest.fail(f"it ended before {state} {place} {message}:\n{ended}")
            now = self.status
            return bool(now) and now["state"] == state and place in now["place"] and message in now["message"]

        self.graph.spin_until(there, PATIENCE, f"{state} {place} {message}; now {self.status}")


@pytest.fixture
def display() -> type[Display]:
    """``display(graph)``"""
    return Display
