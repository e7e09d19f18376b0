from dataclasses import replace

import numpy as np
import pytest

from clam_core.cli import main
from clam_core.cli import select as command
from clam_core.data.select import Selection, select
from clam_core.data.store import DatasetInfo, EpisodeStore, StoreWriter
from clam_core.errors import ClamError


@pytest.fixture
def sources(tmp_path, tiny):
    mixed = [tiny.episode(seed, success=seed % 3 == 0) for seed in range(6)]
    play = [tiny.episode(seed) for seed in range(10, 14)]
    return [
        tiny.dataset(tmp_path / "mixed", mixed, kind="mixed"),
        tiny.dataset(tmp_path / "play", play, kind="play"),
    ]


def seeds(store):
    return store.episode_seeds.tolist()


def test_merging_keeps_every_episode_and_where_it_came_from(tmp_path, tiny, sources):
    store = select(sources, tmp_path / "out", Selection())
    assert seeds(store) == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]
    assert (store.info.kind, store.info.spec.task) == ("several", "wave")
    found, expected = store.episode(7), tiny.episode(11)
    np.testing.assert_array_equal(found.observations["state"], expected.observations["state"])
    np.testing.assert_array_equal(found.actions, expected.actions)
    assert found.metadata == {**expected.metadata, "task": "wave", "kind": "play", "dataset": "play"}
    assert [source["dataset"] for source in store.info.provenance["sources"]] == ["mixed", "play"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(success=True), [0, 3]),
        (Selection(success=False), [1, 2, 4, 5, 10, 11, 12, 13]),
        (Selection(kinds=("play",)), [10, 11, 12, 13]),
        (Selection(tasks=("wave",), episodes=slice(4, 8, 2)), [4, 10]),
        (Selection(success=False, episodes=slice(-2, None)), [12, 13]),
    ],
)
def test_filters_and_slices(tmp_path, sources, selection, expected):
    assert seeds(select(sources, tmp_path / "out", selection)) == expected


def test_a_second_selection_knows_what_the_first_one_merged(tmp_path, sources):
    select(sources, tmp_path / "merged", Selection())
    store = select([tmp_path / "merged"], tmp_path / "out", Selection(kinds=("play",)))
    assert seeds(store) == [10, 11, 12, 13] and store.info.kind == "play"


def test_the_parts_of_a_split_share_no_episode_and_miss_none(tmp_path, sources):
    parts = {}
    for part in ("train", "held-out"):
        selection = Selection(part=part, held_out=0.5, split_seed=3)
        parts[part] = seeds(select(sources, tmp_path / part, selection))
    assert len(parts["held-out"]) == 5
    assert sorted(parts["train"] + parts["held-out"]) == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]
    again = select(sources, tmp_path / "again", Selection(part="held-out", held_out=0.5, split_seed=3))
    other = select(sources, tmp_path / "other", Selection(part="held-out", held_out=0.5, split_seed=4))
    assert seeds(again) == parts["held-out"] != seeds(other)


def test_an_unlabeled_selection_has_no_actions_on_disk(tmp_path, sources):
    store = select(sources, tmp_path / "out", Selection(success=True), actions=False)
    assert not store.labeled and not (tmp_path / "out" / "data" / "action").exists()


def test_images_and_stamps_come_along(tmp_path, tiny):
    episodes = [replace(tiny.episode(seed, camera=True), stamps=np.arange(11) / 20) for seed in range(3)]
    info = DatasetInfo(tiny.spec(True), "mixed", {})
    with StoreWriter(tmp_path / "d", info, actions=True, stamps=True) as writer:
        for episode in episodes:
            writer.append(episode)
    found = select([tmp_path / "d"], tmp_path / "out", Selection(episodes=slice(1, 2))).episode(0)
    np.testing.assert_array_equal(found.observations["front"], episodes[1].observations["front"])
    np.testing.assert_array_equal(found.stamps, episodes[1].stamps)
    bare = tiny.dataset(tmp_path / "bare", episodes[:1], camera=True)
    assert not select([tmp_path / "d", bare], tmp_path / "both", Selection()).has_stamps


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path, tiny, sources):
    unlabeled = tiny.dataset(tmp_path / "unlabeled", [tiny.episode(0)], actions=False)
    pictured = tiny.dataset(tmp_path / "pictured", [tiny.episode(0, camera=True)], camera=True)
    with pytest.raises(ClamError, match="has no action labels"):
        select([*sources, unlabeled], tmp_path / "out", Selection())
    with pytest.raises(ClamError, match="differ in cameras; merge like with like"):
        select([*sources, pictured], tmp_path / "out", Selection())
    with pytest.raises(ClamError, match=r"no episode of .* is left"):
        select(sources, tmp_path / "out", Selection(success=True, kinds=("play",)))
    with pytest.raises(ClamError, match="no episode has kind 'plya', did you mean 'play'"):
        select(sources, tmp_path / "out", Selection(kinds=("plya",)))
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path, sources, capsys):
    arguments = [*map(str, sources), "--success", "false", "--episodes", "1:3", "--no-actions"]
    assert main(["select", *arguments, "--out", str(tmp_path / "out")]) == 0
    assert "2 episodes (0 successful), 20 transitions" in capsys.readouterr().out
    assert seeds(EpisodeStore.open(tmp_path / "out", actions=False)) == [2, 4]
    for bad in (["--episodes", "3"], ["--episodes", "1:2:0"], ["--held-out", "2"]):
        with pytest.raises(SystemExit):
            main(["select", str(sources[0]), "--out", str(tmp_path / "x"), *bad])


def test_an_episode_that_two_datasets_have_is_taken_once_and_said_to_be(tmp_path, tiny, sources, capsys):
    again = tiny.dataset(tmp_path / "again", [tiny.episode(seed) for seed in (12, 13, 14)], kind="play")
    persons = [replace(tiny.episode(12), seed=None)] * 2
    other = tiny.dataset(tmp_path / "other", [tiny.episode(12), *persons], kind="expert")
    arguments = [*map(str, [*sources, again, other]), "--out", str(tmp_path / "out")]
    assert main(["select", *arguments]) == 3
    said = capsys.readouterr().out
    assert f"rejected {again} #0: duplicate of {sources[1]} #2: same env, task, kind, seed 12 and states" in said
    assert said.count("rejected ") == 2
    store = EpisodeStore.open(tmp_path / "out")
    assert seeds(store) == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 12, -1, -1]  # another kind is another episode
    assert len(store.info.provenance["rejected"]) == 2


def test_no_part_of_a_split_holds_what_the_other_one_has(tmp_path, tiny):
    twice = tiny.dataset(tmp_path / "twice", [tiny.episode(seed) for seed in (0, 1, 2, 3, 0, 1, 2, 3)], kind="play")
    for split_seed in range(1, 5):
        found = []
        for part in ("train", "held-out"):
            selection = Selection(part=part, held_out=0.5, split_seed=split_seed)
            found += seeds(select([twice], tmp_path / f"{part}-{split_seed}", selection))
        assert sorted(found) == [0, 1, 2, 3]


def test_two_policies_rolled_out_from_one_seed_are_two_episodes(tmp_path, tiny):
    first = tiny.episode(3)
    states = first.observations["state"].copy()
    states[-1] += 0.5
    other = replace(first, observations={**first.observations, "state": states})
    both = [tiny.dataset(tmp_path / name, [one], kind="expert") for name, one in (("a", first), ("b", other))]
    assert seeds(select(both, tmp_path / "out", Selection())) == [3, 3]


def test_episodes_of_an_agent_that_was_still_learning_are_no_duplicates(tmp_path, tiny):
    lived = [replace(tiny.episode(3), metadata={"first_training_step": step}) for step in (0, 10)]
    store = select([tiny.dataset(tmp_path / "replay", lived)], tmp_path / "out", Selection())
    assert seeds(store) == [3, 3] and store.info.provenance["rejected"] == []


def test_an_episode_is_in_the_same_part_whatever_the_filters_and_the_help_says_so(tmp_path, sources):
    """The split is of whole datasets: a filter takes episodes out of a part, and moves none into another."""
    for part in ("train", "held-out"):
        split = Selection(part=part, held_out=0.5, split_seed=1)
        whole = select(sources, tmp_path / part, split)
        failed = select(sources, tmp_path / f"{part}-failed", replace(split, success=False))
        assert seeds(failed) == [s for s, ok in zip(seeds(whole), whole.episode_success, strict=True) if not ok]
    for text in (command.__doc__, Selection.__doc__):
        assert "filtered first" not in text and "split first, as a whole" in " ".join(text.split())


def test_stamps_that_a_merge_cannot_keep_are_told(tmp_path, tiny, caplog):
    with StoreWriter(tmp_path / "a", DatasetInfo(tiny.spec(), "play", {}), actions=True, stamps=True) as writer:
        writer.append(replace(tiny.episode(0), stamps=np.linspace(0, 0.5, 11)))
    other = tiny.dataset(tmp_path / "b", [tiny.episode(1)])
    assert not select([tmp_path / "a", other], tmp_path / "out", Selection()).has_stamps
    assert "the time of each observation is not kept" in caplog.text
