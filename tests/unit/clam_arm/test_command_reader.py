from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from clam_arm.command_reader import read_command
from clam_core.safety import Reason, Refusal
from clam_ros.stamps import to_time

NOW = 1_000_000_000_000  # [ns] ROS time; the controller's clock reads 50 s


def message(*times: float, stamp: int = 0, **point: Any) -> JointTrajectory:
    points = [
        JointTrajectoryPoint(
            positions=[0.0, 1.0],
            time_from_start=Duration(sec=int(seconds), nanosec=round((seconds % 1) * 1e9)),
            **point,
        )
        for seconds in times
    ]
    made = JointTrajectory(joint_names=["a", "b"], points=points)
    made.header.stamp = to_time(stamp)
    return made


def read(command: JointTrajectory) -> Any:
    return read_command(command, ros_now=NOW, now=50.0, max_age=1.0)


def test_a_point_for_now_keeps_its_time_and_names() -> None:
    request = read(message(0.0, stamp=NOW - 300_000_000))
    assert list(request.names) == ["a", "b"] and request.points == [[0.0, 1.0]] and request.times == [0.0]


def test_a_trajectory_starts_at_its_stamp_or_now() -> None:
    assert read(message(0.5, 1.0)).start == 50.0
    assert read(message(0.5, 1.0, stamp=NOW + 900_000_000)).start == pytest.approx(50.9)
    assert read(message(0.5, 9.0, stamp=NOW - 5_000_000_000)).start == pytest.approx(45.0)
    assert read(message(0.5, 1.25)).times == [0.5, 1.25]


@pytest.mark.parametrize(("seconds", "says"), [(-1.5, "1.500 s ago"), (1.5, "1.500 s from the future")])
def test_a_point_for_another_time_is_refused(seconds: float, says: str) -> None:
    with pytest.raises(Refusal, match=says) as refusal:
        read(message(0.0, stamp=NOW + round(seconds * 1e9)))
    assert refusal.value.reason is Reason.STALE_COMMAND


@pytest.mark.parametrize("times", [(0.5, 1.0), (1.0,), (0.0, 1.0)])
def test_a_trajectory_that_would_begin_much_later_is_refused(times: tuple[float, ...]) -> None:
    assert read(message(*times, stamp=NOW + 1_000_000_000)).start == pytest.approx(51.0)
    with pytest.raises(Refusal, match=r"3600\.000 s from the future, limit 1 s: synchronize clocks") as refusal:
        read(message(*times, stamp=NOW + 3600 * 10**9))
    assert refusal.value.reason is Reason.STALE_COMMAND


@pytest.mark.parametrize("what", ["velocities", "accelerations", "effort"])
def test_fields_for_some_of_the_joints_are_refused(what: str) -> None:
    assert read(message(1.0, **{what: [0.0, 0.0]}))
    with pytest.raises(Refusal, match=f"1 {what} for 2 joints"):
        read(message(1.0, **{what: [0.0]}))
