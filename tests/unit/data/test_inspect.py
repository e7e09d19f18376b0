import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from clam_core.data.images import decode
from clam_core.data.inspect import describe, joint_coverage, motions
from clam_core.data.inspect_html import write_html
from clam_core.data.store import DatasetInfo, Episode, EpisodeStore, StoreWriter
from clam_core.errors import ClamError
from clam_core.spec import ActionSpec


def constant(value, steps=4):
    return Episode(
        {"state": np.full((steps + 1, 3), value, dtype=np.float32)},
        np.full((steps, 2), value, dtype=np.float32),
        np.ones(steps, dtype=np.float32),
        np.zeros(steps, dtype=bool),
    )


def test_numbers_are_those_of_the_episodes(tmp_path, tiny):
    episodes = [tiny.episode(0, steps=4), tiny.episode(1, steps=6, success=True)]
    facts = describe(tiny.dataset(tmp_path / "d", episodes, kind="mixed"))
    assert (facts["episodes"], facts["transitions"], facts["successes"]) == (2, 10, 1)
    assert facts["length"] == {"min": 4, "mean": 5, "std": 1, "max": 6}
    returns = [float(e.rewards.sum()) for e in episodes]
    assert facts["return"]["mean"] == pytest.approx(np.mean(returns), rel=1e-6)
    actions = np.concatenate([e.actions for e in episodes])
    assert [row["name"] for row in facts["action"]] == ["u", "v"]
    assert facts["action"][1]["max"] == pytest.approx(actions[:, 1].max())
    assert facts["action"][1]["std"] == pytest.approx(actions[:, 1].std(), rel=1e-5)
    assert facts["state"][2]["unit"] == "rad"
    json.dumps(facts)


def test_an_unlabeled_dataset_has_no_action_numbers(tmp_path, tiny):
    facts = describe(tiny.dataset(tmp_path / "d", [tiny.episode(0)], actions=False))
    assert facts["has_actions"] is False
    assert "action" not in facts


def test_coverage_is_the_share_of_the_other_range_that_is_visited(tmp_path, tiny):
    wide = tiny.dataset(tmp_path / "wide", [constant(v / 10) for v in range(11)])
    half = tiny.dataset(tmp_path / "half", [constant(v / 10) for v in range(6)])
    assert describe(wide, half)["against"]["state"]["a"] == 1.0
    covered = describe(half, wide)["against"]
    assert covered["state"]["a"] == pytest.approx(6 / 11)
    assert covered["action"]["u"] == pytest.approx(6 / 11)


def test_joint_coverage_sees_what_single_dimensions_do_not():
    rng = np.random.default_rng(0)
    diagonal = rng.uniform(-1, 1, 2000)[:, None] * [1.0, 1.0, 0.0]
    square = np.append(rng.uniform(-1, 1, (2000, 2)), np.zeros((2000, 1)), axis=1)
    assert joint_coverage(square, diagonal) > 0.9
    assert joint_coverage(diagonal, square) < 0.3  # though each dimension alone is covered
    assert joint_coverage(diagonal, diagonal[:100]) == 1.0


def test_motions_do_not_cross_episodes(tmp_path, tiny):
    episodes = [tiny.episode(0, steps=4), tiny.episode(1, steps=6)]
    store = EpisodeStore.open(tiny.dataset(tmp_path / "d", episodes))
    expected = np.concatenate([np.diff(e.observations["state"], axis=0) for e in episodes])
    np.testing.assert_allclose(motions(store), expected, atol=1e-6)


def test_an_unlabeled_expert_is_compared_by_its_motions(tmp_path, tiny):
    play = tiny.dataset(tmp_path / "play", [tiny.episode(0)])
    expert = tiny.dataset(tmp_path / "expert", [tiny.episode(1)], kind="expert", actions=False)
    against = describe(play, expert)["against"]
    assert set(against["joint"]) == {"motion"} and "action" not in against
    assert set(against["motion"]) == {"a", "b", "c"}


def test_timing_tells_jitter_and_drops(tmp_path, tiny):
    stamps = np.arange(11) * 0.1 + np.where(np.arange(11) > 5, 0.2, 0.0)  # two observations missing
    stream = {"rate": 30.0, "jitter": 0.002, "longest_gap": 0.1, "dropped": 2, "repeated": 1, "messages": 40}
    metadata = {"timing": {"/camera/top": {**stream, "skew": {"median": 0.001, "max": 0.012}}}}
    episode = replace(tiny.episode(0), stamps=stamps, metadata=metadata)
    path = tmp_path / "d"
    with StoreWriter(path, DatasetInfo(tiny.spec(), "mixed", {}), actions=True, stamps=True) as writer:
        writer.append(episode)
        writer.append(replace(episode, stamps=np.arange(11) * 0.1, metadata={}))
    timing = describe(path)["timing"]
    assert timing["dropped"] == 2
    assert timing["interval"]["max"] == pytest.approx(0.3)
    assert timing["streams"]["/camera/top"] == {**stream, "skew": 0.012}
    write_html(path, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "2 observations dropped" in page and "<td>/camera/top</td><td>30</td>" in page


def test_the_page_shows_frames(tmp_path, tiny):
    episodes = [tiny.episode(seed, camera=True, steps=4 + seed) for seed in range(9)]
    write_html(tiny.dataset(tmp_path / "d", episodes, camera=True), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    sheet = decode(base64.b64decode(page.partition("frames of front' src='data:image/png;base64,")[2].split("'")[0]))
    zoom, rows, columns = 12, 6, 8  # of frames with 8x6 pixels
    assert sheet.shape == (8 * zoom * rows, 6 * zoom * columns, 3)
    first, last = sheet[::zoom, ::zoom][:8, :6], sheet[::zoom, ::zoom][-8:, -6:]
    np.testing.assert_array_equal(first, episodes[0].observations["front"][0])
    np.testing.assert_array_equal(last, episodes[8].observations["front"][-1])


@pytest.mark.parametrize("camera", [False, True])
def test_a_dataset_without_episodes_has_a_page(tmp_path, tiny, camera):
    path = tiny.dataset(tmp_path / "d", [], camera=camera)
    write_html(path, tmp_path / "page.html")
    assert "0 episodes" in (tmp_path / "page.html").read_text()
    with pytest.raises(ClamError, match="has no episodes; compare two that have some"):
        describe(path, path)


def test_an_expert_whose_actions_nobody_knows_is_compared(tmp_path, tiny):
    play = tiny.dataset(tmp_path / "play", [tiny.episode(0)])
    spec = replace(tiny.spec(), action=ActionSpec((), (), (), ()))
    with StoreWriter(tmp_path / "expert", DatasetInfo(spec, "expert", {}), actions=False) as writer:
        writer.append(tiny.episode(1))
    assert describe(play, tmp_path / "expert")["against"]["joint"].keys() == {"motion"}


def test_an_unfinished_dataset_says_so(tmp_path, tiny):
    writer = StoreWriter(tmp_path / "d", DatasetInfo(tiny.spec(), "mixed", {}), actions=True).__enter__()
    writer.append(tiny.episode(0))
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert describe(tmp_path / "d")["complete"] is False
    write_html(tmp_path / "d", tmp_path / "page.html")
    assert "Unfinished" in (tmp_path / "page.html").read_text()


def test_page_is_self_contained(tmp_path, tiny):
    a = tiny.dataset(tmp_path / "a", [tiny.episode(0)])
    b = tiny.dataset(tmp_path / "b", [tiny.episode(1)], kind="expert")
    write_html(a, tmp_path / "page.html", against=b)
    page = (tmp_path / "page.html").read_text()
    assert page.count("src='data:image/png;base64,") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "<th>covered</th>" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "page.html"]


def test_a_missing_dataset_writes_no_page(tmp_path):
    with pytest.raises(ClamError, match="no dataset at"):
        write_html(tmp_path / "nowhere", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
