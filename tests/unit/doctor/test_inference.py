"""Inference is timed on what the policy would be shown, and must fit into the control period."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.doctor import inference as module
from clam_core.doctor.heard import Needs
from clam_core.doctor.inference import inference


class Clock:
    """Time that passes only where a policy thinks."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Thinker:
    """Takes `seconds` for an answer, the first time ten times as long."""

    def __init__(self, clock: Clock, seconds: float, action: float = 0.0) -> None:
        self.clock, self.seconds, self.action, self.calls, self.resets = clock, seconds, action, 0, 0

    def reset(self) -> None:
        self.resets += 1

    def predict_chunk(self, observation: Any) -> Any:
        self.calls += 1
        self.clock.now += self.seconds * (10 if self.calls == 1 else 1)
        return np.full((5, 2), self.action)


@pytest.mark.parametrize(("seconds", "level"), [(0.02, "ok"), (0.15, "warn"), (0.3, "warn"), (0.7, "fail")])
def test_the_time_of_an_answer_is_judged_by_the_period_and_the_chunk(
    needs: Needs, monkeypatch: pytest.MonkeyPatch, seconds: float, level: str
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    thinker = Thinker(clock, seconds)
    (finding,) = inference(needs, thinker, {"state": np.zeros(2)})
    assert finding.level == level and f"{seconds * 1e3:.1f} ms" in finding.text
    assert thinker.resets == 2, "an episode begins with nothing remembered"


def test_answers_that_are_not_finite_fail(needs: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    (finding,) = inference(needs, Thinker(clock, 0.01, np.nan), {"state": np.zeros(2)})
    assert finding.level == "fail" and "not finite" in finding.text
