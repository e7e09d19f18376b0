"""What fails under a scored rollout: what did not run gets no score, and once it is mended the evaluation goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_eval", reason="needs clam_eval (make setup)")

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_core.envs import make_env
from clam_core.envs.kitchen_spec import ACTION
from clam_eval.results_file import read_results
from clam_ros.messages import NamedVectorWriter
from clam_ros.qos import STREAM
from clam_ros.waiting import STEADY

from ...conftest import nodes_of

PATIENCE = 300.0  # [s] generous: the machine may be busy
TASK = "push-button"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Bench:
    """An arm, a policy and an evaluator, each in a process that can be killed; and how often the arm was commanded."""

    def __init__(self, graph: Any, start: Any, display: Any, bundle: Path, out: Path, **evaluator: Any) -> None:
        self.graph, self._start, self.out = graph, start, out
        self._arguments = {"task": TASK, "bundle": bundle, "out": out, "camera": '""', "steps": 30, **evaluator}
        self.commands = graph.collect(JointTrajectory, "command", 1000)
        self.display = display(graph, self._ended)

    def begin_policy(self) -> Any:
        self.policy = self._start("clam_policy.policy", autostart=False, enabled=False, device="cpu")
        return self.policy

    def begin_evaluator(self) -> Any:
        self.evaluator = self._start("clam_eval.evaluator", **self._arguments)
        return self.evaluator

    def _ended(self) -> str:
        return "" if self.evaluator.popen.poll() is None else self.evaluator.output()

    def runs(self, place: str) -> None:
        """The policy commands in this rollout."""
        self.display.until("running", place)
        count = len(self.commands)
        self.graph.spin_until(lambda: len(self.commands) > count + 2, PATIENCE, "commands")

    def rests(self) -> None:
        """Nobody commands the arm."""
        self.graph.spin_for(0.5)  # what was on its way
        count = len(self.commands)
        self.graph.spin_for(1.5)
        assert len(self.commands) == count

    def press(self, button: str) -> None:
        """Until it counts: a robot that is not ready yet refuses."""

        def counts() -> bool:
            return bool(self.graph.call(Trigger, f"evaluation/{button}").success)

        self.graph.spin_until(counts, PATIENCE, button)

    def ends(self) -> None:
        """With a score for everything."""
        assert self.evaluator.wait(PATIENCE) == 0, self.evaluator.output()
        assert "Traceback" not in self.evaluator.output(), self.evaluator.output()

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in read_results(self.out)[2] if line["type"] == kind]


@pytest.fixture
def attended(make_graph: Callable[..., Any], start: Any, display: Any, make_bundle: Any, tmp_path: Path) -> Any:
    """``attended(sees, rollouts=…)``: as with a real robot, a person resets and scores."""

    def make(sees: Any, **evaluator: Any) -> Bench:
        bundle = make_bundle("kitchen", TASK, sees=sees)
        evaluator |= {"robot": "interbotix", "secure": False, "port": 0}
        start("clam_arm.arm_driver", backend="mujoco_arm", on_fast="scale", measurement_timeout=1.0)
        return Bench(make_graph(), start, display, bundle, tmp_path / "evaluation", **evaluator)

    return make


@pytest.mark.usefixtures("udp")
def test_a_policy_that_is_killed_stops_the_arm_is_named_and_waited_for(attended: Any) -> None:
    bench = attended(ACTION.names, rollouts=1)
    policy, evaluator = bench.begin_policy(), bench.begin_evaluator()
    bench.display.until("scene", "rollout 1 of 1")
    bench.press("scene_ready")
    bench.runs("rollout 1 of 1")
    policy.popen.kill()
    bench.display.until("preparing", "attempt 2", "nobody says that the policy is off")
    assert "start its node again; arm: e-stop" in bench.display.status["message"], "a person may go to the arm now"
    assert "e-stop: the arm holds until estop_reset is called" in evaluator.output()
    assert not bench.graph.call(Trigger, "home").success
    bench.rests()
    (invalid,) = bench.lines("invalid")
    assert invalid["reason"].startswith("the policy sent no command for 2 s: ") and "score" not in invalid
    assert not bench.lines("rollout")

    bench.begin_policy()
    bench.display.until("barred", "attempt 2", "e-stop")
    bench.rests()
    assert bench.graph.call(Trigger, "estop_reset").success
    bench.press("clear")
    bench.display.until("scene", "attempt 2")
    bench.press("scene_ready")
    bench.display.until("scoring", "attempt 2")
    bench.press("score_half")
    bench.ends()
    assert len(bench.lines("invalid")) == 1, "waiting is no attempt"
    (line,) = bench.lines("rollout")
    assert (line["score"], line["attempt"], line["steps"]) == (0.5, 2, 30)


def test_a_policy_that_refuses_or_falls_silent_says_why_and_goes_on_when_it_sees_again(attended: Any) -> None:
    bench = attended(None, rollouts=1)  # it looks at the whole state, which this test gives or holds back
    environment = make_env("kitchen", TASK)
    names, observation = environment.spec.observation.names, environment.reset(seed=0)
    environment.close()
    publisher = bench.graph.probe.create_publisher(JointState, "observation/state", STREAM)
    gives = [False]

    def give() -> None:
        if gives[0]:
            now = bench.graph.probe.get_clock().now().nanoseconds
            publisher.publish(NamedVectorWriter(names).message(now, observation["state"]))

    bench.graph.probe.create_timer(0.2, give, clock=STEADY)  # 5 Hz: each of these is an observation
    bench.begin_policy()
    bench.begin_evaluator()
    bench.display.until("scene", "rollout 1 of 1")
    bench.press("scene_ready")
    bench.display.until("enabling", "rollout 1 of 1", "not ready: observation/state: ")
    bench.rests()
    assert not bench.lines("rollout") and not bench.lines("invalid")
    gives[0] = True
    bench.runs("rollout 1 of 1")
    gives[0] = False
    bench.display.until("scene", "attempt 2")
    bench.rests()
    (invalid,) = bench.lines("invalid")
    assert "observation/state" in invalid["reason"] or invalid["reason"].startswith("the policy sent no command")
    assert "score" not in invalid and not bench.lines("rollout")
    gives[0] = True
    bench.press("scene_ready")
    bench.display.until("scoring", "attempt 2")
    bench.press("score_1")
    bench.ends()
    (line,) = bench.lines("rollout")
    assert (line["score"], line["attempt"]) == (1.0, 2)


@pytest.mark.usefixtures("udp")
def test_a_killed_evaluator_leaves_no_policy_at_work_and_is_continued_on_the_same_graph(
    make_graph: Callable[..., Any], start: Any, display: Any, make_bundle: Any, tmp_path: Path
) -> None:
    bundle = make_bundle("kitchen", TASK)
    bench = Bench(make_graph(), start, display, bundle, tmp_path / "evaluation", rollouts=2)
    start("clam_sim.kitchen_world", task=TASK)
    start("clam_arm.arm_driver", backend="mujoco", backend_timeout=60.0, on_fast="scale", measurement_timeout=1.0)
    policy = bench.begin_policy()
    bench.begin_evaluator()
    bench.runs("rollout 2 of 2")
    bench.evaluator.popen.kill()
    bench.evaluator.wait()
    before = (bench.out / "results.jsonl").read_bytes()
    said = "the evaluation has said nothing for 5 s: start it again"
    bench.graph.spin_until(lambda: said in policy.output(), PATIENCE, f"'{said}' of the policy: {policy.output()}")
    bench.rests()
    assert [line["index"] for line in bench.lines("rollout")] == [0]

    bench.begin_evaluator()
    bench.ends()
    assert policy.popen.poll() is None and (bench.out / "results.jsonl").read_bytes().startswith(before)
    assert [line["index"] for line in bench.lines("rollout")] == [0, 1]
    assert len(bench.lines("session")) == 2
    bench.rests()


def test_a_camera_that_hangs_or_is_killed_spoils_its_rollout_and_only_that(
    make_graph: Callable[..., Any], launch: Any, display: Any, make_bundle: Any, tmp_path: Path
) -> None:
    graph, out = make_graph(), tmp_path / "evaluation"
    commands = graph.collect(JointTrajectory, "command", 1000)
    arguments = {"bundle": make_bundle("kitchen", TASK), "task": TASK, "rollouts": 2, "steps": 40}
    process, log = launch(out, **arguments, width=64, height=48, rate=10.0, device="cpu", stop_at_success=False)
    seen = display(graph, lambda: "" if process.poll() is None else log.read_text())

    def invalid(count: int) -> list[str]:
        return [line["reason"] for line in read_results(out)[2] if line["type"] == "invalid"][count:]

    seen.until("running", "rollout 1 of 2")
    hanging, before = nodes_of(process.pid)["camera"], len(invalid(0))
    os.kill(hanging, signal.SIGSTOP)
    seen.until("preparing", "rollout 1 of 2", "camera")
    reason = invalid(before)[0]
    assert "camera external has been silent for" in reason or "/camera is silent for" in reason, reason
    graph.spin_for(0.5)
    count = len(commands)
    graph.spin_for(1.5)
    assert len(commands) == count, "the policy is off while the camera is awaited"
    os.kill(hanging, signal.SIGCONT)

    seen.until("running", "rollout 2 of 2")
    os.kill(nodes_of(process.pid)["camera"], signal.SIGKILL)
    graph.spin_until(lambda: process.poll() is not None, PATIENCE, "the end of the evaluation")
    text = log.read_text()
    assert process.returncode == 0 and "Traceback" not in text, text
    assert "[camera] was ended by signal 9: it starts again in 2 s" in text
    assert all(f"[{name}] was ended" not in text for name in ("arm_driver", "policy", "evaluator"))
    done = [line for line in read_results(out)[2] if line["type"] == "rollout"]
    assert [line["index"] for line in done] == [0, 1] and done[0]["attempt"] >= 2
    assert all(line["steps"] == 40 and "video" in line for line in done)
