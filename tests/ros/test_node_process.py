"""How a node's process ends, whatever the node does."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from diagnostic_msgs.msg import DiagnosticArray

SHARED_MEMORY = Path("/dev/shm")


def own_segments(process: int) -> set[str]:
    """Segments of Fast DDS that a process has mapped, without those of ports, which it shares with others."""
    words = Path(f"/proc/{process}/maps").read_text().split()
    names = {Path(word).name for word in words if word.startswith(f"{SHARED_MEMORY}/fastdds_")}
    return {name for name in names if not name.startswith("fastdds_port")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_node_leaves_nothing_in_shared_memory(make_graph: Any, start: Any, number: signal.Signals) -> None:
    graph = make_graph()
    heard = graph.collect(DiagnosticArray, "/diagnostics")
    before = set(os.listdir(SHARED_MEMORY)) if SHARED_MEMORY.is_dir() else set()  # the node maps the probe's too
    node = start("clam_ros.watch", nodes="[nobody]")
    graph.spin_until(lambda: bool(heard), what="diagnostics of the node")
    segments = own_segments(node.popen.pid) - before
    if not segments:
        pytest.skip("this middleware uses no shared memory of its own")
    assert node.stop(number) == 0, node.output()
    assert not [name for name in segments if (SHARED_MEMORY / name).exists()]
