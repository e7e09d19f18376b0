"""Only what came of late counts."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_policy.hearing import Hearing


def test_what_is_older_than_the_window_is_forgotten() -> None:
    hearing = Hearing(("a", "b"), window=2.0)
    hearing.begin(10.0)
    for k in range(40):
        hearing.hear("a", k, k * 10**8 + 5, f"message {k}", 10.0 + k / 10)
    stream = hearing.streams()["a"]
    assert len(stream.stamps) == 21 and stream.stamps[-1] == 39 and stream.rate == pytest.approx(10.0)
    assert hearing.newest == {"a": "message 39"} and not hearing.streams()["b"].stamps


def test_it_says_how_long_it_must_still_listen_and_begins_anew() -> None:
    hearing = Hearing(("a",), window=2.0)
    hearing.begin(10.0)
    hearing.hear("a", 1, 1, "message", 10.5)
    assert hearing.missing(10.5) == 1.5 and hearing.missing(13.0) == 0.0
    hearing.begin(13.0)
    assert hearing.missing(13.0) == 2.0 and not hearing.newest and not hearing.streams()["a"].stamps
