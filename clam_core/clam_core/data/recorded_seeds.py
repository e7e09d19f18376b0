"""Which seeds a folder of bags has already: a seed that is recorded twice is one episode twice, also held-out ones."""

from __future__ import annotations

from pathlib import Path

from clam_core.data.bag_description import NAME, ended_early, read_description
from clam_core.errors import ClamError


def recorded_seeds(folder: Path, env: str, task: str, kind: str) -> frozenset[int]:
    """Seeds of the whole episodes of that env, task and kind in `folder`, as their episode.yaml tells.

    One that was cut short does not count: no importer would keep it. A person's has no seed.

    Raises:
        ClamError: an episode.yaml cannot be read.
    """
    seeds = set()
    for file in sorted(folder.glob(f"*/{NAME}")):
        try:
            about = read_description(file.parent)
        except ClamError as error:
            raise ClamError(f"'{file.parent}': {error}; mend it, or choose another `out`") from error
        seed = about.get("seed")
        same = [about.get(name) for name in ("env", "task", "kind")] == [env, task, kind]
        if same and isinstance(seed, int) and seed >= 0 and ended_early(about) is None:
            seeds.add(seed)
    return frozenset(seeds)
