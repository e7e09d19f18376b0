"""What the figures say about numbers that are known."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from clam_core.pictures.draw_gaze import draw_gazes
from clam_core.pictures.draw_latents import draw_episode
from clam_core.pictures.draw_reconstructions import draw_images, draw_states
from clam_core.pictures.gaze import Gaze, Panel, views
from clam_core.pictures.latents import Labels, plane
from clam_core.pictures.reconstruction import Predictions
from clam_core.spec import ActionSpec, EnvironmentSpec, ObservationSpec

CAMERAS = ("left", "right")


def words(figure: Figure) -> list[str]:
    """All texts of a figure's axes."""
    parts = [(a.get_title(), a.get_title("right"), a.get_xlabel(), a.get_ylabel()) for a in figure.axes]
    return [text for texts in parts for text in texts if text]


def grey(*levels: float) -> torch.Tensor:
    """Images ``(1, 12, 4, 6)`` of two cameras with two frames each, one level a frame."""
    return torch.tensor(levels).repeat_interleave(3)[None, :, None, None].expand(1, 12, 4, 6)


def test_views_are_the_newest_frames_of_each_camera() -> None:
    left, right = views(grey(0.1, 0.2, 0.3, 0.4)[0], CAMERAS)
    assert left.shape == (4, 6, 3)
    assert (float(left.mean()), float(right.mean())) == pytest.approx((0.2, 0.4))


def test_images_are_drawn_with_the_errors_of_their_own_camera_and_newest_frame() -> None:
    now, after, guess = grey(0.9, 0.2, 0.9, 0.4), grey(0.1, 0.3, 0.1, 0.8), grey(0.5, 0.3, 0.5, 0.7)
    shown = Predictions(torch.tensor([0]), now, after, guess, torch.stack([now, after], dim=1))
    assert shown.pixels
    texts = words(draw_images(shown, ["here"], CAMERAS, "title"))
    assert [text for text in texts if text.startswith("MSE")] == [
        "MSE 0.0e+00",
        "MSE 1.0e-02",
        "MSE 1.0e-02",
        "MSE 1.6e-01",
    ]
    assert "prediction" in texts and "here\nleft" in texts and "here\nright" in texts


def test_of_predicted_features_the_errors_are_drawn_beside_the_images() -> None:
    images = torch.stack([grey(0.2, 0.2, 0.4, 0.4), grey(0.3, 0.3, 0.8, 0.8)], dim=1)
    maps = torch.zeros(3, 1, 4 * 5, 2, 3)  # five features a frame
    maps[1, :, 5:10] = 1.0  # truth of the left camera's newest frame
    maps[2, :, 15:20] = 0.5
    shown = Predictions(torch.tensor([0]), *maps, images)
    assert not shown.pixels
    texts = words(draw_images(shown, ["here"], CAMERAS, "title"))
    assert [text for text in texts if text.startswith("MSE")] == [
        "MSE 1.0e+00",
        "MSE 1.0e+00",
        "MSE 2.5e-01",
        "MSE 0.0e+00",
    ]
    assert "prediction" not in texts


def test_the_states_that_change_most_come_first() -> None:
    now = torch.zeros(50, 3)
    after = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 3.0, 1.0])
    figure = draw_states(Predictions(torch.arange(50), now, after, after / 2, None), ["a", "b", "c"], "title")
    bars, *plots = [axis for axis in figure.axes if axis.get_visible()]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["b", "c", "a"]
    lengths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(lengths[:3], np.array(lengths[3:]) / 4, rtol=1e-5)  # half the change is foretold
    assert [axis.get_title() for axis in plots] == ["b", "c", "a"]
    points = plots[0].lines[-1]
    np.testing.assert_allclose(points.get_ydata(), np.asarray(points.get_xdata()) / 2, rtol=1e-5)


def test_an_episode_is_drawn_in_seconds_with_the_r_squared_of_each_action() -> None:
    spec = EnvironmentSpec(
        "test", "t", ObservationSpec((), ()), ActionSpec(("turn", "grip"), ("rad", "m"), (-1, -1), (1, 1)), 5.0, 100
    )
    true = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    labels = Labels(true, true + 0.1, true)
    scores = torch.tensor([0.75, torch.nan])
    figure = draw_episode(labels, scores, spec, "decoded latent action", plane(true, true, true, true), "title")
    texts = words(figure)
    assert {"R² 0.75", "never changes", "turn\n[rad]", "grip\n[m]", "latent\naction z"} < set(texts)
    assert any("linear probe z → action: R² 1.00" in text for text in texts)
    drawn = next(axis for axis in figure.axes if axis.get_ylabel() == "turn\n[rad]")
    assert drawn.lines[0].get_xdata()[-1] == pytest.approx(39 / 5)
    np.testing.assert_allclose(drawn.lines[0].get_ydata(), true[:, 0])
    alone = words(draw_episode(Labels(true, None, None), scores, spec, None, None, "title"))
    assert "R² 0.75" not in alone and "latent\naction z" not in alone


def test_a_map_is_laid_over_the_whole_image() -> None:
    looks = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    gaze = Gaze(
        "who", [("row", [Panel("plain", torch.zeros(8, 12, 3)), Panel("seen", torch.zeros(8, 12, 3), looks)])], False
    )
    figure = draw_gazes([gaze], "title")
    plain, seen = figure.axes
    assert len(plain.images) == 1
    image, over = seen.images
    assert tuple(over.get_extent()) == tuple(image.get_extent())
    np.testing.assert_allclose(over.get_array(), looks.numpy())
    even = Gaze("who", [("row", [Panel("even", torch.zeros(8, 12, 3), torch.full((2, 3), 0.1))])], False)
    assert float(draw_gazes([even], "title").axes[0].images[1].get_array().max()) == pytest.approx(0.25)
