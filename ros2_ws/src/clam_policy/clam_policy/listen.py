"""Listens to a robot for some seconds on behalf of `clam doctor BUNDLE`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.validate_namespace import validate_namespace
from sensor_msgs.msg import JointState
from tqdm import tqdm

from clam_core.deploy import Policy
from clam_core.doctor.heard import Heard, Needs
from clam_core.errors import ClamError
from clam_core.spec import Observation
from clam_policy.assembly import state_topic as topic_of_state
from clam_policy.bundle_check import MESSAGES, Moment, needs_of, take, understand
from clam_policy.hearing import Hearing
from clam_ros import names
from clam_ros.images import stamp_of
from clam_ros.qos import LATEST, STREAM
from clam_ros.stamps import to_ns

MAX_AGE = 0.5  # [s] what the policy node refuses unless told otherwise
DISCOVERY = 3.0  # [s] until everybody is found, at most


def listen(
    policy: Policy, *, seconds: float, namespace: str, state_topic: str, images: str, use_sim_time: bool
) -> tuple[Needs, Heard, Observation | None]:
    """What `policy` needs, what was heard in `seconds`, and what it would be shown now, if all of that is there.

    Raises:
        ClamError: no node can run here, or the namespace is none.
    """
    needs = needs_of(policy, topic_of_state(policy, state_topic, lockstep=False), images, MAX_AGE)
    _check_namespace(namespace)
    context = Context()
    try:
        rclpy.init(context=context)
        settings = [Parameter("use_sim_time", value=use_sim_time)]
        node = Node("clam_doctor", namespace=namespace, context=context, parameter_overrides=settings)
    except Exception as error:  # what rcl and the middleware raise has no common kind
        context.try_shutdown()
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClamError(f"no node can listen here ({reason}): check --namespace, and `clam doctor`") from error
    try:
        moment = _Listener(node, needs).moment(seconds)
    finally:
        node.destroy_node()
        context.try_shutdown()
    heard, observation = understand(policy, needs, moment)
    return needs, heard, observation


def _check_namespace(namespace: str) -> None:
    """Raise ClamError for what is none: a node that could not be made would say more than that."""
    try:
        validate_namespace(namespace if namespace.startswith("/") else f"/{namespace}")
    except InvalidNamespaceException as error:
        why = str(error).partition("\n")[0].removeprefix("Invalid namespace: ").rstrip(":")
        raise ClamError(f"'{namespace}' is no namespace ({why}): check --namespace") from error


class _Listener:
    """Hears what a policy would, and the arm's joints."""

    def __init__(self, node: Node, needs: Needs) -> None:
        self._node, self._needs = node, needs
        states = dict.fromkeys([topic for topic in (needs.state_topic, names.JOINT_STATES) if topic])
        self._hearing = Hearing([*states, *needs.cameras], window=0.0)
        for topic in states:
            node.create_subscription(JointState, topic, lambda message, t=topic: self._on_state(t, message), STREAM)
        kind = MESSAGES[needs.image_type]
        for topic in needs.cameras:
            node.create_subscription(kind, topic, lambda data, t=topic: self._on_image(t, data), LATEST, raw=True)

    def moment(self, seconds: float) -> Moment:
        """Everything of `seconds`, from when there is something to be heard."""
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        self._hearing.window = DISCOVERY
        self._spin(executor, DISCOVERY, enough=self._all_there)
        self._hearing.window = seconds
        self._hearing.begin(time.monotonic())
        self._spin(executor, seconds)
        moment = take(self._node, self._needs, self._hearing, own_commanders=0)
        executor.shutdown()
        return moment

    def _spin(
        self, executor: SingleThreadedExecutor, seconds: float, enough: Callable[[], bool] = lambda: False
    ) -> None:
        end = time.monotonic() + seconds
        with tqdm(total=round(seconds, 1), desc="listening", unit="s", disable=None, leave=False) as bar:
            while (left := end - time.monotonic()) > 0 and not enough():
                executor.spin_once(timeout_sec=min(0.1, left))
                bar.update(round(seconds - max(0.0, end - time.monotonic()), 1) - bar.n)

    def _all_there(self) -> bool:
        return all(topic in self._hearing.newest for topic in self._hearing.topics)

    def _on_state(self, topic: str, message: JointState) -> None:
        self._hear(topic, to_ns(message.header.stamp), message)

    def _on_image(self, topic: str, data: bytes) -> None:
        self._hear(topic, stamp_of(data), data)

    def _hear(self, topic: str, stamp: int, message: Any) -> None:
        arrival = self._node.get_clock().now().nanoseconds
        self._hearing.hear(topic, stamp, arrival, message, time.monotonic())
