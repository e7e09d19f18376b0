"""`ros2 run clam_camera measure_transport`: what gets through between two processes, with and without the profile.

One process publishes two cameras (640x480 RGB, 30 Hz, best effort) and joint states (50 Hz, reliable) from timers,
as nodes do; another subscribes to all of them and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState

from clam_camera.transport_profile import VARIABLES, profile_path, variable
from clam_ros.images import ImageWriter
from clam_ros.messages import NamedVectorWriter
from clam_ros.qos import STREAM
from clam_ros.stamps import to_ns

CAMERAS = ("camera/front/image_raw", "camera/wrist/image_raw")
JOINTS = "joint_states"
TOPICS: dict[str, tuple[type, QoSProfile, float]] = {
    **dict.fromkeys(CAMERAS, (Image, qos_profile_sensor_data, 30.0)),
    JOINTS: (JointState, STREAM, 50.0),
}
VARIANTS = {
    "default": "Fast DDS defaults",
    "publisher": "profile in the publishing process",
    "both": "profile in both processes",
}
SETTLE = 1.0  # [s] for subscribers that know of the publishers later than these of them, and for the last messages
MATCH = 30.0  # [s] for discovery
REST = 10  # looks without a message, after which no more are waiting


def publish(node: Node, duration: float) -> dict[str, Any]:
    """Publish for `duration` [s] once all topics have a subscriber; messages sent by topic."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    publishers = {topic: node.create_publisher(kind, topic, qos) for topic, (kind, qos, _) in TOPICS.items()}
    deadline = time.monotonic() + MATCH
    while not all(publisher.get_subscription_count() for publisher in publishers.values()):
        executor.spin_once(timeout_sec=0.05)
        if time.monotonic() > deadline:
            raise SystemExit(f"no subscriber within {MATCH:g} s")
    sent = dict.fromkeys(TOPICS, 0)
    images = list(np.random.default_rng(0).integers(0, 256, (4, 480, 640, 3), dtype=np.uint8))
    joints = NamedVectorWriter([f"joint_{index}" for index in range(8)])
    writers = {topic: ImageWriter(topic) for topic in CAMERAS}

    def send(topic: str) -> None:
        stamp, count = time.time_ns(), sent[topic]
        if topic in writers:
            publishers[topic].publish(writers[topic].message(stamp, images[count % len(images)]))
        else:
            publishers[topic].publish(joints.message(stamp, np.full(8, count)))
        sent[topic] += 1

    spin_for(executor, SETTLE)
    timers = [node.create_timer(1.0 / rate, lambda topic=topic: send(topic)) for topic, (_, _, rate) in TOPICS.items()]
    spin_for(executor, duration)
    for timer in timers:
        node.destroy_timer(timer)
    spin_for(executor, SETTLE)
    return sent


def spin_for(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Let the node work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)


def subscribe(node: Node) -> dict[str, Any]:
    """Count until standard input is closed; received messages and latencies [ms] by topic."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stamps: dict[str, set[int]] = {topic: set() for topic in TOPICS}
    latencies: dict[str, list[float]] = {topic: [] for topic in TOPICS}

    def receive(topic: str, message: Any) -> None:
        stamp = to_ns(message.header.stamp)
        stamps[topic].add(stamp)
        latencies[topic].append((time.time_ns() - stamp) / 1e6)

    for topic, (kind, qos, _) in TOPICS.items():
        node.create_subscription(kind, topic, lambda message, topic=topic: receive(topic, message), qos)
    closed = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=watch, daemon=True).start()
    silent = 0
    while not closed.is_set() or silent < REST:  # looks, not seconds: on a busy machine messages are still waiting
        count = sum(map(len, latencies.values()))
        executor.spin_once(timeout_sec=0.05)
        silent = silent + 1 if closed.is_set() and sum(map(len, latencies.values())) == count else 0
    return {
        topic: {
            "received": len(stamps[topic]),
            "p50_ms": round(float(np.median(latencies[topic])), 2) if latencies[topic] else None,
            "p99_ms": round(float(np.percentile(latencies[topic], 99)), 2) if latencies[topic] else None,
        }
        for topic in TOPICS
    }


def measure(variant: str, duration: float) -> dict[str, dict[str, Any]]:
    """Sent, received and lost messages by topic, under one of `VARIANTS`.

    Raises:
        SystemExit: a process failed.
    """
    plain = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    profiled = {**plain, variable(): str(profile_path())}
    command = [sys.executable, "-m", "clam_camera.measure_transport", "--namespace", f"measure_{os.getpid()}"]
    with subprocess.Popen(
        [*command, "--role", "subscribe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=profiled if variant == "both" else plain,
    ) as subscriber:
        published = subprocess.run(
            [*command, "--role", "publish", "--duration", str(duration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=plain if variant == "default" else profiled,
        )
        output, _ = subscriber.communicate()
    if published.returncode or subscriber.returncode:
        raise SystemExit("a measuring process failed; its lines above say why")
    sent, received = json.loads(published.stdout), json.loads(output)
    return {
        topic: {"sent": sent[topic], **received[topic], "lost": sent[topic] - received[topic]["received"]}
        for topic in TOPICS
    }


def _play(role: str, namespace: str, duration: float) -> int:
    rclpy.init(args=[])
    node = Node(f"measure_{role}", namespace=namespace)
    result = publish(node, duration) if role == "publish" else subscribe(node)
    print(json.dumps(result))
    sys.stdout.flush()
    rclpy.try_shutdown()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Console script."""
    parser = argparse.ArgumentParser(prog="measure_transport", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--duration", type=float, default=30.0, help="seconds of each measurement (default: 30)")
    parser.add_argument("--only", choices=VARIANTS, help="measure one of these; otherwise all")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--role", choices=("publish", "subscribe"), help=argparse.SUPPRESS)
    parser.add_argument("--namespace", default="measure", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.role:
        return _play(options.role, options.namespace, options.duration)
    results: dict[str, Any] = {}
    for variant in VARIANTS if options.only is None else (options.only,):
        results[variant] = measure(variant, options.duration)
        if not options.json:
            _print(variant, results[variant])
    if options.json:
        results |= {"duration": options.duration, "load": os.getloadavg()[0], "cores": os.cpu_count()}
        print(json.dumps(results, indent=2))
    return 0


def _print(variant: str, result: dict[str, dict[str, Any]]) -> None:
    print(f"{VARIANTS[variant]}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"  {'topic':24}{'sent':>7}{'received':>10}{'lost':>7}{'lost %':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for topic, row in result.items():
        percent = 100.0 * row["lost"] / max(1, row["sent"])
        latencies = "".join(f"{row[key]:9.1f}" if row[key] is not None else f"{'-':>9}" for key in ("p50_ms", "p99_ms"))
        print(f"  {topic:24}{row['sent']:7}{row['received']:10}{row['lost']:7}{percent:8.1f}{latencies}")


if __name__ == "__main__":
    raise SystemExit(main())
