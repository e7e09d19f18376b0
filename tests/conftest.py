"""What every test may use: a ROS domain of its own, and a small world whose actions are known."""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

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
