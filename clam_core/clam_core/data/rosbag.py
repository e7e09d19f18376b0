"""rosbag2 folders → dataset. Every bag is kept or rejected with its reason; nothing is lost silently."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clam_core.data.bag_join import join, spec_from_bags
from clam_core.data.bag_reader import (
    COMMAND_TOPIC,
    STATE_TOPIC,
    STATUS_TOPIC,
    BagError,
    Recording,
    Topics,
    bag_hash,
    find_bags,
    read_bag,
)
from clam_core.data.episode import DatasetInfo
from clam_core.data.provenance import provenance
from clam_core.data.store_writer import StoreWriter, check_free
from clam_core.envs import ENVS, make_env
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import EnvironmentSpec

UNKNOWN = "unknown"


@dataclass(frozen=True)
class ImportReport:
    """Names of the bags that became episodes, ``(bag, why)`` of the others, and remarks ``(bag, remark)``."""

    path: Path
    kept: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    transitions: int

    @property
    def recovered(self) -> tuple[str, ...]:
        """Kept bags whose recorder had been killed."""
        return tuple(bag for bag, note in self.notes if note.startswith("recovered"))


def import_rosbag(
    src: str | Path,
    out: str | Path,
    *,
    actions: bool = True,
    env: str | None = None,
    task: str | None = None,
    state_topic: str = STATE_TOPIC,
    command_topic: str = COMMAND_TOPIC,
    status_topic: str = STATUS_TOPIC,
    progress: bool | None = False,
) -> ImportReport:
    """Write the sound episodes of bag folder(s) `src` to dataset folder `out`.

    Args:
        actions: store the commands as action labels; bags without them are then rejected.
        env: environment that describes the recordings, where their episode.yaml names none. Without either,
            the names and the rate are those seen in the bags.
        task: its task.
        progress: show a bar; None for only on a terminal.

    Raises:
        ClamError: no bags, existing `out`, bags of different tasks or kinds, or no sound bag at all.
    """
    src, out = Path(src), Path(out)
    check_free(out)
    bags = find_bags(src)
    topics = Topics(state_topic, command_topic, status_topic)
    rejected: dict[Path, str] = {}
    recordings = []
    for bag in tqdm(bags, desc="read bags", unit="bag", disable=None if progress is None else not progress):
        try:
            recordings.append(read_bag(bag, topics))
        except BagError as error:
            rejected[bag] = str(error)
    kind = _agreed(recordings, "kind", None) or UNKNOWN
    spec = _spec(recordings, env, task, rejected)
    joined = {}
    for recording in recordings:
        try:
            joined[recording.bag] = join(recording, spec, topics, actions=actions, kind=kind)
        except BagError as error:
            rejected[recording.bag] = str(error)
    if not joined:
        raise _nothing(src, rejected)
    info = DatasetInfo(spec, kind, provenance("import rosbag", ("rosbags", "mcap", "zarr")))
    info.provenance.update(_sources(src, recordings, set(joined), rejected, topics))
    with StoreWriter(out, info, actions=actions) as writer:
        for one in joined.values():
            writer.append(one.episode)
    return ImportReport(
        path=out,
        kept=tuple(bag.name for bag in joined),
        rejected=tuple((bag.name, rejected[bag]) for bag in bags if bag in rejected),
        notes=tuple((bag.name, note) for bag, one in joined.items() for note in one.notes),
        transitions=sum(len(one.episode) for one in joined.values()),
    )


def _agreed(recordings: Iterable[Recording], key: str, option: str | None) -> str | None:
    """What the episode.yaml files say about `key`; `option` where they say nothing.

    Raises:
        ClamError: they, or they and `option`, differ.
    """
    counts = Counter(str(r.description[key]) for r in recordings if r.description.get(key))
    if option is not None:
        counts.setdefault(option, 0)
    if len(counts) > 1:
        found = ", ".join(f"{value} ({count})" for value, count in counts.items())
        raise ClamError(f"bags of more than one {key}: {found}; a dataset has one, import them from separate folders")
    return next(iter(counts), None)


def _spec(recordings: list[Recording], env: str | None, task: str | None, rejected: dict[Path, str]) -> EnvironmentSpec:
    """The environment's own spec where its name is known, else what the bags show."""
    if env is not None and env not in ENVS:
        raise ClamError(f"unknown environment '{env}', {did_you_mean(env, ENVS)}; leave --env out for a robot")
    env, task = _agreed(recordings, "env", env), _agreed(recordings, "task", task)
    if env in ENVS and not task:
        raise ClamError(f"environment '{env}' without a task; give --task")
    if env in ENVS and task:
        environment = make_env(env, task)
        environment.close()
        return environment.spec
    try:
        return spec_from_bags(recordings, env or UNKNOWN, task or UNKNOWN)
    except BagError as error:
        why = next(iter(rejected.values()), str(error))
        raise ClamError(f"no sound bag to import: {why}") from error


def _sources(
    src: Path, recordings: list[Recording], kept: set[Path], rejected: dict[Path, str], topics: Topics
) -> dict[str, Any]:
    """The provenance of an import: each bag with its hash, what was rejected and why."""
    return {
        "folder": src.name,
        "topics": vars(topics),
        "bags": [
            {
                "bag": recording.bag.name,
                "sha256": bag_hash(recording.bag),
                "recovered": recording.recovered,
                **{key: _plain(recording.description.get(key)) for key in ("operator", "start", "stop", "software")},
            }
            for recording in recordings
            if recording.bag in kept
        ],
        "rejected": [{"bag": bag.name, "why": why} for bag, why in rejected.items()],
    }


def _plain(value: Any) -> Any:
    """`value` of a YAML file as JSON: YAML knows dates, JSON does not."""
    return json.loads(json.dumps(value, default=str))


def _nothing(src: Path, rejected: dict[Path, str]) -> ClamError:
    bag, why = next(iter(rejected.items()))
    more = f" (and {len(rejected) - 1} more rejected)" if len(rejected) > 1 else ""
    return ClamError(f"no sound bag in '{src}': {bag.name}: {why}{more}")
