from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from clam_core.bench.tables.lock import locked


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
