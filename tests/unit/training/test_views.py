"""Which pictures of training a bundle carries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from clam_core.cli import main
from clam_core.data.store import EpisodeStore
from clam_core.deploy.bundle import load_bundle, load_views
from clam_core.methods.stage import Datasets
from clam_core.training.transitions import RawEpisodes, load_episodes
from clam_core.training.views import BEGINNINGS, LATER, training_views

MakeDataset = Callable[..., Path]


def loaded(path: Path, memory_limit_bytes: int = 1 << 30) -> RawEpisodes:
    store = EpisodeStore.open(path, actions=False)
    return load_episodes([store], torch.device("cpu"), ("top",), memory_limit_bytes=memory_limit_bytes)


def test_beginnings_of_demonstrations_come_first(make_dataset: MakeDataset) -> None:
    expert, play = (make_dataset(name, name, 9, image_size=32) for name in ("expert", "play"))
    view = training_views(Datasets(labeled=loaded(play), expert=loaded(expert)), ("top",))["top"]
    assert view.pictures.shape == (BEGINNINGS + LATER, 32, 32, 3) and view.pictures.dtype == np.uint8
    store = EpisodeStore.open(expert, actions=False)
    images, starts = np.asarray(store.image_array("top")[:]), [0, *store.episode_ends[:-1].tolist()]
    for picture in view.pictures[:BEGINNINGS]:
        assert any(np.array_equal(picture, images[start]) for start in starts)
    for picture in view.pictures[BEGINNINGS:]:
        assert any(np.array_equal(picture, image) for image in images)


@pytest.mark.parametrize("episodes", [1, 2, 5])
def test_few_episodes_are_enough_and_streamed_ones_give_the_same(make_dataset: MakeDataset, episodes: int) -> None:
    path = make_dataset("play", "play", episodes, image_size=16)
    once, again = (training_views(Datasets(labeled=loaded(path, limit)), ("top",))["top"] for limit in (1 << 30, 0))
    np.testing.assert_array_equal(once.pictures, again.pictures)
    assert once.threshold == again.threshold


def test_without_cameras_there_is_no_view(make_dataset: MakeDataset) -> None:
    store = EpisodeStore.open(make_dataset("play", "play", 2), actions=False)
    assert training_views(Datasets(labeled=load_episodes([store], torch.device("cpu"))), ()) == {}
    assert training_views(Datasets(), ("top",)) == {}


def test_training_writes_them_into_the_bundle(make_dataset: MakeDataset, tmp_path: Path) -> None:
    play, out = make_dataset("play", "play", 3, image_size=32), tmp_path / "run"
    quick = ["features.image_size=16", "policy_training.updates=2", "policy_training.batch_size=4", "device=cpu"]
    given = ["train", "bc", "--preset", "recommended/image", f"data.labeled={play}", *quick, "--out", str(out)]
    assert main(given) == 0
    view = load_views(out / "bundle")["top"]
    assert view.size == (16, 16), "as large as the policy sees"
    assert load_bundle(out / "bundle", "cpu").cameras == ("top",)
