"""The arm of the toy kitchen that clam_sim's node `kitchen` simulates in a process of its own, as a real arm on a bus.

A small node with its own thread hears the measurements, so that nothing here waits for the driver's executor, and the
driver waits for nothing here but the switching of torque.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from clam_arm.backend import BackendSettings
from clam_core.envs.servos import with_gap
from clam_core.errors import ClamError
from clam_core.safety import Measurement
from clam_description import FINGER_JOINTS
from clam_ros import names
from clam_ros.messages import CommandWriter, MessageRefused, NamedVectorReader
from clam_ros.qos import LATEST, STREAM
from clam_ros.stamps import to_ns

Vector = npt.NDArray[np.float64]

SILENT = 1.5  # [s] longer than any `measurement_timeout`: by then the filter has let go
MEND = "start it with `ros2 run clam_sim kitchen_world` or `clam-launch sim_kitchen`, or take backend:=mujoco_arm"


class MujocoBackend:
    """`read` and `send` never wait; `torque` and construction do, with time-outs.

    Raises:
        ClamError: nobody simulates a kitchen in the driver's namespace, or without the joints of this robot.
    """

    def __init__(self, settings: BackendSettings) -> None:
        self._timeout = settings.timeout
        self._should_stop = settings.should_stop
        self._latest: Measurement | None = None
        self._refusal = ""  # what is wrong with the measurements that come
        self._reader = NamedVectorReader([*settings.limits.joints, *FINGER_JOINTS])
        self._writer = CommandWriter(settings.limits.names)
        self._node = Node("arm_bus", namespace=settings.namespace, use_global_arguments=False)
        self._publisher = self._node.create_publisher(JointTrajectory, names.KITCHEN_SETPOINT, STREAM)
        self._torque = self._node.create_client(SetBool, names.KITCHEN_TORQUE)
        heard = self._node.create_subscription(JointState, names.KITCHEN_JOINT_STATES, self._on_joint_states, LATEST)
        self._topic = heard.topic_name
        self._closing = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="kitchen", daemon=True)
        self._thread.start()
        try:
            self._wait_for_kitchen()
        except BaseException:  # also a second Ctrl-C: a process that ends with this thread aborts
            self.close()
            raise

    def read(self, now: float) -> Measurement | None:
        """The newest measurement, stamped when the kitchen made it.

        Raises:
            ClamError: the kitchen has fallen silent.
        """
        latest = self._latest
        if latest is not None and now - latest.stamp > SILENT:
            raise ClamError(self._refusal or f"the kitchen is silent on '{self._topic}': {MEND}")
        return latest

    def read_anew(self) -> None:
        """Nothing to do: the kitchen's stamps tell how old a measurement is."""

    def send(self, setpoint: Vector) -> None:
        """One message."""
        self._publisher.publish(self._writer.message(self._node.get_clock().now().nanoseconds, setpoint))

    def torque(self, on: bool) -> None:
        """Wait for the kitchen's answer.

        Raises:
            ClamError: it does not come, or says no.
        """
        future = self._torque.call_async(SetBool.Request(data=on))
        if not self._wait(future.done):
            self._torque.remove_pending_request(future)
            raise ClamError(f"the kitchen did not answer '{self._torque.srv_name}' within {self._timeout:g} s: {MEND}")
        response = future.result()
        if not response.success:
            raise ClamError(f"the kitchen refuses torque: {response.message}")

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._thread.join(2.0)
        self._executor.shutdown()
        self._node.destroy_node()

    def _wait_for_kitchen(self) -> None:
        if not self._wait(lambda: self._latest is not None and self._torque.service_is_ready()):
            problem = self._refusal or f"no kitchen publishes '{self._topic}' within {self._timeout:g} s"
            raise ClamError(f"{problem}: {MEND}")

    def _wait(self, done: Callable[[], bool]) -> bool:
        """Wait until `done`; False when that takes too long."""
        end = time.monotonic() + self._timeout
        while not done():
            if self._should_stop():
                raise ClamError("told to stop while it waited for the kitchen")
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    # Thread of the node -------------------------------------------------------------------------------------

    def _on_joint_states(self, message: JointState) -> None:
        arrived, age = time.monotonic(), (self._node.get_clock().now().nanoseconds - to_ns(message.header.stamp)) / 1e9
        try:
            positions = self._reader.read(message)
        except MessageRefused as refusal:
            self._refusal = f"what comes on '{self._topic}' is not of this robot ({refusal})"
            return
        self._refusal = ""
        self._latest = Measurement(arrived - age, with_gap(positions))

    def _spin(self) -> None:
        try:
            while not self._closing and self._node.context.ok():
                self._executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass
