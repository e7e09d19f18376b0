"""Which episodes of an agent's replay a cell learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clam_core.bench.tables import sources
from clam_core.bench.tables.sources import Source
from clam_core.data.episode import DatasetInfo, Episode
from clam_core.data.store import EpisodeStore
from clam_core.data.store_writer import StoreWriter
from clam_core.errors import ClamError
from clam_core.rl.config import AgentConfig
from clam_core.spec import EnvironmentSpec


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point_spec: EnvironmentSpec) -> Any:
    """``make(count, source)``: numbers of the episodes that `source` takes of a replay of `count`."""

    asked: list[tuple[str, bool]] = []

    def made(count: int, source: Source) -> list[int]:
        def generate(
            env: str, task: str, kind: str, episodes: int | None, seed: int, out: Path,
            agent: Path, config: AgentConfig, explore: bool,
        ) -> None:  # fmt: skip
            asked.append((config.algorithm, explore))
            assert not out.exists() and agent.name == "agent"
            states, actions = len(point_spec.observation.names), len(point_spec.action.names)
            with StoreWriter(out, DatasetInfo(point_spec, kind), actions=True) as writer:
                for number in range(count if episodes is None else episodes):
                    state = {"state": np.full((2, states), float(number))}
                    flags = np.zeros(1, dtype=bool)
                    writer.append(Episode(state, np.zeros((1, actions)), np.zeros(1), flags, number))

        monkeypatch.setattr(sources, "is_learned", lambda env, task: True)
        monkeypatch.setattr(sources, "generate_rl", generate)
        root = tmp_path / str(count)
        assert source.make(root, 1) > 0.0 and source.make(root, 1) == 0.0
        store = EpisodeStore.open(source.folder(root))
        assert [store.episode(i).observations["state"][0, 0] for i in range(store.num_episodes)] == list(
            store.episode_seeds
        )
        return [int(seed) for seed in store.episode_seeds]

    made.asked = asked  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("count", [20, 23, 39])
def test_a_replay_is_taken_from_its_beginning_to_its_end(make: Any, count: int) -> None:
    """The agent is best at the end of its replay."""
    taken = make(count, Source("gym", "Walker", "medium-replay", 20, 0))
    assert len(set(taken)) == 20 and (taken[0], taken[-1]) == (0, count - 1)


def test_every_seed_has_its_own_expert_episodes(make: Any) -> None:
    taken = [make(99, Source("gym", "Walker", "expert", 4, 4 * seed)) for seed in range(3)]
    assert taken == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_another_agent_and_experts_that_explore_are_other_episodes(make: Any) -> None:
    asked = [("td3", False), ("td3", True), ("sac", True)]
    experts = [Source("gym", "Walker", "expert", 4, 4, agent=agent, explore=explore) for agent, explore in asked]
    assert all(make(99, source) == [4, 5, 6, 7] for source in experts)
    assert make.asked == asked
    assert len({source.folder(Path()) for source in experts}) == 3
    assert len({source.folder(Path()).parent for source in experts}) == 2, "an agent's folder for each"


def test_what_a_killed_call_left_behind_is_made_anew(make: Any, tmp_path: Path) -> None:
    make(99, Source("gym", "Walker", "expert", 3, 0))
    folder = tmp_path / "99" / "data" / "gym-Walker"
    (folder / "expert-3-0").rename(folder / "expert-4-0")  # as if killed before the last episode
    (folder / ".expert-first-4.partial").mkdir()
    assert make(99, Source("gym", "Walker", "expert", 4, 0)) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [40, 47])
def test_no_two_seeds_learn_from_the_same_labels(make: Any, count: int) -> None:
    taken = [make(count, Source("gym", "Walker", "play", 4, 0, part=part, parts=10)) for part in range(1, 11)]
    assert sorted(map(len, taken)) == [4] * 10 and len(set().union(*taken)) == 40
    assert max(map(max, taken)) == count - 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source("gym", "Walker", "medium-replay", 20, 0), "has 19 episodes, fewer than 1 x 20; ask for fewer"),
        (Source("gym", "Walker", "play", 2, 0, part=1, parts=10), "has 19 episodes, fewer than 10 x 2"),
        (Source("gym", "Walker", "play", 1, 0, part=11, parts=10), "no part 11; use fewer seeds"),
    ],
)
def test_a_replay_that_is_too_short_is_one_line_and_leaves_nothing(
    make: Any, tmp_path: Path, source: Source, says: str
) -> None:
    for _ in range(2):
        with pytest.raises(ClamError, match=says):
            make(19, source)
    assert not source.folder(tmp_path / "19").exists()
