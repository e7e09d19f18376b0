"""What arm driver and recorder say about themselves, as the page shows it. No ROS here but the type of a message."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

OLD = 5.0  # [s] without a word a node counts as gone
SILENT = "silent: is its node running?"


@dataclass(frozen=True)
class Report:
    """`level` 0, 1, 2 is fine, a warning, an error; `lines` are (name, text, level)."""

    level: int = 2
    message: str = SILENT
    lines: tuple[tuple[str, str, int], ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        if time.monotonic() - self.heard > OLD:
            return {"level": 2, "message": SILENT, "lines": []}
        return {"level": self.level, "message": self.message, "lines": self.lines}


def read_diagnostic(status: DiagnosticStatus) -> Report:
    """Report of a node's diagnostic; `facts` are its values."""
    level = min(int.from_bytes(status.level, "little"), 2)
    return Report(level, status.message, facts={item.key: item.value for item in status.values})


def read_recorder(text: str) -> Report:
    """Report of the recorder's ``record/status``; fact ``state`` is idle, recording or ending.

    What is not there is not shown: neither page nor node may fall with a recorder of another version.
    """
    try:
        return _read_recorder(json.loads(text))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return Report(2, "its status is not understood: is the recorder of another version?")


def _read_recorder(status: dict[str, Any]) -> Report:
    state, warnings, refusals = str(status.get("state", "?")), status.get("warnings", []), status.get("refusals", [])
    idle = state == "idle"
    level = 2 if idle and refusals else (1 if warnings else 0)
    lines: list[tuple[str, str, int]] = []
    if not idle:
        lines.append(("episode", f"{status.get('episode', '')} {float(status.get('seconds') or 0.0):.0f} s", 0))
    lines.append(("kept", f"{status.get('kept', 0)}, {status.get('discarded', 0)} discarded", 0))
    free, minutes = status.get("disk_left_bytes"), status.get("minutes_left")
    if free is not None:
        lines.append(
            ("disk", f"{free / 2**30:.1f} GiB left" + (f", {minutes:.0f} min" if minutes is not None else ""), 0)
        )
    for name, facts in status.get("topics", {}).items():
        if facts.get("expected") is not None:
            lines.append(
                (_short(name), f"{facts['rate']:.0f} of {facts['expected']:g} Hz", 0 if facts.get("ok") else 2)
            )
    lines += [("warning", str(line), 1) for line in warnings]
    lines += [("not ready", str(line), 2) for line in refusals if idle]
    return Report(level, state, tuple(lines), {"state": state})


def _short(topic: str) -> str:
    """Name of a topic for people: ``/robot/camera/front/compressed`` is front."""
    *path, last = topic.strip("/").split("/")
    return path[-1] if last in ("compressed", "image_raw") and path else last
