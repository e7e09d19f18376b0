"""rosbag2 folders → dataset. Every bag is kept or rejected with its reason; nothing is lost silently."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clam_core.data.bag_images import frame_size, read_frames
from clam_core.data.bag_join import Alignment, join
from clam_core.data.bag_reader import Recording, bag_hash, deeper_bags, find_bags, open_bag, parsing, read_bag
from clam_core.data.bag_spec import spec_from_bags
from clam_core.data.bag_topics import Topics
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.importing import UNKNOWN, EpisodeError, ImportOptions, ImportReport, import_all, nothing_sound
from clam_core.data.provenance import provenance
from clam_core.data.store_writer import check_free
from clam_core.envs import ENVS, make_env
from clam_core.errors import ClamError, did_you_mean
from clam_core.spec import CameraSpec, EnvironmentSpec

_log = logging.getLogger(__name__)


def import_rosbag(
    src: str | Path,
    out: str | Path,
    options: ImportOptions | None = None,
    *,
    topics: Topics | None = None,
    tolerance: float | None = None,
    progress: bool | None = False,
) -> ImportReport:
    """Write the sound episodes of bag folder(s) `src` to dataset folder `out`.

    Args:
        options: `env` describes the recordings where their episode.yaml names none; without either, the names
            and the rate are those seen in the bags. With `actions`, bags without commands are rejected. A `rate`
            resamples all streams to it; without, every state message is a step.
        topics: what the topics are called.
        tolerance: how far a message may be from the step that it belongs to [s]; half a period by default.
        progress: show a bar; None for only on a terminal.

    Raises:
        ClamError: no bags, existing `out`, bags of different tasks or kinds, or no sound bag at all.
    """
    options = options or ImportOptions()
    check_free(Path(out))
    source = RosbagSource(Path(src), options, topics or Topics(), tolerance, progress)
    return import_all(source, out, actions=options.actions, progress=progress)


class RosbagSource:
    """Bag folders, read but for their images; see `Source`."""

    def __init__(
        self, src: Path, options: ImportOptions, topics: Topics, tolerance: float | None, progress: bool | None
    ) -> None:
        self._bags = {bag.name: bag for bag in find_bags(src)}
        if deeper := deeper_bags(src):
            _log.warning("%d deeper bags not read, e.g. '%s': import their folder by itself", len(deeper), deeper[0])
        self._options = options
        self._alignment = Alignment(options.rate, tolerance)
        self._recordings: dict[str, Recording | EpisodeError] = {}
        quiet = None if progress is None else not progress
        for name, bag in tqdm(self._bags.items(), desc="read bags", unit="bag", disable=quiet):
            try:
                self._recordings[name] = read_bag(bag, topics)
            except EpisodeError as error:
                self._recordings[name] = error
        sound = [r for r in self._recordings.values() if isinstance(r, Recording)]
        reasons = [(name, str(r)) for name, r in self._recordings.items() if isinstance(r, EpisodeError)]
        self._kind = options.kind or _agreed(sound, "kind", None) or UNKNOWN
        spec = _spec(sound, options, reasons)
        self.info = DatasetInfo(spec, self._kind, provenance("import rosbag", ("rosbags", "mcap", "zarr")))
        self.info.provenance.update(
            folder=src.resolve().name, topics=asdict(topics), tolerance=tolerance, rate=options.rate
        )

    def names(self) -> list[str]:
        """See `Source`."""
        return list(self._bags)

    def read(self, name: str) -> tuple[Episode, tuple[str, ...]]:
        """See `Source`."""
        recording = self._recordings[name]
        if isinstance(recording, EpisodeError):
            raise recording
        spec = self.info.spec
        joined = join(recording, spec, actions=self._options.actions, kind=self._kind, alignment=self._alignment)
        images = {}
        if joined.frames:
            with open_bag(recording.bag) as (reader, _), parsing():
                for camera in spec.observation.cameras:
                    topic = recording.cameras[camera.name].topic
                    size = camera.height, camera.width
                    images[camera.name] = read_frames(reader, topic, joined.frames[camera.name].tolist(), size)
        episode = replace(
            joined.episode,
            observations={**joined.episode.observations, **images},
            metadata={**_origin(recording), **joined.episode.metadata},
        )
        return episode, joined.notes


def _origin(recording: Recording) -> dict[str, Any]:
    """Which bag an episode comes from."""
    described = {key: _plain(recording.description.get(key)) for key in ("operator", "start", "stop", "software")}
    return {
        "bag": recording.bag.name,
        "sha256": bag_hash(recording.bag),
        "recovered": recording.recovered,
        **described,
    }


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


def _spec(recordings: list[Recording], options: ImportOptions, reasons: list[tuple[str, str]]) -> EnvironmentSpec:
    """The environment's own spec where its name is known, else what the bags show; with the bags' cameras."""
    env, task = options.env, options.task
    if env is not None and env not in ENVS:
        raise ClamError(f"unknown environment '{env}', {did_you_mean(env, ENVS)}; leave --env out for a robot")
    env, task = _agreed(recordings, "env", env), _agreed(recordings, "task", task)
    if env in ENVS and not task:
        raise ClamError(f"environment '{env}' without a task; give --task")
    if env in ENVS and task:
        environment = make_env(env, task)
        environment.close()
        spec = environment.spec
        if options.rate is not None and abs(options.rate - spec.rate) > 1e-6:
            raise ClamError(f"--rate {options.rate:g} but {env} {task} has {spec.rate:g} Hz; leave --rate out")
    else:
        try:
            spec = spec_from_bags(recordings, env or UNKNOWN, task or UNKNOWN, options.rate)
        except EpisodeError as error:
            raise nothing_sound(reasons or [(_stateless(recordings), str(error))]) from error
    cameras = tuple(_camera(recordings, name, options.image_size) for name in _camera_names(recordings, options))
    return replace(spec, observation=replace(spec.observation, cameras=cameras))


def _stateless(recordings: list[Recording]) -> str:
    """The first bag, with what it holds."""
    return f"{recordings[0].bag.name} (it has {recordings[0].listed_topics()}; see --state-topic)"


def _camera_names(recordings: list[Recording], options: ImportOptions) -> list[str]:
    """The cameras asked for, else those that most of the bags have."""
    counts = Counter(name for recording in recordings for name in recording.cameras)
    if options.cameras is None:
        return sorted(name for name, count in counts.items() if 2 * count > len(recordings))
    for name in options.cameras:
        if name not in counts:
            hint = did_you_mean(name, list(counts)) if counts else "they have none"
            raise ClamError(f"no bag has a camera '{name}': {hint}")
    return list(options.cameras)


def _camera(recordings: list[Recording], name: str, image_size: int | None) -> CameraSpec:
    """The camera as it will be stored; its own size is that of the first frame that can be read."""
    if image_size is not None:
        return CameraSpec(name, image_size, image_size)
    reasons = []
    for recording in recordings:
        if name in recording.cameras:
            try:
                with open_bag(recording.bag) as (reader, _), parsing():
                    return CameraSpec(name, *frame_size(reader, recording.cameras[name].topic))
            except EpisodeError as error:
                reasons.append((recording.bag.name, str(error)))
    raise nothing_sound(reasons)


def _plain(value: Any) -> Any:
    """`value` of a YAML file as JSON: YAML knows dates, JSON does not."""
    return json.loads(json.dumps(value, default=str))
