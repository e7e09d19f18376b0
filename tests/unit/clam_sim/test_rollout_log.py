"""Rollouts are put together whatever the order between topics, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2 message packages")

from clam_core.errors import ClamError
from clam_ros.messages import Status
from clam_sim.rollout_log import EpisodeLog, EpisodeResult, Results, check_continues, read_results, write_results


def status(step: int, episode: int = 2) -> Status:
    return Status(
        stamp=100 + step,
        episode=episode,
        step=step,
        seed=9,
        reward=float(step),
        episode_return=step * (step + 1) / 2,
        success=step == 2,
        done=step == 3,
    )


def test_any_order_gives_the_same_episode(tmp_path: Path) -> None:
    messages = [("status", step) for step in range(4)] + [("command", step) for step in range(3)]
    for order in (messages, messages[::-1], messages * 2):
        log = EpisodeLog(seed=9)
        log.add_status(status(3, episode=1))
        for kind, step in order:
            if kind == "status":
                log.add_status(status(step))
            else:
                log.add_command(100 + step, np.array([step / 10]))
        log.episode = 2
        assert log.done and not log.missing(commands=True)
        results = Results({"mode": "lockstep"}, [log.result()])
        write_results(tmp_path / "results.json", results)
        assert read_results(tmp_path / "results.json") == results
        (episode,) = json.loads((tmp_path / "results.json").read_text())["episodes"]
        assert episode == {
            "seed": 9,
            "success": True,
            "return": 6.0,
            "steps": 3,
            "rewards": [1.0, 2.0, 3.0],
            "actions": [[0.0], [0.1], [0.2]],
        }


def test_what_is_missing_is_said() -> None:
    log = EpisodeLog(seed=9)
    log.episode = 2
    for step in (0, 2, 3):
        log.add_status(status(step))
    for commands in (False, True):
        assert log.missing(commands=commands) == "1 of 4 statuses, first of step 1"
    log.add_status(status(1))
    log.add_command(100, np.zeros(1))
    assert log.missing(commands=True) == "2 of 3 commands, first of step 1" and not log.missing(commands=False)
    assert log.result().actions == [[0.0], None, None]


def test_results_that_cannot_be_written_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClamError, match="choose another `out`"):
        write_results(tmp_path / "file" / "results.json", Results({}, []))


def test_what_is_no_results_file_is_one_clear_line_and_none_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert read_results(path) is None
    for content in ("{", "[]", '{"episodes": [{"seed": 3}]}'):
        path.write_text(content)
        with pytest.raises(ClamError, match="holds no results of rollouts: choose another `out`, or remove it"):
            read_results(path)


SETTING = {"mode": "lockstep", "bundle": "/a/bundle", "weights": "1f", "ensembling_m": None}


@pytest.mark.parametrize(
    ("setting", "seeds", "says"),
    [
        (SETTING, range(3, 9), ""),
        (SETTING | {"receding_horizon": 0}, range(3, 9), ""),
        (SETTING | {"receding_horizon": 3}, range(3, 9), "receding_horizon 0, not 3"),
        (SETTING | {"bundle": "/b/bundle"}, range(3, 9), "bundle /a/bundle, not /b/bundle"),
        (SETTING | {"weights": "2e"}, range(3, 9), "weights 1f, not 2e"),
        (SETTING | {"mode": "realtime"}, range(3, 9), "mode lockstep, not realtime"),
        (SETTING, range(5, 9), "seed 4, which is none of 5 to 8"),
    ],
)
def test_results_of_another_setting_are_neither_continued_nor_lost(
    tmp_path: Path, setting: dict[str, object], seeds: range, says: str
) -> None:
    results = Results(dict(SETTING), [EpisodeResult(4, True, 1.0, [1.0], [None])])
    if not says:
        return check_continues(tmp_path / "out", results, setting, seeds)
    with pytest.raises(ClamError, match=f"{says}: choose another `out`, or remove it"):
        check_continues(tmp_path / "out", results, setting, seeds)


def test_a_policy_that_does_not_say_its_bundle_continues_nothing(tmp_path: Path) -> None:
    unknown = SETTING | {"bundle": None}
    with pytest.raises(ClamError, match="no policy node says"):
        check_continues(tmp_path / "out", Results(unknown, []), unknown, range(3))
