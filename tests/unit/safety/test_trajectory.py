"""The rules of ros2_control's joint_trajectory_controller on what it takes from its topic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clam_core.safety import Reason, Refusal, Trajectory

WANTED = ("a", "b", "c")


def build(
    names: Any = WANTED, times: Any = (1.0, 2.0), points: Any = ([1, 2, 3], [4, 5, 6]), **changes: Any
) -> Trajectory:
    options: dict[str, Any] = {"start": 10.0, "now": 10.0, "measured": np.zeros(3), **changes}
    return Trajectory.build(WANTED, names, list(times), [list(map(float, point)) for point in points], **options)


def test_names_may_come_in_any_order() -> None:
    trajectory = build(("c", "a", "b"))
    assert trajectory.at(11.0).tolist() == [2, 3, 1]
    assert trajectory.at(12.0).tolist() == [5, 6, 4]


def test_the_way_to_the_first_point_begins_where_the_arm_is() -> None:
    trajectory = build()
    assert trajectory.at(10.0).tolist() == [0, 0, 0]
    assert trajectory.at(10.5).tolist() == [0.5, 1, 1.5]
    assert trajectory.at(11.5).tolist() == [2.5, 3.5, 4.5]
    assert trajectory.at(99.0).tolist() == [4, 5, 6]
    assert trajectory.fastest.tolist() == [3, 3, 3]


def test_a_trajectory_in_the_future_waits_at_the_measured_position_and_a_late_one_joins_in() -> None:
    assert build(start=15.0).at(15.5).tolist() == [0.5, 1, 1.5]
    assert build(start=15.0).times[0] == 15.0
    assert build(start=8.5).at(10.0).tolist() == [2.5, 3.5, 4.5], "its first point is over"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"points": [], "times": []}, Reason.EMPTY),
        ({"names": []}, Reason.JOINT_NAMES),
        ({"names": ("a", "b")}, Reason.JOINT_NAMES),
        ({"names": ("a", "b", "d")}, Reason.JOINT_NAMES),
        ({"names": ("a", "b", "b")}, Reason.JOINT_NAMES),
        ({"names": ("a", "b", "c", "d")}, Reason.JOINT_NAMES),
        ({"points": ([1, 2, 3], [4, 5])}, Reason.SHAPE),
        ({"points": ([1, 2, 3], [])}, Reason.SHAPE),
        ({"times": (1.0,)}, Reason.SHAPE),
        ({"points": ([1, 2, np.nan], [4, 5, 6])}, Reason.NOT_FINITE),
        ({"points": ([1, 2, 3], [4, np.inf, 6])}, Reason.NOT_FINITE),
        ({"times": (1.0, 1.0)}, Reason.TIME),
        ({"times": (2.0, 1.0)}, Reason.TIME),
        ({"times": (-1.0, 1.0)}, Reason.TIME),
        ({"times": (1.0, np.nan)}, Reason.TIME),
        ({"start": 7.0}, Reason.TIME),
    ],
)
def test_what_the_controller_refuses_is_refused(changes: Any, reason: Reason) -> None:
    with pytest.raises(Refusal) as refusal:
        build(**changes)
    assert refusal.value.reason is reason
    assert "\n" not in str(refusal.value)


def test_a_move_starts_and_ends_at_rest_and_keeps_to_its_speed() -> None:
    speed = np.array([0.5, 1.0, 0.1])
    move = Trajectory.move(np.zeros(3), np.array([2.0, -1.0, 0.0]), speed=speed, now=5.0)
    assert move.at(5.0).tolist() == [0, 0, 0]
    assert move.at(move.end).tolist() == [2, -1, 0]
    assert (move.fastest <= speed).all() and move.fastest[0] > 0.45
    ends = np.abs(np.diff(move.positions[:, 0]))[[0, -1]] / np.diff(move.times)[0]
    assert (ends < 0.01).all()


def test_a_move_to_where_the_arm_is_is_short() -> None:
    assert Trajectory.move(np.zeros(3), np.zeros(3), speed=np.ones(3), now=0.0).end == pytest.approx(0.1)
