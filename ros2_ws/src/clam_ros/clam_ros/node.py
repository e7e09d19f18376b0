"""The base of every node: lifecycle, entities that it owns, a job, diagnostics."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.task import Task

from clam_core.errors import ClamError
from clam_ros.parameter_node import ParameterNode
from clam_ros.waiting import STEADY

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
TWINS = "another node of this name runs, two would fight: stop one (one that was killed is seen for up to 20 s)"


class Node(ParameterNode):
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
        #: How many more nodes of this name there are.
        self.twins = 0
        self._configured = False
        self._owned: list[tuple[Callable[[Any], Any], Any]] = []
        self._service_group = ReentrantCallbackGroup()
        self._job: Task | None = None
        self.declare("autostart", True, "Configure and activate at start, without a lifecycle manager.")
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._look_around, clock=STEADY)

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
        with self.reading():
            outcome = self._transition(self.configure)
        self._configured = outcome is TransitionCallbackReturn.SUCCESS
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
        self.forget_read()
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

    def _look_around(self) -> None:
        own, before = (self.get_name(), self.get_namespace()), self.twins
        self.twins = max(0, self.get_node_names_and_namespaces().count(own) - 1)
        if self.twins > before:
            self.get_logger().warning(TWINS)
        self.publish_diagnostics()

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
