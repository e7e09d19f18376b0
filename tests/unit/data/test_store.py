import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import zarr

from clam_core.data.store import DatasetInfo, EpisodeStore, StoreWriter
from clam_core.errors import ClamError


@pytest.mark.parametrize("camera", [False, True])
def test_episodes_come_back_as_they_were_written(tmp_path, tiny, camera):
    episodes = [tiny.episode(seed, steps=4 + seed, camera=camera, success=seed == 1) for seed in range(4)]
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", episodes, camera=camera, kind="mixed"))
    assert store.num_episodes == 4
    assert store.num_transitions == sum(map(len, episodes))
    assert store.info.spec == tiny.spec(camera)
    assert store.info.kind == "mixed"
    assert store.episode_success.tolist() == [False, True, False, False]
    assert store.episode_seeds.tolist() == [0, 1, 2, 3]
    for i, expected in enumerate(episodes):
        found = store.episode(i)
        assert found.seed == expected.seed
        assert found.metadata == expected.metadata
        assert set(found.observations) == set(expected.observations)
        for name, rows in expected.observations.items():
            np.testing.assert_array_equal(found.observations[name], rows)
            assert found.observations[name].dtype == rows.dtype
        for name in ("actions", "rewards", "successes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_images_survive_chunk_boundaries(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("clam_core.data.store_writer.CHUNK_BYTES", 8 * 6 * 3 * 7)  # seven images per chunk
    episodes = [tiny.episode(seed, steps=4 + seed, camera=True) for seed in range(5)]
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", episodes, camera=True))
    expected = np.concatenate([e.observations["front"] for e in episodes])
    np.testing.assert_array_equal(store.array("front"), expected)


def test_a_camera_is_read_from_disk_row_by_row(tmp_path, tiny):
    episode = tiny.episode(0, camera=True)
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [episode], camera=True), actions=False)
    np.testing.assert_array_equal(store.image_array("front")[3:5], episode.observations["front"][3:5])
    with pytest.raises(ClamError, match="no camera 'fron': did you mean 'front'"):
        store.image_array("fron")
    with pytest.raises(ClamError, match="no camera 'state'"):
        store.image_array("state")


def test_last_row_of_an_episode_has_no_action_and_no_reward(tmp_path, tiny):
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [tiny.episode(0), tiny.episode(1)]))
    assert store.episode_ends.tolist() == [11, 22]
    last = store.episode_ends - 1
    assert np.isnan(store.array("action")[last]).all()
    assert np.isnan(store.array("reward")[last]).all()
    assert np.isnan(store.array("action")).sum() == 2 * 2
    assert not store.array("success")[last].any()


def test_an_unlabeled_view_hands_out_no_action(tmp_path, tiny):
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [tiny.episode(0)]), actions=False)
    assert not store.has_actions
    assert store.episode(0).actions is None
    with pytest.raises(ClamError, match="opened without its labels"):
        store.array("action")
    labels = np.asarray(tiny.episode(0).actions)
    public = [getattr(store, name) for name in dir(store) if not name.startswith("_") and name != "open"]
    arrays = [value for value in public if isinstance(value, np.ndarray)]
    assert arrays
    assert not any(a.shape[-1:] == labels.shape[-1:] and np.isin(labels, a).any() for a in arrays)


def test_an_unlabeled_dataset_has_no_labels_on_disk(tmp_path, tiny):
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0)], actions=False)
    assert not (path / "data" / "action").exists()
    assert EpisodeStore.open(path, actions=False).episode(0).actions is None
    with pytest.raises(ClamError, match="has no action labels"):
        EpisodeStore.open(path)


def test_changing_what_was_read_does_not_change_the_store(tmp_path, tiny):
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [tiny.episode(0)]))
    store.array("state")[:] = 0
    store.episode(0).observations["state"][:] = 0
    np.testing.assert_array_equal(store.array("state"), tiny.episode(0).observations["state"])


def writer_of(path, tiny, **options):
    return StoreWriter(path, DatasetInfo(tiny.spec(), "mixed", {}), actions=True, **options)


def write_until_error(path, tiny, episodes):
    with writer_of(path, tiny) as writer:
        for seed in range(episodes):
            writer.append(tiny.episode(seed))
        raise RuntimeError("disk trouble")


def test_an_error_keeps_the_episodes_before_it_as_an_unfinished_dataset(tmp_path, tiny, caplog):
    with pytest.raises(RuntimeError, match="disk trouble"):
        write_until_error(tmp_path / "d", tiny, 2)
    store = EpisodeStore.open(tmp_path / "d")
    assert store.episode_seeds.tolist() == [0, 1] and not store.complete
    assert "unfinished: 2 episodes" in caplog.text


def test_an_error_before_the_first_episode_leaves_nothing(tmp_path, tiny):
    with pytest.raises(RuntimeError, match="disk trouble"):
        write_until_error(tmp_path / "d", tiny, 0)
    assert list(tmp_path.iterdir()) == []


def killed_writer(path, spec, episode, started):
    with StoreWriter(path, DatasetInfo(spec, "mixed", {}), actions=True) as writer:
        for seed in range(10**9):
            writer.append(replace(episode, seed=seed))
            started.set()


def test_a_killed_writer_leaves_a_readable_dataset_that_can_be_resumed(tmp_path, tiny, monkeypatch):
    path, episode = tmp_path / "d", tiny.episode(0, camera=True)
    monkeypatch.setattr("clam_core.data.store_writer.COMMIT_SECONDS", 0.02)
    context = multiprocessing.get_context("fork")  # with the short commit time
    started = context.Event()
    process = context.Process(target=killed_writer, args=(path, tiny.spec(True), episode, started))
    process.start()
    assert started.wait(60)
    found = 0
    while found < 20:  # read while it writes
        store = EpisodeStore.open(path)
        found = store.num_episodes
        if found:
            np.testing.assert_array_equal(store.episode(found - 1).observations["front"], episode.observations["front"])
    process.kill()
    process.join()
    store = EpisodeStore.open(path)
    kept = store.num_episodes
    assert not store.complete and kept >= found
    assert store.episode_seeds.tolist() == list(range(kept))
    with StoreWriter(path, store.info, actions=True, resume=True) as writer:
        assert writer.episodes == kept
        writer.append(replace(episode, seed=kept))
    store = EpisodeStore.open(path)
    assert store.complete and store.episode_seeds.tolist() == list(range(kept + 1))
    for name in ("state", "front", "action", "reward", "success"):
        assert len(store.array(name)) == 11 * (kept + 1)
    for index in (0, kept - 1, kept):
        np.testing.assert_array_equal(store.episode(index).observations["state"], episode.observations["state"])
        np.testing.assert_array_equal(store.episode(index).actions, episode.actions)
    assert store.episode_metadata == [episode.metadata] * (kept + 1)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("failing", range(0, 14, 2))
def test_a_write_that_fails_midway_never_commits_other_rows(tmp_path, tiny, monkeypatch, fault, failing):
    """Wherever it strikes, and also when the writer tries again on its way out."""
    monkeypatch.setattr("clam_core.data.store_writer.COMMIT_SECONDS", -1.0)
    real, count = zarr.Array.__setitem__, 0

    def set_item(array, key, value):
        nonlocal count
        count += 1
        if count == 9 + failing:
            raise fault
        real(array, key, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", set_item)
    episodes = [tiny.episode(seed, camera=True, success=True) for seed in range(6)]
    with pytest.raises((KeyboardInterrupt, ClamError)):
        write_episodes(tmp_path / "d", tiny, episodes)
    store = EpisodeStore.open(tmp_path / "d")
    assert store.num_episodes >= 1
    for index in range(store.num_episodes):
        found = store.episode(index)
        assert found.seed == index and found.success
        for name, rows in episodes[index].observations.items():
            np.testing.assert_array_equal(found.observations[name], rows)
        np.testing.assert_array_equal(found.actions, episodes[index].actions)
        np.testing.assert_array_equal(found.rewards, episodes[index].rewards)


def write_episodes(path, tiny, episodes):
    with StoreWriter(path, DatasetInfo(tiny.spec(True), "mixed", {}), actions=True) as writer:
        for episode in episodes:
            writer.append(episode)


def test_a_full_disk_is_one_line_and_keeps_what_was_committed(tmp_path, tiny, monkeypatch):
    path = tmp_path / "d"
    monkeypatch.setattr("clam_core.data.store_writer.COMMIT_SECONDS", -1.0)
    with writer_of(path, tiny) as writer:
        writer.append(tiny.episode(0))
        monkeypatch.setattr(zarr.Array, "resize", full_disk)
        with pytest.raises(ClamError, match=r"No space left on device.*1 episodes of it are kept; make room"):
            writer.append(tiny.episode(1))
        monkeypatch.undo()
    assert EpisodeStore.open(path).episode_seeds.tolist() == [0, 1]


def full_disk(*_):
    raise OSError(28, "No space left on device")


def test_a_dataset_has_one_writer_at_a_time(tmp_path, tiny):
    with writer_of(tmp_path / "d", tiny) as writer:
        writer.append(tiny.episode(0))
        with pytest.raises(ClamError, match="being written by another process"):
            writer_of(tmp_path / "d", tiny, resume=True).__enter__()
    with writer_of(tmp_path / "d", tiny, resume=True) as writer:
        writer.append(tiny.episode(1))
    assert EpisodeStore.open(tmp_path / "d").episode_seeds.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["state", "action", "stamp"])
def test_a_camera_is_not_called_like_another_array(tmp_path, tiny, name):
    spec = tiny.spec(True)
    cameras = (replace(spec.observation.cameras[0], name=name),)
    spec = replace(spec, observation=replace(spec.observation, cameras=cameras))
    with pytest.raises(ClamError, match=f"a camera cannot be called '{name}'"):
        StoreWriter(tmp_path / "d", DatasetInfo(spec, "mixed", {}), actions=True)


def test_only_the_same_dataset_is_resumed(tmp_path, tiny):
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0)])
    for info, actions, differs in (
        (DatasetInfo(tiny.spec(), "expert", {}), True, "kind"),
        (DatasetInfo(replace(tiny.spec(), rate=5.0), "play", {}), True, "spec"),
        (DatasetInfo(tiny.spec(), "play", {}), False, "arrays"),
    ):
        with pytest.raises(ClamError, match=f"another dataset.*{differs}"):
            StoreWriter(path, info, actions=actions, resume=True).__enter__()
    assert EpisodeStore.open(path).complete


def test_stamps_are_kept(tmp_path, tiny):
    episode = replace(tiny.episode(0), stamps=np.linspace(0, 0.5, 11))
    with writer_of(tmp_path / "d", tiny, stamps=True) as writer:
        writer.append(episode)
        with pytest.raises(ValueError, match="without stamps"):
            writer.append(tiny.episode(1))
    store = EpisodeStore.open(tmp_path / "d")
    np.testing.assert_array_equal(store.episode(0).stamps, episode.stamps)
    assert not EpisodeStore.open(tiny.dataset(tmp_path / "e", [tiny.episode(0)])).has_stamps


def test_play_data_never_hold_a_success(tmp_path, tiny):
    with StoreWriter(tmp_path / "d", DatasetInfo(tiny.spec(), "play", {}), actions=True) as writer:
        writer.append(tiny.episode(0))
        with pytest.raises(ValueError, match="successful episode cannot go into play"):
            writer.append(tiny.episode(1, success=True))
    assert EpisodeStore.open(tmp_path / "d").num_episodes == 1


def test_datasets_of_the_first_format_are_read(tmp_path, tiny):
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0), tiny.episode(1)])
    attributes = json.loads((path / ".zattrs").read_text())
    del attributes["episodes"], attributes["complete"]
    (path / ".zattrs").write_text(json.dumps({**attributes, "format_version": 1}))
    store = EpisodeStore.open(path)
    assert store.num_episodes == 2 and store.complete
    with pytest.raises(ClamError, match="format version 1, only 2 can be resumed"):
        StoreWriter(path, store.info, actions=True, resume=True).__enter__()


def test_an_existing_path_is_not_overwritten(tmp_path, tiny):
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0)])
    with pytest.raises(ClamError, match="exists already"):
        tiny.dataset(path, [tiny.episode(1)])
    assert EpisodeStore.open(path).episode_seeds.tolist() == [0]


def test_another_format_version_is_refused(tmp_path, tiny):
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0)])
    attributes = json.loads((path / ".zattrs").read_text())
    (path / ".zattrs").write_text(json.dumps({**attributes, "format_version": 99}))
    with pytest.raises(ClamError, match="format version 99"):
        EpisodeStore.open(path)


def test_a_missing_or_strange_or_damaged_folder_is_one_clear_line(tmp_path, tiny):
    with pytest.raises(ClamError, match="no dataset at"):
        EpisodeStore.open(tmp_path / "nowhere")
    (tmp_path / "strange").mkdir()
    with pytest.raises(ClamError, match="not a dataset folder"):
        EpisodeStore.open(tmp_path / "strange")
    path = tiny.dataset(tmp_path / "d", [tiny.episode(0)])
    (path / "meta" / "episode_ends" / ".zarray").unlink()
    with pytest.raises(ClamError, match="damaged"):
        EpisodeStore.open(path)


def test_an_episode_that_does_not_fit_is_refused(tmp_path, tiny):
    good = tiny.episode(0)
    bad_state = good.observations["state"].copy()
    bad_state[3, 1] = np.nan
    bad = [
        type(good)({"state": bad_state}, good.actions, good.rewards, good.successes),
        type(good)({"state": bad_state[:-1]}, good.actions, good.rewards, good.successes),
        type(good)(good.observations, None, good.rewards, good.successes),
        type(good)(good.observations, good.actions[:-1], good.rewards, good.successes),
    ]
    with StoreWriter(tmp_path / "d", DatasetInfo(tiny.spec(), "play", {}), actions=True) as writer:
        for episode in bad:
            with pytest.raises(ValueError, match=r"finite|shape|without actions|values for"):
                writer.append(episode)
        writer.append(good)
    assert EpisodeStore.open(tmp_path / "d").num_episodes == 1


def test_unknown_array_names_the_valid_ones(tmp_path, tiny):
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", [tiny.episode(0)]))
    with pytest.raises(ClamError, match="did you mean 'state'"):
        store.array("sate")
