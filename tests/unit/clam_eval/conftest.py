"""Bundles that are only files, and an evaluation of two of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("clam_eval", reason="needs clam_eval (make setup)")

from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec
from clam_eval.contender import Contender
from clam_eval.results_file import Identity

A = Contender("a", "runs/a/bundle", "aa", "reach-block", 5.0)
B = Contender("b", "runs/b/bundle", "bb", "reach-block", 5.0)


@pytest.fixture
def identity() -> Identity:
    return Identity("reach-block", "mujoco", 7, 3, 100, True, (A, B))


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., str]:
    """``make_files("clam", weights=b"1")`` writes the files of a bundle; returns its folder."""

    def make(run: str, weights: bytes = b"weights", task: str = "reach-block") -> str:
        folder = tmp_path / "runs" / run / "bundle"
        folder.mkdir(parents=True)
        one = ("m",)
        spec = EnvironmentSpec(
            "kitchen", task, ObservationSpec(("x",), one), ActionSpec(("x",), one, (-1.0,), (1.0,)), 5.0, 100
        )
        (folder / "bundle.json").write_text(json.dumps({"spec": spec.to_json()}))
        (folder / "weights.safetensors").write_bytes(weights)
        return str(folder)

    return make


@pytest.fixture
def rollout_line() -> Callable[..., dict[str, Any]]:
    """A line of a scored rollout, without its type."""

    def make(index: int, score: float, **facts: Any) -> dict[str, Any]:
        line = {"index": index, "layout": 0, "score": score, "scored_by": "simulator", "simulator_score": score}
        return {**line, "seconds": {"rollout": 20.0, "operator": 0.0, "overhead": 6.0}, **facts}

    return make
