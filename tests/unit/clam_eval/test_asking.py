from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_core.errors import ClamError
from clam_eval import asking


def test_a_lost_answer_is_asked_for_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits, losses = [0.0], list[float](), [2]

    async def call(node: Any, client: Any, request: Any, seconds: float) -> str:
        waits.append(seconds)
        if losses[0]:
            losses[0] -= 1
            clock[0] += seconds
            raise ClamError("no answer")
        return "answer"

    monkeypatch.setattr(asking, "call", call)
    monkeypatch.setattr(asking.time, "monotonic", lambda: clock[0])
    node: Any = None
    assert asyncio.run(asking.ask(node, node, node, 60.0)) == "answer" and waits == [10.0] * 3
    losses[0], begin = 99, clock[0]
    with pytest.raises(ClamError, match="no answer"):
        asyncio.run(asking.ask(node, node, node, 25.0))
    assert clock[0] - begin == pytest.approx(25.0)
