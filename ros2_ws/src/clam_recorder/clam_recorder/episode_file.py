"""episode.yaml: what a bag is of. Written when an episode begins (`complete: false`) and again when it is
closed.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

FORMAT_VERSION = 1
NAME = "episode.yaml"
_FOLDER = re.compile(r"episode_(\d{4,})$")


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def write(bag: Path, content: Mapping[str, Any]) -> None:
    """Write ``<bag>/episode.yaml`` atomically.

    Raises:
        OSError: the folder cannot be written.
    """
    partial = bag / f".{NAME}.partial"
    partial.write_text(yaml.safe_dump({"format_version": FORMAT_VERSION, **content}, sort_keys=False))
    os.replace(partial, bag / NAME)


def read(bag: Path) -> dict[str, Any]:
    """Content of ``<bag>/episode.yaml``; empty when there is none or it is damaged."""
    try:
        content = yaml.safe_load((bag / NAME).read_text())
    except (OSError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def next_folder(out: Path) -> Path:
    """``episode_0000``, or one after the highest number that is there."""
    numbers = [int(match[1]) for path in out.glob("episode_*") if (match := _FOLDER.search(path.name))]
    return out / f"episode_{max(numbers, default=-1) + 1:04d}"


def unfinished(out: Path) -> list[Path]:
    """Bags whose recorder was killed: begun, never closed."""
    return sorted(
        path
        for path in out.glob("episode_*")
        if read(path).get("complete") is False and not (path / "metadata.yaml").exists()
    )


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
