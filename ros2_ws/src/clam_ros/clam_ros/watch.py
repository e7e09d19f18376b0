"""Says which node has fallen silent: a dead one cannot say so itself."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from clam_core.errors import ClamError
from clam_ros.attendance import Attendance, Presence
from clam_ros.node import ERROR, OK, WARN, Node
from clam_ros.run import run

LOOK = 0.25  # [s]
LEVELS = {Presence.HEARD: OK, Presence.AWAITED: WARN, Presence.MISSING: ERROR, Presence.SILENT: ERROR}


class Watch(Node):
    """Hears /diagnostics, where every node says something each second, and adds one status for each node it expects:
    an error from when that node has said nothing for `silent_after`, because it ended, was killed, or hangs.

    Looks are counted and not seconds: where this node itself was held up, words wait to be heard, and it is no judge.
    """

    def __init__(self) -> None:
        super().__init__("watch")
        about = "Nodes that are expected, in the namespace of this one or with a leading slash."
        self.declare("nodes", [""], about)
        self.declare("silent_after", 3.0, "A node that says nothing for so long is gone [s].", low=1.5, high=60.0)
        self.declare("start_within", 30.0, "Until its first word a node has so much time [s].", low=0.0, high=600.0)
        self._attendance: Attendance | None = None
        self._looks = 0
        self._known: dict[str, Presence] = {}

    def configure(self) -> None:
        """Begin to listen."""
        nodes = [name for name in self.value("nodes") if name]
        if not nodes:
            raise ClamError("parameter 'nodes' names no node: give those to watch, for example [arm_driver, camera]")
        namespace = self.get_namespace().rstrip("/")
        self._attendance = Attendance(
            [name if name.startswith("/") else f"{namespace}/{name}" for name in nodes],
            self._now,
            silent_after=self.value("silent_after"),
            start_within=self.value("start_within"),
        )
        self._known = {}
        self.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        self.every(LOOK, self._look)

    def cleanup(self) -> None:
        """Expect nobody."""
        self._attendance = None

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        if self._attendance is not None:
            for status in message.status:
                self._attendance.hear(status.name, self._now)

    @property
    def _now(self) -> float:
        """Seconds in which this node could have heard something."""
        return self._looks * LOOK

    def _look(self) -> None:
        """Publish changes at once, and log what people must see."""
        self._looks += 1
        if not self.active or self._attendance is None:
            return
        before, self._known = self._known, self._presences()
        changed = [name for name, presence in self._known.items() if before.get(name) is not presence]
        for name in changed:
            if LEVELS[self._known[name]] == ERROR:
                self.get_logger().error(self._line(name))
            elif before.get(name) in (Presence.SILENT, Presence.MISSING):
                self.get_logger().info(self._line(name))
        if changed:
            self.publish_diagnostics()

    # Diagnostics --------------------------------------------------------------------------------------------

    def diagnose(self) -> tuple[bytes, str]:
        """The worst of what is said about the nodes."""
        presences = self._presences()
        if not presences:
            return OK, "inactive"
        level = max(LEVELS[presence] for presence in presences.values())
        lines = [self._line(name) for name, presence in presences.items() if LEVELS[presence] == level]
        return level, f"{', '.join(presences)}: all heard" if level == OK else "; ".join(lines)

    def statuses(self) -> list[DiagnosticStatus]:
        """Its own, and one for each node that it expects, named ``/watch: camera``."""
        own = self.get_fully_qualified_name()
        return super().statuses() + [
            DiagnosticStatus(level=LEVELS[presence], name=f"{own}: {name.lstrip('/')}", message=self._line(name))
            for name, presence in self._presences().items()
        ]

    def _presences(self) -> dict[str, Presence]:
        if not self.active or self._attendance is None:
            return {}
        return {name: self._attendance.presence(name, self._now) for name in self._attendance.names}

    def _line(self, name: str) -> str:
        """One line about a node."""
        assert self._attendance is not None
        silence = self._attendance.silence(name, self._now)
        return {
            Presence.HEARD: f"{name} is heard",
            Presence.AWAITED: f"{name} has not been heard yet",
            Presence.MISSING: f"{name} has not been heard for {silence:.0f} s: does it run?",
            Presence.SILENT: f"{name} is silent for {silence:.0f} s: its process has ended or hangs",
        }[self._attendance.presence(name, self._now)]


def main() -> int:
    """Console script."""
    return run(Watch)


if __name__ == "__main__":
    raise SystemExit(main())
