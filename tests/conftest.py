"""What every test may use: a ROS domain of its own, a small world whose actions are known, bundles, and helpers."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks, busy machine: threads would wait for each other

import numpy as np
import pytest

from clam_core.data.store import DatasetInfo, Episode, StoreWriter
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec

NAMES = ("x", "y", "vx", "vy")
_tests = itertools.count()


@pytest.fixture(autouse=True)
def domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID of this test's own, on this machine only: tests and users' robots do not hear each other."""
    number, lock = _free_domain(os.getpid() * 13 + next(_tests))
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    yield number
    lock.close()


def _free_domain(first: int) -> tuple[int, IO[str]]:
    """A domain that no other test run on this machine uses now, and the lock that says so."""
    for number in (1 + (first + i) % 100 for i in range(100)):  # above 101 lie the ports of outgoing connections
        lock = (Path(tempfile.gettempdir()) / f"clam-tests-{os.getuid()}-domain-{number}").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return number, lock
    raise RuntimeError("all ROS domains from 1 to 100 are in use by tests: end other test runs first")


@pytest.fixture
def point_spec() -> EnvironmentSpec:
    """A point mass in the plane that is pushed by two forces."""
    return EnvironmentSpec(
        env="test",
        task="point",
        observation=ObservationSpec(NAMES, ("m", "m", "m/s", "m/s")),
        action=ActionSpec(("fx", "fy"), ("N", "N"), (-2.0, -2.0), (2.0, 2.0)),
        rate=10.0,
        max_steps=20,
    )


def point_episode(rng: np.random.Generator, goal: bool) -> Episode:
    """One episode of the point mass: random pushes, or (with `goal`) a controller that goes to the origin."""
    state = np.concatenate([rng.uniform(-1, 1, 2), np.zeros(2)])
    states, actions = [state], []
    for _ in range(20):
        action = np.clip(-2 * state[:2] - 1.5 * state[2:], -2, 2) if goal else rng.uniform(-2, 2, 2)
        velocity = 0.9 * state[2:] + 0.1 * action
        state = np.concatenate([state[:2] + 0.1 * velocity, velocity])
        states.append(state)
        actions.append(action)
    close = np.linalg.norm(np.array(states)[1:, :2], axis=1) < 0.1
    return Episode(
        observations={"state": np.array(states, dtype=np.float32)},
        actions=np.array(actions, dtype=np.float32),
        rewards=-np.linalg.norm(np.array(states)[1:, :2], axis=1),
        successes=close,
        seed=None,
        metadata={},
    )


def with_picture(episode: Episode, size: int) -> Episode:
    """The episode with camera ``top``: a soft red dot where the point is, in a field of 4 m by 4 m."""
    states = episode.observations["state"]
    rows, columns = np.mgrid[0:size, 0:size]
    centre = (states[:, :2] + 2) / 4 * (size - 1)
    distance = (columns - centre[:, 0, None, None]) ** 2 + (rows - centre[:, 1, None, None]) ** 2
    images = np.zeros((len(states), size, size, 3), dtype=np.uint8)
    images[..., 0] = 255 * np.exp(-distance / (2 * (size / 16) ** 2))
    return dataclasses.replace(episode, observations={**episode.observations, "top": images})


def scene(seed: int = 0) -> np.ndarray:
    """A picture with edges and colours ``(32, 32, 3)``."""
    rng = np.random.default_rng(seed)
    picture = np.full((32, 32, 3), (180, 160, 90), np.uint8)
    for _ in range(6):
        top, left = rng.integers(0, 24, 2)
        picture[top : top + 8, left : left + 8] = rng.integers(0, 256, 3)
    return picture


def nodes_of(runner: int) -> dict[str, int]:
    """Processes of the nodes that a `clam-launch` runs, by name of the node."""
    found = {}
    for task in Path(f"/proc/{runner}/task").iterdir():
        children = ""
        with contextlib.suppress(OSError):  # it has just ended, here and below
            children = (task / "children").read_text()
        for child in children.split():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                found |= {word.removeprefix("__node:="): int(child) for word in words if word.startswith("__node:=")}
    return found


@pytest.fixture
def make_dataset(tmp_path: Path, point_spec: EnvironmentSpec) -> Callable[..., Path]:
    """Writes a dataset of the point mass: ``make_dataset(name, kind, episodes, actions=True, seed=0, …)``."""

    def make(name: str, kind: str, episodes: int, *, actions: bool = True, seed: int = 0, image_size: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        path, spec = tmp_path / name, point_spec
        if image_size:
            cameras = (CameraSpec("top", image_size, image_size),)
            spec = dataclasses.replace(spec, observation=dataclasses.replace(spec.observation, cameras=cameras))
        with StoreWriter(path, DatasetInfo(spec, kind, {"seed": seed}), actions=actions) as writer:
            for _ in range(episodes):
                episode = point_episode(rng, goal=kind == "expert")
                writer.append(with_picture(episode, image_size) if image_size else episode)
        return path

    return make


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """``make_bundle(env, task)`` writes a small bundle with random weights that fits the environment.

    With ``camera=…, image_size=…`` (those of `make_env`) it sees two frames of each camera, and of the state `sees`.
    """

    def make(env: str, task: str, chunk: int = 4, sees: tuple[str, ...] | None = None, **images: Any) -> Path:
        import torch

        from clam_core.deploy.bundle import save_bundle
        from clam_core.envs import make_env
        from clam_core.models.actor import Actor, ActorConfig, ImageConfig
        from clam_core.models.config import CnnConfig, PolicyConfig

        environment = make_env(env, task, **images)
        spec = environment.spec
        environment.close()
        torch.manual_seed(0)
        select = [i for i, name in enumerate(spec.observation.names) if sees is None or name in sees]
        cameras = tuple(camera.name for camera in spec.observation.cameras)
        size = images.get("image_size", 0)
        actor = Actor(
            ActorConfig(
                select=tuple(select),
                minus=(-1,) * len(select),
                difference=True,
                action_dim=len(spec.action.names),
                policy=PolicyConfig(
                    encoder="impala" if images else "none",
                    cnn=CnnConfig(channels=(4,), embedding_dim=16),
                    hidden=(32, 32),
                    activation="gelu",
                    chunk=chunk,
                ),
                image=ImageConfig(cameras, size, size, frame_stack=2) if images else None,
            )
        )
        save_bundle(tmp_path / "bundle", actor, spec, 0.5, {"made by": "a test"})
        return tmp_path / "bundle"

    return make


@pytest.fixture
def data(make_dataset: Callable[..., Path]) -> list[str]:
    """The overrides of ``clam train`` that name ten episodes of every role."""
    return [
        f"data.unlabeled={make_dataset('mixed', 'mixed', 10, actions=False)}",
        f"data.labeled={make_dataset('play', 'play', 10, seed=1)}",
        f"data.expert={make_dataset('expert', 'expert', 10, seed=2)}",
    ]
