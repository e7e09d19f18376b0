"""`ros2 run clam_policy measure_latency`: from the stamp of an observation to its command, and periods without one.

Listens to a policy that runs, on the same machine, and prints JSON:

    clam-launch policy robot:=mujoco bundle:=runs/kitchen/bundle
    ros2 run clam_policy measure_latency --seconds 60 --rate 5 [--out latency.json]

The stamp is that of the oldest camera image (or state) which the policy looked at; the command is taken when this
process hears it. A period without a command is a miss. `answers` are new chunks: with a receding horizon the other
commands follow the last one and count as `played_out`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from trajectory_msgs.msg import JointTrajectory

from clam_ros import names
from clam_ros.qos import COLLECT
from clam_ros.stamps import to_ns
from clam_ros.stop_signal import StopSignal

PATIENCE = 60.0  # [s] for the first command
QUIET = 5.0  # [s] after which a wait is explained
SETTLE = 0.5  # [s] after the end in which chunks and commands that belong together still come


class Heard:
    """Stamps and arrivals [ns] of commands, and the chunks (stamp → length) that they come from."""

    def __init__(self) -> None:
        self.commands: list[tuple[int, int]] = []
        self.chunks: dict[int, int] = {}

    def report(self, rate: float) -> dict[str, Any]:
        """What came of it, for a policy of `rate` [Hz]; times in ms."""
        period = round(1e9 / rate)
        first: dict[int, int] = {}
        for stamp, arrival in self.commands:
            first.setdefault(stamp, arrival)
        latencies = []
        for stamp, length in self.chunks.items():  # a late answer begins with a later step of its chunk
            arrivals = [first[step] for k in range(length) if (step := stamp + k * period) in first]
            latencies += [min(arrivals) - stamp] if arrivals else []
        intervals = np.diff([arrival for _, arrival in self.commands])
        return {
            "rate_hz": rate,
            "seconds": round(float(intervals.sum()) / 1e9, 1),
            "commands": len(self.commands),
            "answers": len(latencies),
            "played_out": len(self.commands) - len(latencies),
            "latency_ms": _summary(np.array(latencies)),
            "interval_ms": _summary(intervals),
            "misses": int(np.maximum(np.round(intervals / period) - 1, 0).sum()),
        }


def _summary(values: Any) -> dict[str, float] | None:
    if not len(values):
        return None
    found = {"median": np.median(values), "p99": np.percentile(values, 99), "max": values.max()}
    return {name: round(float(value) / 1e6, 1) for name, value in found.items()}


def listen(seconds: float, stopped: Callable[[], bool] = lambda: False) -> Heard:
    """Everything from the first command on, for `seconds`.

    Raises:
        SystemExit: no command came.
        KeyboardInterrupt: the process was told to stop, as `stopped` says.
    """
    node, heard = Node("measure_latency"), Heard()

    def on_command(message: JointTrajectory) -> None:
        heard.commands.append((to_ns(message.header.stamp), node.get_clock().now().nanoseconds))

    def on_chunk(message: JointTrajectory) -> None:
        heard.chunks[to_ns(message.header.stamp)] = len(message.points)

    node.create_subscription(JointTrajectory, names.COMMAND, on_command, COLLECT)
    node.create_subscription(JointTrajectory, names.ACTION_CHUNK, on_chunk, COLLECT)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        executor.spin_once(timeout_sec=0.1)
        if stopped():
            raise KeyboardInterrupt

    begin, said = time.monotonic(), False
    while not heard.commands:
        waited = time.monotonic() - begin
        if waited > PATIENCE:
            raise SystemExit(f"no command within {PATIENCE:g} s: is the policy up and enabled? See its /diagnostics")
        if waited > QUIET and not said:
            said = True
            print(f"{_awaited(node)} (for up to {PATIENCE:g} s)", file=sys.stderr, flush=True)
        spin()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        spin()
    last = len(heard.commands)
    while time.monotonic() < end + SETTLE:
        spin()
    heard.commands = heard.commands[:last]
    node.destroy_node()
    return heard


def _awaited(node: Node) -> str:
    """What there is to wait for, in words."""
    topic = node.resolve_topic_name(names.COMMAND)
    if not node.get_publishers_info_by_topic(names.COMMAND):
        return f"waiting: nobody publishes '{topic}'; start the policy, in this ROS_DOMAIN_ID and namespace"
    return f"waiting for the first message on '{topic}': is the policy enabled? Its /diagnostics say why not"


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to listen (default: 60)")
    parser.add_argument("--rate", type=float, default=5.0, help="rate of the bundle in Hz (default: 5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the JSON there too")
    parsed = parser.parse_args(remove_ros_args(["", *given])[1:])
    stop = StopSignal()  # rclpy's own handlers would end the context in the middle of a wait
    rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
    try:
        heard = listen(parsed.seconds, lambda: stop.received)
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
        stop.close()
    report = json.dumps(heard.report(parsed.rate), indent=2)
    print(report)
    if parsed.out is not None:
        parsed.out.write_text(report + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
