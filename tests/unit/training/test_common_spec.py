"""Datasets of one robot fit together however wide their recordings' commands were; others are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clam_core.data.store import DatasetInfo, EpisodeStore, StoreWriter
from clam_core.errors import ClamError
from clam_core.spec import ActionSpec, EnvironmentSpec
from clam_core.training.common_spec import common_spec

from ...conftest import point_episode

Make = Callable[..., EpisodeStore]


@pytest.fixture
def store(tmp_path: Path, point_spec: EnvironmentSpec) -> Make:
    """``store(name, actions=True, action=…, rate=…)``: a dataset of the point mass with another spec."""

    def make(name: str, *, actions: bool = True, **different: Any) -> EpisodeStore:
        spec = replace(point_spec, task=name, **different)
        episode = point_episode(np.random.default_rng(0), goal=False)
        with StoreWriter(tmp_path / name, DatasetInfo(spec, "play", {}), actions=actions) as writer:
            writer.append(episode if actions else replace(episode, actions=None))
        return EpisodeStore.open(tmp_path / name, actions=actions)

    return make


def forces(low: float, high: float) -> ActionSpec:
    return ActionSpec(("fx", "fy"), ("N", "N"), (low, low), (high, high))


def test_actions_are_the_labeled_ones_in_their_widest_limits_and_the_task_is_the_demonstrations(store: Make) -> None:
    labeled = [store("a", action=forces(-1, 3)), store("b", action=forces(-2, 2))]
    expert = store("demo", actions=False, action=forces(-9, 9), rate=10.2)
    spec = common_spec({"labeled": labeled, "expert": [expert]}, "expert")
    assert (spec.task, spec.action) == ("demo", forces(-2, 3))


def test_who_shows_no_actions_need_not_have_any(store: Make) -> None:
    silent = store("demo", actions=False, action=ActionSpec((), (), (), ()))
    assert common_spec({"labeled": [store("a")], "expert": [silent]}, "expert").action == forces(-2, 2)


@pytest.mark.parametrize(
    ("different", "said"),
    [
        ({"action": ActionSpec(("fx", "fz"), ("N", "N"), (-2, -2), (2, 2))}, "other actions than"),
        ({"rate": 12.0}, r"other rate \(12 Hz beside 10 Hz\) than .*with the same --rate"),
    ],
)
def test_other_actions_and_another_rate_are_refused(store: Make, different: Any, said: str) -> None:
    with pytest.raises(ClamError, match=said) as refused:
        common_spec({"labeled": [store("a"), store("b", **different)]}, "labeled")
    assert "\n" not in str(refused.value) and "test/b" in str(refused.value)


def test_other_observations_are_refused(store: Make, point_spec: EnvironmentSpec) -> None:
    observation = replace(point_spec.observation, names=("x", "y", "u", "v"))
    with pytest.raises(ClamError, match=r"test/b has other observations than .*test/a: use datasets of one robot"):
        common_spec({"unlabeled": [store("a"), store("b", actions=False, observation=observation)]}, "unlabeled")


def test_cameras_that_differ_are_named(make_dataset: Callable[..., Path]) -> None:
    seen = [EpisodeStore.open(make_dataset(f"at-{size}", "play", 1, image_size=size)) for size in (32, 48)]
    with pytest.raises(ClamError, match=r"cameras \(top 48×48 beside top 32×32\).*--image-size"):
        common_spec({"unlabeled": seen}, "unlabeled")
