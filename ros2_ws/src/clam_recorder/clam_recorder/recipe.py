"""What an episode is made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clam_recorder.bag_writer import BagWriter
from clam_recorder.disk_room import DiskRoom
from clam_recorder.episode_outcome import Status


@dataclass(frozen=True)
class Recipe:
    """What stays the same from episode to episode.

    `topics` maps topic to message type, `about` goes into episode.yaml (task, kind, operator, …), `open_bag`
    makes the bag, `read_status` decodes messages of `status_topic`, `queue_bytes` bounds what waits to be
    written, `room` watches the disk.
    """

    topics: Mapping[str, str]
    about: Mapping[str, Any]
    open_bag: Callable[[Path, Mapping[str, str]], BagWriter]
    read_status: Callable[[bytes], Status]
    status_topic: str
    queue_bytes: int = 256 * 2**20
    room: DiskRoom | None = None
