"""What the operator sees in the terminal: one live picture on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import IO, Any

Status = Mapping[str, Any]


def line(status: Status) -> str:
    """The status (docs/recording.md) in one line."""
    parts = [status["state"], f"{status['kept']} kept"]
    if status["state"] != "idle":
        parts.insert(1, f"{status['episode']} {status['seconds']:.1f} s")
    parts.append(f"{size(status['disk_left_bytes'])} left{_minutes(status)}")
    shown = {name: facts for name, facts in status["topics"].items() if facts["expected"] is not None}
    parts += [f"{name} {_rate(facts)}" for name, facts in shown.items()]
    parts += [f"! {text}" for text in status["warnings"]]
    if status["state"] == "idle":
        parts += [f"not ready: {text}" for text in status["refusals"]]
    return ", ".join(parts)


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def make_view(stream: IO[str], log: Callable[[str], None], period: float) -> LiveView | LineView:
    """A live picture on a terminal; a line every `period` [s] where there is none, or no rich."""
    if stream.isatty() and importlib.util.find_spec("rich") is not None:
        return LiveView(stream)
    return LineView(log, period)


class LineView:
    """A line every `period` [s] while an episode runs, and when what stands in the way of one changes; 0: never."""

    def __init__(self, log: Callable[[str], None], period: float) -> None:
        self._log = log
        self._period = period
        self._last: float | None = None
        self._shown: tuple[object, ...] = ()

    def show(self, status: Status, now: float) -> None:
        """Take the status at steady time `now` [s]."""
        if not self._period:
            return
        if self._last is None:
            self._last = now  # at first everything is only just beginning
        news = (status["state"], *_topics_of(status["refusals"]), *_topics_of(status["warnings"]))
        due = now - self._last >= self._period
        strict = any(facts["expected"] is not None for facts in status["topics"].values())
        if due and (status["state"] == "recording" or (strict and news != self._shown)):
            self._log(line(status))
            self._last, self._shown = now, news

    def close(self) -> None:
        """Nothing to do."""


class LiveView:
    """A table that stays in its place."""

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            console=Console(file=stream), auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def show(self, status: Status, now: float) -> None:
        """See `LineView`."""
        self._live.update(render(status), refresh=True)

    def close(self) -> None:
        """Leave the last picture, and the cursor below it."""
        self._live.stop()


def render(status: Status) -> Any:
    """The status as something that rich prints."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    colour = {"recording": "bold red", "ending": "yellow"}.get(status["state"], "bold")
    head = Text.assemble(
        (f"{status['state']}  ", colour),
        f"{status['episode']}  {status['seconds']:.1f} s   {status['kind']} {status['task']}   "
        f"{status['kept']} kept, {status['discarded']} discarded   "
        f"{size(status['disk_left_bytes'])} left{_minutes(status)}",
    )
    table = Table(box=None, pad_edge=False)
    for column in ("topic", "Hz", "expected"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for name, facts in status["topics"].items():
        expected = "" if facts["expected"] is None else f"{facts['expected']:g}"
        table.add_row(name, f"{facts['rate']:.1f}", expected, style="" if facts["ok"] else "red")
    lines = [Text(f"! {text}", style="yellow") for text in status["warnings"]]
    if status["state"] == "idle":
        lines += [Text(f"not ready: {text}", style="red") for text in status["refusals"]]
    return Group(head, table, *lines)


def _rate(facts: Mapping[str, Any]) -> str:
    return f"{facts['rate']:.1f} Hz" + ("" if facts["ok"] else f" (of {facts['expected']:g})")


def _minutes(status: Status) -> str:
    minutes = status["minutes_left"]
    return "" if minutes is None else f" ({minutes:.0f} min)"


def _topics_of(reasons: list[str]) -> list[str]:
    """What reasons are about, without their numbers, which change all the time."""
    return [reason.split(" ")[0] for reason in reasons]
