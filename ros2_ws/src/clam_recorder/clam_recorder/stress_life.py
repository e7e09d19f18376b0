"""One life of a recorder that is going to be killed: its process, and publishers that number their messages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from clam_core.errors import ClamError
from clam_ros.messages import NamedVectorWriter
from clam_ros.qos import STREAM

TOPICS = ("a", "b")
RATE = 200.0  # messages of each topic per second
PATIENCE = 60.0  # [s] for anything that should come soon


class Refused(ClamError):
    """An answer of the recorder that tells of a failure."""


class Life:
    """What talks to one recorder. Its names are its own: the middleware takes long to forget the dead."""

    def __init__(self, namespace: str, out: Path) -> None:
        self.sent: list[int] = []  # time [ns] at which the message of that number was sent
        self._node = Node("stress_recorder", namespace=namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._publishers = [self._node.create_publisher(JointState, topic, STREAM) for topic in TOPICS]
        self._clients = {name: self._node.create_client(Trigger, f"record/{name}") for name in ("start", "stop")}
        self._writer = NamedVectorWriter(("number",))
        self._node.create_timer(1.0 / RATE, self._publish)
        command = [sys.executable, "-m", "clam_recorder.recorder", "--ros-args", "-r", f"__ns:=/{namespace}"]
        command += ["-p", f"out:={out}", "-p", f"topics:={json.dumps(list(TOPICS))}", "-p", "status_period:=0.0"]
        self._recorder = subprocess.Popen([*command, "-p", "disk_reserve:=1", "--log-level", "error"])

    def wait_for_recorder(self) -> None:
        """Until it hears everything."""
        self._until(lambda: all(client.service_is_ready() for client in self._clients.values()), "the recorder")
        self._until(lambda: all(p.get_subscription_count() for p in self._publishers), "its subscriptions")

    def start(self) -> None:
        """Begin an episode; refused while the recorder does not see the publishers yet."""
        self._until(lambda: self._call("start").success, "an episode")

    def stop(self) -> dict[str, Any]:
        """The answer of record/stop.

        Raises:
            Refused: it is not the summary of an episode.
        """
        return _summary(self._call("stop"))

    def stop_within(self, seconds: float) -> dict[str, Any] | None:
        """The answer of record/stop if it comes within `seconds`."""
        future = self._clients["stop"].call_async(Trigger.Request())
        self.spin(seconds)
        return _summary(future.result()) if future.done() else None

    def kill(self) -> int:
        """SIGKILL; the time [ns]."""
        now = time.time_ns()
        self._recorder.send_signal(signal.SIGKILL)
        self.close()
        return now

    def close(self) -> None:
        """End what still runs."""
        self._recorder.kill()
        self._recorder.wait()
        self._executor.shutdown()
        self._node.destroy_node()

    def spin(self, seconds: float) -> None:
        """Publish for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def _publish(self) -> None:
        number = len(self.sent)
        self.sent.append(time.time_ns())
        for publisher in self._publishers:
            publisher.publish(self._writer.message(self.sent[-1], [number]))

    def _call(self, service: str) -> Any:
        future = self._clients[service].call_async(Trigger.Request())
        self._until(future.done, "an answer")
        return future.result()

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise ClamError(f"{what} did not come within {PATIENCE:g} s: is the machine overloaded?")
            self._executor.spin_once(timeout_sec=0.02)


def _summary(answer: Trigger.Response) -> dict[str, Any]:
    if not answer.success:
        raise Refused(f"record/stop failed: {answer.message}")
    summary: dict[str, Any] = json.loads(answer.message)
    return summary
