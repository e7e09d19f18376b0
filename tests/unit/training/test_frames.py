"""Where images live changes nothing about them: streamed and held ones are the same, whatever the chunks."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from clam_core.data.store import DatasetInfo, Episode, EpisodeStore, StoreWriter
from clam_core.errors import ClamError
from clam_core.models.images import resize
from clam_core.spec import ActionSpec, CameraSpec, EnvironmentSpec, ObservationSpec
from clam_core.training.frames import MemoryFrames, StreamedFrames, open_frames
from clam_core.training.sampler import Sampler
from clam_core.training.transitions import Span, Transitions, load_episodes

CPU = torch.device("cpu")
LARGE, SMALL = (12, 16), (6, 8)  # four times the bytes: a quarter of the rows per chunk
Make = Callable[..., EpisodeStore]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Writes a store with cameras of the given sizes, seven large images (28 small ones) per chunk."""
    monkeypatch.setattr("clam_core.data.store_writer.CHUNK_BYTES", 12 * 16 * 3 * 7)

    def write(name: str, lengths: tuple[int, ...], **cameras: tuple[int, int]) -> EpisodeStore:
        specs = tuple(CameraSpec(camera, *size) for camera, size in cameras.items())
        observation = ObservationSpec(("x",), ("m",), specs)
        action = ActionSpec(("u",), ("N",), (-1.0,), (1.0,))
        spec = EnvironmentSpec("test", "images", observation, action, 10.0, 50)
        rng = np.random.default_rng(len(name) + sum(lengths))
        with StoreWriter(tmp_path / name, DatasetInfo(spec, "play"), actions=True) as writer:
            for steps in lengths:
                rows = {c: rng.integers(0, 256, (steps + 1, *s, 3), dtype=np.uint8) for c, s in cameras.items()}
                rows["state"] = rng.normal(size=(steps + 1, 1)).astype(np.float32)
                actions, successes = np.zeros((steps, 1), dtype=np.float32), np.zeros(steps, dtype=bool)
                writer.append(Episode(rows, actions, np.zeros(steps), successes))
        return EpisodeStore.open(tmp_path / name)

    return write


def both(stores: list[EpisodeStore], cameras: tuple[str, ...], size: int | None) -> tuple[MemoryFrames, StreamedFrames]:
    held, streamed = (open_frames(stores, cameras, size, CPU, limit) for limit in (1 << 30, 1))
    assert isinstance(held, MemoryFrames) and isinstance(streamed, StreamedFrames)
    return held, streamed


@pytest.mark.parametrize("size", [None, 5, 24])
def test_streamed_rows_are_the_recorded_ones_in_any_order_and_shape(make: Make, size: int | None) -> None:
    stores = [make(name, lengths, front=LARGE, wrist=LARGE) for name, lengths in (("a", (9, 3)), ("b", (20,)))]
    held, streamed = both(stores, ("wrist", "front"), size)
    arrays = [np.concatenate([store.array(camera) for store in stores]) for camera in ("wrist", "front")]
    recorded = torch.cat([torch.from_numpy(array).permute(0, 3, 1, 2) for array in arrays], dim=1)
    expected = recorded if size is None else resize(recorded, size)
    index = torch.randint(len(expected), (4, 5, 2), generator=torch.Generator().manual_seed(0))
    for frames in (held, streamed):
        assert frames.shape == expected.shape[1:] and frames.bytes == expected.numel()
        for _ in range(2):  # the second time partly from decoded chunks
            assert torch.equal(frames.rows(index), expected[index])
            assert torch.equal(frames.rows(torch.arange(len(expected))), expected)


def test_cameras_and_stores_of_several_sizes_are_the_same_on_both_paths(make: Make) -> None:
    stores = [make("a", (30, 11), front=LARGE, wrist=SMALL), make("bb", (40,), front=SMALL, wrist=LARGE)]
    held, streamed = both(stores, ("front", "wrist"), 6)
    index = torch.randperm(84, generator=torch.Generator().manual_seed(1))
    assert torch.equal(streamed.rows(index), held.rows(index))


def test_a_call_decodes_only_the_chunks_it_needs_and_each_once(make: Make) -> None:
    store = make("a", (41,), front=LARGE, wrist=SMALL)  # 42 rows: chunks of 7 and of 28
    _, frames = both([store], ("front", "wrist"), 6)
    with patch.object(frames._source, "read", wraps=frames._source.read) as read:
        frames.rows(torch.tensor([[0, 6, 6], [30, 31, 0]]))
    decoded = sorted((chunk.camera, chunk.number) for ((chunk,), _) in read.call_args_list)
    assert decoded == [(0, 0), (0, 4), (1, 0), (1, 1)]
    rows = {chunk.camera: len(frames._source.read(chunk)) for ((chunk,), _) in read.call_args_list if not chunk.number}
    assert rows == {0: 7, 1: 28}


def test_a_new_chunk_may_push_out_a_decoded_one_of_the_same_call(make: Make) -> None:
    held, frames = both([make("a", (41,), front=LARGE)], ("front",), None)
    frames.rows(torch.tensor([40]))
    index = torch.tensor([0, 40, 20])
    assert torch.equal(frames.rows(index), held.rows(index))


def test_decoded_chunks_stay_within_their_bound_and_the_last_used_stay(make: Make) -> None:
    store = make("a", (41,), front=LARGE)
    chunk = 12 * 16 * 3 * 7
    frames = open_frames([store], ("front",), None, CPU, memory_limit_bytes=2 * chunk + 10)
    assert isinstance(frames, StreamedFrames)
    for row in (0, 7, 0, 14):  # chunk 1 is the one not used for longest
        frames.rows(torch.tensor([row]))
        held = sum(content.numel() for content in frames._cache.values())
        assert held == frames._cached_bytes <= 2 * chunk + 10
    assert [key.number for key in frames._cache] == [0, 2]


def test_size_decides_and_the_log_says_why(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="clam_core.training.frames")
    store = make("a", (9,), front=LARGE)
    total = 10 * 3 * 12 * 16
    assert isinstance(open_frames([store], ("front",), None, CPU, total), MemoryFrames)
    assert isinstance(open_frames([store], ("front",), None, CPU, total - 1), StreamedFrames)
    assert isinstance(open_frames([store], ("front",), 6, CPU, total - 1), MemoryFrames)  # at the size asked for
    assert open_frames([store], (), None, CPU, total) is None
    levels, messages = [r.levelname for r in caplog.records], [r.getMessage() for r in caplog.records]
    assert levels == ["INFO"] * 3
    assert "GiB" in messages[0] and "held on cpu" in messages[0]
    assert "GiB" in messages[1] and "streaming" in messages[1] and "memory_limit_gib" in messages[1]


def test_an_unknown_camera_and_one_that_a_store_lacks_are_named(make: Make) -> None:
    stores = [make("a", (3,), front=LARGE, wrist=LARGE), make("bb", (3,), front=LARGE)]
    with pytest.raises(ClamError, match="no camera 'frnt': did you mean 'front'"):
        open_frames(stores, ("frnt",), None, CPU, 1)
    with pytest.raises(ClamError, match=r"bb' has no camera 'wrist': valid: front"):
        open_frames(stores, ("front", "wrist"), None, CPU, 1)


def test_cameras_of_several_sizes_need_an_image_size(make: Make) -> None:
    store = make("a", (3,), front=LARGE, wrist=SMALL)
    with pytest.raises(ClamError, match=r"several sizes \(front 12×16, wrist 6×8\); set features.image_size"):
        open_frames([store], ("front", "wrist"), None, CPU, 1)


def test_stacked_windows_of_two_cameras_are_the_same_on_both_paths_and_ordered(make: Make) -> None:
    stores = [make(name, lengths, front=LARGE, wrist=SMALL) for name, lengths in (("a", (9, 12)), ("bb", (20, 5)))]
    seen = []
    for limit in (1 << 30, 1):
        episodes = load_episodes(stores, CPU, ("front", "wrist"), 6, frame_stack=3, memory_limit_bytes=limit)
        _, held_out = episodes.split(0.5)  # the second episode of either store
        assert held_out is not None
        transitions = Transitions(torch.cat(held_out.states), held_out, Span.of_lam(1, 2), Sampler(0, CPU))
        seen.append(
            torch.cat([batch.window.images for batch in transitions.batches() if batch.window.images is not None])
        )
    assert torch.equal(seen[0], seen[1])
    assert seen[0].shape == (12 + 5, 4, 2 * 3 * 3, 6, 6)
    # The last transition of 5 sees o_3, o_4, o_5 and o_5 again; channels are camera, then frame (oldest first).
    recorded = [torch.from_numpy(stores[1].episode(1).observations[c]).permute(0, 3, 1, 2) for c in ("front", "wrist")]
    for row, newest in enumerate((3, 4, 5, 5)):
        stack = [resize(camera[newest - 2 : newest + 1], 6) for camera in recorded]
        assert torch.equal(seen[0][-1, row], torch.cat(stack).flatten(0, 1).float() / 255)
    # Its first transition repeats the first frame rather than show the episode before.
    first = resize(recorded[0][:1], 6)[0].float() / 255
    assert torch.equal(seen[0][12, 0, :9], first.repeat(3, 1, 1))
