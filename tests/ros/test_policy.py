"""The policy node: no command without sound inputs and outputs, recovery by itself, callbacks that never wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from clam_core.deploy import TemporalEnsembler
from clam_core.errors import ClamError
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec
from clam_policy.policy import PolicyNode
from clam_policy.supervision import Supervision
from clam_ros.messages import NamedVectorWriter
from clam_ros.qos import STREAM
from clam_ros.stamps import to_ns

NAMES = ("x", "y")
IN_BAND = ("episode/index", "episode/step")
PERIOD = 100_000_000  # [ns] 10 Hz


class FakePolicy:
    """Honest about being one: action = (how often it was asked since reset, x). Breaks or hangs on demand."""

    spec = EnvironmentSpec(
        env="test",
        task="fake",
        observation=ObservationSpec(NAMES, ("m", "m")),
        action=ActionSpec(("a", "b"), ("", ""), (-1e9, -1e9), (1e9, 1e9)),
        rate=10.0,
        max_steps=10,
    )
    chunk = 3
    infer_every = 1
    cameras = ()
    state_names = NAMES

    def __init__(self) -> None:
        self.ensembler = TemporalEnsembler(self.chunk, None)
        self.calls = 0
        self.break_with: float | Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def reset(self) -> None:
        self.calls = 0
        self.ensembler.reset()

    def predict_chunk(self, observation: dict[str, Any]) -> Any:
        self.calls += 1
        assert self.gate.wait(30.0)
        if isinstance(self.break_with, Exception):
            raise self.break_with
        first = self.calls if self.break_with is None else self.break_with
        return np.array([(first + k / 10, observation["state"][0]) for k in range(self.chunk)], dtype=float)


class FakeNode(PolicyNode):
    """The node with the fake in the place of a bundle."""

    def load(self) -> Any:
        self.fake = FakePolicy()
        return self.fake


class Robot:
    """Sends observations, collects what comes back."""

    def __init__(self, graph: Any, names: tuple[str, ...] = NAMES + IN_BAND) -> None:
        self.graph = graph
        self.node = graph.add(FakeNode())
        self.commands = graph.collect(JointTrajectory, "command")
        self.chunks = graph.collect(JointTrajectory, "policy/action_chunk")
        self.publisher = graph.probe.create_publisher(JointState, "observation/state", 100)
        self.names = names
        graph.spin_until(lambda: self.publisher.get_subscription_count() > 0, what="policy matched")

    def observe(self, stamp: int, values: Any, names: tuple[str, ...] | None = None) -> None:
        writer = NamedVectorWriter(self.names if names is None else names)
        self.publisher.publish(writer.message(stamp, np.array(values, dtype=float)))

    def answer(self, stamp: int, values: Any) -> list[float]:
        """Observe and wait for the command; in real time, where a machine may be late, the chunk."""
        messages = self.commands if self.node._lockstep else self.chunks
        count = len(messages)
        self.observe(stamp, values)
        self.graph.spin_until(lambda: len(messages) > count, what="a command")
        assert to_ns(messages[-1].header.stamp) == stamp
        return list(messages[-1].points[0].positions)

    def refused(self, count: int) -> None:
        self.graph.spin_until(lambda: self.node.counters["refused"] >= count, what="a refusal")

    def now(self) -> int:
        return self.node.get_clock().now().nanoseconds


@pytest.fixture
def lockstep(make_graph: Callable[..., Any]) -> Robot:
    return Robot(make_graph(mode="lockstep"))


@pytest.fixture
def realtime(make_graph: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Robot:
    """Not checked before it begins: it gets one observation at a time, as no robot would send them.

    Its plans last for ten seconds: a busy machine's answers come within them.
    """
    monkeypatch.setattr(FakePolicy, "chunk", 100)
    graph = make_graph(mode="realtime", max_observation_age="5.0", observation_timeout="20.0", force="true")
    return Robot(graph, names=NAMES)


def test_chunk_and_command_carry_names_stamp_and_times(lockstep: Robot) -> None:
    assert lockstep.answer(PERIOD, [7.0, 0.0, 0, 0]) == [1.0, 7.0]
    lockstep.graph.spin_until(lambda: bool(lockstep.chunks), what="a chunk")
    chunk = lockstep.chunks[0]
    assert chunk.joint_names == ["a", "b"]
    assert to_ns(chunk.header.stamp) == PERIOD
    assert [to_ns(point.time_from_start) for point in chunk.points] == [0, PERIOD, 2 * PERIOD]


def test_order_of_names_does_not_matter_and_strangers_are_ignored(lockstep: Robot) -> None:
    lockstep.names = ("episode/step", "stranger", "y", "x", "episode/index")
    assert lockstep.answer(PERIOD, [0, 99.0, 2.0, 1.0, 0]) == [1.0, 1.0]


def test_a_repeated_observation_gets_the_same_answer_and_does_not_advance_the_policy(lockstep: Robot) -> None:
    first = lockstep.answer(PERIOD, [1.0, 0.0, 0, 0])
    assert lockstep.answer(PERIOD, [1.0, 0.0, 0, 0]) == first
    assert lockstep.node.fake.calls == 1
    assert lockstep.answer(2 * PERIOD, [1.0, 0.0, 0, 1])[0] == 2.0


def test_a_new_episode_resets_the_policy(lockstep: Robot) -> None:
    lockstep.answer(PERIOD, [0, 0, 0, 0])
    assert lockstep.answer(2 * PERIOD, [0, 0, 0, 1])[0] == 2.0
    assert lockstep.answer(3 * PERIOD, [0, 0, 1, 0])[0] == 1.0
    # a simulator that was started anew counts episodes and time from the beginning
    assert lockstep.answer(PERIOD, [0, 0, 1, 0])[0] == 1.0


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([np.nan, 0, 0, 1], None),
        ([np.inf, 0, 0, 1], None),
        ([0, 0, 1], ("x", *IN_BAND)),
        ([0, 0, 0], NAMES + IN_BAND),
        ([0, 0, np.nan, 1], None),
    ],
    ids=["nan", "inf", "missing name", "wrong size", "nan episode"],
)
def test_unsound_observations_get_no_command_and_are_recovered_from(lockstep: Robot, values: Any, names: Any) -> None:
    lockstep.answer(PERIOD, [0, 0, 0, 0])
    lockstep.observe(2 * PERIOD, values, names)
    lockstep.refused(1)
    assert lockstep.node.diagnose()[0] == b"\x01"
    assert lockstep.answer(3 * PERIOD, [0, 0, 0, 2])[0] == 2.0, "the unsound one did not advance the policy"
    assert len(lockstep.commands) == 2
    lockstep.graph.spin_until(lambda: lockstep.node.diagnose()[0] == b"\x00", what="all well again")


def test_output_that_is_not_finite_gives_no_command_and_is_recovered_from(lockstep: Robot) -> None:
    lockstep.answer(PERIOD, [0, 0, 0, 0])
    lockstep.node.fake.break_with = np.nan
    lockstep.observe(2 * PERIOD, [0, 0, 0, 1])
    lockstep.refused(1)
    lockstep.node.fake.break_with = None
    assert lockstep.answer(2 * PERIOD, [0, 0, 0, 1])[0] == 1.0, "what it remembered may be broken: it begins anew"


def test_a_policy_that_raises_is_an_error_diagnostic_and_the_node_lives_on(lockstep: Robot) -> None:
    diagnostics = lockstep.graph.collect(DiagnosticArray, "/diagnostics")
    lockstep.node.fake.break_with = RuntimeError("out of memory")
    lockstep.observe(PERIOD, [0, 0, 0, 0])
    lockstep.graph.spin_until(
        lambda: any("out of memory" in message.status[0].message for message in diagnostics),
        what="diagnostic",
    )
    lockstep.node.fake.break_with = None
    assert lockstep.answer(PERIOD, [0, 0, 0, 0])[0] == 1.0


def test_a_slow_policy_never_blocks_the_callbacks_and_the_newest_observation_wins(realtime: Robot) -> None:
    fake = realtime.node.fake
    fake.gate.clear()
    realtime.observe(realtime.now(), [0.0, 0.0])
    realtime.graph.spin_until(lambda: fake.calls == 1, what="inference began")
    stamps = []
    for value in range(1, 6):
        stamps.append(realtime.now())
        realtime.observe(stamps[-1], [float(value), 0.0])
    begin = time.monotonic()
    realtime.graph.spin_until(lambda: realtime.node._worker.skipped == 4, what="observations handed over")
    assert realtime.graph.call(SetBool, "policy/enable", SetBool.Request(data=True)).success
    assert time.monotonic() - begin < 10.0, "callbacks ran while inference hung"
    assert not realtime.commands
    fake.gate.set()
    realtime.graph.spin_until(
        lambda: bool(realtime.chunks) and to_ns(realtime.chunks[-1].header.stamp) == stamps[-1],
        what="newest",
    )
    assert fake.calls == 2


def test_stale_and_future_observations_are_refused(realtime: Robot) -> None:
    realtime.answer(realtime.now(), [0, 0])
    realtime.observe(realtime.now() - 6 * 10**9, [0, 0])
    realtime.refused(1)
    assert "old" in realtime.node.diagnose()[1]
    realtime.observe(realtime.now() + 60 * 10**9, [0, 0])
    realtime.refused(2)
    assert realtime.answer(realtime.now(), [0, 0])[0] == 2.0


def test_between_answers_the_chunk_goes_on_to_its_end(
    make_graph: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which step a busy machine comes to is not foretold; that a command is of its step's own action is."""
    monkeypatch.setattr(FakePolicy, "chunk", 60)
    settings = {"mode": "realtime", "max_observation_age": "5.0", "observation_timeout": "20.0", "force": "true"}
    realtime = Robot(make_graph(**settings), names=NAMES)
    stamp = realtime.now()
    realtime.answer(stamp, [7.0, 0.0])
    realtime.graph.spin_until(lambda: "used up" in realtime.node.diagnose()[1], what="end of the chunk")
    assert realtime.node.diagnose()[0] == b"\x01"
    assert realtime.node.counters["commands played out"] >= 1
    steps = [(to_ns(command.header.stamp) - stamp) // PERIOD for command in realtime.commands]
    assert steps == sorted(steps) and set(steps) <= set(range(60)), "after a late one, half a period is the least"
    actions = [command.points[0].positions[0] for command in realtime.commands]
    assert actions == pytest.approx([1 + step / 10 for step in steps])
    count = len(realtime.commands)
    realtime.graph.spin_for(0.5)
    assert len(realtime.commands) == count
    realtime.answer(realtime.now(), [7.0, 0.0])
    realtime.graph.spin_until(lambda: len(realtime.commands) > count, what="it goes on")


def test_names_that_a_topic_lacks_are_named(make_graph: Callable[..., Any]) -> None:
    robot = Robot(make_graph(mode="realtime", state_topic="observation/state", force="true"), names=("x", "z"))
    robot.observe(robot.now(), [0.0, 0.0])
    robot.refused(1)
    assert "'observation/state': missing names: y" in robot.node.diagnose()[1]


def test_disable_stops_commands_at_once_and_enable_begins_anew(lockstep: Robot) -> None:
    lockstep.answer(PERIOD, [0, 0, 0, 0])
    assert lockstep.graph.call(SetBool, "policy/enable", SetBool.Request(data=False)).message == "disabled"
    lockstep.observe(2 * PERIOD, [0, 0, 0, 1])
    lockstep.graph.spin_for(0.3)
    assert len(lockstep.commands) == 1
    assert lockstep.graph.call(SetBool, "policy/enable", SetBool.Request(data=True)).message == "enabled"
    assert lockstep.answer(2 * PERIOD, [0, 0, 0, 1])[0] == 1.0


class DisabledFirst:
    """A lock that is taken right after somebody disabled the policy."""

    def __init__(self, node: PolicyNode) -> None:
        self._node, self._lock = node, threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._node._switch.on = False

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_no_command_is_sent_once_it_was_disabled_however_late(lockstep: Robot) -> None:
    lockstep.node._sender._sending = DisabledFirst(lockstep.node)
    lockstep.observe(PERIOD, [0, 0, 0, 0])
    lockstep.graph.spin_until(lambda: not lockstep.node._switch.on, what="an answer that is too late")
    lockstep.graph.spin_for(0.3)
    assert not lockstep.commands and not lockstep.chunks


def test_disabling_is_answered_only_after_a_command_that_is_on_its_way(lockstep: Robot) -> None:
    node, client = lockstep.node, lockstep.graph.probe.create_client(SetBool, "policy/enable")
    lockstep.graph.spin_until(client.service_is_ready, what="service")
    node._sender._sending.acquire()
    begin = time.monotonic()
    threading.Timer(1.0, node._sender._sending.release).start()
    asked = client.call_async(SetBool.Request(data=False))
    lockstep.graph.spin_until(asked.done, what="answer")
    assert asked.result().message == "disabled" and time.monotonic() - begin >= 1.0


def test_a_policy_stops_when_its_evaluation_fell_silent_and_never_misses_one_that_was_not_there(
    realtime: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, node = realtime.graph, realtime.node
    monkeypatch.setattr(node, "_supervision", Supervision(5))
    graph.spin_for(1.5)
    assert node._switch.on, "nobody has supervised it yet"
    publisher = graph.probe.create_publisher(String, "evaluation/status", STREAM)
    graph.spin_until(lambda: publisher.get_subscription_count() > 0, what="policy matched")
    publisher.publish(String())
    graph.spin_until(lambda: not node._switch.on, what="the end of it")
    level, said = node.diagnose()
    assert level == b"\x01" and said.startswith("disabled: the evaluation has said nothing for")
    realtime.observe(realtime.now(), [1.0, 0.0])
    graph.spin_for(0.5)
    assert not realtime.commands and not realtime.chunks
    assert graph.call(SetBool, "policy/enable", SetBool.Request(data=True)).success, "by hand"
    assert realtime.answer(realtime.now(), [3.0, 0.0]) == [1.0, 3.0] and "disabled" not in node.diagnose()[1]


def test_what_an_evaluation_asked_for_does_not_begin_after_it_fell_silent(
    realtime: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = realtime.node
    node._switch.off()
    node._switch.waits = True  # until the gate lets it
    monkeypatch.setattr(node._gate, "passes", lambda: True)
    supervision = Supervision(1)
    supervision.hear()
    monkeypatch.setattr(node, "_supervision", supervision)
    node._look()
    assert not node._switch.on and not node._switch.waits
    assert "disabled: the evaluation" not in node.diagnose()[1], "it was not at work"


def test_what_was_seen_before_it_was_disabled_is_not_answered_after_it_was_enabled_again(realtime: Robot) -> None:
    fake = realtime.node.fake
    fake.gate.clear()
    realtime.observe(realtime.now(), [1.0, 0.0])
    realtime.graph.spin_until(lambda: fake.calls == 1, what="inference began")
    realtime.observe(realtime.now(), [2.0, 0.0])
    realtime.graph.spin_until(lambda: realtime.node._worker._items, what="one that waits")
    assert realtime.graph.call(SetBool, "policy/enable", SetBool.Request(data=False)).success
    assert realtime.graph.call(SetBool, "policy/enable", SetBool.Request(data=True)).success
    fake.gate.set()
    realtime.graph.spin_for(0.5)
    assert not realtime.commands and not realtime.chunks
    assert realtime.answer(realtime.now(), [3.0, 0.0]) == [1.0, 3.0], "of a new episode"


def test_a_missing_bundle_is_one_clear_line_and_status_1(start: Any) -> None:
    process = start("clam_policy.policy", bundle="/nowhere/bundle")
    assert process.wait() == 1
    assert "no bundle at '/nowhere/bundle'" in process.output()
    assert "Traceback" not in process.output()


def test_a_receding_horizon_beside_ensembling_is_refused(make_graph: Callable[..., Any]) -> None:
    graph = make_graph(bundle="b", receding_horizon=2, ensembling_m=0.5)
    node = PolicyNode()
    graph.nodes.append(node)
    with pytest.raises(ClamError, match="give receding_horizon or ensembling_m"):
        node.load()
