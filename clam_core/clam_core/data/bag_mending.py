"""Folders of bags whose recorders were killed: which bags need mending, and what became of each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rosbags.rosbag2 import Reader

from clam_core.data.bag_description import NAME as DESCRIPTION
from clam_core.data.bag_description import read_description
from clam_core.data.bag_integrity import NAME as SIDECAR
from clam_core.data.bag_integrity import check_files, is_bag
from clam_core.data.bag_lock import borrowed
from clam_core.data.bag_recovery import check_storage, describe, is_unfinished, mcap_files, mend_bag
from clam_core.errors import ClamError

SPARE = 2**20  # bytes of room beyond the copy
BELOW = ("*", "*/*", "*/*/*")  # where bags are looked for


@dataclass(frozen=True)
class Recovered:
    """What became of one unfinished bag: `messages` kept, `seconds` from the first to the last of them.

    Without messages the bag is left as it was: its recorder was killed before it wrote any, or `error` says in one
    line what stood in the way. With messages, `error` says what was lost of a damaged file, and where the original is.
    """

    bag: Path
    messages: int = 0
    seconds: float = 0.0
    error: str = ""


def recover_folder(folder: Path) -> list[Recovered]:
    """Make every unfinished bag below `folder`, or `folder` itself if it is one, complete in place.

    Raises:
        ClamError: no such folder, no bag there or in folders up to two levels below, or a recorder writes there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ClamError(f"no folder at '{folder}'; give a bag folder, or a folder of bag folders")
    bags = _bags_by_folder(folder)
    if not bags:
        raise ClamError(f"no bag in '{folder}' nor up to two levels below; give a folder of bag folders")
    with ExitStack() as locks:
        for parent in bags:  # all of them, before anything is touched
            locks.enter_context(borrowed(parent))
        return [result for parent, found in bags.items() for result in _recover(parent, found)]


def recover_recordings(out: Path) -> list[Recovered]:
    """The same for a recorder, which holds the lock of `out`: directly in it, and only what a recorder described."""
    return _recover(out, (bag for bag in sorted(out.iterdir()) if os.path.isfile(bag / DESCRIPTION)))


def _recover(parent: Path, bags: Iterable[Path]) -> list[Recovered]:
    for rest in parent.glob(".*.recovery-*"):  # of a recovery that was killed; its bag is as it was
        shutil.rmtree(rest, ignore_errors=True)
    return [result for bag in bags if (result := _recovered(bag)) is not None]


def _recovered(bag: Path) -> Recovered | None:
    """What became of `bag`; None if it is finished."""
    try:
        check_storage(bag)
        if is_unfinished(bag):
            return _rewritten(bag)
        return _described(bag) if _is_undescribed(bag) else None
    except ClamError as error:
        return Recovered(bag, error=str(error))
    except Exception as error:  # rosbags raises whatever a foreign or damaged file makes its parsers stumble over
        text = " ".join(str(error).split())[:160]
        return Recovered(bag, error=f"it cannot be recovered ({type(error).__name__}: {text})")


def _rewritten(bag: Path) -> Recovered:
    size = sum(file.stat().st_size for file in mcap_files(bag))
    free = shutil.disk_usage(bag).free
    if free < size + SPARE:
        need = (size + SPARE) / 2**20
        raise ClamError(f"recovering needs {need:.0f} MiB, {free / 2**20:.0f} are free: make room")
    mended = mend_bag(bag)
    if not mended.kept:
        return Recovered(bag)
    seconds, error = _seconds(bag), ""
    if mended.originals:
        names = ", ".join(mended.originals)
        lost = f"about {max(1, round(mended.lost / 2**10))} KiB of it could not be read"
        error = f"{mended.kept} messages recovered, {seconds:.1f} s, but it is damaged: {lost}; kept as {names}"
    return Recovered(bag, mended.kept, seconds, error)


def _is_undescribed(bag: Path) -> bool:
    """Whether its recorder closed it, but was killed before ``episode.yaml`` and the sidecar said so."""
    try:
        description = read_description(bag)
    except ClamError:
        return False  # its importer will say so
    ours = "stop" in description and description["stop"] is None
    return ours and not (description.get("recovered") and (bag / SIDECAR).exists())


def _described(bag: Path) -> Recovered:
    check_files(bag)
    kept = describe(bag)
    return Recovered(bag, kept, _seconds(bag)) if kept else Recovered(bag)


def _seconds(bag: Path) -> float:
    with Reader(bag) as reader:
        return reader.duration * 1e-9


def _bags_by_folder(folder: Path) -> dict[Path, list[Path]]:
    """Folders that bags were recorded to, and the bags; `folder` may be a bag itself."""
    if is_bag(folder):
        return {folder.resolve().parent: [folder]}
    found: dict[Path, list[Path]] = {}
    for pattern in BELOW:
        for path in sorted(folder.glob(pattern)):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and is_bag(path):
                found.setdefault(path.parent, []).append(path)
    return found
