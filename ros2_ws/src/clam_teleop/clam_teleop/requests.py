"""What the buttons ask for, as service calls that nobody waits for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from rclpy.exceptions import InvalidHandle
from std_srvs.srv import Trigger

from clam_core.errors import ClamError
from clam_ros import names
from clam_ros.node import Node
from clam_ros.waiting import call

ANSWER = 15.0  # [s] for a service to be found and to answer: a recorder may have much to write
MOVE = 120.0  # [s] for a move home
SETTLED = 1.0  # [s] the recorder needs to say what it has just answered
SHOWN = 6.0  # [s] the answer is shown
LATCHED = 2.5  # [s] until the driver's diagnostic says by itself that its e-stop is latched


@dataclass(frozen=True)
class Notice:
    """The answer to the last request, for the operator."""

    text: str
    ok: bool
    at: float = field(default_factory=time.monotonic)

    def as_json(self) -> dict[str, Any] | None:
        """Plain values, or None once it is old."""
        return {"text": self.text, "ok": self.ok} if time.monotonic() - self.at < SHOWN else None


class Requests:
    """`record`: whether there is a recorder. `recording` and `moving` say what is under way, so far as we know."""

    def __init__(self, node: Node, *, record: bool) -> None:
        self._node = node
        self.recording = False
        self.moving = False
        self.notice: Notice | None = None
        self._pending: set[str] = set()
        self._answered_at = float("-inf")
        self._stop = ""
        self._stopped_until = float("-inf")
        services = {"home": "home", "estop": "estop"}
        if record:
            services |= {
                "start": names.RECORD_START,
                "stop": names.RECORD_STOP,
                "discard": names.RECORD_DISCARD,
                "success": names.RECORD_SUCCESS,
            }
        self._clients = {name: node.connect(Trigger, service) for name, service in services.items()}

    def make(self, button: str) -> None:
        """Begin what `button` asks for; one request of a kind at a time."""
        name = ("stop" if self.recording else "start") if button == "record" else button
        busy = {"start", "stop", "discard"} & self._pending if name in ("start", "stop", "discard") else set()
        if name in self._pending or busy:
            return
        if name not in self._clients:
            self.notice = Notice(f"{button}: there is no recorder", False)
            return
        assert self._node.executor is not None
        if name == "estop":
            self._stop, self._stopped_until = "the e-stop was pressed", float("inf")
        self._pending.add(name)
        self._node.executor.create_task(self._ask, name)

    def heard(self, state: str) -> None:
        """What the recorder says that it does; its answers to our requests are newer than what it said before."""
        if not self._pending and time.monotonic() - self._answered_at > SETTLED:
            self.recording = state == "recording"

    @property
    def stop(self) -> str:
        """Why nothing may be sent after the e-stop was pressed; empty once the driver itself must say so."""
        return self._stop if time.monotonic() < self._stopped_until else ""

    async def _ask(self, name: str) -> None:
        self.notice = Notice(f"{name} …", True)
        self.moving = self.moving or name == "home"
        try:
            response = await call(
                self._node, self._clients[name], Trigger.Request(), MOVE if name == "home" else ANSWER
            )
        except InvalidHandle:  # the node was cleaned up meanwhile, and its clients with it
            self._node.get_logger().warning(f"{name} was not answered before the node was cleaned up")
        except ClamError as error:
            self._failed(name, str(error))
        else:
            self._answered(name, bool(response.success), str(response.message))
        finally:
            self._pending.discard(name)
            if name == "home":
                self.moving = False

    def _failed(self, name: str, why: str) -> None:
        self.notice = Notice(why, False)
        if name == "estop":
            self._stop = f"the e-stop was pressed, but the driver did not latch it ({why}): stop the arm at the robot"

    def _answered(self, name: str, ok: bool, message: str) -> None:
        self._answered_at = time.monotonic()
        if ok and name in ("start", "stop", "discard"):
            self.recording = name == "start"
        said = "" if message.startswith("{") else message  # the recorder's summary is for machines
        self.notice = Notice(f"{name}: {said or ('done' if ok else 'refused')}", ok)
        if ok and name == "estop":
            self._stopped_until = time.monotonic() + LATCHED
        if not ok:
            self._failed(name, self.notice.text)
            self._node.get_logger().warning(f"{name} was refused: {message}")
