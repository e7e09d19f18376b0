"""``clam bench data``: how fast datasets are made, opened and read."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import mujoco
import numpy as np
import numpy.typing as npt
import torch
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from clam_core.bench.train_step import machine
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.generate import generate
from clam_core.data.importing import ImportOptions
from clam_core.data.rosbag import import_rosbag
from clam_core.data.store import EpisodeStore, StoreWriter
from clam_core.envs.metaworld import CAMERA, MetaWorld
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec
from clam_core.training.sampler import Sampler
from clam_core.training.transitions import Span, Transitions, load_episodes

WINDOWS = 256
STATE_DIM, STEPS = 39, 100
IMAGE_SIZE, BAG_SIZE = 64, 84
BAG_RATE, BAG_WIDTH, BAG_HEIGHT = 30, 640, 480
REPEATS = 50
PICTURED = ("assembly", "bin-picking", "peg-insert-side", "shelf-place")


@dataclass(frozen=True)
class DataOptions:
    """`episodes` of 100 transitions in the stores and from the generator; `bag_seconds` of two cameras at 30 Hz."""

    episodes: int = 1000
    bag_seconds: float = 30.0


def run(options: DataOptions) -> dict[str, Any]:
    """Measure; each measurement has its value, its unit and what it should reach."""
    measurements: list[dict[str, Any]] = []

    def note(what: str, value: float, unit: str, target: str) -> None:
        measurements.append({"what": what, "value": value, "unit": unit, "target": target})

    pictures, speeds = _rendering()
    ratio = speeds["ours"] / speeds["mujoco.Renderer"]
    note("84x84 Meta-World frames, one core", speeds["ours"], "frames/s", "")
    note("the same with mujoco.Renderer's defaults", speeds["mujoco.Renderer"], "frames/s", "")
    note("ratio", ratio, "times", "at least 8")
    with tempfile.TemporaryDirectory(prefix="clam-bench-") as folder:
        scratch = Path(folder)
        frames, seconds = _bag_import(scratch, options.bag_seconds)
        what = f"bag import, two {BAG_WIDTH}x{BAG_HEIGHT} JPEG streams resized to {BAG_SIZE}"
        note(what, frames / seconds, "frames/s", "at least 400")
        started = time.perf_counter()
        generate("metaworld", "assembly", "mixed", options.episodes, 0, scratch / "mixed", progress=None)
        note(f"{options.episodes} mixed Meta-World episodes", time.perf_counter() - started, "s", "at most 60")
        rows = options.episodes * STEPS
        for camera in (None, IMAGE_SIZE):
            store = _store(scratch / str(camera), options.episodes, camera)
            kind = "state" if camera is None else f"{camera}x{camera} image"
            opening = _median(partial(EpisodeStore.open, store))
            note(f"open a {kind} store of {rows} transitions", opening, "ms", "at most 200")
            sample, gather = _batches(store, camera is not None)
            target = "at most 1" if camera is None else "at most 10"
            note(f"batch of {WINDOWS} random {kind} windows", _median(gather), "ms", target)
            if camera is not None:
                note("the same, as floating point numbers in [0, 1]", _median(sample), "ms", "")
    return {
        "benchmark": "data",
        "what": "datasets: made, opened, read",
        "machine": machine(torch.device("cpu")),
        "measurements": measurements,
        "pictures": pictures,
    }


def _median(work: Callable[[], object]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def _spec(camera: int | None) -> EnvironmentSpec:
    names = tuple(f"s{i}" for i in range(STATE_DIM))
    cameras = () if camera is None else (CameraSpec("top", camera, camera),)
    action = ActionSpec(("a", "b", "c", "d"), ("1",) * 4, (-1.0,) * 4, (1.0,) * 4)
    return EnvironmentSpec("bench", "data", ObservationSpec(names, ("1",) * STATE_DIM, cameras), action, 10.0, STEPS)


def _store(path: Path, episodes: int, camera: int | None) -> Path:
    rng = np.random.default_rng(0)
    frames = None
    if camera is not None:
        blocks = rng.integers(0, 255, (STEPS + 1, camera // 8, camera // 8, 3), dtype=np.uint8)
        frames = blocks.repeat(8, 1).repeat(8, 2)
    with StoreWriter(path, DatasetInfo(_spec(camera), "mixed"), actions=True) as writer:
        for number in range(episodes):
            observations: dict[str, npt.NDArray[Any]] = {"state": rng.normal(size=(STEPS + 1, STATE_DIM))}
            if frames is not None:
                observations["top"] = np.roll(frames, number, 2)
            actions = rng.uniform(-1, 1, (STEPS, 4))
            writer.append(Episode(observations, actions, np.zeros(STEPS), np.zeros(STEPS, dtype=bool), number))
    return path


def _batches(path: Path, images: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    """Drawing a batch of windows (o_{t−1}, o_t, o_{t+1}) of a store; the second one leaves images uint8."""
    device = torch.device("cpu")
    episodes = load_episodes([EpisodeStore.open(path)], device, ("top",) if images else ())
    assert episodes.actions is not None
    sampler = Sampler(0, device)
    span, targets = Span.of_lam(1, 1), torch.cat(episodes.actions)
    transitions = Transitions(torch.cat(episodes.states), episodes, span, sampler, targets)
    frames = episodes.frames

    def sample() -> object:
        return transitions.sample(WINDOWS)

    def gather() -> object:
        if frames is None:
            return transitions.sample(WINDOWS)
        rows = sampler.draw(len(transitions), WINDOWS)[:, None] + torch.arange(3)
        return frames.rows(rows)

    return sample, gather


def _rendering() -> tuple[list[list[npt.NDArray[np.uint8]]], dict[str, float]]:
    """Pictures of some tasks, by MuJoCo's defaults and by ours, and frames per second of processor time."""
    pictures, seconds, frames = [], {"ours": 0.0, "mujoco.Renderer": 0.0}, 20
    for task in PICTURED:
        plain, env = MetaWorld(task), MetaWorld(task)
        plain.reset(0)
        env.reset(0)
        renderer = mujoco.Renderer(plain._env.model, BAG_SIZE, BAG_SIZE)  # the only way to the simulator's model

        def default(renderer: Any = renderer, plain: MetaWorld = plain) -> npt.NDArray[np.uint8]:
            renderer.update_scene(plain._env.data, camera=CAMERA)
            return np.asarray(renderer.render(), dtype=np.uint8)[::-1, ::-1]

        def ours(env: MetaWorld = env) -> npt.NDArray[np.uint8]:
            return env.render(BAG_SIZE, BAG_SIZE)

        pictures.append([default(), ours()])
        for _ in range(frames):
            for name, draw in (("mujoco.Renderer", default), ("ours", ours)):
                started = time.process_time()
                draw()
                seconds[name] += time.process_time() - started
        renderer.close()
        plain.close()
        env.close()
    return pictures, {name: len(PICTURED) * frames / spent for name, spent in seconds.items()}


def _bag_import(scratch: Path, duration: float) -> tuple[int, float]:
    """Frames imported, and the seconds that took."""
    _write_bag(scratch / "bag", duration)
    started = time.perf_counter()
    options = ImportOptions(rate=float(BAG_RATE), image_size=BAG_SIZE)
    report = import_rosbag(scratch / "bag", scratch / "imported", options)
    seconds = time.perf_counter() - started
    return 2 * (report.transitions + 1), seconds


def _write_bag(path: Path, duration: float) -> None:
    """A robot's bag: states at 50 Hz, commands and two cameras at 30 Hz."""
    env = MetaWorld("assembly")
    env.reset(0)
    pictures = []
    for _ in range(8):
        env.step(np.ones(4))
        image = env.render(BAG_HEIGHT, BAG_WIDTH)
        pictures.append(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1])
    env.close()
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    empty = np.zeros(0)

    def header(stamp: int) -> Any:
        time_type = types["builtin_interfaces/msg/Time"]
        return types["std_msgs/msg/Header"](stamp=time_type(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="")

    def state(stamp: int, number: int) -> Any:
        return types["sensor_msgs/msg/JointState"](header(stamp), ["a", "b"], np.full(2, number / 1e3), empty, empty)

    def command(stamp: int, number: int) -> Any:
        duration_type = types["builtin_interfaces/msg/Duration"](sec=0, nanosec=0)
        point_type = types["trajectory_msgs/msg/JointTrajectoryPoint"]
        point = point_type(np.full(2, number / 1e3), empty, empty, empty, duration_type)
        return types["trajectory_msgs/msg/JointTrajectory"](header(stamp), ["a", "b"], [point])

    def frame(stamp: int, number: int) -> Any:
        return types["sensor_msgs/msg/CompressedImage"](header(stamp), "jpeg", pictures[number % len(pictures)])

    streams: dict[str, tuple[Callable[[int, int], Any], float]] = {
        "/observation/state": (state, 50.0),
        "/command": (command, float(BAG_RATE)),
        "/camera/top/image_raw/compressed": (frame, float(BAG_RATE)),
        "/camera/wrist/image_raw/compressed": (frame, float(BAG_RATE)),
    }
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        messages = []
        for topic, (make, rate) in streams.items():
            kind = make(0, 0).__msgtype__
            connection = writer.add_connection(topic, kind, typestore=store)
            messages += [
                (10**12 + round(i / rate * 1e9), i, connection, make, kind) for i in range(round(duration * rate))
            ]
        for stamp, number, connection, make, kind in sorted(messages, key=lambda message: message[0]):
            writer.write(connection, stamp, store.serialize_cdr(make(stamp, number), kind))
