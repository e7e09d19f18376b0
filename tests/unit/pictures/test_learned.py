from pathlib import Path

import pytest
import torch

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.pictures.learned import Learned, evenly, place_of

CPU = torch.device("cpu")


def test_the_episodes_shown_are_those_that_training_held_out(run: Path) -> None:
    learned = Learned(run, CPU, {})
    store = EpisodeStore.open(run.parent / "play")
    shown = learned.shown("labeled")
    assert shown.held_out
    for states, number in zip(shown.episodes.states, (3, 7), strict=True):  # every fourth of eight
        torch.testing.assert_close(states, torch.tensor(store.episode(number).observations["state"]))
    assert len(learned.trained("labeled")) == 6


def test_only_labeled_data_is_opened_with_its_actions(run: Path) -> None:
    learned = Learned(run, CPU, {})
    assert learned.shown("unlabeled").episodes.actions is None
    assert learned.shown("labeled").episodes.actions is not None


def test_where_nothing_was_held_out_the_titles_say_so(run: Path) -> None:
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("held_out: 0.25", "held_out: 0.0"))
    shown = Learned(run, CPU, {}).shown("labeled")
    assert len(shown.episodes) == 8
    assert "trained on" in shown.words


def test_data_that_has_moved_is_named_anew(run: Path) -> None:
    (run.parent / "play").rename(run.parent / "moved")
    with pytest.raises(ClamError, match=r"the labeled data of run .* is not at .*; give --data labeled=DIR"):
        Learned(run, CPU, {}).shown("labeled")
    moved = Learned(run, CPU, {"labeled": (str(run.parent / "moved"),)})
    assert len(moved.shown("labeled").episodes) == 2


def test_a_role_that_the_method_does_not_learn_from_is_refused(run: Path) -> None:
    with pytest.raises(ClamError, match=r"'clam' does not learn from a role 'label': did you mean 'labeled'"):
        Learned(run, CPU, {"label": ("x",)})


def test_a_bundle_is_not_a_run(run: Path) -> None:
    with pytest.raises(ClamError, match="is a bundle, which holds the policy alone"):
        Learned(run / "bundle", CPU, {})


def test_transitions_are_spread_over_all_and_found_again(run: Path) -> None:
    assert evenly(10, 3).tolist() == [0, 4, 9]
    assert evenly(3, 10).tolist() == [0, 1, 2]
    learned = Learned(run, CPU, {})
    transitions = learned.transitions(learned.shown("labeled").episodes, learned.method.span)
    assert place_of(0, transitions) == (0, 0)
    assert place_of(25, transitions) == (1, 5)
