"""Where episodes go and what ``episode.yaml`` says of the software; its form is `clam_core.data.bag_description`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from clam_core.data.bag_description import NAME, read_description, write_description
from clam_core.errors import ClamError

_FOLDER = re.compile(r"episode_(\d{4,})$")


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def next_folder(out: Path) -> Path:
    """``episode_0000``, or one after the highest number that is there."""
    numbers = [int(match[1]) for path in out.glob("episode_*") if (match := _FOLDER.search(path.name))]
    return out / f"episode_{max(numbers, default=-1) + 1:04d}"


def count_kept(out: Path) -> int:
    """Episodes in `out` that were closed."""
    return sum((bag / "metadata.yaml").is_file() for bag in out.glob("episode_*"))


def mark_success(bag: Path) -> dict[str, Any]:
    """Have the ``episode.yaml`` of a closed bag say that the episode succeeded; returns what it says now.

    Raises:
        ClamError: it is gone, or cannot be read or written.
    """
    description = read_description(bag)
    if not description:
        raise ClamError(f"'{bag / NAME}' is gone: nothing to mark")
    description["success"] = True
    try:
        write_description(bag, description)
    except OSError as error:
        raise ClamError(f"cannot mark '{bag}' ({error.strerror})") from error
    return description


def software() -> dict[str, str]:
    """Versions that made the recording."""
    versions = {"python": platform.python_version()}
    for package in ("clam_recorder", "clam_core"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "unknown"
    for name, variable in (("ros_distro", "ROS_DISTRO"), ("rmw", "RMW_IMPLEMENTATION")):
        versions[name] = os.environ.get(variable, "default")
    return versions
