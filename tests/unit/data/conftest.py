"""Small datasets and bags."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.data.store import DatasetInfo, Episode, StoreWriter
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec

STORE = get_typestore(Stores.ROS2_JAZZY)
STATE_TYPE, COMMAND_TYPE = "sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory"
IMAGE_TYPE, COMPRESSED_TYPE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
STATUS_NAMES = ("episode/index", "episode/step", "episode/seed", "reward", "return", "success", "done")


def tiny_spec(camera=False):
    cameras = (CameraSpec("front", 8, 6),) if camera else ()
    return EnvironmentSpec(
        env="robot",
        task="wave",
        observation=ObservationSpec(("a", "b", "c"), ("m", "m", "rad"), cameras),
        action=ActionSpec(("u", "v"), ("1", "1"), (-1.0, -1.0), (1.0, 1.0)),
        rate=20.0,
        max_steps=10,
    )


def tiny_episode(seed, steps=10, camera=False, success=False):
    rng = np.random.default_rng(seed)
    observations = {"state": rng.normal(size=(steps + 1, 3)).astype(np.float32)}
    if camera:
        observations["front"] = rng.integers(0, 255, (steps + 1, 8, 6, 3), dtype=np.uint8)
    return Episode(
        observations=observations,
        actions=rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
        rewards=rng.normal(size=steps).astype(np.float32),
        successes=np.arange(steps) >= (steps - 2 if success else steps),
        seed=seed,
        metadata={"bag": f"episode_{seed:04d}"},
    )


@pytest.fixture
def tiny():
    return SimpleNamespace(spec=tiny_spec, episode=tiny_episode, dataset=write_dataset)


def write_dataset(path, episodes, *, kind="play", actions=True, camera=False):
    with StoreWriter(path, DatasetInfo(tiny_spec(camera), kind, {"source": "test"}), actions=actions) as writer:
        for episode in episodes:
            writer.append(episode)
    return path


@dataclass
class Bag:
    """Messages of one bag; tests spoil them before `write`."""

    states: list = field(default_factory=list)  # (stamp ns, names, values)
    commands: list = field(default_factory=list)
    statuses: list = field(default_factory=list)
    images: dict = field(default_factory=dict)  # topic → (stamp ns, encoding, image) or (stamp ns, "jpeg", bytes)
    description: dict | None = None
    storage: StoragePlugin = StoragePlugin.MCAP

    def write(self, path: Path, *, finish=True, flush_every=5) -> Path:
        writer = Writer(path, version=8, storage_plugin=self.storage)
        writer.open()
        series = (
            ("/observation/state", STATE_TYPE, self.states),
            ("/command", COMMAND_TYPE, self.commands),
            ("/episode/status", STATE_TYPE, self.statuses),
        )
        series += tuple(
            (topic, COMPRESSED_TYPE if rows[0][1] == "jpeg" else IMAGE_TYPE, rows)
            for topic, rows in self.images.items()
        )
        messages = []
        for order, (topic, kind, rows) in enumerate(series):
            if rows:
                connection = writer.add_connection(topic, kind, typestore=STORE)
                messages += [(row[3] if len(row) > 3 else row[0] + order, connection, kind, row) for row in rows]
        for count, (time, connection, kind, row) in enumerate(sorted(messages, key=lambda m: m[0]), start=1):
            writer.write(connection, time, STORE.serialize_cdr(_message(kind, *row[:3]), kind))
            if not finish and count % flush_every == 0:
                writer.storage.close_chunk()
        if finish:
            writer.close()
        else:  # SIGKILL: the summary, the footer and metadata.yaml never come
            writer.storage.bio.flush()
            writer.abort()
        if self.description is not None:
            (path / "episode.yaml").write_text(yaml.safe_dump(self.description))
        return path


def _message(kind, stamp, names, values):
    types = STORE.types
    header = types["std_msgs/msg/Header"](
        stamp=types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id=""
    )
    if kind == COMPRESSED_TYPE:
        return types[kind](header, names, np.frombuffer(values, dtype=np.uint8))
    if kind == IMAGE_TYPE:
        padded = np.zeros((values.shape[0], values[0].nbytes + 5), dtype=np.uint8)  # rows may be longer than the image
        padded[:, :-5] = values.reshape(len(values), -1)
        return types[kind](header, *values.shape[:2], names, 0, padded.shape[1], padded.ravel())
    values, empty = np.asarray(values, dtype=np.float64), np.zeros(0)
    if kind == STATE_TYPE:
        return types[kind](header, list(names), values, empty, empty)
    duration = types["builtin_interfaces/msg/Duration"](sec=0, nanosec=0)
    point = types["trajectory_msgs/msg/JointTrajectoryPoint"](values, empty, empty, empty, duration)
    return types[kind](header, list(names), [point])


@pytest.fixture
def make_bag():
    """A sound bag of `episode`: lockstep simulator with in-band fields, or a real robot without them."""

    def make(episode, *, index=0, simulated=True, start=10**9, rate=20.0, **description) -> Bag:
        period = round(1e9 / rate)
        stamps = [start + i * period for i in range(len(episode) + 1)]
        bag = Bag(description=description or None)
        total = 0.0
        for i, stamp in enumerate(stamps):
            names, values = ("a", "b", "c"), list(episode.observations["state"][i])
            if simulated:
                names, values = (*names, "episode/index", "episode/step"), [*values, index, i]
                reward = float(episode.rewards[i - 1]) if i else 0.0
                success = bool(episode.successes[i - 1]) if i else False
                total += reward
                done = i == len(episode)
                status = [index, i, episode.seed, reward, total, success, done]
                bag.statuses.append((stamp, STATUS_NAMES, status))
            bag.states.append((stamp, names, values))
            if i < len(episode):
                bag.commands.append((stamp, ("u", "v"), episode.actions[i]))
        return bag

    return make
