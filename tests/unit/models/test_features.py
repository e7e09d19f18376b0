import torch

from clam_core.models.features import StateFeatures, select_entries


def test_selected_states_and_changes_are_standardized() -> None:
    torch.manual_seed(0)
    episodes = [torch.randn(50, 3) * torch.tensor([1.0, 10.0, 100.0]) + 5 for _ in range(20)]
    features = StateFeatures((0, 2), (-1, -1), difference=True)
    features.fit(episodes)
    output = torch.cat([features.episode(episode) for episode in episodes])
    assert output.shape == (1000, 4)
    torch.testing.assert_close(output[:, :2].mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(output[:, :2].std(0), torch.ones(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(output[:, 2:].std(0), torch.ones(2), atol=0.05, rtol=0)


def test_a_constant_state_stays_zero_and_finite() -> None:
    features = StateFeatures((0,), (-1,), difference=True)
    features.fit([torch.full((10, 1), 3.0)])
    assert features.episode(torch.full((4, 1), 3.0)).abs().max() == 0


def test_stepping_equals_the_whole_episode() -> None:
    torch.manual_seed(0)
    episode = torch.randn(6, 3)
    features = StateFeatures((0, 1, 0), (-1, -1, 2), difference=True)
    features.fit([torch.randn(40, 3)])
    previous, steps = episode[0], []
    for state in episode:
        steps.append(features(state, previous))
        previous = state
    assert torch.equal(torch.stack(steps), features.episode(episode))


def test_a_previous_frame_becomes_motion() -> None:
    select, minus = select_entries(("x", "y", "previous/x", "goal"), ("*",), ("goal",), True)
    assert (select, minus) == ((0, 1, 0), (-1, -1, 2))
    features = StateFeatures(select, minus, difference=False)
    assert features(torch.tensor([5.0, 1.0, 3.0, 9.0]), torch.zeros(4)).tolist() == [5.0, 1.0, 2.0]


def test_a_previous_frame_is_kept_as_it_is_unless_asked() -> None:
    assert select_entries(("x", "previous/x"), ("*",), (), False) == ((0, 1), (-1, -1))
    assert select_entries(("x", "previous/x"), ("*",), ("previous/*",), True) == ((0,), (-1,))


def test_only_what_is_included_is_kept() -> None:
    assert select_entries(("hand_x", "hand_y", "goal"), ("hand_*",), ("*_y",), False) == ((0,), (-1,))
    assert select_entries(("x", "y"), (), (), False) == ((), ())
