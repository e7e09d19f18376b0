"""Bags whose recorder was killed: an MCAP without its summary and footer, and no ``metadata.yaml``.

MCAP is written record by record, so all that came before the last complete record is sound. It is read with
the `mcap` package's stream reader and written again as a complete bag.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.data.bag_description import read_description, write_description
from clam_core.data.bag_integrity import NAME as SIDECAR
from clam_core.data.bag_integrity import seal
from clam_core.errors import ClamError

MAGIC = b"\x89MCAP0\r\n"
RECORD_SIZE_LIMIT = 2**30  # bytes; what a damaged length field may ask for at most
BAG_VERSION: Literal[8] = 8  # read by the rosbag2 of Humble and Jazzy alike
UNKNOWN_TYPE_HASH = "RIHS01_" + 64 * "0"
SCHEMAS = ("ros2msg", "ros2idl")

#: A file that ends in the middle of a record, or is damaged there, shows it in one of these ways.
_END_OF_SOUND_RECORDS = (
    McapError, ValueError, LookupError, OSError, RuntimeError, struct.error, zstandard.ZstdError,
)  # fmt: skip


def is_unfinished(bag: Path) -> bool:
    """Whether the recorder of bag folder `bag` never closed it: MCAP without end or without metadata."""
    files = mcap_files(bag)
    return bool(files) and (not (bag / "metadata.yaml").is_file() or any(not _has_end(f) for f in files))


def recover(bag: Path, scratch: Path) -> Path | None:
    """A complete copy, under `scratch`, of what can be read of `bag`; None if `bag` is finished.

    Raises:
        ClamError: nothing in it can be read.
    """
    if not is_unfinished(bag):
        return None
    copy = scratch / bag.name
    if not _rewrite(mcap_files(bag), copy):
        raise ClamError("the bag was not finished and holds no complete message")
    if (bag / "episode.yaml").is_file():
        shutil.copy2(bag / "episode.yaml", copy)
    return copy


def recover_bag(path: Path) -> int:
    """Make the unfinished bag folder `path` complete, in place; returns the number of messages kept.

    The new file replaces the old one at once, so being killed here loses nothing. A finished bag, and one in
    which no message can be read (0 is returned), are left as they are.

    Raises:
        ClamError: its recorder had closed it, so that what is missing now was lost later; or it is not of ROS 2.
    """
    path = Path(path)
    files = mcap_files(path)
    if not is_unfinished(path):
        return sum(1 for file in files for _ in _messages(file))
    if (path / SIDECAR).exists():
        mend = f"restore it from a copy, or delete {SIDECAR} to recover what is there"
        raise ClamError(f"it was closed by its recorder, and was cut off or lost files since: {mend}")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.recovery-", dir=path.parent) as scratch:
        copy = Path(scratch) / path.name
        kept = _rewrite(files, copy)
        if kept:
            (copy / f"{path.name}.mcap").replace(path / f"{path.name}.mcap")
            (copy / "metadata.yaml").replace(path / "metadata.yaml")
            for file in files:
                if file.name != f"{path.name}.mcap":
                    file.unlink()
            describe(path)
    return kept


def describe(bag: Path) -> int:
    """Seal a recovered bag as its recorder would have, and have its description tell; the number of its messages."""
    with Reader(bag) as reader:
        counts: Counter[str] = Counter()
        for connection in reader.connections:
            counts[connection.topic] += connection.msgcount
    with suppress(ClamError):  # a damaged episode.yaml stays as it is, its importer will say so
        if description := read_description(bag):
            write_description(bag, {**description, "recovered": True, "messages": dict(counts)})
    if not (bag / SIDECAR).exists():
        seal(bag, counts)
    return sum(counts.values())


def mcap_files(bag: Path) -> list[Path]:
    """Its storage files, in order of their names."""
    return sorted(bag.glob("*.mcap"))


def _has_end(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(0, 2)
        if stream.tell() < 2 * len(MAGIC):
            return False
        stream.seek(-len(MAGIC), 2)
        return stream.read() == MAGIC


def _messages(file: Path) -> Iterator[tuple[Schema, Channel, Message]]:
    """Messages of `file` up to its last complete, undamaged record."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    with file.open("rb") as stream:
        records = StreamReader(stream, validate_crcs=True, record_size_limit=RECORD_SIZE_LIMIT).records
        with suppress(*_END_OF_SOUND_RECORDS):
            for record in records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    yield schemas[channel.schema_id], channel, record


def _rewrite(files: list[Path], target: Path) -> int:
    """Write all messages of `files` as the complete bag `target`; returns how many. When 0, it is removed.

    Raises:
        ClamError: they are not those of ROS 2.
    """
    typestore = get_typestore(Stores.ROS2_JAZZY)
    connections: dict[tuple[str, str], Any] = {}
    kept = 0
    with Writer(target, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        for file in files:
            for schema, channel, message in _messages(file):
                key = (channel.topic, schema.name)
                if key not in connections:
                    if schema.encoding not in SCHEMAS:
                        raise ClamError(f"'{channel.topic}' is not of ROS 2: its schema is {schema.encoding or 'none'}")
                    known = schema.name in typestore.fielddefs
                    connections[key] = writer.add_connection(
                        channel.topic,
                        schema.name,
                        msgdef=schema.data.decode(),
                        rihs01=typestore.hash_rihs01(schema.name) if known else UNKNOWN_TYPE_HASH,
                        serialization_format=channel.message_encoding,
                    )
                writer.write(connections[key], message.log_time, message.data)
                kept += 1
    if not kept:
        shutil.rmtree(target)
    return kept
