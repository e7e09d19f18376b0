"""What a batch shows: windows and chunks inside their episode, images as the policy will see them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.training.frames import StreamedFrames, open_frames
from clam_core.training.load_config import load_config
from clam_core.training.run import first_numbers, load_role, open_data
from clam_core.training.sampler import Sampler
from clam_core.training.transitions import RawEpisodes, Span, Transitions, load_episodes

CPU = torch.device("cpu")


def two_episodes(span: Span) -> Transitions:
    # Episode 0 has observations 0, 1, 2, 3 (3 transitions); episode 1 has 10, 11, 12 (2 transitions).
    states = [torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([[10.0], [11.0], [12.0]])]
    targets = torch.tensor([0.0, 1.0, 2.0, 10.0, 11.0])[:, None]
    return Transitions(torch.cat(states), RawEpisodes(states, None), span, Sampler(0, CPU), targets)


def test_a_policy_sees_the_observation_and_its_chunk() -> None:
    batch = two_episodes(Span.of_policy(3)).gather(torch.tensor([0, 1, 2, 3]))
    assert batch.observation.state.flatten().tolist() == [0, 1, 2, 10]
    assert batch.window.state.shape == (4, 1, 1)
    assert batch.target is not None
    assert batch.target[..., 0].tolist() == [[0, 1, 2], [1, 2, 2], [2, 2, 2], [10, 11, 11]]
    assert batch.mask.tolist() == [[True] * 3, [True, True, False], [True, False, False], [True, True, False]]


def test_a_latent_action_model_sees_the_context_of_its_own_episode() -> None:
    batch = two_episodes(Span.of_lam(2, 1)).gather(torch.tensor([0, 2, 3, 4]))
    assert batch.window.state[..., 0].tolist() == [[0, 0, 0, 1], [0, 1, 2, 3], [10, 10, 10, 11], [10, 10, 11, 12]]
    assert batch.window.timestep.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3], [0, 0, 0, 1], [0, 0, 1, 2]]
    assert batch.target is not None
    assert batch.target[..., 0].tolist() == [[0, 0, 0], [0, 1, 2], [10, 10, 10], [10, 10, 11]]
    assert batch.mask.tolist() == [[False, False, True], [True] * 3, [False, False, True], [False, True, True]]
    assert batch.observation.state.flatten().tolist() == [0, 2, 10, 11]


def test_several_steps_ahead_stop_at_the_end_of_the_episode() -> None:
    batch = two_episodes(Span.of_lam(0, 2)).gather(torch.tensor([1, 2, 4]))
    assert batch.window.state[..., 0].tolist() == [[1, 2, 3], [2, 3, 3], [11, 12, 12]]
    assert batch.mask.tolist() == [[True, True], [True, False], [True, False]]


def test_batches_cover_everything_once_or_evenly() -> None:
    transitions = two_episodes(Span.of_policy(1))
    batches = transitions.batches(batch_size=2)
    assert torch.cat([batch.observation.state for batch in batches]).flatten().tolist() == [0, 1, 2, 10, 11]
    (some,) = transitions.batches(limit=3)
    assert some.observation.state.flatten().tolist() == [0, 2, 11]


def test_split_holds_out_whole_episodes_and_keeps_the_rest() -> None:
    episodes = RawEpisodes([torch.full((2, 1), float(i)) for i in range(20)], None)
    train, held = episodes.split(0.1)
    assert held is not None
    assert [float(s[0]) for s in held.states] == [9, 19]
    assert len(train) == 18
    assert RawEpisodes(episodes.states[:3], None).split(0.1)[1] is None


def test_processes_share_the_batch_of_one() -> None:
    whole = Sampler(3, CPU).draw(1000, 12)
    shares = [Sampler(3, CPU, rank, 3).draw(1000, 12) for rank in range(3)]
    assert torch.equal(torch.stack(shares, dim=1).flatten(), whole)
    with pytest.raises(ClamError, match="batch_size 10 is not divisible by 3 processes"):
        Sampler(3, CPU, 0, 3).draw(1000, 10)


def test_a_sampler_goes_on_where_it_was() -> None:
    sampler, other = Sampler(3, CPU), Sampler(4, CPU)
    sampler.draw(100, 7)
    other.load_state(sampler.state())
    assert torch.equal(sampler.draw(100, 7), other.draw(100, 7))


@pytest.fixture
def stores(make_dataset: Callable[..., Path]) -> list[EpisodeStore]:
    paths = (make_dataset(name, "play", count, image_size=20, seed=count) for name, count in (("a", 3), ("b", 5)))
    return [EpisodeStore.open(path) for path in paths]


def test_streamed_images_are_those_in_memory(stores: list[EpisodeStore], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    kept = load_episodes(stores, CPU, ("top",), image_size=12, frame_stack=3)
    streamed = load_episodes(stores, CPU, ("top",), image_size=12, frame_stack=3, memory_limit_bytes=1)
    assert isinstance(streamed.frames, StreamedFrames)
    assert "streaming them from disk" in caplog.text and "are held on cpu" in caplog.text
    span, batches = Span.of_lam(1, 1), []
    for episodes in (kept, streamed):
        _, held_out = episodes.split(0.4)
        assert held_out is not None
        features = torch.cat(held_out.states)
        batches.append(Transitions(features, held_out, span, Sampler(0, CPU)).gather(torch.arange(0, 60, 7)))
    first, second = (batch.window.images for batch in batches)
    assert first is not None and second is not None
    assert first.shape == (9, 3, 9, 12, 12)
    assert torch.equal(first, second)


def test_frames_are_stacked_oldest_first_and_stay_in_their_episode(stores: list[EpisodeStore]) -> None:
    episodes = load_episodes(stores, CPU, ("top",), frame_stack=2)
    transitions = Transitions(torch.cat(episodes.states), episodes, Span.of_policy(1), Sampler(0, CPU))
    batch = transitions.gather(torch.tensor([60, 61]))  # the first two transitions of the second store
    recorded = torch.from_numpy(stores[1].episode(0).observations["top"]).permute(0, 3, 1, 2).float() / 255
    images = batch.observation.images
    assert images is not None
    assert torch.equal(images[0], torch.cat([recorded[0], recorded[0]]))
    assert torch.equal(images[1], torch.cat([recorded[0], recorded[1]]))


def test_only_the_last_used_chunks_stay_decoded(stores: list[EpisodeStore]) -> None:
    frames = open_frames(stores, ("top",), None, CPU, memory_limit_bytes=1)
    assert isinstance(frames, StreamedFrames)
    for _ in range(3):
        frames.rows(torch.tensor([0, 100, 140]))
    assert len(frames._cache) == 1


def test_an_unknown_camera_is_named(stores: list[EpisodeStore]) -> None:
    with pytest.raises(ClamError, match="has no camera 'tob': did you mean 'top'"):
        load_episodes(stores, CPU, ("tob",))


def test_a_dataset_in_two_roles_holds_the_same_episodes_out_of_both(make_dataset: Callable[..., Path]) -> None:
    play, expert = (
        EpisodeStore.open(make_dataset(name, name, n), actions=False) for name, n in (("play", 20), ("expert", 7))
    )
    config = load_config("clam", overrides=["device=cpu"])
    stores = {"unlabeled": [expert, play], "labeled": [play]}
    firsts = first_numbers(stores)
    assert firsts == {"unlabeled": [0, 7], "labeled": [7]}
    roles = {role: load_role(of_role, config, play.info.spec, CPU, firsts[role]) for role, of_role in stores.items()}
    train = roles["unlabeled"].split(0.1)[0].states
    held = roles["labeled"].split(0.1)[1]
    assert held is not None and len(held) == 2
    assert not any(torch.equal(one, other) for one in held.states for other in train)


def test_images_of_a_dataset_in_two_roles_are_loaded_once(
    make_dataset: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    paths = [str(make_dataset(name, name, n, image_size=8)) for name, n in (("play", 5), ("expert", 3))]
    overrides = [f"data.unlabeled=[{','.join(paths)}]", f"data.labeled={paths[0]}", f"data.expert={paths[1]}"]
    config = load_config("clam", overrides=[*overrides, "features.cameras=['*']", "device=cpu"])
    with caplog.at_level("INFO"):
        data = open_data(("expert", "unlabeled", "labeled"), config, CPU).datasets
    assert sum("images" in record.message for record in caplog.records) == 1
    assert data.unlabeled and data.expert and data.labeled and data.expert.frames is data.labeled.frames
    assert data.unlabeled.frames is data.expert.frames
    for role, stores in ((data.unlabeled, paths), (data.expert, paths[1:]), (data.labeled, paths[:1])):
        alone = load_episodes([EpisodeStore.open(path, actions=False) for path in stores], CPU, ("top",))
        assert alone.frames and role.frames
        for first, own, states in zip(alone.frame_starts, role.frame_starts, role.states, strict=True):
            rows = torch.arange(len(states))
            assert torch.equal(alone.frames.rows(first + rows), role.frames.rows(own + rows))


def test_too_few_episodes_are_not_split() -> None:
    episodes = RawEpisodes([torch.zeros(3, 1)] * 9, None)
    assert episodes.split(0.1) == (episodes, None) and episodes.split(0.0) == (episodes, None)
    with pytest.raises(ClamError, match=r"data.held_out must be 0 to 0.5, got 0.7"):
        load_config("clam", overrides=["data.held_out=0.7"])
