"""What the measurement makes of stamps and arrivals."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_policy.measure_latency import Heard

MS = 1_000_000  # [ns]


def test_latency_is_that_of_answers_and_a_period_without_a_command_is_a_miss() -> None:
    heard = Heard()
    heard.chunks = {0: 3, 200 * MS: 3, 1000 * MS: 3}
    # in time; in time; its second step, played out; nothing for 600 ms; an answer that is one step late
    times = [(0, 30), (200, 240), (400, 490), (1200, 1290)]
    heard.commands = [(stamp * MS, arrival * MS) for stamp, arrival in times]
    report = heard.report(5.0)
    assert report["commands"] == 4 and report["answers"] == 3 and report["played_out"] == 1
    assert report["latency_ms"] == {"median": 40.0, "p99": pytest.approx(285, abs=1), "max": 290.0}
    assert report["interval_ms"]["max"] == 800.0
    assert report["misses"] == 3


def test_silence_is_reported_as_such() -> None:
    assert Heard().report(5.0)["latency_ms"] is None
