"""`measure_latency` as somebody starts it beside a policy that is not there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

TIMEOUT = 180.0  # [s] generous: the machine may be busy


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_it_waits_for_and_a_signal_ends_it_without_a_traceback(number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clam_policy.measure_latency"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "waiting: nobody publishes '/command'; start the policy" in said
        process.send_signal(number)
        out, rest = process.communicate()
    finally:
        watchdog.cancel()
        process.kill()
    assert process.returncode == 130 and out == "" and "Traceback" not in rest, rest
