"""What a bad copy, another writer or a strange disk does to a dataset is told in one line; zeros are never made up."""

import errno
import fcntl
from dataclasses import replace

import numpy as np
import pytest
import zarr

from clam_core.data import store_writer
from clam_core.data.store import DatasetInfo, EpisodeStore, StoreWriter
from clam_core.errors import ClamError


@pytest.fixture
def damaged(tmp_path, tiny, monkeypatch):
    """A dataset of many chunks: two images each."""
    monkeypatch.setattr(store_writer, "CHUNK_BYTES", 8 * 6 * 3 * 2)
    return tiny.dataset(tmp_path / "d", [tiny.episode(seed, camera=True) for seed in range(2)], camera=True)


def test_a_missing_chunk_does_not_read_as_zeros(damaged):
    (damaged / "data" / "front" / "3.0.0.0").unlink()
    (damaged / "data" / "front" / "5.0.0.0").rename(damaged / "data" / "front" / "5.0.0.0.abc.partial")
    with pytest.raises(ClamError, match=r"'data/front' lacks 2 of 11 chunks; copy it again"):
        EpisodeStore.open(damaged)


def test_a_missing_chunk_of_episode_ends_does_not_read_as_zeros(damaged):
    (damaged / "meta" / "episode_ends" / "0").unlink()
    with pytest.raises(ClamError, match=r"'meta/episode_ends' lacks 1 of 1 chunks"):
        EpisodeStore.open(damaged)


def test_an_array_that_was_copied_before_the_last_episodes_is_refused(damaged):
    array = zarr.open_array(str(damaged / "data" / "state"), mode="r+")
    array.resize(11, 3)
    with pytest.raises(ClamError, match=r"'data/state' has 11 of 22 rows; copy it again"):
        EpisodeStore.open(damaged)


def test_chunks_of_zeros_are_stored_and_no_error(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(store_writer, "CHUNK_BYTES", 8 * 6 * 3 * 2)
    episode = tiny.episode(0, camera=True)
    black = {name: np.zeros_like(rows) for name, rows in episode.observations.items()}
    episode = replace(episode, observations=black, actions=episode.actions * 0, rewards=episode.rewards * 0)
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [episode], camera=True))
    assert not store.episode(0).observations["front"].any()


@pytest.mark.parametrize("kept", [0, 16, 40])
def test_a_chunk_that_was_cut_off_is_one_line_and_never_other_images(damaged, kept):
    chunk = damaged / "data" / "front" / "3.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:kept])
    store = EpisodeStore.open(damaged)
    for read in (lambda: store.episode(0), lambda: store.image_array("front")[6:8], lambda: store.array("front")):
        with pytest.raises(ClamError, match=rf"'data/front' cannot be read .*has {kept} of \d+ bytes.*copy it again"):
            read()
    np.testing.assert_array_equal(store.image_array("front")[:6], store.image_array("front")[0:6])


def test_a_damaged_header_of_a_chunk_is_one_line(damaged):
    chunk = damaged / "data" / "state" / "0.0"
    content = chunk.read_bytes()
    chunk.write_bytes(bytes(8) + content[8:])
    with pytest.raises(ClamError, match="'data/state' cannot be read"):
        EpisodeStore.open(damaged).array("state")


def test_a_file_is_not_a_dataset_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ClamError, match=r"is not a dataset folder \(it is a file\)"):
        EpisodeStore.open(tmp_path / "file")


def writer_of(path, tiny, **options):
    return StoreWriter(path, DatasetInfo(tiny.spec(), "mixed", {}), actions=True, **options)


def test_of_two_writers_that_found_no_folder_the_first_goes_on(tmp_path, tiny):
    first, second = writer_of(tmp_path / "d", tiny), writer_of(tmp_path / "d", tiny)
    with first:
        first.append(tiny.episode(0))
        with pytest.raises(ClamError, match="exists already"):
            second.__enter__()
    assert EpisodeStore.open(tmp_path / "d").num_episodes == 1


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_writer_that_could_not_begin_leaves_no_folder(tmp_path, tiny, monkeypatch, fault):
    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(zarr.Group, "create_group", fail)
    with pytest.raises((ClamError, KeyboardInterrupt)):
        writer_of(tmp_path / "d", tiny).__enter__()
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    with writer_of(tmp_path / "d", tiny) as writer:
        writer.append(tiny.episode(0))


def test_zarrs_error_for_a_folder_that_cannot_be_made_is_one_line(tmp_path, tiny, monkeypatch):
    def full(path, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("zarr.storage.os.makedirs", full)
    with pytest.raises(ClamError, match=r"No space left on device.*make room"):
        writer_of(tmp_path / "d", tiny).__enter__()


def test_a_disk_without_locks_is_not_called_another_process(tmp_path, tiny, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(ClamError, match=r"cannot be locked .*No locks available.*on a disk of this machine"):
        writer_of(tmp_path / "d", tiny).__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "left/wrist", "a\\b", ".zarray", "__top"])
def test_a_camera_whose_array_could_not_be_found_again_is_refused(tmp_path, tiny, name):
    spec = tiny.spec(True)
    cameras = (replace(spec.observation.cameras[0], name=name),)
    spec = replace(spec, observation=replace(spec.observation, cameras=cameras))
    with pytest.raises(ClamError, match="a camera cannot be called"):
        StoreWriter(tmp_path / "d", DatasetInfo(spec, "mixed", {}), actions=True)
