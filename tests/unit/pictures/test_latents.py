"""Latent actions that are known: R², plane and probe."""

import pytest
import torch

from clam_core.methods.stage import current_target
from clam_core.pictures.latents import Labels, episode, labels, plane
from clam_core.pictures.learned import Learned
from clam_core.training.transitions import Span


def test_labels_and_latent_actions_are_the_method_s(exact: Learned) -> None:
    transitions = exact.transitions(exact.shown("labeled").episodes, exact.method.span)
    found = labels(exact.method, transitions, torch.arange(40))
    pushes = torch.cat(exact.shown("labeled").episodes.actions or [])
    assert found.z is not None and found.own is not None
    torch.testing.assert_close(found.z, pushes, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.true, pushes / 2)
    torch.testing.assert_close(found.own, pushes / 4, atol=1e-4, rtol=0)
    total = (pushes - pushes.mean(0)).square().sum(0)
    torch.testing.assert_close(found.r_squared(), 1 - (pushes / 2).square().sum(0) / total, atol=1e-3, rtol=0)


def test_an_episode_is_its_own_transitions(exact: Learned) -> None:
    transitions = exact.transitions(exact.shown("labeled").episodes, exact.method.span)
    assert episode(transitions, 1).tolist() == list(range(20, 40))
    batch = transitions.with_span(Span.of_policy(1)).gather(episode(transitions, 1))
    pushes = exact.shown("labeled").episodes.actions
    assert pushes is not None
    torch.testing.assert_close(current_target(batch), pushes[1] / 2)


def test_an_action_that_never_changes_has_no_r_squared() -> None:
    true = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert Labels(true, true, None).r_squared().isnan().tolist() == [False, True]


def test_the_plane_shows_the_directions_of_most_variance_and_the_action_that_they_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    strong, weak, noise = torch.randn(3, 400, generator=generator)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=generator))[0]
    z = torch.stack([3 * strong, 2 * noise, weak, 0 * weak, 0 * weak], dim=1) @ turn + 7
    true = torch.stack([weak, -strong, torch.ones(400)], dim=1)
    found = plane(z[:200], true[:200], z[200:], true[200:])
    assert found.dimension == 1  # weak lies in the third direction
    assert found.explained > 0.99
    torch.testing.assert_close(found.colour, -strong[:200])
    assert found.shares == pytest.approx((9 / 14, 4 / 14), abs=0.06)
    assert abs(float(torch.corrcoef(torch.stack([found.points[:, 0], strong[:200].double()]))[0, 1])) > 0.99


def test_the_probe_is_perfect_where_actions_are_linear_in_z() -> None:
    z = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    true = z @ torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    assert plane(z[:100], true[:100], z[100:], true[100:]).probe > 0.999
    assert plane(z[:100], true[:100].flip(0), z[100:], true[100:].flip(0)).probe < 0.2


def test_a_latent_space_of_one_dimension_has_a_plane_too() -> None:
    z = torch.linspace(-1, 1, 50)[:, None]
    found = plane(z, z, z, z)
    assert found.shares == pytest.approx((1.0, 0.0))
    assert found.points[:, 1].abs().max() == 0
