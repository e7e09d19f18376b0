"""The base of every node: lifecycle, declared parameters, diagnostics, and one `run` for all `main`
functions.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import (
    InvalidHandle,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterException,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Task

from clam_core.errors import ClamError, did_you_mean
from clam_ros.stop_signal import StopSignal
from clam_ros.waiting import STEADY

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Node(LifecycleNode):
    """A lifecycle node whose subclass fills in `configure`, `activate`, `deactivate`, `cleanup` and
    `diagnose`.

    Entities made with `publish`, `subscribe`, `serve`, `connect` and `every` belong to the configured state:
    they are destroyed at cleanup. A `ClamError` in a transition is one log line and a failed transition; with
    `autostart` it ends the process with status 1.
    """

    #: Exit status when the process is told to stop before it set `exit_status`; nodes with a job to finish
    #: use 130.
    interrupted_status = 0

    def __init__(self, name: str, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.counters: Counter[str] = Counter()
        self.exit_status: int | None = None
        self.active = False
        #: Whether the process was told to stop; what waits in a transition has to ask.
        self.should_stop: Callable[[], bool] = lambda: False
        self._choices: dict[str, tuple[str, ...]] = {}
        self._live: set[str] = set()
        self._read_at_configure: set[str] = set()
        self._configuring = self._configured = False
        self._owned: list[tuple[Callable[[Any], Any], Any]] = []
        self._service_group = ReentrantCallbackGroup()
        self._job: Task | None = None
        self.add_on_set_parameters_callback(self._check_parameters)
        self.declare("autostart", True, "Configure and activate at start, without a lifecycle manager.")
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self.publish_diagnostics, clock=STEADY)

    # What a subclass fills in -------------------------------------------------------------------------------

    def configure(self) -> None:
        """Read parameters, load what is needed, create entities."""

    def activate(self) -> None:
        """Start working."""

    def deactivate(self) -> None:
        """Stop working; must be safe to call at any time after `configure`."""

    def cleanup(self) -> None:
        """Release what `configure` made, other than owned entities; must be safe to call at any time."""

    def diagnose(self) -> tuple[bytes, str]:
        """Level and one-line message of the node's diagnostic."""
        return OK, "active" if self.active else "inactive"

    # Parameters ---------------------------------------------------------------------------------------------

    def declare(
        self,
        name: str,
        default: Any,
        description: str,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: Sequence[str] = (),
        live: bool = False,
    ) -> None:
        """Declare a parameter; its type is that of `default`, numbers lie in [low, high].

        What `configure` reads cannot be set afterwards, as nobody would read it again, unless it is `live`.

        Raises:
            ClamError: the value given at start has another type, lies outside the range or is no valid
            choice.
        """
        descriptor = ParameterDescriptor(description=description)
        if live:
            self._live.add(name)
        if choices:
            self._choices[name] = tuple(choices)
            descriptor.additional_constraints = "one of: " + ", ".join(choices)
        if low is not None or high is not None:
            if isinstance(default, int):
                bounds = (int(-(2**62) if low is None else low), int(2**62 if high is None else high))
                descriptor.integer_range = [IntegerRange(from_value=bounds[0], to_value=bounds[1], step=0)]
            else:
                limits = (float("-inf") if low is None else low, float("inf") if high is None else high)
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]), step=0.0)
                ]
        try:
            value = self.declare_parameter(name, default, descriptor).value
        except InvalidParameterTypeException as error:
            kind = {float: "a float (write 1.0, not 1)", int: "an integer", bool: "true or false"}.get(
                type(default), f"a {type(default).__name__}"
            )
            raise ClamError(f"parameter '{name}' must be {kind}: {error}") from error
        except (InvalidParameterValueException, ParameterException) as error:
            raise ClamError(f"parameter '{name}' is refused: {error}") from error
        if choices and value not in choices:
            raise ClamError(f"parameter '{name}' is '{value}': {did_you_mean(str(value), choices)}")

    def value(self, name: str) -> Any:
        """Value of a declared parameter."""
        if self._configuring and name not in self._live:
            self._read_at_configure.add(name)
        return self.get_parameter(name).value

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name in self._read_at_configure and parameter.value != self.value(parameter.name):
                reason = f"{parameter.name} is read when the node is configured: deactivate and clean it up first"
                return SetParametersResult(successful=False, reason=reason)
            choices = self._choices.get(parameter.name, ())
            if choices and parameter.value not in choices:
                mend = did_you_mean(str(parameter.value), choices)
                reason = f"'{parameter.value}' is no valid {parameter.name}: {mend}"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    # Entities of the configured state -----------------------------------------------------------------------

    def publish(self, kind: type, topic: str, qos: Any) -> Any:
        """Publisher that is destroyed at cleanup."""
        return self._own(self.destroy_publisher, self.create_publisher(kind, topic, qos))

    def subscribe(self, kind: type, topic: str, callback: Callable[..., None], qos: Any, *, raw: bool = False) -> Any:
        """Subscription that is destroyed at cleanup."""
        return self._own(self.destroy_subscription, self.create_subscription(kind, topic, callback, qos, raw=raw))

    def serve(self, kind: type, name: str, callback: Callable[..., Any]) -> Any:
        """Service that is destroyed at cleanup; a coroutine as its callback holds nothing else up."""
        service = self.create_service(kind, name, callback, callback_group=self._service_group)
        return self._own(self.destroy_service, service)

    def connect(self, kind: type, name: str) -> Any:
        """Service client that is destroyed at cleanup."""
        return self._own(self.destroy_client, self.create_client(kind, name))

    def every(self, seconds: float, callback: Callable[[], None]) -> Any:
        """Timer on the steady clock (also under simulated time) that is destroyed at cleanup."""
        return self._own(self.destroy_timer, self.create_timer(seconds, callback, clock=STEADY))

    def _own(self, destroy: Callable[[Any], Any], entity: Any) -> Any:
        self._owned.append((destroy, entity))
        return entity

    def _destroy_owned(self) -> None:
        while self._owned:
            destroy, entity = self._owned.pop()
            destroy(entity)

    # Lifecycle ----------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lifecycle transition; see `configure`."""
        self._configuring = True
        outcome = self._transition(self.configure)
        self._configuring, self._configured = False, outcome is TransitionCallbackReturn.SUCCESS
        if not self._configured:
            self._release()
        return outcome

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lifecycle transition; see `activate`."""
        self.active = True
        outcome = self._transition(self.activate)
        self.active = outcome is TransitionCallbackReturn.SUCCESS
        return outcome

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lifecycle transition; see `deactivate`."""
        self.active = False
        return self._transition(self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lifecycle transition; see `cleanup`."""
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lifecycle transition from any state: stop and release."""
        self._stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition failed as nobody had foreseen: stop and release, so that the node can be configured again."""
        if self._configured:
            self._transition(self.deactivate)
            self._release()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        if self.active:
            self.active = False
            self._transition(self.deactivate)

    def _release(self) -> TransitionCallbackReturn:
        """What the configured state holds, also where `configure` did not come to its end."""
        outcome = self._transition(self.cleanup)
        self._destroy_owned()
        self._read_at_configure.clear()
        self._configured = False
        return outcome

    def _transition(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except ClamError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(f"{step.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def autostart(self) -> bool:
        """Configure and activate if the parameter says so; False when a transition failed."""
        if not self.value("autostart"):
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def close(self) -> None:
        """Stop and release everything, whatever the state; also when the context is already shut down."""
        self._stop()
        self._transition(self.cleanup)

    # Work ---------------------------------------------------------------------------------------------------

    def start_job(self, job: Callable[[], Awaitable[int]]) -> None:
        """Run a coroutine on the executor; the node's process ends with the status it returns.

        Raises:
            ClamError: the one of before, which a deactivation does not end at once, still runs.
        """
        if self._job is not None and not self._job.done():
            raise ClamError("what was begun before the deactivation is still ending: wait, then activate again")

        async def guarded() -> None:
            try:
                self.exit_status = await job()
            except ClamError as error:
                self.get_logger().error(str(error))
                self.exit_status = 1
            except Exception:
                self.get_logger().error(f"failed:\n{traceback.format_exc()}")
                self.exit_status = 1

        assert self.executor is not None
        self._job = self.executor.create_task(guarded)

    def facts(self) -> dict[str, str]:
        """Keys and values of the node's diagnostic."""
        return {key: str(count) for key, count in sorted(self.counters.items())}

    def statuses(self) -> list[DiagnosticStatus]:
        """What the node has to say on /diagnostics: level, message and facts of its own."""
        level, message = self.diagnose()
        facts = {"active": str(self.active).lower(), **self.facts()}
        values = [KeyValue(key=key, value=value) for key, value in facts.items()]
        return [DiagnosticStatus(level=level, name=self.get_fully_qualified_name(), message=message, values=values)]

    def publish_diagnostics(self) -> None:
        """Publish `statuses`."""
        array = DiagnosticArray(status=self.statuses())
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def spin_once(executor: SingleThreadedExecutor, node: Node) -> None:
    """Let `executor` work once, with a warning where an answer came too late."""
    try:
        executor.spin_once()
    except InvalidHandle as error:  # a coroutine found its answer after the cleanup of its service
        node.get_logger().warning(f"an answer came too late to be sent: {error}")


def run(node_class: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Main function of a node's process; returns its exit status.

    SIGINT and SIGTERM end the spinning, the node closes what it holds, and the status is 0 (130 for a node
    that had a job to finish). A second signal does not even wait for the closing. A `ClamError` is one log line
    and status 1.
    """
    stop = StopSignal()
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of rcl
        get_logger("clam").error(f"{str(error).partition(', at ')[0]}: check the arguments after --ros-args")
        stop.close()
        return 1
    node: Node | None = None
    try:
        node = node_class()
        node.should_stop = lambda: stop.received
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        stop.wake(executor)
        if not node.autostart():
            node.exit_status = node.interrupted_status if stop.received else 1
        while node.exit_status is None and not stop.received:
            spin_once(executor, node)
        return node.interrupted_status if node.exit_status is None else node.exit_status
    except KeyboardInterrupt:
        return 130
    except ClamError as error:
        get_logger("clam" if node is None else node.get_name()).error(str(error))
        return 1
    except Exception:
        get_logger("clam" if node is None else node.get_name()).error(traceback.format_exc())
        return 1
    finally:
        try:
            if node is not None:
                node.close()
            rclpy.try_shutdown()
            stop.close()
        except KeyboardInterrupt:
            os._exit(130)  # threads that could not be joined would make the interpreter abort
