"""Before the first command: the policy node looks at the robot, says what is amiss, and begins when nothing is."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from clam_core.cli import main
from clam_core.cli.doctor import LISTENER
from clam_core.deploy import TemporalEnsembler
from clam_core.deploy.view_calibration import calibrate
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec
from clam_policy import policy as module
from clam_policy.bundle_check import needs_of, take
from clam_policy.hearing import Hearing
from clam_policy.policy import PolicyNode
from clam_ros.images import ImageWriter
from clam_ros.messages import NamedVectorWriter
from clam_ros.qos import STREAM
from clam_ros.run import spin_once
from clam_ros.waiting import STEADY

from ..conftest import scene

JOINTS = ("waist", "gripper")
RATE = 5.0
CAMERA = "camera/top/image_raw"
ON, OFF = SetBool.Request(data=True), SetBool.Request(data=False)


class FakePolicy:
    """Honest about being one: always the same action."""

    spec = EnvironmentSpec(
        env="test",
        task="fake",
        observation=ObservationSpec(JOINTS, ("rad", "m"), (CameraSpec("top", 32, 32),)),
        action=ActionSpec(JOINTS, ("rad", "m"), (-2.0, 0.0), (2.0, 0.1)),
        rate=RATE,
        max_steps=10,
    )
    chunk = 3
    infer_every = 1
    cameras = ("top",)
    state_names = JOINTS

    def __init__(self) -> None:
        self.ensembler = TemporalEnsembler(self.chunk, None)

    def reset(self) -> None:
        self.ensembler.reset()

    def predict_chunk(self, observation: dict[str, Any]) -> Any:
        assert observation["top"].shape == (32, 32, 3)
        return np.full((self.chunk, 2), 0.05)


class FakeNode(PolicyNode):
    """The node with the fake in the place of a bundle."""

    def load(self) -> Any:
        return FakePolicy()


class Robot:
    """Joints and a camera, each as a switch has it; and what the policy sends and says."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.picture, self.joints, self.sees = scene(0), JOINTS, True
        self._states = graph.probe.create_publisher(JointState, "joint_states", STREAM)
        self._images = graph.probe.create_publisher(Image, CAMERA, STREAM)
        self._writer = ImageWriter("top")
        graph.probe.create_timer(0.05, self._publish, clock=STEADY)
        self.commands = graph.collect(JointTrajectory, "command")
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        self.node = graph.add(FakeNode())

    def _publish(self) -> None:
        now = self.graph.probe.get_clock().now().nanoseconds
        self._states.publish(NamedVectorWriter(self.joints).message(now, [0.01] * len(self.joints)))
        if self.sees:
            self._images.publish(self._writer.message(now, self.picture))

    def wait(self, word: str) -> None:
        self.graph.spin_until(lambda: word in self.node.diagnose()[1], what=f"'{word}' in {self.node.diagnose()[1]}")

    def enable(self, request: Any = ON) -> Any:
        return self.graph.call(SetBool, "policy/enable", request)

    def refused(self, reason: str) -> str:
        """Enabling is refused for this reason, or for another while the machine stands still; what was said."""
        said: list[str] = []

        def asked() -> bool:
            answer = self.enable()
            said.append(answer.message)
            return not answer.success and reason in answer.message

        self.graph.spin_until(asked, what=lambda: f"'{reason}', not {said}")
        return said[-1]

    def works(self) -> None:
        count = len(self.commands)
        self.graph.spin_until(lambda: len(self.commands) > count + 3, what="commands")

    def rests(self) -> None:
        count = len(self.commands)
        self.graph.spin_for(1.0)
        assert len(self.commands) == count


@pytest.fixture
def make_robot(make_graph: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Robot]:
    """``make_robot(parameter=…)``: its bundle knows what the camera saw in training."""
    view = calibrate(scene(0)[None], [scene(0)], [scene(7)])
    monkeypatch.setattr(module, "load_views", lambda _: {"top": view})
    # generous ages: what is tested is what the node does, not how fast this machine is
    return lambda **given: Robot(make_graph(bundle="/of/a/test", max_observation_age="3.0", **given))


def test_it_waits_saying_why_begins_by_itself_and_stays_off_when_told(make_robot: Callable[..., Robot]) -> None:
    robot = make_robot()
    robot.sees = False
    robot.wait(f"no command: {CAMERA}: ")
    assert robot.node.diagnose()[0] == b"\x01"
    robot.rests()
    assert not robot.commands
    robot.sees = True
    robot.works()
    robot.wait("commanding")
    said = robot.node.facts()
    assert said["check view of top"].startswith("ok: similarity 1.00") and said[f"check {CAMERA}"].startswith("ok")
    assert robot.enable(OFF).message == "disabled"
    robot.graph.spin_for(0.3)  # what was under way
    robot.rests()
    assert robot.node.diagnose()[1] == "disabled"
    assert robot.enable().message == "enabled"
    robot.works()


def test_enabling_is_refused_with_the_first_failure_unless_forced(make_robot: Callable[..., Robot]) -> None:
    robot = make_robot(enabled="false")
    robot.picture = scene(7)
    answer = robot.refused("view of top: similarity")
    assert "\n" not in answer and robot.node.diagnose()[1] == "disabled"
    robot.picture, robot.joints = scene(0), ("waist", "jaw")
    robot.graph.spin_for(0.5)
    robot.refused("missing names: gripper")
    robot.rests()
    assert not robot.commands
    robot.joints = JOINTS
    robot.picture = scene(7)
    robot.node.set_parameters([Parameter("force", value=True)])
    assert robot.enable().success
    robot.works()


def test_force_at_the_start_begins_at_once(make_robot: Callable[..., Robot]) -> None:
    robot = make_robot(force="true")
    robot.picture = scene(7)
    assert robot.node.diagnose()[1] != "disabled" and not robot.node._switch.waits
    robot.works()


def test_callbacks_go_on_while_the_checks_are_made_and_off_wins(
    make_robot: Callable[..., Robot], monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = make_robot(enabled="false")
    robot.node._gate._hearing.window = 10.0
    client = robot.graph.probe.create_client(SetBool, "policy/enable")
    robot.graph.spin_until(client.service_is_ready, what="service")
    asked = client.call_async(ON)
    robot.graph.spin_for(0.2)
    assert not asked.done(), "it listens first"
    assert robot.enable(OFF).message == "disabled"
    robot.graph.spin_until(asked.done, what="answer")
    assert not asked.result().success and "switched off" in asked.result().message
    robot.rests()
    assert not robot.commands


def test_a_request_ends_when_it_was_forced_on_or_deactivated_meanwhile(
    make_robot: Callable[..., Robot], monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = make_robot(observation_timeout="30.0")  # a pause of a busy machine begins no new episode
    robot.node._gate._hearing.window = 10.0
    looked: list[bool] = []
    monkeypatch.setattr(FakePolicy, "reset", lambda policy: looked.append(robot.node._switch.on))
    monkeypatch.setattr(robot.node._gate, "passes", lambda: False)
    client = robot.graph.probe.create_client(SetBool, "policy/enable")
    robot.graph.spin_until(client.service_is_ready, what="service")
    asked = client.call_async(ON)
    robot.graph.spin_for(0.2)
    robot.node.set_parameters([Parameter("force", value=True)])
    robot.graph.spin_until(asked.done, what="answer", timeout=30.0)
    assert asked.result().message == "enabled"
    robot.works()
    robot.graph.spin_for(2.5)
    assert len(looked) <= 2, "an episode that runs is not forgotten for a check that nobody needs"
    robot.node.set_parameters([Parameter("force", value=False)])
    assert robot.enable(OFF).success
    asked = client.call_async(ON)
    robot.graph.spin_for(0.2)
    robot.node.trigger_deactivate()
    robot.graph.spin_until(asked.done, what="answer", timeout=30.0)
    assert not asked.result().success


def test_a_cleanup_while_somebody_waits_for_an_answer_does_not_end_the_node(make_robot: Callable[..., Robot]) -> None:
    robot = make_robot(enabled="false")
    robot.node._gate._hearing.window = 10.0
    client = robot.graph.probe.create_client(SetBool, "policy/enable")
    robot.graph.spin_until(client.service_is_ready, what="service")
    client.call_async(ON)
    robot.graph.spin_for(0.5)
    robot.node.trigger_deactivate()
    robot.node.trigger_cleanup()
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        spin_once(robot.graph.executor, robot.node)  # as a node's process does it
    assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_who_else_commands_is_counted_where_command_was_remapped_to(make_graph: Callable[..., Any]) -> None:
    graph = make_graph()
    node = Node("listener", use_global_arguments=False, cli_args=["--ros-args", "-r", "command:=arm/command"])
    graph.executor.add_node(node)
    graph.probe.create_publisher(JointTrajectory, "arm/command", STREAM)
    graph.collect(JointTrajectory, "arm/command")
    needs = needs_of(FakePolicy(), "joint_states", "raw", 0.5)
    hearing = Hearing(needs.types, 1.0)
    graph.spin_until(lambda: take(node, needs, hearing, 0).heard.other_commanders == 1, what="a commander")
    graph.spin_until(lambda: take(node, needs, hearing, 0).heard.command_listeners == 1, what="a listener")
    node.destroy_node()


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """``doctor(bundle, …)``: exit status and findings by what they are about."""

    def call(*arguments: object) -> tuple[int, dict[str, Any]]:
        status = main(["doctor", *map(str, arguments), "--json"])
        result = json.loads(capsys.readouterr().out)
        assert result["ready"] is (status == 0)
        return status, {finding["about"]: finding for finding in result["findings"]}

    return call


def test_the_doctor_says_whether_a_live_graph_fits_the_bundle(doctor: Any, start: Any, make_bundle: Any) -> None:
    bundle = make_bundle("gym", "Pendulum-v1")
    status, found = doctor(bundle, "--seconds", "1")
    assert status == 1 and "nobody publishes it" in found["observation/state"]["text"]
    start("clam_sim.sim_bridge", env="gym", task="Pendulum-v1", mode="realtime", auto_reset=True)
    for _ in range(20):  # a busy machine starts slowly, and ticks unevenly
        status, found = doctor(bundle, "--seconds", "3")
        if status == 0:
            break
    assert status == 0, found
    assert found["observation/state"]["level"] in ("ok", "warn") and "Hz" in found["observation/state"]["text"]
    assert "all 3 that the policy looks at" in found["names of observation/state"]["text"]
    assert found["inference"]["level"] in ("ok", "warn") and found["command"]["level"] in ("ok", "warn")


def test_the_doctor_without_a_listener_or_with_a_bad_namespace_is_one_line(
    make_bundle: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    bundle = make_bundle("gym", "Pendulum-v1")
    assert main(["doctor", str(bundle), "--namespace", "no good"]) == 1
    error = capsys.readouterr().err
    assert "'no good' is no namespace (namespace must not contain" in error and "check --namespace" in error
    assert error.count("\n") == 1
    gc.collect()
    assert not [warning for warning in recwarn if "rosout" in str(warning.message)], "no half-made node"
    monkeypatch.setitem(sys.modules, LISTENER, None)
    assert main(["doctor", str(bundle)]) == 1
    error = capsys.readouterr().err
    assert "needs ROS 2 and clam_policy" in error and error.count("\n") == 1
