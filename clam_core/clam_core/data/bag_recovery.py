"""Bags whose recorder was killed: an MCAP without its summary and footer, and no ``metadata.yaml``.

MCAP is written record by record, so all that came before the last complete record is sound. It is read with
the `mcap` package's stream reader and written again as a complete bag.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.errors import ClamError

MAGIC = b"\x89MCAP0\r\n"
RECORD_SIZE_LIMIT = 2**30  # bytes; what a damaged length field may ask for at most
BAG_VERSION: Literal[8] = 8  # read by the rosbag2 of Humble and Jazzy alike
UNKNOWN_TYPE_HASH = "RIHS01_" + 64 * "0"

#: A file that ends in the middle of a record, or is damaged there, shows it in one of these ways.
_END_OF_SOUND_RECORDS = (
    McapError, ValueError, LookupError, OSError, RuntimeError, struct.error, zstandard.ZstdError,
)  # fmt: skip


def is_unfinished(bag: Path) -> bool:
    """Whether the recorder of bag folder `bag` never closed it: MCAP without end or without metadata."""
    files = _mcap_files(bag)
    return bool(files) and (not (bag / "metadata.yaml").is_file() or any(not _has_end(f) for f in files))


def recover(bag: Path, scratch: Path) -> Path | None:
    """A complete copy, under `scratch`, of what can be read of `bag`; None if `bag` is finished.

    Raises:
        ClamError: nothing in it can be read.
    """
    if not is_unfinished(bag):
        return None
    copy = scratch / bag.name
    if not _rewrite(_mcap_files(bag), copy):
        raise ClamError("the bag was not finished and holds no complete message")
    if (bag / "episode.yaml").is_file():
        shutil.copy2(bag / "episode.yaml", copy)
    return copy


def recover_bag(path: Path) -> int:
    """Make the unfinished bag folder `path` complete, in place; returns the number of messages kept.

    The new file replaces the old one at once, so being killed here loses nothing. A finished bag, and one in
    which no message can be read (0 is returned), are left as they are.
    """
    path = Path(path)
    files = _mcap_files(path)
    if not is_unfinished(path):
        return sum(1 for file in files for _ in _messages(file))
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.recovery-", dir=path.parent) as scratch:
        copy = Path(scratch) / path.name
        kept = _rewrite(files, copy)
        if kept:
            (copy / f"{path.name}.mcap").replace(path / f"{path.name}.mcap")
            (copy / "metadata.yaml").replace(path / "metadata.yaml")
            for file in files:
                if file.name != f"{path.name}.mcap":
                    file.unlink()
    return kept


def _mcap_files(bag: Path) -> list[Path]:
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
    """Write all messages of `files` as the complete bag `target`; returns how many. When 0, it is removed."""
    typestore = get_typestore(Stores.ROS2_JAZZY)
    connections: dict[tuple[str, str], Any] = {}
    kept = 0
    with Writer(target, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        for file in files:
            for schema, channel, message in _messages(file):
                key = (channel.topic, schema.name)
                if key not in connections:
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
