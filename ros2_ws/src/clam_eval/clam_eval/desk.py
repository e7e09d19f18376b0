"""The operator's desk: services, a status that never names a bundle, and (for a person) the page."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from importlib.resources import files
from pathlib import Path
from typing import Any

from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_eval.buttons import BUTTONS, CORRECTIONS, RELEASES, Doubles, allowed, apply, parse_press
from clam_eval.correction import Corrections
from clam_eval.pictures import Pictures
from clam_eval.placement import Placements
from clam_eval.plan import Trial
from clam_eval.robot_client import RobotClient
from clam_eval.rollout import Phase, Rollout
from clam_ros import names
from clam_ros.node import Node
from clam_ros.qos import STREAM
from clam_teleop.mailbox import Closed, Mailbox, Opened
from clam_teleop.server import PAGE, TeleopServer
from clam_teleop.serving import serve_page

PERIOD, PICTURE_PERIOD = 0.2, 0.08  # [s] between two statuses, and between two pictures for the page
SHOWN = 6.0  # [s] an answer is shown
OVERLAY = "placement.jpg"
PAGES = (Path(str(files("clam_eval"))) / "page", PAGE)
TITLES = {
    Phase.BARRED: "the arm was stopped: nobody may be at it when it moves again",
    Phase.PREPARING: "the robot gets ready, its arm moves: keep away",
    Phase.SCENE: "reset the scene as the overlay shows it",
    Phase.ENABLING: "the policy begins",
    Phase.RUNNING: "the policy runs",
    Phase.SCORING: "score the rollout",
    Phase.SCORED: "scored",
    Phase.INVALID: "invalid: it is repeated",
}


class Desk:
    """Adapter of `clam_eval.buttons`. `tick` must be called 20 times a second."""

    def __init__(
        self,
        node: Node,
        robot: RobotClient,
        placements: Placements | None,
        corrections: Corrections,
        *,
        page: bool,
    ) -> None:
        self._node, self._robot, self._placements = node, robot, placements
        self._corrections = corrections
        self._rollout: Rollout | None = None
        self._number = 0  # of the attempt
        self._doubles = Doubles()
        self._place = ""
        self.message = ""  # what is waited for
        self._notice: tuple[str, bool, float] = ("", True, 0.0)
        self._estop = False
        self._drawing: Future[bytes] | None = None
        self._overlay = 0  # number of the overlay that is shown; 0: none
        self._shown_at = self._pictured_at = 0.0
        self._publish = node.publish(String, names.EVALUATION_STATUS, STREAM)
        for button in BUTTONS:
            node.serve(Trigger, f"evaluation/{button}", lambda _, answer, button=button: self._serve(button, answer))
        self._mailbox = Mailbox()
        self._server: TeleopServer | None = None
        self.url = ""
        if page:
            has_camera = placements is not None
            self._server, self.url = serve_page(node, self._mailbox, camera=has_camera, pages=PAGES, parse=parse_press)

    def close(self) -> None:
        """Close the page."""
        if self._server is not None:
            self._server.stop()

    # What happens -------------------------------------------------------------------------------------------

    def begin(self, trial: Trial, rollout: Rollout, attempt: int, planned: int) -> None:
        """Another attempt; the page gets to know its number and its layout, and nothing of the bundle."""
        if self._rollout is not None and self._rollout.phase is Phase.INVALID:
            self._notice = (f"repeated: {self._rollout.reason}", False, time.monotonic())
        self._rollout, self.message = rollout, ""
        self._number += 1
        again = f", attempt {attempt}" if attempt > 1 else ""
        self._place = f"rollout {trial.index + 1} of {planned}, layout {trial.layout + 1}{again}"
        if self._placements is not None:
            photo = self._placements.photo(trial)
            self._drawing = None if photo else self._placements.draw(trial)
            self._show_overlay(photo)

    def say(self, message: str) -> None:
        """What is waited for; empty: nothing any more."""
        if message and message != self.message:
            self._node.get_logger().warning(message)
        self.message = message

    def press(self, button: str, number: int | None = None) -> str:
        """Somebody who saw the attempt `number` pressed a button; what stands against it, or an empty text."""
        now = time.monotonic()
        if button == "estop":
            apply(button, self._rollout, now)
            self._estop, refusal = True, ""
        elif self._doubles.is_double(button, now):
            refusal = "pressed twice"
        elif number not in (None, self._number):
            refusal = "this was meant for the rollout before"
        elif button in CORRECTIONS:
            refusal = self._corrections.correct(CORRECTIONS[button])
        elif button in RELEASES and (reason := self._robot.not_ready()):
            refusal = f"not yet: {reason}"
        else:
            refusal = apply(button, self._rollout, now)
        if not refusal:
            self._doubles.taken(button, now)
        if not refusal and button in RELEASES:
            self._robot.release()  # at once: what stops the arm after this press must bar it again
        if not refusal and button not in (*RELEASES, *CORRECTIONS):
            self._robot.let_go()  # now, whatever the attempt waits for
        self._notice = (refusal or f"{button.replace('_', ' ')}: taken", not refusal, now)
        return refusal

    def _serve(self, button: str, answer: Trigger.Response) -> Trigger.Response:
        refusal = self.press(button)
        answer.success, answer.message = not refusal, refusal or "taken"
        return answer

    # Often --------------------------------------------------------------------------------------------------

    def tick(self, now: float, pictures: Pictures | None) -> None:
        """Heed the page, show what is new."""
        for event in self._mailbox.take():
            press: Any = None if isinstance(event, Opened | Closed) else event.message
            if press is not None and press.button:
                self.press(press.button, press.number)
        if self._estop:
            self._estop = False
            assert self._node.executor is not None
            self._node.executor.create_task(self._stop)
        self._look_at_drawing()
        if self._server is not None and pictures is not None and now - self._pictured_at > PICTURE_PERIOD:
            self._pictured_at = now
            if jpeg := pictures.jpeg():
                self._server.picture(jpeg)
        if now - self._shown_at > PERIOD:
            self._shown_at = now
            self._show(now)

    async def _stop(self) -> None:
        trouble = await self._robot.stop()
        self._notice = (trouble or "e-stop: the arm holds until estop_reset is called", not trouble, time.monotonic())
        self._node.get_logger().error(self._notice[0])

    def _look_at_drawing(self) -> None:
        drawing = self._drawing
        if drawing is None or not drawing.done():
            return
        self._drawing = None
        error = drawing.exception()  # also those of a graphics library: they must not end an evaluation
        if error is None:
            self._show_overlay(drawing.result())
        else:
            self._node.get_logger().warning(f"no overlay of the placement: {error}", once=True)

    def _show_overlay(self, jpeg: bytes | None) -> None:
        if self._server is not None:
            self._overlay = self._overlay + 1 if jpeg else 0
            self._server.put(OVERLAY, "image/jpeg", jpeg or b"")

    @property
    def title(self) -> str:
        """What happens now."""
        return "nothing runs" if self._rollout is None else TITLES[self._rollout.phase]

    def _show(self, now: float) -> None:
        status = self.status(now)
        self._publish.publish(String(data=json.dumps(status)))
        if self._server is not None:
            self._server.show(status)

    def status(self, now: float) -> dict[str, Any]:
        """What people see: plain values."""
        rollout, (notice, ok, at), last = self._rollout, self._notice, self._corrections.last
        return {
            "state": "off" if rollout is None else rollout.phase.value,
            "title": self.title,
            "message": self.message or ("" if rollout is None else rollout.reason),
            "task": self._node.value("task"),
            "place": self._place,
            "number": self._number,
            "last": last,
            "steps": 0 if rollout is None else rollout.steps,
            "remaining": 0 if rollout is None else rollout.remaining,
            "buttons": [*allowed(rollout), *(CORRECTIONS if last else ())],
            "notice": {"text": notice, "ok": ok} if notice and now - at < SHOWN else None,
            "camera": self._placements is not None and self._server is not None,
            "overlay": self._overlay,
        }
