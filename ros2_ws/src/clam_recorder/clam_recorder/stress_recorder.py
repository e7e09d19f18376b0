"""`ros2 run clam_recorder stress_recorder`: kill a recorder at random moments, and see what is lost.

A recorder in a process of its own records numbered messages in short episodes, and gets SIGKILL at a random moment:
half of them at any time, half while it closes an episode. After each, `clam doctor --recover` mends its folder. Then
every episode whose record/stop was answered must be there and be what was answered, and the one that was open must
hold every message from its first to one that was sent less than a second before the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
from rosbags.highlevel import AnyReader

from clam_core.data.bag_integrity import check_files
from clam_core.errors import ClamError
from clam_recorder.stress_life import Life, Refused

LONGEST = 2.0  # [s] of an episode, at most
ALLOWED = 1.0  # [s] before the kill that may be lost


@dataclass
class Report:
    """What became of all episodes; `failures` are sentences."""

    kills: int = 0
    while_closing: int = 0
    closed: int = 0
    recovered: int = 0
    nothing_to_recover: int = 0
    longest_loss: float = 0.0
    failures: list[str] = field(default_factory=list)


class Stress:
    """Lives of a recorder that writes to `out`."""

    def __init__(self, out: Path, seed: int) -> None:
        self.report = Report()
        self._out = out
        self._random = random.Random(seed)

    def live(self) -> None:
        """One life: short episodes, a sudden end in one of them, or while it is being closed; then a look."""
        self.report.kills += 1
        life = Life(f"stress_{os.getpid()}_{self.report.kills}", self._out)
        closed: dict[str, dict[str, int]] = {}
        try:
            life.wait_for_recorder()
            try:
                self._record(life, closed)
            except Refused as error:
                self.report.failures.append(f"kill {self.report.kills}: {error}")
            killed = life.kill()
        finally:
            life.close()
        self._mend_and_check(closed, killed, life.sent)

    def _record(self, life: Life, closed: dict[str, dict[str, int]]) -> None:
        """Episodes, of which those in `closed` were answered; the last one may still be open."""
        for _ in range(self._random.randint(0, 2)):
            life.start()
            life.spin(self._random.uniform(0.0, LONGEST))
            answer = life.stop()
            closed[answer["bag"]] = answer["messages"]
        life.start()
        life.spin(self._random.uniform(0.0, LONGEST))
        if self._random.random() < 0.5:
            self.report.while_closing += 1
            if (late := life.stop_within(self._random.uniform(0.0, 0.3))) is not None:
                closed[late["bag"]] = late["messages"]

    def _mend_and_check(self, closed: dict[str, dict[str, int]], killed: int, sent: list[int]) -> None:
        command = [sys.executable, "-m", "clam_core", "doctor", "--recover", str(self._out), "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            self.report.failures.append(f"clam doctor ended with {done.returncode}: {done.stderr.strip()}")
            return
        mended = json.loads(done.stdout)["recovered"]
        self.report.recovered += sum(1 for row in mended if row["messages"])
        self.report.nothing_to_recover += sum(1 for row in mended if not row["messages"])
        for path, messages in closed.items():
            self.report.closed += 1
            self._check_closed(Path(path), messages)
        for bag in sorted(self._out.glob("episode_*")):
            if str(bag) not in closed:
                whole = bag.name not in {Path(row["bag"]).name for row in mended}
                self._check_open(bag, killed, sent, whole=whole)
            for file in bag.iterdir():
                file.unlink()
            bag.rmdir()

    def _check_closed(self, bag: Path, messages: dict[str, int]) -> None:
        try:
            if check_files(bag) != messages:
                self._fail(bag, f"{check_files(bag)}, not {messages}")
            self._numbers(bag)
        except ClamError as error:
            self._fail(bag, str(error))

    def _check_open(self, bag: Path, killed: int, sent: list[int], *, whole: bool) -> None:
        """The episode that was open: all numbers without a gap, up to the last second before the kill."""
        if not (bag / "metadata.yaml").exists():  # killed before the first flush
            began = min((time for time in sent if time > bag.stat().st_ctime_ns), default=killed)
            lost = (killed - began) * 1e-9
            if lost > ALLOWED:
                self._fail(bag, f"nothing of {lost:.2f} s was there to be recovered")
            return
        numbers = self._numbers(bag)
        # A bag that its recorder had closed, though it could not answer any more, ends at record/stop.
        lost = 0.0 if whole else (killed - sent[numbers[-1]]) * 1e-9
        self.report.longest_loss = max(self.report.longest_loss, lost)
        if lost > ALLOWED:
            self._fail(bag, f"its last {lost:.2f} s are lost")

    def _numbers(self, bag: Path) -> list[int]:
        """Numbers of the messages in `bag`, which must be without gaps, the same in both topics but for the last."""
        found: dict[str, list[int]] = {}
        with AnyReader([bag]) as reader:
            for connection, _, raw in reader.messages():
                message: Any = reader.deserialize(raw, connection.msgtype)
                found.setdefault(connection.topic, []).append(int(message.position[0]))
        for topic, numbers in found.items():
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                self._fail(bag, f"{topic} has a gap")
        return sorted(set().union(*found.values()))

    def _fail(self, bag: Path, what: str) -> None:
        self.report.failures.append(f"kill {self.report.kills}, {bag.name}: {what}")


def stress(out: Path, kills: int, seed: int, progress: Callable[[Report], None] = lambda report: None) -> Report:
    """Kill a recorder that writes to `out` so many times.

    Raises:
        ClamError: something did not come in time.
    """
    context_is_new = not rclpy.ok()
    if context_is_new:
        rclpy.init(args=[])
    try:
        run = Stress(out, seed)
        for _ in range(kills):
            run.live()
            progress(run.report)
        return run.report
    finally:
        if context_is_new:
            rclpy.try_shutdown()


def main(arguments: list[str] | None = None) -> int:
    """Console script; status 1 if anything was lost that must not be."""
    parser = argparse.ArgumentParser(
        prog="stress_recorder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=_count, default=100, help="how many times (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--out", type=Path, help="folder on the disk to try; a temporary one without")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="clam-stress-", dir=options.out) as folder:
            report = stress(Path(folder), options.kills, options.seed, _show)
    except (ClamError, OSError) as error:
        print(f"stress_recorder: error: {error}", file=sys.stderr)
        return 1
    print(json.dumps({**vars(report), "seed": options.seed}, indent=2))
    return 1 if report.failures else 0


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not positive")
    return count


def _show(report: Report) -> None:
    print(f"{report.kills} kills, {report.closed} closed episodes, {len(report.failures)} failures", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
