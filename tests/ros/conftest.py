"""Real nodes over real DDS, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 180.0  # [s] generous: the machine may be busy


class Process:
    """A node in a process of its own; its output goes to a file."""

    def __init__(self, module: str, log: Path, parameters: dict[str, Any]) -> None:
        arguments = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.log = log
        with log.open("w") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, "--ros-args", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Exit status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.log.stem} did not end within {timeout} s:\n{self.output()}")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.wait()

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """``start("clam_sim.sim_bridge", env="gym", …)`` starts a node's process, which ends with the test."""
    processes: list[Process] = []

    def begin(module: str, **parameters: Any) -> Process:
        processes.append(Process(module, tmp_path / f"{module}.{len(processes)}.log", parameters))
        return processes[-1]

    yield begin
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait()


@pytest.fixture
def udp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's nodes talk over loopback, not through shared memory.

    For tests that kill a node and start it again: Fast DDS (3.2, and 3.6 by its code) marks a dead reader's port in
    shared memory only if it died while it waited or read, so writers may go on filling a port that nobody reads.
    """
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, "")  # clam_camera's profile would bring shared memory back


class Graph:
    """Nodes in this process on one single-threaded executor, and a plain node `probe` to talk to them."""

    def __init__(self) -> None:
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        self.executor = SingleThreadedExecutor()
        self.probe = Node("probe", use_global_arguments=False)
        self.nodes: list[Any] = []
        self.executor.add_node(self.probe)

    def add(self, node: Any) -> Any:
        """Add a node, configure and activate it."""
        self.nodes.append(node)
        self.executor.add_node(node)
        assert node.autostart()
        return node

    def spin_until(
        self, condition: Callable[[], bool], timeout: float = TIMEOUT, what: str | Callable[[], str] = ""
    ) -> None:
        """Spin until `condition` holds; `what` says what was waited for, as it is known at the end."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"not within {timeout} s: {(what() if callable(what) else what) or condition}")
            self.executor.spin_once(timeout_sec=0.05)

    def spin_for(self, seconds: float) -> None:
        """Spin for a while, to see that something does *not* happen; time in which this thread stood still is none."""
        while seconds > 0:
            begin = time.monotonic()
            self.executor.spin_once(timeout_sec=0.02)
            seconds -= min(time.monotonic() - begin, 0.05)

    def call(self, kind: type, name: str, request: Any = None) -> Any:
        """Call a service from the probe."""
        client = self.probe.create_client(kind, name)
        self.spin_until(client.service_is_ready, what=f"service {name}")
        future = client.call_async(kind.Request() if request is None else request)
        self.spin_until(future.done, what=f"answer of {name}")
        self.probe.destroy_client(client)
        return future.result()

    def collect(self, kind: type, topic: str, depth: int = 1000) -> list[Any]:
        """A list that fills with the messages of a topic."""
        messages: list[Any] = []
        self.probe.create_subscription(kind, topic, messages.append, depth)
        return messages


@pytest.fixture
def make_graph() -> Iterator[Callable[..., Graph]]:
    """``make_graph(env="gym", …)`` initializes ROS with parameters for all nodes of this process."""
    import rclpy

    graphs: list[Graph] = []

    def make(**parameters: Any) -> Graph:
        arguments = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *arguments] if arguments else None)
        graphs.append(Graph())
        return graphs[-1]

    yield make
    for graph in graphs:
        for node in graph.nodes:
            node.close()
    rclpy.try_shutdown()
