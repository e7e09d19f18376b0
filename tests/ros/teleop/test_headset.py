"""The page in a real browser: headless Chromium with an emulated Quest 2 leads the arm driver's MuJoCo arm.

Node and driver run in processes of their own, as on a robot; this process holds the browser and looks at the topics.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mink", reason="needs mink (make setup)")

import rclpy
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_arm.arm_model import arm_model
from clam_core.teleop.frames import about, angle_of
from clam_ros.stamps import to_ns
from clam_teleop.emulated_headset import Browser, Controller, missing, start_session, wait_for_banner

if missing():
    pytest.skip(f"the browser's tests: {missing()}", allow_module_level=True)

TOKEN = "a-token-for-tests"
KINEMATICS = arm_model("wx250s").kinematics
PATIENCE = 60.0  # [s]
START = [0.2, 1.3, -0.4]  # of the emulated controller [m]


class Robot:
    """Driver, teleoperation node and a thread that listens to topics."""

    def __init__(self, start: Callable[..., Any], **parameters: Any) -> None:
        arm = {"startup_time": 0.1, "startup_speed": 1.0, "move_speed": 1.5}
        start("clam_arm.arm_driver", backend="mujoco_arm", measurement_timeout=1.0, command_timeout=5.0, **arm)
        defaults = {"secure": False, "port": 0, "token": TOKEN, "record": False, "timeout": 1.0, "arm_timeout": 1.5}
        self.teleop = start("clam_teleop.teleop", **{**defaults, **parameters})
        self.states: list[JointState] = []
        self.commands: list[JointTrajectory] = []
        self._stop = False
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("probe", context=self._context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._node.create_subscription(JointState, "joint_states", self.states.append, 100)
        self._node.create_subscription(JointTrajectory, "command", self.commands.append, 100)
        self._home = self._node.create_client(Trigger, "home")
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        until(lambda: bool(self.states), "joint states")
        until(lambda: "/" + TOKEN in self.teleop.output(), "the node's invitation")
        self.url = next(word for word in self.teleop.output().split() if TOKEN in word)

    def home(self) -> None:
        until(self._home.service_is_ready, "service home")
        answer = self._home.call_async(Trigger.Request())
        until(answer.done, "the arm at home")
        assert answer.result().success

    @property
    def hand(self) -> Any:
        """Where the end effector is (3,) [m]."""
        return KINEMATICS.position(np.array(self.states[-1].position[:6]))

    @property
    def turned(self) -> Any:
        """How the end effector is turned (3, 3)."""
        return KINEMATICS.pose(np.array(self.states[-1].position[:6]))[:3, :3]

    def reaches(self, goal: Any, tolerance: float = 0.006) -> None:
        until(lambda: np.abs(self.hand - goal).max() < tolerance, f"the hand at {goal}", lambda: self.hand)

    def moves(self, since: float, until_: float) -> float:
        """Greatest way [m] between two joint states with stamps within these times [s]."""
        states = [state for state in list(self.states) if since < to_ns(state.header.stamp) / 1e9 < until_]
        path = np.array([KINEMATICS.position(np.array(state.position[:6])) for state in states])
        return float(np.linalg.norm(path - path[-1], axis=1).max(initial=0.0))

    def close(self) -> None:
        self._stop = True
        self._thread.join(5.0)
        rclpy.shutdown(context=self._context)

    def _spin(self) -> None:
        while not self._stop:
            self._executor.spin_once(timeout_sec=0.05)


def until(condition: Callable[[], bool], what: str, shows: Callable[[], Any] = lambda: "") -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what} {shows()}"
        time.sleep(0.01)


@pytest.fixture
def make_robot(start: Callable[..., Any]) -> Iterator[Callable[..., Robot]]:
    robots: list[Robot] = []

    def make(**parameters: Any) -> Robot:
        robots.append(Robot(start, **parameters))
        return robots[-1]

    yield make
    for robot in robots:
        robot.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def put_on(page: Any, url: str) -> Controller:
    """Open the page, and start the session of its headset."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(url)
    wait_for_banner(page, "ready")
    start_session(page)
    wait_for_banner(page, "ready")
    assert not problems, problems
    return Controller(page)


@pytest.mark.parametrize(("passthrough", "blending"), [(True, "alpha-blend"), (False, "opaque")])
def test_the_arm_follows_the_controller_and_stops_within_100_ms_after_the_squeeze(
    make_robot: Any, browser: Browser, passthrough: bool, blending: str
) -> None:
    robot = make_robot()
    robot.home()
    page = browser.page(passthrough=passthrough)
    controller = put_on(page, robot.url)
    assert page.evaluate("() => emulated.device.activeSession.environmentBlendMode") == blending
    begin = robot.hand
    controller.move([0.3, 1.4, -0.4], 0.5)
    assert robot.hand == pytest.approx(begin, abs=0.005), "nobody squeezes"
    controller.move(START, 0.5)
    controller.button("squeeze", 1)
    wait_for_banner(page, "the arm follows")
    low, high = [0.30, 1.22, -0.34], [0.30, 1.32, -0.34]
    controller.move(low, 1.5)
    robot.reaches(np.add(begin, [-0.06, -0.10, -0.08]))
    crept = []
    for there, back in ((high, low), (low, high), (high, low)):
        controller.move(there, 0.4)
        controller.button("squeeze", 0)
        released = time.time()
        controller.move(back, 0.3)  # the hand goes on
        wait_for_banner(page, "ready")
        until(lambda since=released: to_ns(robot.states[-1].header.stamp) / 1e9 > since + 0.5, "joint states")
        crept.append(robot.moves(released + 0.1, released + 0.5))
        controller.button("squeeze", 1)
        wait_for_banner(page, "the arm follows")
    assert np.median(crept) < 0.004, crept
    page.context.close()


def test_killing_the_page_stops_the_arm_and_a_new_one_begins_anew(make_robot: Any, browser: Browser) -> None:
    robot = make_robot()
    crept = []
    for _ in range(3):
        robot.home()
        page = browser.page()
        controller = put_on(page, robot.url)
        controller.button("squeeze", 1)
        wait_for_banner(page, "the arm follows")
        controller.move([0.3, 1.4, -0.4], 0.4)
        page.evaluate("() => { window.emulated.move('right', [0.2, 1.2, -0.4], 1.0); }")  # on its way
        page.context.close()
        gone = time.time()
        until(lambda since=gone: to_ns(robot.states[-1].header.stamp) / 1e9 > since + 0.6, "joint states")
        crept.append(robot.moves(gone + 0.2, gone + 0.6))
    assert np.median(crept) < 0.004, crept  # the median: a busy machine may be late once
    held = robot.hand
    page = browser.page()
    controller = put_on(page, robot.url)
    controller.button("squeeze", 1)
    wait_for_banner(page, "the arm follows")
    controller.move([0.2, 1.35, -0.4], 0.5)
    robot.reaches(np.add(held, [0.0, 0.0, 0.05]), 0.01)
    page.context.close()


def test_a_lost_controller_holds_the_arm_and_is_no_release(make_robot: Any, browser: Browser) -> None:
    robot = make_robot()
    robot.home()
    page = browser.page()
    controller = put_on(page, robot.url)
    for lose, find in ((controller.lose, controller.lose), (controller.connect, controller.connect)):
        controller.button("squeeze", 1)
        wait_for_banner(page, "the arm follows")
        page.wait_for_timeout(700)  # whoever takes hold of the arm where it is measured lets it sag a little, once
        held = robot.hand
        lose(lose == controller.lose)
        wait_for_banner(page, "not tracked")
        find(find != controller.lose)
        controller.move([0.2, 1.4, -0.4], 0.5)
        wait_for_banner(page, "not tracked")
        assert robot.hand == pytest.approx(held, abs=0.005)
        controller.button("squeeze", 0)
        wait_for_banner(page, "ready")
        controller.move(START, 0.5)
    page.context.close()


def test_buttons_trigger_and_turns_of_the_controller(make_robot: Any, browser: Browser) -> None:
    robot = make_robot()
    robot.home()
    page = browser.page()
    controller = put_on(page, robot.url)
    controller.turn([0.0, 0.0, 0.0, 1.0])
    wait_for_banner(page, "ready")
    controller.button("squeeze", 1)
    wait_for_banner(page, "the arm follows")
    controller.button("trigger", 1)
    until(lambda: robot.states[-1].position[6] < 0.033, "the gripper closed")
    controller.move([0.2, 1.2, -0.3], 0.8)
    before, half = robot.turned, np.deg2rad(20.0) / 2
    controller.turn([0.0, np.sin(half), 0.0, np.cos(half)])  # to the left, about WebXR's y
    yaw = about((0.0, 0.0, 1.0), 2 * half)  # about REP-103's z; the forearm may give up a part of it
    until(lambda: angle_of(robot.turned @ before.T @ yaw.T) < half, "the hand turned", lambda: robot.turned @ before.T)
    controller.button("squeeze", 0)
    wait_for_banner(page, "ready")
    controller.push("x-axis", -1.0)
    page.wait_for_timeout(1000)
    controller.push("x-axis", 0.0)
    wait_for_banner(page, "ready")
    controller.button("thumbstick", 1)
    wait_for_banner(page, "moves to home")
    controller.button("thumbstick", 0)
    wait_for_banner(page, "ready")
    assert np.abs(np.array(robot.states[-1].position[:6])).max() < 0.1
    Controller(page, "left").button("x-button", 1)
    wait_for_banner(page, "e-stop is latched")
    page.context.close()


def test_a_laptop_without_a_headset_keyboard_and_mouse(make_robot: Any, browser: Browser) -> None:
    robot = make_robot()
    robot.home()
    page = browser.page(emulated=False, size=(900, 500))
    page.goto(robot.url)
    wait_for_banner(page, "ready")
    begin = robot.hand
    page.keyboard.down("KeyW")
    page.wait_for_timeout(400)
    assert robot.hand == pytest.approx(begin, abs=0.005), "the dead-man is not held"
    page.keyboard.up("KeyW")
    page.keyboard.down("Space")
    wait_for_banner(page, "the arm follows")
    page.keyboard.down("KeyS")
    until(lambda: robot.hand[0] < begin[0] - 0.05, "the arm to go back")
    page.keyboard.up("KeyS")
    page.keyboard.press("KeyG")
    until(lambda: robot.states[-1].position[6] < 0.033, "the gripper closed")
    page.keyboard.up("Space")
    wait_for_banner(page, "ready")
    before = robot.hand
    page.mouse.move(300, 300)
    page.mouse.down()
    wait_for_banner(page, "the arm follows")
    for step in range(30):
        page.mouse.move(300 - 4 * step, 300)
        page.wait_for_timeout(16)
    until(lambda: robot.hand[1] > before[1] + 0.02, "the arm to go to the left", lambda: robot.hand - before)
    page.mouse.wheel(0, -300)
    until(lambda: robot.hand[2] > before[2] + 0.02, "the arm to go up", lambda: robot.hand - before)
    page.evaluate("() => window.dispatchEvent(new Event('blur'))")  # somebody else has the keyboard now
    wait_for_banner(page, "ready")
    page.mouse.up()
    page.context.close()


def test_over_https_with_our_own_certificate_and_sigint_ends_it_cleanly(
    make_robot: Any, browser: Browser, tmp_path: Any
) -> None:
    robot = make_robot(secure=True, certificates=tmp_path / "certificates")
    assert robot.url.startswith("https://")
    robot.home()
    page = browser.page()
    controller = put_on(page, robot.url)
    assert page.evaluate("() => window.isSecureContext")
    controller.button("squeeze", 1)
    wait_for_banner(page, "the arm follows")
    assert robot.teleop.stop(signal.SIGINT) == 0, robot.teleop.output()
    assert "Traceback" not in robot.teleop.output()
    wait_for_banner(page, "not connected")
    page.context.close()


def test_a_second_page_and_one_with_a_wrong_token_get_nothing(make_robot: Any, browser: Browser) -> None:
    robot = make_robot()
    first, second, stranger = (browser.page() for _ in range(3))
    first.goto(robot.url)
    wait_for_banner(first, "ready")
    second.goto(robot.url)
    wait_for_banner(second, "somebody else operates")
    wait_for_banner(first, "ready")
    answer = stranger.request.get(robot.url.replace(TOKEN, "another-token-xyz"))
    assert (answer.status, answer.body()) == (404, b"")
    stranger.goto("about:blank")  # a page of somebody else, who even knows the token
    socket = robot.url.replace("http", "ws", 1) + "socket"
    opened = stranger.evaluate(
        "(url) => new Promise((done) => { const s = new WebSocket(url); s.onopen = () => done(true); "
        "s.onerror = () => done(false); })",
        socket,
    )
    assert opened is False
    first.context.close()
    wait_for_banner(second, "ready")
    for page in (second, stranger):
        page.context.close()
