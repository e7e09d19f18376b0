"""Reconstructions of an exact latent action model, whose errors are known."""

import pytest
import torch

from clam_core.methods.clam import Clam
from clam_core.pictures.learned import Learned, place_of
from clam_core.pictures.reconstruction import APART, Errors, choose, errors, predict
from clam_core.training.transitions import Transitions


def held_out(learned: Learned) -> tuple[Clam, Transitions]:
    assert isinstance(learned.method, Clam)
    return learned.method, learned.transitions(learned.shown("unlabeled").episodes, learned.method.lam_span)


def test_errors_are_those_of_the_model_and_of_the_copy(exact: Learned) -> None:
    method, transitions = held_out(exact)
    found = predict(method, transitions, torch.arange(len(transitions)))
    states = torch.cat([s[:-1] for s in exact.shown("unlabeled").episodes.states])
    after = torch.cat([s[1:] for s in exact.shown("unlabeled").episodes.states])
    torch.testing.assert_close(found.current, states)
    torch.testing.assert_close(found.truth, after)
    torch.testing.assert_close(found.predicted, after + torch.tensor([0.5, 0, 0, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.error, torch.full((40,), 0.25 / 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.trivial, (after - states).square().mean(1))
    assert found.images is None and not found.pixels
    assert float(errors(method, transitions, 1000).trivial.mean()) == pytest.approx(float(found.trivial.mean()))


def test_what_changes_most_is_shown_apart_and_one_quiet_transition(exact: Learned) -> None:
    _, transitions = held_out(exact)
    which = torch.arange(len(transitions))
    change = torch.arange(40, 0, -1).float()  # most at the beginning of the first episode
    change[30] = 100.0
    chosen = choose(Errors(which, torch.zeros(40), change), transitions, 3).tolist()
    assert chosen[:3] == [30, 0, APART]
    assert chosen[3] == 36  # a tenth of the transitions are quieter
    places = [place_of(number, transitions) for number in chosen]
    assert places == [(1, 10), (0, 0), (0, APART), (1, 16)]


def test_a_world_that_stands_still_has_pictures_too(exact: Learned) -> None:
    _, transitions = held_out(exact)
    which = torch.arange(3)
    assert choose(Errors(which, torch.zeros(3), torch.zeros(3)), transitions, 4).tolist()
