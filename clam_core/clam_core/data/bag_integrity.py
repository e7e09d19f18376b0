"""``integrity.json``: what the recorder wrote into a bag, so that damage, truncation and edits show.

It is written last, when a bag is closed: a hash and a size of every file of the bag, and the number of messages of
every topic. ``episode.yaml`` is not among the files: people may correct it. A bag without it, such as one of
``ros2 bag record``, is believed as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_core.whole import sync

NAME = "integrity.json"
FORMAT_VERSION = 1
STORAGE_SUFFIXES = (".mcap", ".db3", ".zstd")
METADATA = "metadata.yaml"
_BLOCK = 2**20  # bytes read at once
_MEND = f"restore it from a copy, or delete {NAME} to take the bag as it is"


class FileDigest:
    """SHA-256 of a file that only grows, kept up while it is written: closing an episode then takes no time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restart()

    def restart(self) -> None:
        """Begin again: what was hashed is no longer what the file holds."""
        self._digest, self._done = hashlib.sha256(), 0

    def update(self) -> None:
        """Take in what was written since the last call."""
        with self.path.open("rb") as stream:
            stream.seek(self._done)
            while block := stream.read(_BLOCK):
                self._digest.update(block)
                self._done += len(block)

    def facts(self) -> dict[str, Any]:
        """Size and hash of what is there by now."""
        self.update()
        return {"bytes": self._done, "sha256": self._digest.hexdigest()}


def storage_files(bag: Path) -> list[Path]:
    """The storage files of `bag`, in order of their names."""
    return sorted(path for path in bag.iterdir() if path.suffix in STORAGE_SUFFIXES)


def is_bag(folder: Path) -> bool:
    """Whether `folder` holds a bag, finished or not; a folder that nobody may look into (``lost+found``) holds none."""
    try:
        return (folder / METADATA).is_file() or any(path.suffix in (".mcap", ".db3") for path in folder.iterdir())
    except OSError:
        return False


def seal(bag: Path, messages: Mapping[str, int], digests: Mapping[str, FileDigest] | None = None) -> None:
    """Write the sidecar of the closed bag `bag` with its `messages` by topic, and all of it to the disk.

    Args:
        digests: those kept up while a file was written, by its name.

    Raises:
        OSError: a file cannot be read or written.
    """
    files = {}
    for path in [*storage_files(bag), bag / METADATA]:
        digest = (digests or {}).get(path.name) or FileDigest(path)
        files[path.name] = digest.facts()
        sync(path)
    content = {"format_version": FORMAT_VERSION, "files": files, "messages": dict(messages)}
    partial = bag / f".{NAME}.partial"
    partial.write_text(json.dumps(content, indent=1) + "\n")
    sync(partial)
    os.replace(partial, bag / NAME)
    sync(bag)


def check_files(bag: Path) -> dict[str, int] | None:
    """Compare the files of `bag` with its sidecar; messages by topic as they should be, None without a sidecar.

    Raises:
        ClamError: a file is missing, cannot be read, was cut off or changed, or is new.
    """
    expected = _read(bag)
    if expected is None:
        return None
    for name, facts in expected["files"].items():
        try:
            _check_file(bag / name, facts)
        except OSError as error:
            raise ClamError(f"{name} cannot be read ({error.strerror})") from error
    for path in storage_files(bag):
        if path.name not in expected["files"]:
            raise ClamError(f"{path.name} was not written by the recorder: take it out, or delete {NAME}")
    return {str(topic): int(count) for topic, count in expected["messages"].items()}


def _check_file(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise ClamError where the file `path` is not what `facts` say."""
    name = path.name
    if not path.is_file():
        raise ClamError(f"{name} is missing: {_MEND}")
    size = path.stat().st_size
    if size != facts["bytes"]:
        what = "cut off" if size < facts["bytes"] else "longer than recorded"
        raise ClamError(f"{name} is {what} ({size} bytes, recorded were {facts['bytes']}): {_MEND}")
    if FileDigest(path).facts()["sha256"] != facts["sha256"]:
        raise ClamError(f"{name} is damaged or edited (its SHA-256 is not the recorder's): {_MEND}")


def check_messages(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raise ClamError where the messages by topic `found` in a bag are not those `expected` by its sidecar."""
    for topic, count in expected.items():
        if found.get(topic, 0) != count:
            raise ClamError(f"'{topic}' has {found.get(topic, 0)} messages, recorded were {count}: {_MEND}")


def _read(bag: Path) -> dict[str, Any] | None:
    path = bag / NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        files, messages = content["files"], content["messages"]
        sound = all({"bytes", "sha256"} <= set(facts) for facts in files.values()) and isinstance(messages, dict)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClamError(f"{NAME} cannot be read ({type(error).__name__}): {_MEND}") from error
    if not sound:
        raise ClamError(f"{NAME} does not say what the recorder wrote: {_MEND}")
    return {"files": files, "messages": messages}
