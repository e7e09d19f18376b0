import json

import numpy as np
import pytest

from clam_core.data.inspect import describe
from clam_core.data.inspect_html import write_html
from clam_core.data.store import Episode
from clam_core.errors import ClamError


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


def test_page_is_self_contained(tmp_path, tiny):
    a = tiny.dataset(tmp_path / "a", [tiny.episode(0)])
    b = tiny.dataset(tmp_path / "b", [tiny.episode(1)], kind="expert")
    write_html(a, tmp_path / "page.html", against=b)
    page = (tmp_path / "page.html").read_text()
    assert page.count("src='data:image/png;base64,") == 3
    assert "http" not in page.replace("http-equiv", "")
    assert "<th>covered</th>" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "page.html"]


def test_a_missing_dataset_writes_no_page(tmp_path):
    with pytest.raises(ClamError, match="no dataset at"):
        write_html(tmp_path / "nowhere", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
