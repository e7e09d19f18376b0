import numpy as np
import pytest

from clam_core.data import generate as module
from clam_core.data.generate import generate
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.operators import RECIPES


def same(a, b):
    return all(np.array_equal(a.array(n), b.array(n), equal_nan=True) for n in ("state", "action", "reward", "success"))


def test_the_dataset_does_not_depend_on_the_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PARALLEL_FROM", 1)
    stores = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        generate("gym", "Pendulum-v1", "mixed", 5, 7, out, workers=workers, max_steps=20)
        stores.append(EpisodeStore.open(out))
    assert same(*stores)
    assert stores[0].episode_seeds.tolist() == [7, 8, 9, 10, 11]


def test_play_never_holds_a_successful_episode_and_skips_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "keep_episode", lambda kind, success: not success)
    real = module.run_episode

    def every_third_succeeds(env, operator, seed):
        episode = real(env, operator, seed)
        episode.successes[-1] = seed % 3 == 0
        return episode

    monkeypatch.setattr(module, "run_episode", every_third_succeeds)
    report = generate("gym", "Pendulum-v1", "play", 5, 3, tmp_path / "d", workers=1, max_steps=5)
    store = EpisodeStore.open(tmp_path / "d")
    assert store.episode_seeds.tolist() == [4, 5, 7, 8, 10]
    assert not store.episode_success.any()
    assert (report.kept, report.attempts, report.successes) == (5, 8, 0)


def test_an_episode_ends_where_the_environment_ends_it(tmp_path):
    """What follows is none of the simulator's: the same state again and again."""
    for task, length in (("InvertedPendulum-v5", None), ("Pendulum-v1", 50)):
        generate("gym", task, "random", 3, 0, tmp_path / task, workers=1, max_steps=50)
        store = EpisodeStore.open(tmp_path / task)
        for episode in map(store.episode, range(3)):
            changes = np.abs(np.diff(episode.observations["state"], axis=0)).max(1)
            assert (changes > 0).all() and len(episode) == (length or len(episode)) <= 50
            assert episode.metadata.get("terminated", False) == (len(episode) < 50)
    assert length == 50 and 0 < EpisodeStore.open(tmp_path / "InvertedPendulum-v5").num_transitions < 150


def test_metaworld_kinds(tmp_path):
    for kind, successes in (("expert", 2), ("play", 0)):
        report = generate("metaworld", "assembly", kind, 2, 0, tmp_path / kind, workers=1)
        assert report.successes == successes
    store = EpisodeStore.open(tmp_path / "expert")
    assert store.array("state").shape == (202, 39)
    assert store.info.provenance["recipe"] == RECIPES["expert"].to_json()
    assert store.info.provenance["seed"] == 0
    assert {"metaworld", "mujoco", "python"} <= set(store.info.provenance["versions"])


def test_a_kind_that_hardly_ever_comes_gives_up_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MIN_ATTEMPTS", 3)
    monkeypatch.setattr(module, "ATTEMPTS_PER_EPISODE", 3)
    monkeypatch.setattr(module, "keep_episode", lambda kind, success: False)
    with pytest.raises(ClamError, match="only 0 of 1 play episodes in 3 attempts"):
        generate("gym", "Pendulum-v1", "play", 1, 0, tmp_path / "d", max_steps=5)
    assert list(tmp_path.iterdir()) == []


def interrupted(real, after):
    count = 0

    def run(env, operator, seed):
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        return real(env, operator, seed)

    return run


@pytest.mark.parametrize("after", [0, 3])
def test_an_interrupted_generation_resumes_to_the_same_dataset(tmp_path, monkeypatch, after):
    arguments = ("gym", "Pendulum-v1", "mixed", 5, 7)
    generate(*arguments, tmp_path / "whole", max_steps=5)
    real = module.run_episode
    monkeypatch.setattr(module, "run_episode", interrupted(real, after))
    with pytest.raises(KeyboardInterrupt):
        generate(*arguments, tmp_path / "d", max_steps=5)
    monkeypatch.setattr(module, "run_episode", real)
    assert (tmp_path / "d").exists() == (after > 0)
    report = generate(*arguments, tmp_path / "d", max_steps=5, resume=True)
    assert (report.kept, report.attempts, report.transitions) == (5, 5, 25)
    assert same(EpisodeStore.open(tmp_path / "whole"), EpisodeStore.open(tmp_path / "d"))
    longer = generate("gym", "Pendulum-v1", "mixed", 6, 7, tmp_path / "d", max_steps=5, resume=True)
    assert longer.kept == 6 and EpisodeStore.open(tmp_path / "d").episode_seeds.tolist() == [7, 8, 9, 10, 11, 12]


def test_another_recipe_is_not_resumed(tmp_path):
    generate("gym", "Pendulum-v1", "mixed", 1, 7, tmp_path / "d", max_steps=5)
    with pytest.raises(ClamError, match="made with seed 7, not 8"):
        generate("gym", "Pendulum-v1", "mixed", 2, 8, tmp_path / "d", max_steps=5, resume=True)


def test_evaluation_seeds_are_refused(tmp_path):
    with pytest.raises(ClamError, match="evaluation seeds"):
        generate("gym", "Pendulum-v1", "play", 5, 999_996, tmp_path / "d")


def test_an_existing_out_is_refused_before_any_work(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(ClamError, match=r"exists already; go on with it \(--resume\), remove it"):
        generate("metaworld", "no-such-task", "play", 1, 0, tmp_path / "d")
