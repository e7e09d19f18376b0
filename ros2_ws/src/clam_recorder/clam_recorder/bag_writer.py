"""Two ways to write the same rosbag2 folder (MCAP): the `rosbags` library, and rosbag2's own writer."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from clam_core.errors import ClamError, did_you_mean

CHUNK = 2**20  # bytes; when `rosbags` ends a chunk


class BagWriter(Protocol):
    """One bag being written. Messages are serialized (CDR); used by one thread at a time."""

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Append a message received at `stamp` [ns since the epoch]."""

    def add_topic(self, topic: str, kind: str) -> None:
        """Take up another topic of message type `kind`.

        Raises:
            ClamError: the library does not know the type.
        """

    def flush(self) -> None:
        """Hand everything written so far to the operating system, so that a killed process loses nothing of
        it.
        """

    def salvage(self) -> Mapping[str, int] | None:
        """After a failed write: go back to the end of what is whole, so that `close` makes a sound bag of it.

        Returns the messages by topic that it will have; None if the library leaves nothing to be done.
        """

    def close(self) -> None:
        """Finish the bag: index and metadata.yaml."""


class RosbagsWriter:
    """`rosbags`: pure Python, for machines without rosbag2_py.

    Raises:
        ClamError: a message type that `rosbags` does not know.
    """

    NAME = "rosbags"

    @staticmethod
    def load() -> None:
        """Import what takes long, before there is an episode that would wait for it."""
        import rosbags.rosbag2  # noqa: F401

        _typestore()

    def __init__(self, path: Path, topics: Mapping[str, str]) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        self._store = _typestore()
        for kind in topics.values():
            self._check(kind)
        # Version 8 is read by the rosbag2 of Humble and Jazzy alike.
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections: dict[str, Any] = {}
        for topic, kind in topics.items():
            self.add_topic(topic, kind)
        storage: Any = self._writer.storage
        self._storage = storage
        self._storage.bio.flush()
        self._whole = self._storage.bio.tell()  # bytes of the file up to which every record is complete

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """See `BagWriter`."""
        if self._storage.chunk.bio.tell() + len(data) >= CHUNK:
            self.flush()  # here rather than within `rosbags`, which would not know whether this message is in
        self._writer.write(self._connections[topic], stamp, data)

    def add_topic(self, topic: str, kind: str) -> None:
        """See `BagWriter`."""
        self._check(kind)
        self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._store)

    def _check(self, kind: str) -> None:
        if kind not in self._store.fielddefs:
            raise ClamError(f"backend rosbags does not know type '{kind}': use backend rosbag2_py for it")

    def flush(self) -> None:
        """See `BagWriter`. Ends the chunk that `rosbags` would keep in memory until it holds a megabyte."""
        if self._storage.chunk.msgs:
            self._storage.close_chunk()
        self._storage.bio.flush()
        self._whole = self._storage.bio.tell()

    def salvage(self) -> Mapping[str, int]:
        """See `BagWriter`. Half a chunk is cut off the file; the whole of it is still in memory."""
        storage = self._storage
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), storage.bio.fileno())  # what Python still buffers for the file goes there
        storage.bio.close()
        storage.bio = storage.path.open("r+b")
        storage.bio.truncate(self._whole)
        storage.bio.seek(self._whole)
        self._writer.counts = dict(storage.channel_stats)
        return {topic: storage.channel_stats[item.id] for topic, item in self._connections.items()}

    def close(self) -> None:
        """See `BagWriter`."""
        self._writer.close()


class Rosbag2PyWriter:
    """`rosbag2_py` of a system ROS 2. Without cache and chunks, so that there is nothing to flush."""

    NAME = "rosbag2_py"

    @staticmethod
    def load() -> None:
        """Import what takes long, before there is an episode that would wait for it."""
        import rosbag2_py  # noqa: F401

    def __init__(self, path: Path, topics: Mapping[str, str]) -> None:
        import rosbag2_py

        storage = rosbag2_py.StorageOptions(uri=str(path), storage_id="mcap")
        storage.max_cache_size = 0
        storage.storage_preset_profile = "fastwrite"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = rosbag2_py.SequentialWriter()
        try:
            self._writer.open(storage, rosbag2_py.ConverterOptions("cdr", "cdr"))
        except RuntimeError as error:
            raise OSError(0, str(error).splitlines()[0]) from error
        self._count = 0
        for topic, kind in topics.items():
            self.add_topic(topic, kind)

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """See `BagWriter`."""
        self._writer.write(topic, data, stamp)

    def add_topic(self, topic: str, kind: str) -> None:
        """See `BagWriter`."""
        import rosbag2_py

        arguments = {"name": topic, "type": kind, "serialization_format": "cdr"}
        try:
            metadata = rosbag2_py.TopicMetadata(id=self._count, **arguments)  # since Jazzy
        except TypeError:
            metadata = rosbag2_py.TopicMetadata(**arguments)
        try:
            self._writer.create_topic(metadata)
        except RuntimeError as error:
            raise ClamError(f"rosbag2_py does not take type '{kind}' ({str(error).splitlines()[0]})") from error
        self._count += 1

    def flush(self) -> None:
        """See `BagWriter`."""

    def salvage(self) -> None:
        """See `BagWriter`."""

    def close(self) -> None:
        """See `BagWriter`."""
        if hasattr(self._writer, "close"):
            self._writer.close()
        del self._writer  # Humble writes metadata.yaml in the destructor


@lru_cache
def _typestore() -> Any:
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.LATEST)


BACKENDS: dict[str, type[RosbagsWriter | Rosbag2PyWriter]] = {
    RosbagsWriter.NAME: RosbagsWriter,
    Rosbag2PyWriter.NAME: Rosbag2PyWriter,
}


def choose_backend(name: str) -> str:
    """`name` if it is installed; for "auto", rosbag2_py where it is and rosbags elsewhere.

    Raises:
        ClamError: unknown or not installed.
    """
    installed = [backend for backend in BACKENDS if importlib.util.find_spec(backend) is not None]
    if name == "auto" and installed:
        return installed[-1]
    if name != "auto" and name not in BACKENDS:
        raise ClamError(f"unknown backend '{name}', {did_you_mean(name, ['auto', *BACKENDS])}")
    if name not in installed:
        raise ClamError(f"backend '{name}' is not installed; installed: {', '.join(installed) or 'none'}")
    return name


def backend_version(name: str) -> str:
    """Installed version of a backend, for episode.yaml."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "system"
