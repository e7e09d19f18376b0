"""A dataset from others: merged, filtered, sliced, split by episode."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.importing import EpisodeError, Identity, check_new, identity
from clam_core.data.provenance import provenance
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import EnvironmentSpec, widest

_log = logging.getLogger(__name__)
SEVERAL = "several"  # the task or kind of a dataset that holds more than one


@dataclass(frozen=True)
class Selection:
    """Which episodes to take. Sources are split first, as a whole, so that an episode is in the same part whatever
    the filters; the part is filtered (so its share is not exactly `held_out`), then sliced.

    Attributes:
        success: only those that succeeded (True) or failed (False).
        kinds, tasks: only these.
        part: ``train`` or ``held-out`` of a split by episode; every source is split alike for a `split_seed`.
        held_out: share that is held out.
        split_seed: decides which.
        episodes: a slice of what is left, counted over all sources.
    """

    success: bool | None = None
    kinds: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    part: Literal["train", "held-out"] | None = None
    held_out: float = 0.1
    split_seed: int = 0
    episodes: slice = field(default_factory=lambda: slice(None))


def select(
    sources: Sequence[str | Path],
    out: str | Path,
    selection: Selection,
    *,
    actions: bool = True,
    progress: bool | None = False,
) -> EpisodeStore:
    """Write the episodes of datasets `sources` that `selection` picks to dataset folder `out`, and open it.

    Without `actions` the result is unlabeled; with them every source must be labeled. Each episode keeps the task,
    the kind and the dataset that it came from in its metadata. Of episodes with the same task, kind, seed and states
    only the first is taken: the others would be the same once more, held out here and trained on there. ``rejected`` of
    the result's provenance lists them.

    Raises:
        ClamError: existing `out`, no episode left, one that is not sound, or sources with other names, cameras, rates
            or without actions.
    """
    out = Path(out)
    check_free(out)
    stores = [EpisodeStore.open(path, actions=actions) for path in sources]
    _check_alike(stores)
    _check_known(stores, selection)
    picked, rejected = _pick(stores, selection)
    if not picked:
        raise ClamError(f"no episode of {', '.join(str(store.path) for store in stores)} is left; ask for less")
    origins = [_origin(store, index) for store, index in picked]
    tasks, kinds = ({origin[key] for origin in origins} for key in ("task", "kind"))
    spec = replace(_joint_spec(stores), task=tasks.pop() if len(tasks) == 1 else SEVERAL)
    info = DatasetInfo(spec, kinds.pop() if len(kinds) == 1 else SEVERAL, provenance("select", ("zarr",)))
    info.provenance["sources"] = [
        {"dataset": store.path.name, "provenance": store.info.provenance} for store in stores
    ]  # fmt: skip
    info.provenance["selection"] = {**vars(selection), "episodes": str(selection.episodes)}
    info.provenance["rejected"] = [{"episode": name, "why": why} for name, why in rejected]
    stamps = all(store.has_stamps for store in stores)
    if not stamps and any(store.has_stamps for store in stores):
        _log.warning("not all sources have stamps: the time of each observation is not kept")
    quiet = None if progress is None else not progress
    bar = tqdm(picked, desc="select", unit="episode", disable=quiet)
    with closing(bar), StoreWriter(out, info, actions=actions, stamps=stamps) as writer:
        for (store, index), origin in zip(bar, origins, strict=True):
            try:
                writer.append(_told(store.episode(index), origin, stamps))
            except ValueError as error:
                mend = "leave it out with --episodes, or record it anew"
                raise ClamError(f"episode {index} of '{store.path}' is not sound ({error}): {mend}") from error
    return EpisodeStore.open(out, actions=actions)


def _check_known(stores: list[EpisodeStore], selection: Selection) -> None:
    """Raise ClamError for a kind or task that no episode has."""
    origins = [_origin(store, index) for store in stores for index in range(store.num_episodes)]
    for key, wanted in (("kind", selection.kinds), ("task", selection.tasks)):
        there = sorted({origin[key] for origin in origins})
        for name in wanted or ():
            if name not in there:
                raise ClamError(f"no episode has {key} '{name}', {did_you_mean(name, there)}")


def _pick(
    stores: list[EpisodeStore], selection: Selection
) -> tuple[list[tuple[EpisodeStore, int]], list[tuple[str, str]]]:
    """Store and number of each episode to take, and ``(name, why)`` of those that were there before.

    Duplicates are found before the split, so that both parts of one take the same of them.
    """
    seen: dict[tuple[str, str], dict[Identity, str]] = {}
    picked, rejected = [], []
    for store in stores:
        held, states = _held_out(store, selection), store.array("state")
        for index in _filtered(store, selection):
            origin, same, name = _origin(store, index), _identity(store, states, index), f"{store.path} #{index}"
            alike = seen.setdefault((origin["task"], origin["kind"]), {})
            try:
                check_new(same, alike)
            except EpisodeError as error:
                rejected.append((name, str(error)))
                continue
            if same is not None:
                alike[same] = name
            if selection.part is None or held[index] == (selection.part == "held-out"):
                picked.append((store, index))
    return picked[selection.episodes], rejected


def _identity(store: EpisodeStore, states: npt.NDArray[Any], index: int) -> Identity | None:
    """Which episode it is; None for a person's, and for one of an agent that was still learning."""
    if "first_training_step" in store.episode_metadata[index]:
        return None
    start = int(store.episode_ends[index - 1]) if index else 0
    return identity(int(store.episode_seeds[index]), states[start : int(store.episode_ends[index])])


def _held_out(store: EpisodeStore, selection: Selection) -> npt.NDArray[np.bool_]:
    """Which episodes ``(E,)`` of `store` a split holds out; none without one."""
    held = np.zeros(store.num_episodes, dtype=bool)
    if selection.part is not None:
        count = round(selection.held_out * store.num_episodes)
        held[np.random.default_rng(selection.split_seed).permutation(store.num_episodes)[:count]] = True
    return held


def _filtered(store: EpisodeStore, selection: Selection) -> Iterator[int]:
    """Numbers of the episodes that have the success, kind and task asked for."""
    for index in range(store.num_episodes):
        origin = _origin(store, index)
        if (
            (selection.success is None or bool(store.episode_success[index]) == selection.success)
            and (selection.kinds is None or origin["kind"] in selection.kinds)
            and (selection.tasks is None or origin["task"] in selection.tasks)
        ):
            yield index


def _origin(store: EpisodeStore, index: int) -> dict[str, Any]:
    """Task, kind and dataset of an episode; what an earlier `select` said of it stands."""
    own = {"task": store.info.spec.task, "kind": store.info.kind, "dataset": store.path.name}
    return {**own, **{key: value for key, value in store.episode_metadata[index].items() if key in own}}


def _told(episode: Episode, origin: dict[str, Any], stamps: bool) -> Episode:
    told = replace(episode, metadata={**episode.metadata, **origin})
    return told if stamps else replace(told, stamps=None)


def _check_alike(stores: list[EpisodeStore]) -> None:
    """Raise ClamError where two datasets cannot be one."""
    first = stores[0]
    for store in stores[1:]:
        mine, theirs = first.info.spec, store.info.spec
        differs = [
            what
            for what, same in (
                ("environment", mine.env == theirs.env),
                ("state names", mine.observation.names == theirs.observation.names),
                ("cameras", mine.observation.cameras == theirs.observation.cameras),
                ("action names", mine.action.names == theirs.action.names),
                ("rate", abs(mine.rate - theirs.rate) <= 1e-3 * mine.rate),
            )
            if not same
        ]
        if differs:
            raise ClamError(f"'{first.path}' and '{store.path}' differ in {', '.join(differs)}; merge like with like")


def _joint_spec(stores: list[EpisodeStore]) -> EnvironmentSpec:
    """The first spec, with the widest action limits and the longest episodes of all."""
    specs = [store.info.spec for store in stores]
    action = widest([spec.action for spec in specs])
    return replace(specs[0], action=action, max_steps=max(spec.max_steps for spec in specs))
