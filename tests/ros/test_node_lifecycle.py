"""What a node keeps and lets go of when its transitions fail, and which parameters can be set when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String

from clam_core.errors import ClamError
from clam_ros.node import Node

SUCCESS = TransitionCallbackReturn.SUCCESS


class Device(Node):
    """Opens something at configure and listens; fails where told."""

    def __init__(self) -> None:
        super().__init__("device")
        self.declare("speed", 1.0, "Read at configure.", low=0.0)
        self.declare("task", "a", "Read at configure and at each reset.", live=True)
        self.declare("seed", 0, "Read at each reset.")
        self.fails: dict[str, Exception] = {}
        self.opened = self.closed = self.stopped = 0

    def configure(self) -> None:
        self.opened += 1
        self.read = self.value("speed"), self.value("task")
        self.subscribe(String, "words", lambda _: None, 1)
        self._step("configure")

    def activate(self) -> None:
        self._step("activate")

    def deactivate(self) -> None:
        self.stopped += 1
        self._step("deactivate")

    def cleanup(self) -> None:
        self.closed = self.opened

    def _step(self, name: str) -> None:
        if name in self.fails:
            raise self.fails.pop(name)

    def listeners(self) -> int:
        return self.count_subscribers("words")


@pytest.fixture
def node() -> Iterator[Device]:
    rclpy.init()
    device = Device()
    yield device
    device.close()
    device.destroy_node()
    rclpy.shutdown()


def set_to(node: Node, name: str, value: Any) -> Any:
    (result,) = node.set_parameters([Parameter(name, value=value)])
    return result


def test_what_was_read_at_configure_is_set_only_before_and_after(node: Device) -> None:
    assert set_to(node, "speed", 2.0).successful
    assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
    refused = set_to(node, "speed", 0.1)
    assert not refused.successful and "speed is read when the node is configured" in refused.reason
    assert node.value("speed") == 2.0
    assert set_to(node, "speed", 2.0).successful, "nothing changes"
    assert "use_sim_time is read" in set_to(node, "use_sim_time", True).reason
    assert set_to(node, "task", "b").successful and set_to(node, "seed", 7).successful
    assert node.trigger_deactivate() == SUCCESS
    assert not set_to(node, "speed", 0.1).successful
    assert node.trigger_cleanup() == SUCCESS
    assert set_to(node, "speed", 0.1).successful
    assert node.trigger_configure() == SUCCESS and node.read == (0.1, "b")


@pytest.mark.parametrize("error", [ClamError("no such device"), OSError("cable")])
def test_a_configure_that_fails_late_lets_go_of_what_it_had(node: Device, error: Exception) -> None:
    node.fails["configure"] = error
    assert node.trigger_configure() != SUCCESS
    assert (node.opened, node.closed, node.stopped, node.listeners()) == (1, 1, 0, 0)
    assert set_to(node, "speed", 3.0).successful
    assert node.trigger_configure() == SUCCESS and node.listeners() == 1


@pytest.mark.parametrize("step", ["activate", "deactivate"])
def test_after_an_unforeseen_error_the_node_is_as_it_was_before_configure(node: Device, step: str) -> None:
    node.fails[step] = OSError("cable")
    assert node.trigger_configure() == SUCCESS
    outcome = node.trigger_activate()
    outcome = outcome if step == "activate" else node.trigger_deactivate()
    assert outcome == TransitionCallbackReturn.ERROR
    assert (node.closed, node.active, node.listeners()) == (1, False, 0) and node.stopped >= 1
    assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
    assert node.listeners() == 1


def test_a_node_that_was_shut_down_listens_no_more(node: Device) -> None:
    assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
    assert node.trigger_shutdown() == SUCCESS
    assert (node.closed, node.active, node.listeners()) == (1, False, 0)


def test_a_node_notices_another_one_of_its_name(node: Device) -> None:
    node.get_node_names_and_namespaces = lambda: [("other", "/"), ("device", "/left"), ("device", "/")]  # type: ignore[method-assign]
    node._look_around()
    assert not node.twins
    node.get_node_names_and_namespaces = lambda: 3 * [("device", "/")]  # type: ignore[method-assign]
    node._look_around()
    assert node.twins == 2
