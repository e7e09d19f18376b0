"""What every exporter does the same: a dataset of this project as a folder in another format, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from clam_core.data.episode import Episode
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import check_free
from clam_core.errors import ClamError

IMAGES = ("video", "png")
STAMPS_NOTE = "the time of each observation is not kept"  # other formats count steps


@dataclass(frozen=True)
class ExportOptions:
    """What the user says about the export.

    Attributes:
        images: ``video`` (lossy, small) or ``png`` (lossless), where the format has both.
        fps: frames per second that the format shall declare [Hz], None for the dataset's rate.
        progress: show a bar; None for only on a terminal.
    """

    images: str = "video"
    fps: float | None = None
    progress: bool | None = False

    def __post_init__(self) -> None:
        if self.images not in IMAGES:
            raise ClamError(f"unknown kind of images '{self.images}', valid: {', '.join(IMAGES)}")
        if self.fps is not None and not self.fps > 0:
            raise ClamError(f"fps is {self.fps:g}; give a positive number")


@dataclass(frozen=True)
class ExportReport:
    """Where the export is, what it holds, what could not be kept as it was, and PSNR of each lossy camera [dB]."""

    path: Path
    episodes: int
    frames: int
    notes: tuple[str, ...] = ()
    psnr: dict[str, float] = field(default_factory=dict)


def open_dataset(path: Path) -> EpisodeStore:
    """The dataset folder `path`, with its labels if it has some.

    Raises:
        ClamError: no dataset there, a damaged one, or one without episodes.
    """
    store = EpisodeStore.open(path, actions=False)
    if not store.num_episodes:
        raise ClamError(f"dataset '{path}' has no episode; nothing to export")
    return EpisodeStore.open(path) if store.labeled else store


def episodes(store: EpisodeStore, options: ExportOptions) -> Iterator[tuple[int, Episode]]:
    """All episodes with their numbers, one in memory at a time, with a progress bar."""
    quiet = None if options.progress is None else not options.progress
    for index in tqdm(range(store.num_episodes), desc="export", unit="episode", disable=quiet):
        yield index, store.episode(index)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder near `out` that takes its place when the block ends well, and goes when it does not.

    Raises:
        ClamError: `out` exists, also only since the block began, or cannot be written.
    """
    check_free(out)
    place: Path | None = None  # of this process only
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
        partial = place / out.name  # with the permissions that new folders have, unlike `place`
        partial.mkdir()
        yield partial
        check_free(out)
        partial.rename(out)
    except OSError as error:
        raise ClamError(f"cannot write '{out}': {error}; choose another folder or free some space") from error
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
