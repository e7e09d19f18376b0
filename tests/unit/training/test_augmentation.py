"""Augmented images: moved and shaded as asked, motion between frames left alone, held-out images untouched."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.models.observations import Observations
from clam_core.training.augmentation import AugmentationConfig, augment, shifted_views
from clam_core.training.sampler import Sampler
from clam_core.training.transitions import Span, Transitions, load_episodes


def test_a_shift_moves_every_frame_of_a_transition_by_the_same_pixels() -> None:
    torch.manual_seed(0)
    dot = torch.zeros(200, 2, 3, 9, 9)
    dot[:, 0, :, 4, 4] = dot[:, 1, :, 5, 4] = 1.0  # one pixel down from frame to frame
    moved = augment(dot, AugmentationConfig(shift=2))
    places = [moved[:, frame, 0].flatten(1).argmax(1) for frame in (0, 1)]
    assert (places[1] - places[0] == 9).all()
    down, right = places[0] // 9 - 4, places[0] % 9 - 4
    assert set(down.tolist()) == set(right.tolist()) == {-2, -1, 0, 1, 2}
    assert (moved.sum((1, 2, 3, 4)) == 6).all()


def test_stored_images_are_changed_like_numbers_and_lie_as_the_networks_want_them() -> None:
    stored = torch.randint(0, 256, (4, 2, 6, 5, 7), dtype=torch.uint8)
    config, images = AugmentationConfig(shift=2, brightness=0.2, contrast=0.2), []
    for given in (stored, stored / 255):
        torch.manual_seed(0)
        images.append(augment(given, config))
    torch.testing.assert_close(*images)
    joined = Observations(torch.zeros(4, 2, 0), images[0], torch.zeros(4, 2))
    joined = joined.join(joined)
    assert joined.images is not None and torch.equal(joined.images, images[0].repeat(2, 1, 1, 1, 1))
    for each in (augment(stored, AugmentationConfig()), images[0], joined.images):
        frames = each.flatten(0, 1)
        assert frames.data_ptr() == each.data_ptr() and frames.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(augment(stored, AugmentationConfig()), stored / 255)


def test_contrast_is_around_the_mean_and_brightness_a_factor() -> None:
    images = torch.rand(3, 2, 3, 8, 8) * 0.2 + 0.4
    torch.manual_seed(0)
    brightness, contrast = (1 + 0.3 * (2 * torch.rand(3, 1, 1, 1, 1) - 1) for _ in range(2))
    torch.manual_seed(0)
    mean = images.mean((1, 2, 3, 4), keepdim=True)
    expected = ((images - mean) * contrast + mean) * brightness
    torch.testing.assert_close(augment(images, AugmentationConfig(brightness=0.3, contrast=0.3)), expected)


def test_edges_are_repeated_where_a_shift_leaves_a_gap() -> None:
    torch.manual_seed(0)
    images = torch.full((50, 3, 4, 4), 0.25)
    assert torch.equal(augment(images, AugmentationConfig(shift=3)), images)


def test_brightness_and_contrast_differ_between_transitions_and_stay_in_range() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 2, 3, 8, 8).expand(100, -1, -1, -1, -1)
    bright = augment(images, AugmentationConfig(brightness=0.3))
    factors = bright.flatten(1).mean(1) / images.flatten(1).mean(1)
    assert 0.69 < factors.min() < 0.8 and 1.1 < factors.max() < 1.31
    flat = augment(images, AugmentationConfig(contrast=0.5)).flatten(1).std(1) / images.flatten(1).std(1)
    assert flat.min() < 0.6 and flat.max() > 1.2
    assert bright.min() >= 0 and bright.max() <= 1


@pytest.mark.parametrize(("key", "value"), [("shift", -1), ("test_time", -1), ("brightness", 1.0), ("contrast", -0.1)])
def test_numbers_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(ClamError, match=f"augmentation.{key} must be at least 0.*got {value}"):
        AugmentationConfig(**{key: value})


def test_test_time_views_are_the_picture_and_its_eight_shifts() -> None:
    dot = torch.zeros(2, 3, 1, 9, 9)
    dot[..., 4, 4] = 1.0
    window = Observations(torch.zeros(2, 3, 0), dot, torch.zeros(2, 3))
    seen = [view.images for view in shifted_views(window, AugmentationConfig(test_time=2))]
    assert seen[0] is not None and torch.equal(seen[0], dot)
    places = {divmod(int(images[1, 2, 0].argmax()), 9) for images in seen if images is not None}
    assert places == {(4 + down, 4 + right) for down in (-2, 0, 2) for right in (-2, 0, 2)}
    assert [view is window for view in shifted_views(window, AugmentationConfig(shift=3))] == [True]
    blind = Observations(torch.zeros(2, 3, 1), None, torch.zeros(2, 3))
    assert len(list(shifted_views(blind, AugmentationConfig(test_time=2)))) == 1


def test_samples_are_augmented_and_evaluation_batches_are_not(make_dataset: Callable[..., Path]) -> None:
    store = EpisodeStore.open(make_dataset("play", "play", 2, image_size=16), actions=False)
    episodes = load_episodes([store], torch.device("cpu"), ("top",))
    features = torch.cat(episodes.states)

    def transitions(config: AugmentationConfig | None) -> Transitions:
        sampler = Sampler(0, torch.device("cpu"))
        return Transitions(features, episodes, Span(), sampler, None, config).with_span(Span(1, 1))

    plain, changed = transitions(None), transitions(AugmentationConfig(shift=4))
    before, after = plain.sample(32).window.images, changed.sample(32).window.images
    assert before is not None and after is not None and before.shape == after.shape
    assert not torch.equal(before, after)
    for one, other in zip(plain.batches(), changed.batches(), strict=True):
        assert one.window.images is not None and other.window.images is not None
        assert torch.equal(one.window.images, other.window.images)
