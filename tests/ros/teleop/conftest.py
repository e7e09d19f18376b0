"""A page that is a Python client, and an arm driver on MuJoCo whose every joint state is looked at."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("mink", reason="needs mink (make setup)")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")

import aiohttp
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from clam_arm.arm_model import arm_model
from clam_core.teleop.settings import BOUNDS
from clam_ros.stamps import to_ns
from clam_teleop import server

PERIOD = 0.016  # [s] between two messages of the page
LONGEST_STEP = 0.05  # [s] a hand moves no further between two messages, however slow the machine is
TOKEN = "a-token-for-tests"
MODEL = arm_model("wx250s")
LONG = 60.0  # [s] no page and no arm is missed because the machine stood still
#: Tests are impatient, but a busy machine is no fault of arm or network.
ARM = {"backend": "mujoco_arm", "startup_time": 0.1, "startup_speed": 1.0, "move_speed": 1.5}
ARM |= {"measurement_timeout": 1.0, "command_timeout": 5.0, "max_command_age": 5.0}
TELEOP = {"secure": False, "port": 0, "token": TOKEN, "record": False, "timeout": LONG, "arm_timeout": LONG}


class Page:
    """What a page does, without a browser: 60 messages a second about a hand, until it is told otherwise."""

    def __init__(self, url: str, squeeze: float = 0.0) -> None:
        self.position = [0.2, 1.3, -0.4]  # WebXR's axes [m]
        self.squeeze, self.trigger = squeeze, 0.0
        self.buttons: list[str] = []
        self._press: tuple[str, float, float | None] | None = None
        self._way: tuple[Any, Any, float] | None = None  # goal, velocity, seconds left
        self._stamp = time.monotonic()
        self.tracked = True
        self.silent = False
        self.status: dict[str, Any] = {}
        self.refusal = ""
        self.sequence = 0
        self.closed = threading.Event()
        self._url, self._stop = url, False
        self._kill = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def leave(self, *, kill: bool = False) -> None:
        """Close the page, or (`kill`) let its connection die without a word."""
        self._kill, self._stop = kill, True
        self._thread.join(10.0)

    def press(self, button: str, seconds: float) -> None:
        """Hold a button for so long by the stamps of the messages, however slow the machine is."""
        self._press = (button, seconds, None)

    @property
    def pressing(self) -> bool:
        """Whether that is under way."""
        return self._press is not None

    def move(self, offset: Any, seconds: float) -> None:
        """Move the hand by `offset` [m] at a steady pace; `moving` until it is there."""
        self._way = (np.add(self.position, offset), np.array(offset) / seconds, seconds)

    @property
    def moving(self) -> bool:
        """Whether that is under way."""
        return self._way is not None

    def _advance(self, elapsed: float) -> None:
        if self._way is None:
            return
        goal, velocity, left = self._way
        left -= min(elapsed, LONGEST_STEP)
        self.position = (goal - velocity * max(left, 0.0)).tolist()
        self._way = (goal, velocity, left) if left > 0 else None

    def _buttons(self, stamp: float) -> list[str]:
        if self._press is None:
            return self.buttons
        button, seconds, begin = self._press
        begin = stamp if begin is None else begin
        self._press = (button, seconds, begin) if stamp - begin <= seconds else None
        return [button] if self._press is not None else []

    def message(self, sequence: int) -> dict[str, Any]:
        stamp = time.monotonic()
        self._advance(stamp - self._stamp)
        self._stamp = stamp
        pose = {"position": list(self.position), "orientation": [0.0, 0.0, 0.0, 1.0]} if self.tracked else None
        return {
            "type": "input",
            "device": "headset",
            "sequence": sequence,
            "stamp": 1000.0 * stamp,
            "pose": pose,
            "squeeze": self.squeeze,
            "trigger": self.trigger,
            "buttons": self._buttons(stamp),
        }

    async def _run(self) -> None:
        origin = self._url.split("/", 3)[:3]
        async with aiohttp.ClientSession() as session:
            headers = {"Origin": "/".join(origin)}
            async with session.ws_connect(f"{self._url}socket", headers=headers) as socket:
                reader = asyncio.create_task(self._read(socket))
                while not self._stop and not socket.closed:
                    self.sequence += 1  # before the message is made, so that a later one tells all that was set by now
                    if not self.silent:
                        await socket.send_str(json.dumps(self.message(self.sequence)))
                    await asyncio.sleep(PERIOD)
                reader.cancel()
                if self._kill:
                    socket._response.connection.transport.abort()
        self.closed.set()

    async def _read(self, socket: Any) -> None:
        async for message in socket:
            data = json.loads(message.data)
            if data["type"] == "refused":
                self.refusal = data["reason"]
            else:
                self.status = data


class Arm:
    """What the topics say of the arm."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.states = graph.collect(JointState, "joint_states", 5000)
        self.commands = graph.collect(JointTrajectory, "command", 5000)
        self.diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
        graph.spin_until(lambda: bool(self.states), what="joint states")

    @property
    def positions(self) -> Any:
        """Newest measured positions of the commanded joints (7,)."""
        return np.array(self.states[-1].position[:7])

    @property
    def hand(self) -> Any:
        """Where the end effector is (3,) [m]."""
        return MODEL.kinematics.position(self.positions[:6])

    def path(self) -> tuple[Any, Any]:
        """Times [s] of all joint states, and places (T, 3) [m] of the end effector."""
        times = np.array([to_ns(state.header.stamp) for state in self.states]) / 1e9
        return times, np.array([MODEL.kinematics.position(np.array(state.position[:6])) for state in self.states])

    def facts(self, node: str) -> dict[str, str]:
        """Newest diagnostic of a node."""
        for message in reversed(self.diagnostics):
            for status in message.status:
                if status.name.endswith(f"/{node}"):
                    return {"message": status.message} | {item.key: item.value for item in status.values}
        return {}

    def refused_nothing(self) -> None:
        """The driver took every command that it could, but for one on its way when somebody else called `home`."""
        self.graph.spin_for(1.2)  # a diagnostic that is newer than the last command
        facts = self.facts("arm_driver")
        excused = ("busy", "no_measurement", "measurement_stale")  # the machine's fault, the last two
        refused = sum(int(facts.get(f"refused {reason}", 0)) for reason in excused)
        assert int(facts["refused"]) == refused, facts.items()


class Rig:
    """Arm driver and teleoperation in this process, and pages that are opened on it."""

    def __init__(self, graph: Any, certificates: Path) -> None:
        from clam_arm.arm_driver import ArmDriver
        from clam_teleop.teleop import Teleop

        self.graph = graph
        self.driver = graph.add(ArmDriver())
        self.arm = Arm(graph)
        self.teleop = graph.add(Teleop())
        graph.spin_until(lambda: self.teleop._publish_command.get_subscription_count() > 1, what="driver matched")
        self.pages: list[Page] = []

    def open(self, squeeze: float = 0.0) -> Page:
        """A page whose first message already says how hard the controller is squeezed."""
        self.pages.append(Page(self.teleop.url, squeeze))
        return self.pages[-1]

    def ready(self) -> Page:
        """A page that may take hold of an arm at home."""
        from std_srvs.srv import Trigger

        assert self.graph.call(Trigger, "home").success
        page = self.open()
        self.says(page, "released")
        return page

    def says(self, page: Page, state: str, reason: str = "") -> None:
        """The page shows a state, and why."""
        self.graph.spin_until(
            lambda: page.status.get("state") == state and reason in page.status["reason"],
            what=lambda: f"state {state} ({reason}) on the page, which shows {page.status}",
        )

    def change(self, transition: int) -> None:
        """A transition of the node, as a lifecycle manager asks for it."""
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request()
        request.transition.id = transition
        assert self.graph.call(ChangeState, "teleop/change_state", request).success

    def answers(self, page: Page) -> None:
        """A message that the page has made after this call was acted upon."""
        sent = page.sequence

        def acted() -> bool:
            newest = self.teleop._newest
            return newest is not None and newest.message.sequence > sent

        self.graph.spin_until(acted, what="messages")

    def squeeze(self, page: Page) -> None:
        """Squeeze until the arm follows, and again where a machine that stood still blocked it, as anybody would."""

        def engaged() -> bool:
            state = page.status.get("state")
            page.squeeze = 1.0 if state == "released" else page.squeeze if state == "engaged" else 0.0
            return state == "engaged" and page.squeeze == 1.0

        self.graph.spin_until(engaged, what=lambda: f"an arm that follows; the page shows {page.status}")

    def move(self, page: Page, offset: Any, seconds: float) -> None:
        """Move the hand by `offset` [m], in WebXR's axes, at a steady pace."""
        page.move(offset, seconds)
        while page.moving and not page.closed.is_set():
            self.graph.executor.spin_once(timeout_sec=0.005)

    def reaches(self, page: Page, goal: Any, within: float) -> None:
        """The end effector comes to `goal` (3,) [m]."""
        self.graph.spin_until(
            lambda: np.abs(self.arm.hand - goal).max() < within,
            what=lambda: f"{goal}: the arm is at {self.arm.hand}, the page shows {page.status}",
        )


@pytest.fixture
def make_rig(
    make_graph: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Rig]]:
    """``make_rig(parameter=…)``; what is silent is missed late, so that only tests of that depend on the machine."""
    rigs: list[Rig] = []
    for name in ("timeout", "arm_timeout"):
        monkeypatch.setitem(BOUNDS, name, (0.05, LONG))
    monkeypatch.setattr(server, "HEARTBEAT", LONG)

    def make(**parameters: Any) -> Rig:
        rigs.append(Rig(make_graph(**{**ARM, **TELEOP, **parameters}), tmp_path))
        return rigs[-1]

    yield make
    for rig in rigs:
        for page in rig.pages:
            page.leave()
