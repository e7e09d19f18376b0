"""The node that says which node is silent: over real DDS, with nodes that are killed, stopped and started again."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from clam_ros.node import ERROR, OK, WARN
from clam_ros.watch import LOOK, Watch

BRIDGE = {"env": "gym", "task": "Pendulum-v1"}


class Listener:
    """The newest status of every name on /diagnostics."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.newest: dict[str, tuple[bytes, str]] = {}
        graph.probe.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 100)

    def _hear(self, message: DiagnosticArray) -> None:
        self.newest |= {status.name: (status.level, status.message) for status in message.status}

    def says(self, name: str, level: bytes, words: str = "") -> str:
        def said() -> bool:
            found = self.newest.get(name, (b"", ""))
            return bool(found[0] == level and words in found[1])

        self.graph.spin_until(said, what=f"{name}: {words}; {self.newest}")
        return self.newest[name][1]


@pytest.mark.usefixtures("udp")
def test_a_node_that_hangs_or_dies_is_named_until_it_is_back(make_graph: Any, start: Any) -> None:
    listener = Listener(make_graph())
    watch = start("clam_ros.watch", nodes="[sim_bridge, /robot/other]", start_within=0.0)
    listener.says("/watch: robot/other", ERROR, "/robot/other has not been heard for")
    bridge = start("clam_sim.sim_bridge", **BRIDGE)
    listener.says("/watch: sim_bridge", OK, "is heard")

    bridge.popen.send_signal(signal.SIGSTOP)  # it hangs
    listener.says("/watch: sim_bridge", ERROR, "/sim_bridge is silent for")
    assert "/sim_bridge is silent for" in listener.says("/watch", ERROR, "sim_bridge")
    bridge.popen.send_signal(signal.SIGCONT)
    listener.says("/watch: sim_bridge", OK)

    bridge.popen.send_signal(signal.SIGKILL)
    bridge.wait()
    listener.says("/watch: sim_bridge", ERROR, "its process has ended or hangs")
    start("clam_sim.sim_bridge", **BRIDGE)
    listener.says("/watch: sim_bridge", OK)
    assert watch.stop() == 0
    for line in ("/sim_bridge is silent for", "/sim_bridge is heard"):
        assert watch.output().count(line) >= 2, watch.output()
    assert "Traceback" not in watch.output(), watch.output()


def test_what_is_not_there_yet_is_a_warning_at_first(make_graph: Any, start: Any) -> None:
    listener = Listener(make_graph())
    start("clam_ros.watch", nodes="[sim_bridge]", start_within=600.0)
    assert listener.says("/watch", WARN) == "/sim_bridge has not been heard yet"


def test_a_watch_of_nobody_is_one_line(start: Any) -> None:
    watch = start("clam_ros.watch")
    assert watch.wait() == 1
    (line,) = [line for line in watch.output().splitlines() if line]
    assert "parameter 'nodes' names no node" in line


def test_a_watch_that_was_held_up_itself_calls_nobody_dead(make_graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_graph(nodes='["/camera"]', silent_after=1.5)
    watch = Watch()
    assert watch.autostart()
    watch._on_diagnostics(DiagnosticArray(status=[DiagnosticStatus(name="/camera")]))
    later = time.monotonic() + 60.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    watch._look()  # a timer is served before the words that wait
    assert watch.statuses()[1].level == OK
    for _ in range(round(1.5 / LOOK)):
        watch._look()
    assert watch.statuses()[1].level == ERROR and "is silent for" in watch.statuses()[1].message
    watch.close()
