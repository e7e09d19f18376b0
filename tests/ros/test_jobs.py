"""Nodes with a job to finish: what a deactivation does to it, and what is left of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory

from clam_core.errors import ClamError
from clam_ros.messages import Status
from clam_ros.node import Node
from clam_sim.rollout_log import EpisodeResult
from clam_sim.rollouts import Rollouts
from clam_sim.scripted_operator import ScriptedOperator

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Worker(Node):
    """Works until `done`, also after a deactivation."""

    def __init__(self) -> None:
        super().__init__("worker")
        self.begun = 0
        self.done = Future()

    def activate(self) -> None:
        self.start_job(self._work)

    async def _work(self) -> int:
        self.begun += 1
        await self.done
        return 0


def test_a_job_that_is_still_ending_is_not_joined_by_a_second_one(make_graph: Any) -> None:
    graph = make_graph()
    worker = graph.add(Worker())
    graph.spin_until(lambda: worker.begun == 1, what="the job")
    assert worker.trigger_deactivate() == SUCCESS
    assert worker.trigger_activate() == FAILURE and not worker.active
    worker.done.set_result(None)
    graph.spin_until(lambda: worker.exit_status == 0, what="its end")
    assert worker.begun == 1


def result(seed: int) -> EpisodeResult:
    return EpisodeResult(seed=seed, success=False, episode_return=0.0, rewards=[0.0], actions=[None])


class FakeRollouts(Rollouts):
    """Of episodes that take no time, up to number `stop`, where `ending` happens."""

    stop, ending, bundle = 0, "fails", "/a/bundle"
    begun: ClassVar[list[int]] = []

    async def _wait_for_policy(self) -> None:
        async def matched(*_: Any) -> None: ...

        async def read() -> dict[str, Any]:
            return {"bundle": self.bundle}

        self._client.wait_until_matched = matched  # type: ignore[method-assign]
        self._setting.read = read  # type: ignore[method-assign]

    async def _episode(self, seed: int) -> EpisodeResult:
        if self.value("seed") + self.stop == seed:
            if self.ending == "fails":
                raise ClamError("a message is missing")
            await Future()
        self.begun.append(seed)
        return result(seed)


@pytest.mark.parametrize("ending", ["fails", "is interrupted"])
def test_rollouts_that_do_not_come_to_their_end_leave_what_they_have(
    make_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    out = tmp_path / "rollouts.json"
    monkeypatch.setattr(FakeRollouts, "stop", 23)
    monkeypatch.setattr(FakeRollouts, "ending", ending)
    graph = make_graph(out=out, episodes=30, seed=100)

    def seeds() -> list[int]:
        return [episode["seed"] for episode in json.loads(out.read_text())["episodes"]] if out.exists() else []

    node = graph.add(FakeRollouts())
    if ending == "fails":
        graph.spin_until(lambda: node.exit_status == 1, what="the failure")
    else:
        graph.spin_until(lambda: node.counters["episodes"] == 23, what="23 episodes")
        assert seeds() == list(range(100, 120)), "every ten"
        node.close()
    assert seeds() == list(range(100, 123))


def test_rollouts_that_are_started_again_go_on_where_they_stopped(
    make_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rollouts.json"
    monkeypatch.setattr(FakeRollouts, "begun", [])
    graph = make_graph(out=out, episodes=5, seed=100)
    for stop, bundle, status in ((3, "/a/bundle", 1), (99, "/b/bundle", 1), (99, "/a/bundle", 0)):
        before = out.read_text() if out.exists() else ""
        monkeypatch.setattr(FakeRollouts, "stop", stop)
        monkeypatch.setattr(FakeRollouts, "bundle", bundle)
        node = graph.add(FakeRollouts())
        graph.spin_until(lambda node=node: node.exit_status is not None, what="the end")
        assert node.exit_status == status
        node.close()
        if bundle == "/b/bundle":
            assert out.read_text() == before, "of another bundle: refused, and kept"
    assert FakeRollouts.begun == list(range(100, 105))
    content = json.loads(out.read_text())
    assert [episode["seed"] for episode in content["episodes"]] == list(range(100, 105))
    assert content["setting"] == {"mode": "lockstep", "bundle": "/a/bundle"}


def test_in_real_time_an_episode_may_lack_commands_but_no_status(make_graph: Any, tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path / "rollouts.json", mode="realtime", timeout=600.0)
    node = graph.add(Rollouts())
    graph.spin_for(0.3)  # it waits for a policy
    log = node._begin(seed=1)
    log.episode = 0
    for step in (0, 2, 3, 1):
        assert not node._complete.done(), "one status was lost, or is late"
        log.add_status(Status(step, 0, step, 1, 0.0, 0.0, False, step == 3))
        node._check()
    assert node._complete.done() and log.result().actions == [None] * 3


def test_rollouts_that_begin_nothing_write_nothing(make_graph: Any, tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path / "rollouts.json")
    node = graph.add(FakeRollouts())  # its first episode fails
    graph.spin_until(lambda: node.exit_status == 1, what="the failure")
    node.close()
    assert not list(tmp_path.iterdir())


def test_deactivated_rollouts_reset_nothing_any_more(make_graph: Any, tmp_path: Path) -> None:
    graph = make_graph(out=tmp_path / "rollouts.json", timeout=600.0)
    node = graph.add(Rollouts())  # nobody is there: it waits for a policy
    assert node.trigger_deactivate() == SUCCESS
    graph.spin_until(lambda: node.exit_status == 1, what="the end of its work")


def test_a_deactivated_operator_commands_nothing_and_ends(make_graph: Any, start: Any) -> None:
    start("clam_sim.sim_bridge", env="gym", task="Pendulum-v1")
    graph = make_graph(env="gym", task="Pendulum-v1", kind="mixed", record=False, episodes=100000)
    commands = graph.collect(JointTrajectory, "command")
    operator = graph.add(ScriptedOperator())
    graph.spin_until(lambda: len(commands) > 20, what="commands")
    assert operator.trigger_deactivate() == SUCCESS
    sent: list[JointTrajectory] = []
    operator._command.publish = sent.append
    graph.spin_until(lambda: operator.exit_status == 1, what="the end of its work")
    for status in (operator._status, None):  # what comes late is not answered either
        operator._status = status
        operator._act()
    assert not sent
