"""What an evaluation has found, line by line on the disk before anybody goes on: it survives any end of the process."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_core.whole import sync
from clam_eval.contender import Contender

NAME = "results.jsonl"
FORMAT = 1


@dataclass(frozen=True)
class Identity:
    """What makes an evaluation the same one: only then may its file be continued."""

    task: str
    robot: str
    seed: int
    rollouts: int
    steps: int
    stop_at_success: bool
    bundles: tuple[Contender, ...]

    def difference(self, other: Identity) -> str:
        """What differs, in words; empty if it is the same evaluation. Names and folders of bundles may differ."""
        for name in ("task", "robot", "seed", "rollouts", "steps", "stop_at_success"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"its {name.replace('_', ' ')} is {theirs}, not {mine}"
        mine, theirs = ({bundle.digest for bundle in one.bundles} for one in (self, other))
        return "it is of other bundles" if mine != theirs else ""


class ResultsFile:
    """`folder`/results.jsonl: a header, then one line for each thing that happened. One process at a time writes it.

    `lines` are all lines after the header. A line is on the disk when `append` returns.

    Raises:
        ClamError: the file is of another evaluation, damaged, in use, or cannot be written.
    """

    def __init__(self, folder: Path, identity: Identity, facts: dict[str, Any]) -> None:
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                header = {"type": "evaluation", "format": FORMAT, "created": now(), **asdict(identity), **facts}
                _create(self.path, header)
            self._file = self.path.open("r+b", buffering=0)
        except OSError as error:
            raise ClamError(f"cannot write '{self.path}' ({error.strerror}): choose another `out`") from error
        try:
            self._take()
            #: What was cut off: a line that a sudden end left unfinished.
            self.torn = self._mend()
            self.identity, self.header, self.lines = read_results(folder)
            difference = identity.difference(self.identity)
            if difference:
                raise ClamError(f"'{self.path}' is of another evaluation ({difference}): choose another `out`")
        except BaseException:
            self._file.close()
            raise

    def append(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Write a line; returns it.

        Raises:
            ClamError: the disk does not take it. The file ends with the line before.
        """
        line = {"type": kind, "time": now(), **facts}
        size = self._file.seek(0, os.SEEK_END)
        try:
            self._write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            with suppress(OSError):  # or the next start cuts it off
                self._file.truncate(size)
            raise ClamError(f"cannot write to '{self.path}' ({error.strerror}): make room, and start again") from error
        self.lines.append(line)
        return line

    def close(self) -> None:
        """Let others have it."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]
        os.fsync(self._file.fileno())

    def _take(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClamError(f"another evaluation writes to '{self.path}': stop it first") from error

    def _mend(self) -> str:
        """Finish or cut off a last line without an end; returns what was cut off."""
        data = self._file.read()
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if not rest:
            return ""
        if _is_line(rest):  # all of it is there but its end
            self._write(b"\n")
            rest = b""
        else:
            self._file.truncate(end)
            os.fsync(self._file.fileno())
        return rest.decode(errors="replace")


def read_results(folder: Path) -> tuple[Identity, dict[str, Any], list[dict[str, Any]]]:
    """Identity, header and lines of an evaluation, also of one under way: an unfinished last line is left out.

    Raises:
        ClamError: there is none, or its file is damaged.
    """
    path = folder / NAME
    try:
        *texts, rest = path.read_text(errors="replace").split("\n")
    except OSError as error:
        raise ClamError(f"no evaluation in '{folder}' ({error.strerror}): expected {NAME} there") from error
    if rest and _is_line(rest.encode()):
        texts.append(rest)
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(texts, 1):
        if not _is_line(text.encode()):
            raise ClamError(f"'{path}' is damaged in line {number}: restore it, or choose another `out`")
        lines.append(json.loads(text))
    try:
        header, *lines = lines
        if header["type"] != "evaluation" or header["format"] != FORMAT:
            raise ClamError(f"'{path}' is no evaluation of format {FORMAT}: choose another `out`")
        bundles = tuple(Contender(**bundle) for bundle in header["bundles"])
        fields = {name: header[name] for name in Identity.__dataclass_fields__}
        return Identity(**{**fields, "bundles": bundles}), header, lines
    except (KeyError, TypeError, ValueError) as error:
        raise ClamError(f"the header of '{path}' is not understood ({error}): choose another `out`") from error


#: Parameters that came later, with what they were when nobody wrote them down.
BEFORE = {"receding_horizon": "0"}


def check_execution(results: ResultsFile, execution: dict[str, str]) -> None:
    """Raises `ClamError` when an earlier session executed bundles in another way, for example with another chunk."""
    for line in results.lines:
        earlier = {**BEFORE, **line["execution"]} if "execution" in line else {}
        for name, value in earlier.items():
            if execution.get(name) != value:
                why = f"its policy had {name} {value}, not {execution.get(name)}"
                raise ClamError(f"'{results.path}' is of another evaluation ({why}): choose another `out`")


def check_scorer(results: ResultsFile, scorer: str) -> None:
    """Raises `ClamError` when somebody else has scored rollouts before: two ways of judging are no one evaluation."""
    for line in results.lines:
        if line["type"] == "rollout" and line["scored_by"] != scorer:
            why = f"its rollouts were scored by a {line['scored_by']}, not a {scorer}"
            raise ClamError(f"'{results.path}' is of another evaluation ({why}): choose another `out`")


def scored(lines: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The scored rollouts by the index of their trial, with the score that was corrected last."""
    done: dict[int, dict[str, Any]] = {}
    for line in lines:
        if line["type"] == "rollout":
            done[line["index"]] = line
        elif line["type"] == "correction" and line["index"] in done:
            done[line["index"]] = {**done[line["index"]], "score": line["score"]}
    return done


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _is_line(text: bytes) -> bool:
    try:
        line = json.loads(text)
    except ValueError:
        return False
    return isinstance(line, dict) and "type" in line


def _create(path: Path, header: dict[str, Any]) -> None:
    """Whole, with its header, or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w") as file:
        file.write(json.dumps(header) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # somebody else was faster: his header counts
        os.link(partial, path)
    partial.unlink()
    sync(path.parent)
