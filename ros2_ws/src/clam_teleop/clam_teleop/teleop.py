"""Teleoperation node: what a person does on the page becomes `command`; buttons become service calls."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from clam_core.teleop.clutch import State
from clam_core.teleop.faults import Cause
from clam_core.teleop.scripted import ScriptedHand
from clam_ros import names
from clam_ros.messages import CommandWriter, MessageRefused, NamedVectorReader
from clam_ros.node import OK, WARN, Node
from clam_ros.qos import LATEST, STREAM
from clam_ros.run import run
from clam_ros.stamps import to_ns
from clam_teleop.link_statistics import Answer, LinkStatistics
from clam_teleop.mailbox import Closed, Mailbox, Opened, Received
from clam_teleop.parameters import declare_parameters, make_teleoperator
from clam_teleop.reports import Report, read_diagnostic, read_recorder
from clam_teleop.requests import Requests
from clam_teleop.server import TeleopServer
from clam_teleop.serving import serve_page

STATUS_PERIOD = 0.1  # [s]
INACTIVE = "the node is not active"
#: States of the arm driver in which it refuses every command, and what the operator reads.
HELD = {
    "e-stop": "the e-stop is latched: call estop_reset at the robot",
    "disabled": "the arm has no torque: call torque",
    "fault": "the arm is not measured: look at its driver",
}


class Teleop(Node):
    """Adapter between the server's thread, `Teleoperator`, and topics."""

    def __init__(self) -> None:
        super().__init__("teleop")
        declare_parameters(self)
        self.url = ""  # of the page, on this machine
        self._server: TeleopServer | None = None

    def configure(self) -> None:
        """Build the arm's model, create topics and clients, start the server."""
        self.cleanup()  # an attempt that failed may have left a server
        self._teleoperator, model = make_teleoperator(self)
        self._teleoperator.begin(INACTIVE)
        by_script = self.value("input") == "script"
        self._script = ScriptedHand(self._teleoperator.settings, self.value("seed")) if by_script else None
        self.link = LinkStatistics()
        self._newest: Received | None = None
        self._recorder = self._arm = Report()
        self._commands = CommandWriter(model.limits.names)
        self._joint_states = NamedVectorReader(model.limits.names)
        self._publish_command = self.publish(JointTrajectory, names.COMMAND, STREAM)
        self.subscribe(JointState, "joint_states", self._on_joint_states, LATEST)
        self.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._requests = Requests(self, record=self.value("record"))
        if self.value("record"):
            self.subscribe(String, names.RECORD_STATUS, self._on_record_status, STREAM)
        self._mailbox = Mailbox()
        if self.value("camera") and not by_script:
            self.subscribe(CompressedImage, f"camera/{self.value('camera')}/compressed", self._on_picture, LATEST)
        self.every(1.0 / self.value("rate"), self._tick)
        self.every(STATUS_PERIOD, self._show)
        if not by_script:
            self._server, self.url = serve_page(self, self._mailbox, camera=bool(self.value("camera")))

    def activate(self) -> None:
        """Whoever operates must let go of the squeeze first."""
        self._teleoperator.end()
        if self._script is not None or self._teleoperator.connected:
            self._teleoperator.open(time.monotonic())

    def deactivate(self) -> None:
        """Hold once more, and send nothing afterwards. The page stays connected."""
        now, seated = time.monotonic(), self._teleoperator.connected and self._script is None
        self._teleoperator.close(now)
        self._command(now)
        self._teleoperator.begin(INACTIVE)
        if seated:
            self._teleoperator.open(now)

    def cleanup(self) -> None:
        """Close the server."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    # Topics -------------------------------------------------------------------------------------------------

    def _on_joint_states(self, message: JointState) -> None:
        try:
            age = (self.get_clock().now().nanoseconds - to_ns(message.header.stamp)) / 1e9
            if abs(age) > self._teleoperator.settings.arm_timeout:
                raise MessageRefused(f"their stamps are {age:.2f} s old: are they late, or do the clocks differ?")
            self._teleoperator.observe(self._joint_states.read(message), time.monotonic())
        except MessageRefused as refusal:
            self.counters["joint states refused"] += 1
            self.get_logger().warning(f"joint states refused: {refusal}", throttle_duration_sec=5.0)

    def _on_picture(self, message: CompressedImage) -> None:
        if self._server is not None and "jpeg" in message.format.lower():
            self._server.picture(bytes(message.data))

    def _on_record_status(self, message: String) -> None:
        self._recorder = read_recorder(message.data)
        self._requests.heard(self._recorder.facts.get("state", ""))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        wanted = f"{self.get_namespace().rstrip('/')}/{self.value('arm')}"
        for status in message.status:
            if status.name == wanted:
                self._arm = read_diagnostic(status)

    # Work ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        events, now = self._mailbox.take(), time.monotonic()
        if self._script is not None and self.active:
            self._teleoperator.receive(self._script.message(now), now)
        for event in events:
            if isinstance(event, Opened):
                self._teleoperator.open(event.arrived)
            elif isinstance(event, Closed):
                self._teleoperator.close(now)
            else:
                self._newest = event
                self.link.arrived(event.arrived)
                self._teleoperator.receive(event.message, event.arrived)
        for button in self._teleoperator.requests():
            if self.active or button == "estop":
                self._requests.make(button)
        self._heed_the_arm()
        self._command(now)

    def _heed_the_arm(self) -> None:
        """Nothing is sent while the arm may not be commanded, or moves on its own: it would only be refused."""
        moving, state = self._arm.facts.get("moving to", "-"), self._arm.facts.get("state", "")
        held = "" if self.active else INACTIVE
        held = held or HELD.get(state, "") or self._requests.stop
        if held:
            self._teleoperator.begin(held)
        elif self._requests.moving or moving != "-":
            self._teleoperator.begin(f"the arm moves to {'home' if moving == '-' else moving}", keeps_grip=True)
        else:
            self._teleoperator.end()

    def _command(self, now: float) -> None:
        command = self._teleoperator.tick(now)
        if command is None:
            return
        self.counters["commands"] += 1
        stamp = self.get_clock().now().nanoseconds
        self._publish_command.publish(self._commands.message(stamp, command))
        if self._newest is not None:
            self.link.commanded(Answer(stamp, self._newest.message.stamp, self._newest.arrived))

    # What people see ----------------------------------------------------------------------------------------

    def _show(self) -> None:
        if self._server is None:
            return
        clutch, notice = self._teleoperator.clutch, self._requests.notice
        status: dict[str, Any] = {
            "state": clutch.state.value,
            "reason": clutch.reason.text,
            "warning": self._teleoperator.warning,
            "device": self._teleoperator.device,
            "rate": self.link.rate,
            "refused": self._server.counters["messages refused"],
            "recording": self._requests.recording,
            "notice": notice.as_json() if notice is not None else None,
            "arm": self._arm.as_json(),
            "recorder": self._recorder.as_json() if self.value("record") else None,
            "camera": bool(self.value("camera")),
        }
        self._server.show(status)

    def diagnose(self) -> tuple[bytes, str]:
        """A warning while somebody operates and cannot, for whatever reason."""
        if not self.active:
            return OK, "inactive"
        self._count()
        clutch = self._teleoperator.clutch
        if not self._teleoperator.connected:
            return OK, "nobody operates"
        if clutch.state is State.BLOCKED and clutch.reason.cause is not Cause.CLOSED:
            return WARN, f"holds: {clutch.reason.text}"
        warning = self._teleoperator.warning
        return (WARN, warning) if warning else (OK, clutch.state.value)

    def _count(self) -> None:
        """Everything that is counted elsewhere, for /diagnostics."""
        self.counters.update(dict.fromkeys(("commands", "messages"), 0))
        self.counters["messages"] = self._teleoperator.counts["messages"]
        for cause, count in self._teleoperator.clutch.counts.items():
            self.counters[f"fault {cause}"] = count
        if self._server is not None:
            for what, count in dict(self._server.counters).items():  # a copy: the server's thread may add one
                self.counters[what] = count
        median, worst = self.link.ages()
        if median == median:  # there was a command
            self.counters["message to command, median [us]"] = round(1e6 * median)
            self.counters["message to command, 99 % [us]"] = round(1e6 * worst)


def main() -> int:
    """Console script."""
    return run(Teleop)


if __name__ == "__main__":
    raise SystemExit(main())
