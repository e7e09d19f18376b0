"""A camera of the toy kitchen that clam_sim's node `kitchen` simulates: draws the scene that it publishes."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from rclpy.exceptions import ROSInterruptException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from clam_camera.calibration import Calibration, pinhole
from clam_camera.source import CameraLost, Frame, Properties, Settings
from clam_core.envs.kitchen_spec import CAMERAS, IMAGE_HEIGHT, IMAGE_WIDTH, check_camera
from clam_core.envs.kitchen_view import KitchenView, focal_length
from clam_core.errors import ClamError
from clam_ros import names
from clam_ros.messages import MessageRefused, NamedVectorReader
from clam_ros.qos import LATEST
from clam_ros.stamps import to_ns

RATE = 30.0  # [Hz] where nothing is asked for
PATIENCE = 2.0  # [s] without a scene until the camera is lost
MEND = "start it with `ros2 run clam_sim kitchen_world` or `clam-launch sim_kitchen`"


class KitchenCamera:
    """`Settings.device`: ``external`` or ``over_shoulder``. A frame carries the stamp of the scene that it shows.

    A small node hears the scene. It is spun by `read`, so that only the newest scene is ever looked at, in the thread
    that owns the graphics context.

    Raises:
        ClamError: no such camera, or depth is asked for.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.depth:
            raise ClamError("camera backend 'mujoco' gives no depth: set depth to false")
        self._camera = check_camera(settings.device or CAMERAS[0])
        self._namespace = settings.namespace
        self._width, self._height = settings.width or IMAGE_WIDTH, settings.height or IMAGE_HEIGHT
        self._rate = settings.rate or RATE
        self._node: Node | None = None
        self._view: KitchenView | None = None
        self._scene: tuple[int, npt.NDArray[np.float64]] | None = None  # stamp [ns], positions: not drawn yet
        self._refusal = ""
        self._next = 0.0  # [s, monotonic] when the next frame is due

    def open(self) -> Properties:
        """See `CameraSource`. Returns without waiting for a scene."""
        self.close()
        self._view = KitchenView()
        self._reader = NamedVectorReader(self._view.names)
        self._node = Node(f"camera_view_{self._camera}", namespace=self._namespace, use_global_arguments=False)
        heard = self._node.create_subscription(JointState, names.KITCHEN_SCENE, self._on_scene, LATEST)
        self._topic = heard.topic_name
        self._executor = SingleThreadedExecutor(context=self._node.context)
        self._executor.add_node(self._node)
        self._next = time.monotonic()
        return Properties(self._width, self._height, self._rate, self._calibration())

    def read(self) -> Frame:
        """See `CameraSource`."""
        assert self._view is not None
        time.sleep(max(0.0, self._next - time.monotonic()))
        stamp, scene = self._newest()
        period = 1.0 / self._rate
        self._next = max(self._next, time.monotonic() - period) + period
        return Frame(self._view.render(scene, self._height, self._width, self._camera), stamp)

    def close(self) -> None:
        """See `CameraSource`."""
        node, self._node = self._node, None
        if node is not None:
            self._executor.shutdown()
            node.destroy_node()
        view, self._view = self._view, None
        if view is not None:
            view.close()

    def _newest(self) -> tuple[int, npt.NDArray[np.float64]]:
        """The newest scene that was not drawn yet."""
        self._scene = None
        end = time.monotonic() + PATIENCE
        while self._scene is None:
            try:
                self._executor.spin_once(timeout_sec=max(0.0, end - time.monotonic()))
            except (ExternalShutdownException, ROSInterruptException) as error:
                raise CameraLost("this process shuts down") from error
            if self._scene is None and time.monotonic() > end:
                raise CameraLost(
                    self._refusal
                    or f"no kitchen publishes '{self._topic}': start it with `ros2 run clam_sim kitchen_world`"
                )
        return self._scene

    def _on_scene(self, message: JointState) -> None:
        try:
            positions = self._reader.read(message)
        except MessageRefused as refusal:
            self._refusal = f"'{self._topic}' is of another kitchen ({refusal}): start both from the same version"
            return
        if not np.isfinite(positions).all():
            self._refusal = f"'{self._topic}' holds numbers that are not finite: restart the kitchen"
            return
        self._refusal = ""
        self._scene = to_ns(message.header.stamp), positions

    def _calibration(self) -> Calibration:
        """Of a pinhole in the middle of the image; pixels are counted by their middles."""
        focal = focal_length(self._camera, self._height)
        centre = (self._width - 1) / 2, (self._height - 1) / 2
        return pinhole(self._width, self._height, (focal, focal), centre, [0.0] * 5, "plumb_bob")
