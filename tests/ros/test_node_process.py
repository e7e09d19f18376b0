"""How a node's process ends, whatever the node does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


def test_arguments_that_ros_does_not_take_are_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clam_ros.watch", "--ros-args", "-r", "__ns:=/no good"],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said
    assert "/no good" in said and "check the arguments after --ros-args" in said


@pytest.mark.parametrize("script", ["policy", "kitchen_world", "clam-launch"])
def test_an_interrupt_while_libraries_load_is_one_line(script: str, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    (tmp_path / "yaml.py").write_text((tmp_path / "numpy.py").read_text())
    ended = subprocess.run(
        [str(Path(sys.executable).parent / script)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # or a job in the background ignores it
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 130 and ended.stderr == f"{script}: interrupted\n" and not ended.stdout
