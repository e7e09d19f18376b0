"""Which seeds a folder of bags has already: a seed that is recorded twice is one episode twice, also held-out ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from clam_core.data.bag_description import NAME, ended_early, read_description
from clam_core.errors import ClamError

_log = logging.getLogger(__name__)


def recorded_seeds(folder: Path, env: str, task: str, kind: str, operator: str, camera: str = "") -> frozenset[int]:
    """Seeds of `operator`'s whole episodes of that env, task and kind in `folder`, as their episode.yaml tells.

    One that was cut short does not count: no importer would keep it; nor does one whose episode.yaml cannot be read. A
    person's has no seed.

    Raises:
        ClamError: such an episode has no images of `camera` (empty: none are wanted), so it could not stand for one
            with them.
    """
    seeds = set()
    for file in sorted(folder.glob(f"*/{NAME}")):
        try:
            about = read_description(file.parent)
        except ClamError as error:
            _log.warning("'%s' does not count: %s", file.parent, error)
            continue
        seed = about.get("seed")
        mine = {"env": env, "task": task, "kind": kind, "operator": operator}
        same = {name: about.get(name) for name in mine} == mine
        if same and isinstance(seed, int) and seed >= 0 and ended_early(about) is None:
            if camera and not _has_images(about, camera):
                raise ClamError(
                    f"'{file.parent}' has seed {seed} without images of '{camera}': choose another `out:=` or `seed:=`"
                )
            seeds.add(seed)
    return frozenset(seeds)


def _has_images(about: dict[str, Any], camera: str) -> bool:
    return any(f"camera/{camera}/" in topic and count for topic, count in (about.get("messages") or {}).items())
