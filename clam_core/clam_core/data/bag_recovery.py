"""Bags whose recorder was killed: an MCAP without its summary and footer, and no ``metadata.yaml``.

MCAP is written record by record, so all that came before the last complete record is sound. It is read with
`McapScan` and written again as a complete file. A file that has its end, and is sound, is never touched.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.data.bag_description import read_description, write_description
from clam_core.data.bag_integrity import METADATA, seal
from clam_core.data.bag_integrity import NAME as SIDECAR
from clam_core.data.bag_scan import McapScan, has_end
from clam_core.errors import ClamError

BAG_VERSION: Literal[8] = 8  # read by the rosbag2 of Humble and Jazzy alike
UNKNOWN_TYPE_HASH = "RIHS01_" + 64 * "0"
SCHEMAS = ("ros2msg", "ros2idl")
_INFO = "rosbag2_bagfile_information"


@dataclass(frozen=True)
class Mended:
    """Number of messages `kept`; of files that were damaged, the `originals` that stay beside, and bytes `lost`."""

    kept: int
    originals: tuple[str, ...] = ()
    lost: int = 0


@dataclass(frozen=True)
class _Part:
    """What becomes of a `file`: replaced by `copy` (None: stays, or has nothing), its `info` of metadata.yaml."""

    file: Path
    kept: int
    copy: Path | None
    info: dict[str, Any]
    damaged: int


def is_unfinished(bag: Path) -> bool:
    """Whether the recorder of bag folder `bag` never closed it: MCAP without end or without metadata."""
    files = mcap_files(bag)
    return bool(files) and (not (bag / METADATA).is_file() or any(not has_end(f) for f in files))


def recover(bag: Path, scratch: Path) -> Path | None:
    """A complete copy, under `scratch`, of what can be read of `bag`; None if `bag` is finished.

    Raises:
        ClamError: nothing in it can be read, or it is not one unfinished MCAP bag.
    """
    check_storage(bag)
    if not is_unfinished(bag):
        return None
    copy = scratch / bag.resolve().name
    if not _rewrite([McapScan(file) for file in mcap_files(bag)], copy):
        raise ClamError("the bag was not finished and holds no complete message")
    if (bag / "episode.yaml").is_file():
        shutil.copy2(bag / "episode.yaml", copy)
    return copy


def check_storage(bag: Path) -> None:
    """Raise ClamError for what looks like an unfinished bag and is none, or none that can be read here."""
    if (bag / METADATA).is_file():
        return
    files = mcap_files(bag)
    if not files and any(bag.glob("*.db3")):
        raise ClamError(f"it has no {METADATA}, its recorder did not finish it: ros2 bag reindex -s sqlite3 {bag}")
    split = [f"{bag.resolve().name}_{number}.mcap" for number in range(len(files))]
    ended = [has_end(file) for file in files]
    if len(files) > 1 and (all(ended) or not all(ended[:-1]) or [file.name for file in files] != split):
        raise ClamError(
            f"{len(files)} .mcap files without {METADATA}: several recordings; put each in its own folder "
            f"(or, if it is one that was split: ros2 bag reindex -s mcap {bag})"
        )


def recover_bag(path: Path) -> int:
    """As `mend_bag`; the number of messages kept."""
    return mend_bag(path).kept


def mend_bag(path: Path) -> Mended:
    """Make the unfinished bag folder `path` complete, in place.

    A new file replaces the old one at once, so being killed here loses nothing. A finished bag, one in which no message
    can be read (0 are kept), and files that have their end, are left as they are. Of a file that is damaged before its
    end, the original is kept as ``NAME.mcap.damaged``.

    Raises:
        ClamError: its recorder had closed it, so that what is missing now was lost later; or it is not of ROS 2; or it
            is more than one recording.
    """
    path = Path(path).resolve()
    check_storage(path)
    files = mcap_files(path)
    if not is_unfinished(path):
        return Mended(sum(1 for file in files for _ in McapScan(file)))
    if (path / SIDECAR).exists():
        mend = f"restore it from a copy, or delete {SIDECAR} to recover what is there"
        raise ClamError(f"it was closed by its recorder, and was cut off or lost files since: {mend}")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.recovery-", dir=path.parent) as scratch:
        parts = [_part(file, Path(scratch)) for file in files]
        kept = sum(part.kept for part in parts)
        if not kept:
            return Mended(0)
        metadata = Path(scratch) / METADATA
        metadata.write_text(yaml.safe_dump({_INFO: _joint_info([p.info for p in parts if p.kept])}, sort_keys=False))
        metadata.replace(path / METADATA)  # first: with it, all files are one bag, whenever this ends
        originals = tuple(name for part in parts if (name := _put(part)))
        describe(path)
    return Mended(kept, originals, sum(part.damaged for part in parts))


def _part(file: Path, scratch: Path) -> _Part:
    """`file` read and written anew under `scratch`, if it needs that."""
    copy, scan = scratch / file.stem, McapScan(file)
    kept = _rewrite([scan], copy)
    if not kept:
        return _Part(file, 0, None, {}, scan.damaged)
    info = yaml.safe_load((copy / METADATA).read_text())[_INFO]
    if has_end(file) and not scan.damaged and _opens(file, copy, kept):
        return _Part(file, kept, None, info, 0)
    return _Part(file, kept, copy / file.name, info, scan.damaged)


def _opens(file: Path, copy: Path, messages: int) -> bool:
    """Whether `file` can stay as it is: its `messages` are read with the metadata of its `copy`."""
    trial = copy / "trial"
    trial.mkdir()
    shutil.copy2(copy / METADATA, trial)
    (trial / file.name).symlink_to(file)
    with suppress(Exception), Reader(trial) as reader:  # rosbags raises whatever its parsers stumble over
        return sum(1 for _ in reader.messages()) == messages
    return False


def _put(part: _Part) -> str | None:
    """Put the mended file into its place; the name of the original where it is kept."""
    original = None
    if part.damaged or (part.copy is not None and has_end(part.file)):
        original = _keep(part.file)
    if part.copy is not None:
        part.copy.replace(part.file)
    elif not part.kept and not has_end(part.file):
        part.file.unlink(missing_ok=True)  # the last one of a split bag, without any message
    return original


def _keep(file: Path) -> str:
    """Give `file` a second name, its first one if that is impossible; a name that nothing has."""
    number, kept = 1, file.with_name(f"{file.name}.damaged")
    while kept.exists():
        number += 1
        kept = file.with_name(f"{file.name}.damaged{number}")
    try:
        os.link(file, kept)
    except OSError:  # a file system without links
        file.rename(kept)
    return kept.name


def _joint_info(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What metadata.yaml says of the files that `parts` say it of."""
    begin = min(part["starting_time"]["nanoseconds_since_epoch"] for part in parts)
    ends = [part["starting_time"]["nanoseconds_since_epoch"] + part["duration"]["nanoseconds"] for part in parts]
    topics: dict[str, dict[str, Any]] = {}
    for topic in (topic for part in parts for topic in part["topics_with_message_count"]):
        known = topics.setdefault(topic["topic_metadata"]["name"], {**topic, "message_count": 0})
        known["message_count"] += topic["message_count"]
    return {
        **parts[0],
        "relative_file_paths": [name for part in parts for name in part["relative_file_paths"]],
        "duration": {"nanoseconds": max(ends) - begin},
        "starting_time": {"nanoseconds_since_epoch": begin},
        "message_count": sum(part["message_count"] for part in parts),
        "topics_with_message_count": list(topics.values()),
        "files": [file for part in parts for file in part["files"]],
    }


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
    """Its storage files, in the order of their numbers: ``bag_2.mcap`` before ``bag_10.mcap``."""

    def order(file: Path) -> tuple[str, int]:
        name, _, number = file.stem.rpartition("_")
        return (name, int(number)) if number.isascii() and number.isdigit() else (file.stem, -1)

    return sorted(bag.glob("*.mcap"), key=order)


def _rewrite(files: Iterable[McapScan], target: Path) -> int:
    """Write all messages of `files` as the complete bag `target`; returns how many. When 0, it is removed.

    Raises:
        ClamError: they are not those of ROS 2.
    """
    typestore = get_typestore(Stores.ROS2_JAZZY)
    connections: dict[tuple[str, str], Any] = {}
    kept = 0
    with Writer(target, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        for file in files:
            for schema, channel, message in file:
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
