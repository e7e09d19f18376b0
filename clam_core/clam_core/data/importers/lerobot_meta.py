"""What the ``meta`` folder of a LeRobot dataset tells: features, tasks, and where each episode's rows and frames are.

Version 2.1 has one Parquet file and one video per episode; version 3.0 puts many episodes into a file, and its
table of episodes says where each begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clam_core.data import lerobot_format as form
from clam_core.errors import ClamError


@dataclass(frozen=True)
class Entry:
    """One episode.

    Attributes:
        index: its number in the dataset.
        length: N, its frames.
        tasks: what was to be done, in words.
        data: Parquet file of its rows.
        videos: camera feature → (file, seconds at which the episode begins in it).
    """

    index: int
    length: int
    tasks: tuple[str, ...]
    data: Path
    videos: dict[str, tuple[Path, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Meta:
    """The dataset folder, its version, frames per second, features (as in ``info.json``) and episodes."""

    root: Path
    version: str
    fps: float
    robot: str | None
    features: dict[str, dict[str, Any]]
    entries: tuple[Entry, ...]
    clam: dict[str, Any]

    def of_type(self, *types: str) -> list[str]:
        """Names of the features of these dtypes."""
        return [name for name, feature in self.features.items() if feature.get("dtype") in types]


def read_meta(root: Path) -> Meta:
    """What the LeRobot dataset in folder `root` tells.

    Raises:
        ClamError: there is none, of another version, or its ``meta`` folder is damaged.
    """
    if not (root / form.INFO).is_file():
        raise ClamError(f"no LeRobot dataset at '{root}' (no {form.INFO}); give the folder that holds 'meta'")
    try:
        info = json.loads((root / form.INFO).read_text())
        version = str(info["codebase_version"])
        if not re.match(r"v(2\.[01]|3\.)", version):
            raise ClamError(
                f"'{root}' is LeRobot {version}, valid: v2.0, v2.1, v3.x; convert it with lerobot's scripts"
            )
        features = {str(name): dict(feature) for name, feature in info["features"].items()}
        fps = float(info["fps"])
        if not fps > 0:
            raise ValueError(f"fps is {fps}")
        videos = [name for name, feature in features.items() if feature.get("dtype") == "video"]
        entries = tuple((_entries_3 if version.startswith("v3") else _entries_2)(root, info, videos))
        clam = json.loads((root / form.CLAM).read_text()) if (root / form.CLAM).is_file() else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, pa.ArrowException) as error:
        line = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise ClamError(f"'{root}' has a damaged 'meta' folder ({line}); download it again") from error
    robot = info.get("robot_type")
    return Meta(root, version, fps, str(robot) if robot else None, features, entries, clam)


def _entries_3(root: Path, info: dict[str, Any], videos: list[str]) -> Iterator[Entry]:
    for file in sorted((root / form.EPISODES_FOLDER).glob("*/*.parquet")):
        names = [name for name in pq.read_schema(file).names if not name.startswith("stats/")]
        for row in pq.read_table(file, columns=names).to_pylist():
            places = {}
            for key in videos:
                numbers = {
                    "chunk_index": row[f"videos/{key}/chunk_index"],
                    "file_index": row[f"videos/{key}/file_index"],
                }
                path = _inside(root, str(info["video_path"]), video_key=key, **numbers)
                places[key] = (path, float(row[f"videos/{key}/from_timestamp"]))
            yield Entry(
                index=int(row["episode_index"]),
                length=int(row["length"]),
                tasks=tuple(row.get("tasks") or ()),
                data=_inside(
                    root,
                    str(info["data_path"]),
                    chunk_index=row["data/chunk_index"],
                    file_index=row["data/file_index"],
                ),
                videos=places,
            )


def _entries_2(root: Path, info: dict[str, Any], videos: list[str]) -> Iterator[Entry]:
    size = int(info["chunks_size"])
    for line in (root / form.EPISODES_21).read_text().splitlines():
        if not line.strip():
            continue
        row = json.loads(line)
        index = int(row["episode_index"])
        place = {"episode_chunk": index // size, "episode_index": index}
        yield Entry(
            index=index,
            length=int(row["length"]),
            tasks=tuple(row.get("tasks") or ()),
            data=_inside(root, str(info["data_path"]), **place),
            videos={key: (_inside(root, str(info["video_path"]), video_key=key, **place), 0.0) for key in videos},
        )


def _inside(root: Path, template: str, **values: Any) -> Path:
    """The file that a path template of ``info.json`` names; never one outside the dataset's folder."""
    path = PurePosixPath(template.format(**values))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"path '{path}' leaves the dataset")
    return root / path
