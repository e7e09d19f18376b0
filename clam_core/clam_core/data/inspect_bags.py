"""A folder of bags as a dataset for as long as somebody looks at it: without its images, which say nothing of reach."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clam_core.data.bag_reader import find_bags, read_bag
from clam_core.data.bag_spec import EPISODE_STEP
from clam_core.data.bag_topics import Topics
from clam_core.data.importing import EpisodeError, ImportOptions, ImportReport
from clam_core.data.rosbag import import_rosbag
from clam_core.errors import ClamError

RATE = 10.0  # [Hz] of steps, where the bags have none of their own


@dataclass(frozen=True)
class Viewed:
    """Dataset `path` to look at, what to call it, and remarks about bags that are not in it."""

    path: Path
    shown: str
    remarks: tuple[str, ...] = ()


@contextmanager
def as_dataset(source: Path) -> Iterator[Viewed]:
    """`source` itself if it is a dataset; what can be imported of it if it holds bags.

    Raises:
        ClamError: no bag in it is sound.
    """
    if not _holds_bags(source):
        yield Viewed(source, str(source))
        return
    with tempfile.TemporaryDirectory(prefix="clam-inspect-") as folder:
        path = Path(folder) / "dataset"
        report, how = _import(source, path)
        yield Viewed(path, str(source), (*how, *(f"rejected {name}: {why}" for name, why in report.rejected)))


def _holds_bags(source: Path) -> bool:
    if not source.is_dir() or (source / ".zgroup").exists():
        return False
    try:
        return bool(find_bags(source))
    except ClamError:
        return False


def _import(source: Path, out: Path) -> tuple[ImportReport, tuple[str, ...]]:
    """With the steps that the bags have, else resampled, as on a robot; without actions where there are none."""
    rate = None if _has_steps(source) else RATE
    tolerance = None if rate is None else 1.0 / rate  # for a look, a late message does as well
    how: tuple[str, ...] = () if rate is None else (f"resampled to {rate:g} Hz",)

    def attempt(actions: bool) -> ImportReport:
        options = ImportOptions(cameras=(), rate=rate, actions=actions)
        return import_rosbag(source, out, options, tolerance=tolerance, progress=None)

    try:
        return attempt(actions=True), how
    except ClamError as error:
        why = error
    try:
        return attempt(actions=False), (*how, f"without actions: {why}")
    except ClamError:
        raise why from None  # what is wrong is not the actions


def _has_steps(source: Path) -> bool:
    """Whether the first bag that can be read is of a simulator, which numbers its steps."""
    for bag in find_bags(source):
        try:
            state = read_bag(bag, Topics()).state
        except EpisodeError:
            continue
        if state is not None:
            return EPISODE_STEP in state.names
    return False
