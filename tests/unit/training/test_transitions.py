import torch

from clam_core.training.transitions import RawEpisodes, Transitions


def two_episodes(context: int = 0, chunk: int = 1) -> Transitions:
    # Episode 0 has observations 0, 1, 2, 3 (3 transitions); episode 1 has 10, 11, 12 (2 transitions).
    features = torch.tensor([0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0])[:, None]
    targets = torch.tensor([0.0, 1.0, 2.0, 10.0, 11.0])[:, None]
    return Transitions(features, [3, 2], context, chunk, targets)


def test_no_transition_crosses_an_episode() -> None:
    batch = two_episodes().gather(torch.arange(5))
    assert batch.observation.flatten().tolist() == [0, 1, 2, 10, 11]
    assert batch.next_observation.flatten().tolist() == [1, 2, 3, 11, 12]
    assert batch.target is not None and batch.target.flatten().tolist() == [0, 1, 2, 10, 11]


def test_context_repeats_the_first_observation() -> None:
    window = two_episodes(context=2).gather(torch.tensor([0, 2, 3, 4])).window[..., 0]
    assert window.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3], [10, 10, 10, 11], [10, 10, 11, 12]]


def test_chunk_is_masked_past_the_end_of_its_episode() -> None:
    batch = two_episodes(chunk=3).gather(torch.tensor([0, 1, 2, 3]))
    assert batch.target is not None
    assert batch.target[..., 0].tolist() == [[0, 1, 2], [1, 2, 2], [2, 2, 2], [10, 11, 11]]
    assert batch.mask.tolist() == [[True] * 3, [True, True, False], [True, False, False], [True, True, False]]


def test_batches_cover_everything_once() -> None:
    batches = two_episodes().batches(batch_size=2)
    assert torch.cat([batch.observation for batch in batches]).flatten().tolist() == [0, 1, 2, 10, 11]


def test_split_holds_out_whole_episodes_and_keeps_the_rest() -> None:
    episodes = RawEpisodes([torch.full((2, 1), float(i)) for i in range(20)], None)
    train, held = episodes.split(0.1)
    assert held is not None
    assert [float(s[0]) for s in held.states] == [9, 19]
    assert len(train.states) == 18
    assert RawEpisodes(episodes.states[:3], None).split(0.1)[1] is None
