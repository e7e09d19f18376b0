"""A person at the arm's topics, who looks at every joint state that comes back."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("clam_description")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from clam_arm.arm_model import arm_model
from clam_ros.stamps import to_duration, to_ns, to_time

LIMITS = arm_model("wx250s").limits
PAUSE, CATCHES_UP = 0.1, 25  # [s] of the driver, and joint states after it
SLACK = np.array([0.02] * 6 + [0.002])  # servos sag and ring [rad, m]


class Robot:
    """Commands the driver, and checks every joint state that comes back."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.states = graph.collect(JointState, "joint_states", 2000)
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        self.publisher = graph.probe.create_publisher(JointTrajectory, "command", 100)
        graph.spin_until(lambda: self.publisher.get_subscription_count() > 0, what="driver matched")
        graph.spin_until(lambda: bool(self.states), what="joint states")

    @property
    def positions(self) -> Any:
        """Newest measured positions of the commanded joints (7,)."""
        return np.array(self.states[-1].position[:7])

    def command(self, *points: Any, times: Any = (0.0,), names: Any = LIMITS.names, stamp: int = 0) -> None:
        message = JointTrajectory(joint_names=list(names))
        message.header.stamp = to_time(stamp)
        for point, seconds in zip(points, times, strict=True):
            positions = [float(number) for number in point]
            duration = to_duration(round(seconds * 1e9))
            message.points.append(JointTrajectoryPoint(positions=positions, time_from_start=duration))
        self.publisher.publish(message)

    def facts(self) -> dict[str, str]:
        """Newest diagnostic of the driver."""
        for message in reversed(self.diagnostics):
            for status in message.status:
                if status.name.endswith("/arm_driver"):  # not "/watch: arm_driver"
                    return {"level": status.level, "message": status.message} | {
                        item.key: item.value for item in status.values
                    }
        return {}

    def watch_says(self, level: bytes, node: str, words: str) -> None:
        """The newest word of the node `watch` about another one."""

        def newest() -> tuple[bytes, str]:
            for message in reversed(self.diagnostics):
                for status in message.status:
                    if status.name == f"/watch: {node}":
                        return status.level, status.message
            return b"", ""

        self.graph.spin_until(lambda: newest()[0] == level and words in newest()[1], what=f"{words}; {newest()}")

    def says(self, key: str, value: str) -> None:
        def known() -> str:
            return f"diagnostic {key} = {value}; {self.publisher.get_subscription_count()} readers; {self.facts()}"

        self.graph.spin_until(lambda: self.facts().get(key) == value, what=known)

    def refused(self, reason: str, count: int = 1) -> None:
        self.says(f"refused {reason}", str(count))
        assert self.facts()["last refusal"].startswith(f"{reason}: ")

    def stays(self, seconds: float = 0.3) -> None:
        """The arm does not move for a while."""
        before = self.positions
        self.graph.spin_for(seconds)
        assert np.abs(self.positions - before).max() < 0.02, (before, self.positions)

    def comes_to_rest(self, count: int = 10) -> None:
        """Wait until none of the next `count` joint states differs from another."""
        seen = len(self.states)

        def rests() -> bool:
            newest = np.array([state.position[:7] for state in list(self.states)[-count:]])
            return len(self.states) >= seen + count and np.ptp(newest, axis=0).max() < 0.005

        self.graph.spin_until(rests, what="the arm to rest")

    def swing(self, angle: float) -> Any:
        """A policy that swings the waist and never stops: the timer that does it."""
        begin, start = time.monotonic(), self.positions

        def step() -> None:
            goal = start.copy()
            goal[0] = angle * np.sin(time.monotonic() - begin)
            self.command(goal)

        return self.graph.probe.create_timer(0.05, step)

    def never_left_its_limits(self) -> None:
        positions = np.array([state.position[:7] for state in self.states])
        assert (positions >= LIMITS.low - SLACK).all() and (positions <= LIMITS.high + SLACK).all()
        stamps = np.array([to_ns(state.header.stamp) for state in self.states]) / 1e9
        assert (np.diff(stamps) > 0).all()
        elapsed = np.diff(stamps)
        speeds = np.abs(np.diff(positions[:, :6], axis=0)).max(axis=1) / np.maximum(elapsed, 0.02)
        # Where a busy machine paused, the servos catch up faster for a moment.
        paused = np.convolve(elapsed > PAUSE, np.ones(CATCHES_UP))[: len(elapsed)] > 0
        assert speeds[~paused].max(initial=0.0) < np.pi * 1.1


@pytest.fixture
def robot_of() -> type[Robot]:
    """``robot_of(graph)``, once a driver is up."""
    return Robot
