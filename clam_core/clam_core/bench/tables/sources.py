"""The datasets that benchmark cells learn from: recipes of generated data, made once and shared by all cells."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clam_core.bench.lock import locked
from clam_core.data.episode import DatasetInfo
from clam_core.data.generate import generate
from clam_core.data.generate_rl import generate_rl, is_learned
from clam_core.data.provenance import provenance
from clam_core.data.select import Selection, select
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import StoreWriter
from clam_core.errors import ClamError
from clam_core.rl.config import AgentConfig

AGENT_SEED = 0


@dataclass(frozen=True)
class Source:
    """`episodes` of `kind`, the first of them from seed `seed`.

    Of a trained agent's replay, which is the same whatever the seed, it takes episodes from its beginning to its end,
    at even distances. `part` i of `parts`: only from every `parts`-th episode, so that no two parts share one; the
    last is also called 0. `camera` names one or several cameras, with commas (None: the environment's usual one).
    `agent` is the algorithm of a trained one (TD3 by default: so were those of before there was a choice), `explore`
    that its expert samples its actions.
    """

    env: str
    task: str
    kind: str
    episodes: int
    seed: int
    image_size: int | None = None
    part: int = 0
    parts: int = 1
    camera: str | None = None
    agent: str = "td3"
    explore: bool = False

    def folder(self, root: Path) -> Path:
        """Where it lies below the folder of all benchmarks."""
        picture = f"-{self.image_size}px" if self.image_size else ""
        picture += f"-{self.camera.replace(',', '+')}" if self.camera else ""
        part = f"-part{self.part}of{self.parts}" if self.parts > 1 else ""
        place = f"{self.env}-{self.task}{'' if self.agent == 'td3' else f'-{self.agent}'}"
        return root / "data" / place / f"{self.kind}-{self.episodes}-{self.seed}{picture}{part}{self._exploring}"

    @property
    def _exploring(self) -> str:
        return "-explore" if self.explore else ""

    def make(self, root: Path, workers: int) -> float:
        """Generate it, or go on where an interrupted call stopped; the seconds that took (0: it was there).

        Raises:
            ClamError: see `generate` and `generate_rl`; or a replay has too few episodes.
        """
        path = self.folder(root)
        with locked(path):
            if path.exists() and EpisodeStore.open(path, actions=False).num_episodes == self.episodes:
                return 0.0
            return self._make(path, root, workers)

    def _make(self, path: Path, root: Path, workers: int) -> float:
        started = time.monotonic()
        if is_learned(self.env, self.task):
            with locked(path.parent / "agent"):  # its replay is every part's
                shutil.rmtree(path, ignore_errors=True)  # what an interrupted call has copied
                self._of_agent(path)
        else:
            asked = {"image_size": self.image_size, "camera": self.camera}
            options: dict[str, Any] = {name: value for name, value in asked.items() if value}
            generate(
                self.env, self.task, self.kind, self.episodes, self.seed, path,
                workers=workers, resume=True, progress=None, **options,
            )  # fmt: skip
        seconds = time.monotonic() - started
        with (root / "data" / "seconds.jsonl").open("a") as log:
            log.write(json.dumps({"dataset": str(path.relative_to(root)), "seconds": seconds}) + "\n")
        return seconds

    def _of_agent(self, path: Path) -> None:
        if self.kind == "expert":
            # The agent's seed is the first of its expert episodes: take as many as reach the ones wanted.
            first = self.seed + self.episodes
            rolled = self._lived(path.with_name(f"expert-first-{first}{self._exploring}"), first)
            select([rolled], path, Selection(episodes=slice(self.seed, self.seed + self.episodes)))
            return
        replay = self._lived(path.with_name(f"{self.kind}-all-{AGENT_SEED}"), None)
        store = EpisodeStore.open(replay)
        chosen = self._of_replay(store.num_episodes)
        info = DatasetInfo(store.info.spec, store.info.kind, provenance("replay", ("zarr",)))
        info.provenance["sources"] = [{"dataset": replay.name, "provenance": store.info.provenance}]
        info.provenance["episodes"] = chosen
        with StoreWriter(path, info, actions=True) as writer:
            for index in chosen:
                writer.append(store.episode(index))

    def _lived(self, path: Path, episodes: int | None) -> Path:
        """The agent's first `episodes`, all for None, at `path`: whole, whenever this process is killed."""
        if not path.exists():
            partial = path.with_name(f".{path.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            agent = path.parent / "agent"
            config = AgentConfig(algorithm=self.agent)
            generate_rl(
                self.env, self.task, self.kind, episodes, AGENT_SEED, partial,
                agent=agent, config=config, explore=self.explore,
            )  # fmt: skip
            partial.rename(path)
        return path

    def _of_replay(self, count: int) -> list[int]:
        """Which of the `count` episodes of a replay.

        Raises:
            ClamError: there are too few, or no such part.
        """
        what = f"{self.kind} of {self.env} {self.task}"
        if not 0 <= self.part <= self.parts:
            raise ClamError(
                f"{what} is shared out in {self.parts} parts, there is no part {self.part}; use fewer seeds"
            )
        if count < self.episodes * self.parts:
            raise ClamError(
                f"{what} has {count} episodes, fewer than {self.parts} x {self.episodes}; ask for fewer, where "
                "clam_core/bench/tables/definitions.py says how many"
            )
        ours = np.arange(self.part % self.parts, count, self.parts)
        places = np.linspace(0, len(ours) - 1, self.episodes).round().astype(int)
        return [int(index) for index in ours[places]]
