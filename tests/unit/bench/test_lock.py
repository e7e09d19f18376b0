from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event

import pytest

from clam_core.bench.lock import locked
from clam_core.bench.tables import sources
from clam_core.bench.tables.sources import Source
from clam_core.errors import ClamError


def test_what_several_want_at_once_is_made_once(tmp_path: Path) -> None:
    path, made, begin = tmp_path / "data" / "play", list[int](), Barrier(4)

    def want(number: int) -> None:
        begin.wait()
        with locked(path):
            if not path.exists():
                made.append(number)
                path.mkdir()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(want, range(4)))
    assert len(made) == 1


def test_two_parts_of_one_replay_do_not_both_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, met = Barrier(2), list[bool]()

    def train(*_: object, **__: object) -> None:
        try:
            both.wait(2.0)
            met.append(True)
        except BrokenBarrierError:
            pass
        raise ClamError("no time for an agent")

    monkeypatch.setattr(sources, "is_learned", lambda env, task: True)
    monkeypatch.setattr(sources, "generate_rl", train)
    parts = [Source("gym", "Walker", "mixed", 10, 0, part=part, parts=2) for part in range(2)]
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(part.make, tmp_path, 1) for part in parts]
    assert all(isinstance(part.exception(), ClamError) for part in made) and not met


def test_who_waits_says_so_and_for_what(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, holds = tmp_path / "trials.jsonl", Event()

    def hold() -> None:
        with locked(path):
            holds.set()
            while not caplog.records:  # until the other one has said so
                holds.wait(0.01)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holds.wait(60.0)
        with locked(path):
            held.result(60.0)
    (record,) = caplog.records
    assert "another process makes" in record.getMessage() and "trials.jsonl" in record.getMessage()
