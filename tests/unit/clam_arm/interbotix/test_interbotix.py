"""The Interbotix backend against a fake of its client; what each user meets once is a test here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from clam_arm.arm_controller import ArmController
from clam_arm.arm_model import HOME, SLEEP
from clam_arm.backend import Backend, BackendSettings, make_backend
from clam_core.errors import ClamError
from clam_core.safety import FilterSettings, SafetyFilter

TORQUE_ON = [("torque", "group", "arm", True), ("torque", "single", "gripper", True)]


@pytest.fixture
def connect(world: Any, model: Any) -> Iterator[Callable[..., Backend]]:
    """``connect(sdk=True, timeout=…)`` makes the backend; a node shows what the graph shows of an xs_sdk."""
    rclpy.init()
    backends: list[Backend] = []

    def make(*, sdk: bool = True, timeout: float = 20.0) -> Backend:
        if sdk:
            node = Node("xs_sdk", namespace="wx250s")
            node.create_service(Trigger, "set_operating_modes", lambda _, response: response)
            node.create_publisher(JointState, "joint_states", 10)
        settings = BackendSettings(
            robot="wx250s", urdf=model.urdf, limits=model.limits, start=model.start, timeout=timeout
        )
        backends.append(make_backend("interbotix", settings))
        return backends[-1]

    yield make
    for backend in backends:
        backend.close()
    rclpy.try_shutdown()


def test_without_xs_sdk_it_ends_in_time_and_says_what_to_start(connect: Any) -> None:
    begin = time.monotonic()
    with pytest.raises(ClamError, match=r"no xs_sdk under '/wx250s' within 0.5 s: start it"):
        connect(sdk=False, timeout=0.5)
    assert time.monotonic() - begin < 20.0


def test_the_client_is_made_for_streaming_and_nothing_moves(connect: Any, world: Any) -> None:
    connect()
    assert world.arguments == {
        "robot_model": "wx250s",
        "robot_name": "wx250s",
        "gripper_name": None,
        "moving_time": pytest.approx(0.1),
        "accel_time": pytest.approx(0.05),
        "iterative_update_fk": False,
    }
    assert {call[0] for call in world.calls} == {"capture", "info"}


def test_torque_writes_the_profile_and_the_gripper_mode_first(connect: Any, world: Any) -> None:
    backend = connect()
    world.calls.clear()
    backend.torque(True)
    changes = [call for call in world.calls if call[0] not in ("info", "capture")]
    assert changes == [
        ("register", "group", "arm", "Profile_Velocity", 100),
        ("register", "group", "arm", "Profile_Acceleration", 50),
        ("mode", "single", "gripper", "linear_position", "time"),
        ("register", "single", "gripper", "Goal_PWM", 350),
        *TORQUE_ON,
    ]
    world.calls.clear()
    backend.torque(True)
    assert not [call for call in world.calls if call[0] == "mode"], "a change of mode would open the gripper"
    backend.torque(False)
    assert world.calls[-1] == ("torque", "single", "gripper", False)


def test_measurements_are_in_our_order_with_the_gap_in_metres(connect: Any, world: Any) -> None:
    backend = connect()
    world.publish(SLEEP, gap=0.06)
    measurement = backend.read(5.0)
    assert measurement.positions == pytest.approx([*SLEEP, 0.06])
    assert measurement.stamp == 5.0


def test_a_dead_xs_sdk_does_not_look_alive(connect: Any, world: Any) -> None:
    backend = connect()
    world.publish(SLEEP)
    backend.read(5.0)
    assert backend.read(5.1).stamp == 5.0, "the same message"
    world.republish()
    assert backend.read(5.2).stamp == 5.0, "the same stamp in another message"
    world.publish(SLEEP)
    assert backend.read(5.3).stamp == 5.3


def test_a_restarted_xs_sdk_is_not_trusted_before_it_is_set_up_again(connect: Any, world: Any) -> None:
    backend = connect()
    world.publish(SLEEP)
    backend.read(5.0)
    world.publish(SLEEP)
    with pytest.raises(ClamError, match="call torque with true"):
        backend.read(9.0)
    world.publish(SLEEP)
    with pytest.raises(ClamError, match="call torque with true"):
        backend.read(9.02)
    world.gripper_mode = "pwm"
    backend.torque(True)
    assert ("mode", "single", "gripper", "linear_position", "time") in world.calls
    assert backend.read(9.1).stamp == 9.1


@pytest.mark.parametrize("away", [False, True])
def test_after_a_pause_or_an_absence_torque_comes_behind_the_place_where_the_arm_is_now(
    connect: Any, world: Any, model: Any, away: bool
) -> None:
    backend = connect()
    safety = SafetyFilter(model.limits, model.kinematics, FilterSettings())
    controller = ArmController(backend, safety, model.speed(0.5))
    world.publish(SLEEP)
    controller.tick(5.0)
    moved = [0.3, *SLEEP[1:]]
    world.publish(moved)  # somebody turned it by hand
    if away:
        controller.tick(9.0)
        assert "xs_sdk was away" in controller.complaint
    backend.read_anew()
    controller.tick(9.02)
    assert not controller.complaint, "a pause is no absence, and torque sets everything up again"
    world.calls.clear()
    with pytest.raises(ClamError, match="could jump to its last goal"):  # what came before may be as old as the pause
        controller.switch_torque(True, 9.02)
    assert not world.calls
    world.publish(moved)
    controller.tick(9.04)
    controller.switch_torque(True, 9.04)
    kinds = [call[0] for call in world.calls]
    assert kinds.index("group") < kinds.index("torque")
    assert world.calls[kinds.index("group")][1:] == pytest.approx(moved)


@pytest.mark.parametrize("reading", [[-np.pi] * 6, [np.nan] * 6, [np.nan, *SLEEP[1:]]])
def test_failed_bus_reads_stop_the_arm(connect: Any, world: Any, model: Any, reading: Any) -> None:
    backend = connect()
    safety = SafetyFilter(model.limits, model.kinematics, FilterSettings())
    controller = ArmController(backend, safety, model.speed(0.5))
    now = 100.0
    for _ in range(3):
        now += 0.02
        world.publish(SLEEP)
        controller.tick(now)
    safety.enable(now)
    for _ in range(20):
        now += 0.02
        world.publish(reading)
        controller.tick(now)
    assert controller.state(now).value == "fault"
    sent = [call for call in world.calls if call[0] == "group"]
    assert all(call[1:] == pytest.approx(SLEEP) for call in sent)
    assert len(sent) <= 11, "nothing is sent once the measurement is old"


def test_setpoints_go_out_as_one_group_message_and_the_gripper_only_when_it_moves(connect: Any, world: Any) -> None:
    backend = connect()
    world.calls.clear()
    backend.send(np.array([*SLEEP, 0.05]))
    backend.send(np.array([0.02, *SLEEP[1:], 0.05]))
    backend.send(np.array([0.02, *SLEEP[1:], 0.06]))
    assert [call[0] for call in world.calls] == ["group", "single", "group", "group", "single"]
    assert world.calls[-1] == ("single", "gripper", 0.06)
    assert [type(number) for number in world.calls[0][1:]] == [float] * 6


def test_what_the_client_takes_for_its_last_command_is_mended_after_moving_by_hand(connect: Any, world: Any) -> None:
    backend = connect()
    world.publish(HOME)
    backend.send(np.array([*HOME, 0.05]))
    assert world.calls[-2] == ("group", *HOME)
    with pytest.raises(ClamError, match="client refuses"):
        backend.send(np.array([1.5, *HOME[1:], 0.05]))


def test_a_silent_service_ends_in_a_clear_error(connect: Any, world: Any) -> None:
    backend = connect(timeout=2.0)
    world.silent = True
    with pytest.raises(ClamError, match="did not answer within 2 s"):
        backend.torque(True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gripper_id": 8}, r"motor IDs are arm \[1, 2, 4, 6, 7, 8\], gripper \[8\]"),
        ({"arm_ids": [1, 2, 3, 4, 5, 6]}, "start xs_sdk with robot_model:=wx250s"),
        ({"joints": ["waist", "shoulder", "elbow", "wrist_angle", "wrist_rotate"]}, "group 'arm' has joints"),
        ({"mode": "velocity"}, "mode 'velocity' with profile 'time'"),
        ({"profile": "velocity"}, "profile_type time"),
        ({"upper": [1.0] * 6}, "less than the robot description"),
        ({"exits": True}, "gave up: its line above says why"),
    ],
)
def test_another_robot_than_this_is_refused_in_one_line(connect: Any, world: Any, change: Any, says: str) -> None:
    for name, value in change.items():
        setattr(world, name, value)
    with pytest.raises(ClamError, match=says) as error:
        connect()
    assert "\n" not in str(error.value)
    assert not any(call[0] in ("group", "single", "torque", "mode") for call in world.calls)
