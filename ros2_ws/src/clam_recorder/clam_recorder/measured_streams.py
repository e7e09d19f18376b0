"""Publishers for `measure_recording`: what a camera node and an arm driver send, with every stamp written down."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from clam_camera.messages import InfoWriter, JpegWriter
from clam_camera.transport_profile import use_profile
from clam_ros import names
from clam_ros.images import ImageWriter
from clam_ros.messages import CommandWriter, NamedVectorWriter
from clam_ros.qos import STREAM

WIDTH, HEIGHT = 640, 480
CAMERA_RATE, JOINT_RATE = 30.0, 50.0  # [Hz]
JPEG_QUALITY = 90  # default of the camera node
JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")


def pictures(count: int = 8) -> list[npt.NDArray[np.uint8]]:
    """Pictures ``(H, W, 3)`` about as detailed as those of a table with things on it: JPEG makes 60 to 90 kB of one."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    made = []
    for _ in range(count):
        waves = sum(
            rng.uniform(10, 30) * np.sin(columns * rng.uniform(-0.1, 0.1) + rows * rng.uniform(-0.1, 0.1))
            for _ in range(8)
        )
        grain = rng.normal(0, 4, (HEIGHT, WIDTH, 3))
        made.append(np.clip(128 + waves[..., None] + grain, 0, 255).astype(np.uint8))
    return made


def published_topics(camera: str, images: str) -> tuple[str, ...]:
    """What `camera` publishes, or the arm where it is empty; the first is the one that carries most."""
    if not camera:
        return names.JOINT_STATES, names.COMMAND
    pictures = names.COMPRESSED if images == "compressed" else names.IMAGE
    return pictures.format(name=camera), names.CAMERA_INFO.format(name=camera)


def camera(node: Node, name: str, images: str) -> Callable[[int], None]:
    """Publishes a frame with camera_info, encoding it as the camera node does."""
    frames, count = pictures(), 0
    info = InfoWriter(name, WIDTH, HEIGHT, None)
    topic, info_topic = published_topics(name, images)
    publish_info = node.create_publisher(CameraInfo, info_topic, qos_profile_sensor_data)
    kind, writer = (
        (CompressedImage, JpegWriter(name, JPEG_QUALITY)) if images == "compressed" else (Image, ImageWriter(name))
    )
    publisher = node.create_publisher(kind, topic, qos_profile_sensor_data)

    def send(stamp: int) -> None:
        nonlocal count
        count += 1
        message: Any = writer.message(stamp, frames[count % len(frames)])
        publisher.publish(message)
        publish_info.publish(info.message(stamp))

    return send


def arm(node: Node) -> Callable[[int], None]:
    """Publishes joint states, and a command with each."""
    states, commands = NamedVectorWriter(JOINTS), CommandWriter(JOINTS)
    state_topic, command_topic = published_topics("", "")
    publish_state = node.create_publisher(JointState, state_topic, STREAM)
    publish_command = node.create_publisher(JointTrajectory, command_topic, STREAM)

    def send(stamp: int) -> None:
        publish_state.publish(states.message(stamp, np.zeros(len(JOINTS))))
        publish_command.publish(commands.message(stamp, np.zeros(len(JOINTS))))

    return send


def main(arguments: list[str] | None = None) -> int:
    """Publish until standard input is closed; then print the stamps of all messages as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--camera", help="name of the camera to be; without, the arm")
    parser.add_argument("--images", default="compressed")
    options = parser.parse_args(arguments)
    use_profile()
    rclpy.init(args=[])
    node = Node(f"measured_{options.camera or 'arm'}", namespace=options.namespace)
    send = camera(node, options.camera, options.images) if options.camera else arm(node)
    stamps: list[int] = []

    def tick() -> None:
        stamps.append(time.time_ns())
        send(stamps[-1])

    node.create_timer(1.0 / (CAMERA_RATE if options.camera else JOINT_RATE), tick)
    closed = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=watch, daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not closed.is_set():
        executor.spin_once(timeout_sec=0.05)
    print(json.dumps(stamps))
    sys.stdout.flush()
    time.sleep(1.0)  # what is still on its way goes out
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
