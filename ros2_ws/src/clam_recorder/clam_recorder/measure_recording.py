"""`ros2 run clam_recorder measure_recording`: does everything that is published reach the bag, for minutes on end?

Two cameras (640x480, 30 Hz, best effort, JPEG made on the way as the camera node does, or raw), joint states and
commands (50 Hz), each from a process of its own, and the recorder node. Every message bears a stamp that its publisher
writes down; all of those between the answers of record/start and record/stop must be in the bag.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosbags.rosbag2 import Reader
from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_core.data.bag_images import stamp_of
from clam_core.data.bag_integrity import check_files, storage_files
from clam_core.errors import ClamError
from clam_recorder.measured_streams import HEIGHT, WIDTH, published_topics

CAMERAS, ARM = ("front", "wrist"), "arm"
PATIENCE = 120.0  # [s] until all topics flow as they should
SETTLE = 1.0  # [s] from the last message to record/stop


@dataclass(frozen=True)
class Options:
    """`seconds` of recording into `out`, of `images` compressed or raw, with the recorder's `backend`.

    `tolerance`: how far rates may be off for the episode to begin, see the recorder's parameter.
    """

    seconds: float
    images: str
    out: Path
    backend: str = "auto"
    tolerance: float = 0.2


class Recording:
    """The recorder's process, and its services and status."""

    def __init__(self, options: Options, namespace: str) -> None:
        parameters = {
            "out": options.out,
            "session": "robot",
            "cameras": json.dumps(list(CAMERAS)),
            "images": options.images,
            "backend": options.backend,
            "kind": "play",
            "rate_tolerance": options.tolerance,
            "disk_minutes": options.seconds / 60.0,
            "status_period": 0.0,
        }
        command = [sys.executable, "-m", "clam_recorder.recorder", "--ros-args", "-r", f"__ns:=/{namespace}"]
        command += [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        self.process = subprocess.Popen(command)
        self.status: dict[str, Any] = {}
        self.warnings: set[str] = set()
        self._node = Node("measure_recording", namespace=namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.create_subscription(String, "record/status", self._on_status, 10)
        self._clients = {name: self._node.create_client(Trigger, f"record/{name}") for name in ("start", "stop")}

    def start(self) -> None:
        """Begin an episode once the recorder finds all topics as they should be."""
        self.spin_until(lambda: bool(self.status), "the recorder")
        self.spin_until(lambda: not self.status["refusals"], "all topics")
        self.spin_until(lambda: self.call("start")[0], "an episode")

    def call(self, service: str) -> tuple[bool, str]:
        """Success and message of a service's answer."""
        future = self._clients[service].call_async(Trigger.Request())
        self.spin_until(future.done, f"the answer of record/{service}", 3600.0)
        return future.result().success, future.result().message

    def spin_until(self, condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Spin until `condition` holds."""
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                why = "; ".join(self.status.get("refusals", ())) or "see the lines above"
                raise ClamError(f"{what} did not come: {why}")
            self._executor.spin_once(timeout_sec=0.1)

    def processor_seconds(self) -> float:
        """What the recorder has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the recorder."""
        self.process.terminate()
        self.process.wait()
        self._executor.shutdown()
        self._node.destroy_node()

    def _on_status(self, message: String) -> None:
        self.status = json.loads(message.data)
        if self.status["state"] == "recording":
            self.warnings.update(warning.partition(" comes at")[0] for warning in self.status["warnings"])


def measure(options: Options) -> dict[str, Any]:
    """Record, stop, count.

    Raises:
        ClamError: the topics do not come as they should, or the recorder ends.
    """
    namespace = f"measure_{os.getpid()}"
    publishers = {name or ARM: _publisher(namespace, name, options.images) for name in (*CAMERAS, "")}
    recording = Recording(options, namespace)
    try:
        recording.start()
        began, used = time.time_ns(), recording.processor_seconds()
        end = time.monotonic() + options.seconds
        recording.spin_until(lambda: time.monotonic() >= end, "the end", options.seconds + PATIENCE)
        used = recording.processor_seconds() - used
        warnings = sorted(recording.warnings)
        stamps = {name: _stamps(name, process) for name, process in publishers.items()}
        time.sleep(SETTLE)
        stopping = time.monotonic()
        stopped, message = recording.call("stop")
        if not stopped:
            raise ClamError(f"record/stop failed: {message}")
        closing = time.monotonic() - stopping
        answer = json.loads(message)
        bag = Path(answer["bag"])
        if check_files(bag) != answer["messages"]:
            raise ClamError("the bag's sidecar and the answer of record/stop differ")
        size = sum(file.stat().st_size for file in storage_files(bag))
        return {
            "seconds": options.seconds,
            "images": f"two of {WIDTH}x{HEIGHT}, {options.images}",
            "topics": _compare(bag, f"/{namespace}", options.images, stamps, began),
            "dropped_by_recorder": answer["dropped"],
            "slow_topics": warnings,
            "bag_mib": round(size / 2**20, 1),
            "mib_per_second": round(size / 2**20 / options.seconds, 2),
            "recorder_cores": round(used / options.seconds, 3),
            "seconds_to_close": round(closing, 2),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        }
    finally:
        recording.close()
        for process in publishers.values():
            process.kill()
            process.wait()


def _publisher(namespace: str, camera: str, images: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clam_recorder.measured_streams", "--namespace", namespace, "--images", images]
    command += ["--camera", camera] if camera else []
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _stamps(name: str, publisher: subprocess.Popen[str]) -> list[int]:
    """What it has written down; that ends it."""
    try:
        stamps: list[int] = json.loads(publisher.communicate()[0])
    except ValueError as error:
        raise ClamError(f"the publisher of '{name}' has ended early: see the lines above") from error
    return stamps


def _compare(
    bag: Path, namespace: str, images: str, stamps: dict[str, list[int]], began: int
) -> dict[str, dict[str, int]]:
    """By topic: messages published since `began` [ns], how many of them are in the bag, and how many are not.

    `stamps` are those of the cameras' and the arm's messages; all of their topics must be in the bag.
    """
    found: dict[str, set[int]] = {}
    with Reader(bag) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, set()).add(stamp_of(data))
    result = {}
    for source in stamps:
        published = {stamp for stamp in stamps[source] if stamp > began}
        for topic in published_topics("" if source == ARM else source, images):
            kept = len(published & found.get(f"{namespace}/{topic}", set()))
            result[topic] = {"published": len(published), "in_bag": kept, "lost": len(published) - kept}
    return dict(sorted(result.items()))


def main(arguments: list[str] | None = None) -> int:
    """Console script; status 1 if a message was lost."""
    parser = argparse.ArgumentParser(
        prog="measure_recording", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=_minutes, default=10.0, help="of recording (default: 10)")
    parser.add_argument("--raw", action="store_true", help="raw images (55 MB/s) instead of JPEG")
    parser.add_argument("--backend", default="auto", help="rosbags or rosbag2_py (default: what is installed)")
    parser.add_argument("--out", type=Path, help="folder on the disk to try; a temporary one without")
    parser.add_argument("--tolerance", type=float, default=0.2, help="of rates at the beginning (default: 0.2)")
    options = parser.parse_args(arguments)
    rclpy.init(args=[])
    try:
        with tempfile.TemporaryDirectory(prefix="clam-measure-", dir=options.out) as folder:
            images = "raw" if options.raw else "compressed"
            seconds = 60.0 * options.minutes
            result = measure(Options(seconds, images, Path(folder), options.backend, options.tolerance))
    except (ClamError, OSError) as error:
        print(f"measure_recording: error: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    print(json.dumps(result, indent=2))
    return 1 if any(row["lost"] for row in result["topics"].values()) else 0


def _minutes(text: str) -> float:
    if not 0.0 < (minutes := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not positive")
    return minutes


if __name__ == "__main__":
    raise SystemExit(main())
