"""The order in which services are called; they are fakes that write it down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from clam_core.errors import ClamError
from clam_eval.health import ERROR, OK, Health
from clam_eval.robot_client import RobotClient


class FakeNode:
    def connect(self, kind: type, name: str) -> str:
        return name


class FakePolicy:
    """Answers late, or not at all."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.answers = True

    def let_go(self) -> None:
        self.told.append("let go")

    async def is_active(self, seconds: float | None = None) -> bool:
        self.told.append("is active?")
        if not self.answers:
            raise ClamError("no answer")
        return True

    async def enable(self, on: bool, seconds: float | None = None) -> str:
        self.told.append(f"enable {on}")
        return ""


@pytest.fixture
def health() -> Health:
    made = Health(policy="/policy", arm="/arm", watch="/watch")
    made.hear("/arm", OK, "hold", {"state": "hold", "e-stop": "-"}, 0.0)
    return made


@pytest.fixture
def robot(health: Health, monkeypatch: pytest.MonkeyPatch) -> RobotClient:
    node: Any = FakeNode()
    made = RobotClient(node, health, [], policy="policy", simulated=False, started=lambda: None)
    monkeypatch.setattr(made, "_policy", FakePolicy())
    return made


def told(robot: RobotClient) -> list[str]:
    policy: Any = robot._policy
    return policy.told


def test_the_policy_is_told_to_stop_before_anything_is_asked(robot: RobotClient) -> None:
    asyncio.run(robot.disable())
    assert told(robot) == ["let go", "is active?", "enable False"]
    policy: Any = robot._policy
    policy.told, policy.answers = [], False
    with pytest.raises(ClamError, match=r"nobody says that the policy is off \(no answer\): start its node again"):
        asyncio.run(robot.disable())
    assert told(robot)[0] == "let go"


def test_commands_count_as_a_disturbance_while_the_policy_is_off_and_only_then(
    robot: RobotClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(robot, "now", lambda: now[0])
    robot.commanded()
    assert not robot.disturbed(), "nobody has said yet that the arm shall be still"
    asyncio.run(robot.disable())
    robot.commanded()
    assert not robot.disturbed(), "it was on its way"
    now[0] += 1.0
    robot.commanded()
    assert robot.disturbed() and not robot.disturbed()
    asyncio.run(robot.enable())
    robot.commanded()
    assert not robot.disturbed()


def test_an_e_stop_ends_the_way_to_the_ready_pose_and_its_reset_does_not_go_on(
    robot: RobotClient, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def call(node: Any, client: Any, request: Any, seconds: float) -> Any:
        asked.append(client)
        health.hear("/arm", ERROR, "e-stop", {"state": "e-stop", "e-stop": "requested"}, 0.0)
        return type("Response", (), {"success": False, "message": "stopped"})

    async def sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr("clam_eval.robot_client.call", call)
    monkeypatch.setattr(robot, "sleep", sleep)
    with pytest.raises(ClamError, match="e-stop was pressed"):
        asyncio.run(robot.to_ready())
    assert asked == ["ready"]


@pytest.mark.parametrize("facts", [{"state": "e-stop", "e-stop": "requested"}, {"state": "disabled", "e-stop": "-"}])
def test_a_stop_that_came_and_went_while_nobody_looked_keeps_the_arm_where_it_is(
    robot: RobotClient, health: Health, monkeypatch: pytest.MonkeyPatch, facts: dict[str, str]
) -> None:
    asked: list[Any] = []

    async def call(node: Any, client: Any, request: Any, seconds: float) -> Any:
        asked.append(client)
        return type("Response", (), {"success": True, "message": ""})

    monkeypatch.setattr("clam_eval.robot_client.call", call)
    health.hear("/arm", ERROR, "stopped", facts, 1.0)  # while a bundle is loaded
    health.hear("/arm", OK, "hold", {"state": "hold", "e-stop": "-"}, 2.0)
    with pytest.raises(ClamError, match="or its torque taken"):
        asyncio.run(robot.to_ready())
    assert asked == []
    robot.release()
    asyncio.run(robot.to_ready())
    assert asked == ["ready"]


def test_torque_that_goes_and_comes_back_on_the_way_ends_it(
    robot: RobotClient, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def call(node: Any, client: Any, request: Any, seconds: float) -> Any:
        asked.append(client)
        for state in ("disabled", "hold"):
            health.hear("/arm", OK, state, {"state": state, "e-stop": "-"}, 0.0)
        return type("Response", (), {"success": False, "message": "stopped"})

    async def sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr("clam_eval.robot_client.call", call)
    monkeypatch.setattr(robot, "sleep", sleep)
    with pytest.raises(ClamError, match="or its torque taken"):
        asyncio.run(robot.to_ready())
    assert asked == ["ready"]
