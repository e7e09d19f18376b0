"""What the policy node logs when its inputs are refused again and again."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_policy.trouble import Trouble


def test_refusals_between_sound_answers_are_one_line_and_all_counted() -> None:
    lines: list[str] = []
    logger = SimpleNamespace(warning=lines.append, error=lines.append)
    node = SimpleNamespace(counters=Counter(), get_logger=lambda: logger)
    trouble = Trouble(node)  # type: ignore[arg-type]
    for age in range(100):
        trouble.refuse(f"observation refused: it is 0.5{age:02d} s old, at most 0.5 s is allowed")
        assert trouble.fault.startswith(f"observation refused: it is 0.5{age:02d}")
        trouble.clear()
        assert not trouble.fault
    assert lines == ["no command: observation refused: it is 0.500 s old, at most 0.5 s is allowed"]
    assert node.counters["refused"] == 100
    for number in range(3):
        trouble.fail(ValueError(f"broken at {number}"))
        trouble.clear()
    assert len(lines) == 2 and lines[1] == "no command: broken at 0\nValueError: broken at 0\n"
    assert node.counters["failures"] == 3
