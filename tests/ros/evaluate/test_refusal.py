"""What an evaluator refuses at its start, also one that was started by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")
pytest.importorskip("clam_eval", reason="needs clam_eval (make setup)")


def test_a_bundle_of_another_robot_is_refused_in_one_line(start: Any, make_bundle: Any, tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    evaluator = start("clam_eval.evaluator", task="push-button", bundle=make_bundle("gym", "Pendulum-v1"), out=out)
    assert evaluator.wait() == 1
    said = evaluator.output()
    assert "is of another robot (gym/Pendulum-v1)" in said and said.count("\n") == 1, said
    assert not out.exists(), "no results of an evaluation that cannot be"
