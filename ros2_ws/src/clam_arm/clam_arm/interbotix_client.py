"""Interbotix's Python client, made so that it cannot wait for ever and gets a thread of its own.

As it comes, its constructor and every service call wait without end when xs_sdk is not there, and its node leaves
any executor that spins it while it waits. So: look for xs_sdk first, construct under a time-out, answer waits with an
event, and only then spin the node, alone, in its own thread. Services must never be called from that thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Future

from clam_core.errors import ClamError

T = TypeVar("T")

MISSING = (
    "backend 'interbotix' needs Interbotix's Python client ({error}): install the X-Series packages with "
    "xsarm_amd64_install.sh of interbotix_ros_manipulators and source their workspace, or use backend:=mujoco"
)


def import_client() -> tuple[type[Any], type[Any]]:
    """The classes ``InterbotixRobotNode`` and ``InterbotixManipulatorXS``.

    Raises:
        ClamError: they are not installed, or their workspace is not sourced.
    """
    try:
        from interbotix_common_modules.common_robot.robot import InterbotixRobotNode
        from interbotix_xs_modules.xs_robot.arm import InterbotixManipulatorXS
    except ImportError as error:
        raise ClamError(MISSING.format(error=error)) from error
    return InterbotixRobotNode, InterbotixManipulatorXS


def timed_node(base: type[Any], name: str, timeout: float) -> Any:
    """A node of Interbotix's class whose waits end: at the answer, or with `ClamError` after `timeout` [s]."""

    class TimedRobotNode(base):  # type: ignore[misc]
        def wait_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
            seconds = timeout if timeout_sec is None or timeout_sec < 0 else timeout_sec
            done = threading.Event()
            future.add_done_callback(lambda _: done.set())
            if not done.wait(seconds):
                raise ClamError(f"xs_sdk did not answer within {seconds:g} s: is it alive?")

    return TimedRobotNode(node_name=name, use_global_arguments=False)


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """Result of `work`, done in another thread.

    Raises:
        ClamError: it takes longer, or ends the process or raises as only libraries do.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            results.append(work())
        except BaseException as error:  # sys.exit too
            errors.append(error)

    thread = threading.Thread(target=guarded, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors and isinstance(errors[0], SystemExit):
        raise ClamError(f"{what} gave up: its line above says why; is xs_sdk running for this robot_model?")
    if errors:
        reason = " ".join(str(errors[0]).split()) or type(errors[0]).__name__
        raise ClamError(f"{what} failed: {reason}") from errors[0]
    if not results:
        raise ClamError(f"{what} did not end within {seconds:g} s: restart xs_sdk and look at its log")
    return results[0]


class InterbotixClient:
    """`robot` is Interbotix's manipulator object, served by its own thread until `close`."""

    def __init__(
        self,
        robot: str,
        robot_name: str,
        *,
        moving_time: float,
        accel_time: float,
        timeout: float,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        node_class, manipulator_class = import_client()
        self._node = timed_node(node_class, "clam_interbotix", timeout)
        self._closing = False
        self._thread: threading.Thread | None = None
        try:
            self._wait_for_sdk(robot_name, timeout, should_stop)
            self.robot: Any = within(
                timeout,
                "Interbotix's constructor",
                lambda: manipulator_class(
                    robot_model=robot,
                    robot_name=robot_name,
                    gripper_name=None,  # its object is for PWM; this driver commands the gap
                    moving_time=moving_time,
                    accel_time=accel_time,
                    node=self._node,
                    iterative_update_fk=False,
                ),
            )
        except BaseException:
            self._node.destroy_node()
            raise
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="interbotix", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        if self._thread is not None:
            self._thread.join(2.0)
            self._executor.remove_node(self._node)
            self._node.destroy_node()

    def _wait_for_sdk(self, robot_name: str, timeout: float, should_stop: Callable[[], bool]) -> None:
        service, topic = f"/{robot_name}/set_operating_modes", f"/{robot_name}/joint_states"
        end = time.monotonic() + timeout
        while True:
            services = [name for name, _ in self._node.get_service_names_and_types()]
            if service in services and self._node.count_publishers(topic):
                return
            if should_stop():
                raise ClamError("told to stop while it waited for xs_sdk")
            if time.monotonic() > end:
                raise ClamError(
                    f"no xs_sdk under '/{robot_name}' within {timeout:g} s: start it with "
                    f"`ros2 launch interbotix_xsarm_control xsarm_control.launch.py robot_model:={robot_name}`"
                )
            time.sleep(0.05)

    def _spin(self) -> None:
        try:
            while not self._closing and self._node.context.ok():
                self._executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass
