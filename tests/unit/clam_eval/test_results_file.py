from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clam_core.errors import ClamError
from clam_eval.contender import Contender
from clam_eval.results_file import NAME, Identity, ResultsFile, check_execution, check_scorer, read_results, scored


def closed(folder: Path, identity: Identity, *lines: dict[str, Any]) -> Path:
    file = ResultsFile(folder, identity, {"software": {}})
    for line in lines:
        file.append("rollout", **line)
    file.close()
    return folder / NAME


def test_what_was_appended_is_there_again(tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]) -> None:
    closed(tmp_path, identity, rollout_line(0, 1.0), rollout_line(1, 0.5))
    again = ResultsFile(tmp_path, identity, {})
    again.append("rollout", **rollout_line(2, 0.0))
    again.close()
    identity_read, header, lines = read_results(tmp_path)
    assert identity_read == identity and header["software"] == {}
    assert {index: line["score"] for index, line in scored(lines).items()} == {0: 1.0, 1: 0.5, 2: 0.0}
    assert scored(again.lines) == scored(lines)


def test_a_torn_last_line_is_cut_off_and_nothing_before_it(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    path = closed(tmp_path, identity, rollout_line(0, 1.0), rollout_line(1, 0.5))
    whole = path.read_bytes()
    last = len(whole.rstrip(b"\n").rsplit(b"\n", 1)[0]) + 1
    for cut in range(last + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert set(scored(read_results(tmp_path)[2])) == {0}, "who only reads leaves the torn line out"
        file = ResultsFile(tmp_path, identity, {})
        assert file.torn.encode() == whole[last:cut]
        assert set(scored(file.lines)) == {0}
        file.append("rollout", **rollout_line(1, 0.0))
        file.close()
        assert {index: line["score"] for index, line in scored(read_results(tmp_path)[2]).items()} == {0: 1.0, 1: 0.0}


def test_a_last_line_that_lacks_only_its_end_is_kept(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    path = closed(tmp_path, identity, rollout_line(0, 1.0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert set(scored(read_results(tmp_path)[2])) == {0}
    file = ResultsFile(tmp_path, identity, {})
    assert not file.torn and set(scored(file.lines)) == {0}
    file.close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 8}, "its seed is 7, not 8"),
        ({"task": "push-button"}, "its task is reach-block, not push-button"),
        ({"steps": 50}, "its steps is 100, not 50"),
        ({"rollouts": 4}, "its rollouts is 3, not 4"),
        ({"robot": "interbotix"}, "its robot is mujoco, not interbotix"),
        ({"bundles": (Contender("a", "", "cc", "reach-block", 5.0),)}, "it is of other bundles"),
    ],
)
def test_a_file_of_another_evaluation_is_refused_and_left_alone(
    tmp_path: Path, identity: Identity, change: dict[str, Any], said: str
) -> None:
    path = closed(tmp_path, identity)
    before = path.read_bytes()
    with pytest.raises(ClamError, match=f"of another evaluation \\({said}\\): choose another `out`"):
        ResultsFile(tmp_path, dataclasses.replace(identity, **change), {})
    assert path.read_bytes() == before


def test_bundles_that_were_executed_in_another_way_are_another_evaluation(tmp_path: Path, identity: Identity) -> None:
    file = ResultsFile(tmp_path, identity, {})
    execution = {"chunk": "0", "ensembling_m": "nan", "receding_horizon": "0"}
    check_execution(file, execution)
    file.append("session", execution={"chunk": "0", "ensembling_m": "nan"})  # of before there were horizons
    check_execution(file, execution)
    with pytest.raises(ClamError, match=r"another evaluation \(its policy had chunk 0, not 1\)"):
        check_execution(file, {**execution, "chunk": "1"})
    with pytest.raises(ClamError, match="its policy had receding_horizon 0, not 3"):
        check_execution(file, {**execution, "receding_horizon": "3"})
    file.close()


def test_rollouts_that_somebody_else_scored_are_another_evaluation(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    closed(tmp_path, identity, rollout_line(0, 1.0))
    file = ResultsFile(tmp_path, identity, {})
    check_scorer(file, "simulator")
    with pytest.raises(ClamError, match="scored by a simulator, not a person"):
        check_scorer(file, "person")
    file.close()


def test_bundles_that_were_moved_are_the_same_ones(tmp_path: Path, identity: Identity) -> None:
    closed(tmp_path, identity)
    moved = tuple(dataclasses.replace(bundle, name="x", path="elsewhere") for bundle in identity.bundles)
    ResultsFile(tmp_path, dataclasses.replace(identity, bundles=moved), {}).close()


def test_damage_in_the_middle_is_refused_with_its_line(
    tmp_path: Path, identity: Identity, rollout_line: Callable[..., Any]
) -> None:
    path = closed(tmp_path, identity, rollout_line(0, 1.0), rollout_line(1, 1.0))
    path.write_bytes(path.read_bytes().replace(b'"index": 0', b'"index": '))
    with pytest.raises(ClamError, match="damaged in line 2"):
        ResultsFile(tmp_path, identity, {})
    path.write_text("something else\n")
    with pytest.raises(ClamError, match="damaged in line 1"):
        ResultsFile(tmp_path, identity, {})


def test_only_one_process_writes(tmp_path: Path, identity: Identity) -> None:
    file = ResultsFile(tmp_path, identity, {})
    with pytest.raises(ClamError, match="another evaluation writes to"):
        ResultsFile(tmp_path, identity, {})
    file.close()
    ResultsFile(tmp_path, identity, {}).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_is_one_clear_line_and_no_half_line(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ResultsFile(tmp_path, identity, {})
    before = file.path.read_bytes()
    real = file._file

    class Full:
        """A disk that takes ten bytes more."""

        def write(self, data: bytes) -> int:
            if real.tell() > len(before):
                with open("/dev/full", "wb", buffering=0) as full:
                    return full.write(data)
            return int(real.write(data[:10]))

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(ClamError, match=r"No space left.*make room"):
        file.append("rollout", index=0)
    assert file.path.read_bytes() == before and not file.lines


WRITER = """
import sys
from pathlib import Path
from clam_eval.results_file import ResultsFile, read_results
folder = Path(sys.argv[1])
identity = read_results(folder)[0]
file = ResultsFile(folder, identity, {})
index = len(file.lines)
while True:
    file.append("rollout", index=index, filler="x" * 3000)
    print(index, flush=True)
    index += 1
"""


def test_a_killed_process_loses_no_line_that_it_was_told_is_written(tmp_path: Path, identity: Identity) -> None:
    closed(tmp_path, identity)
    told = -1
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        told = max([told, *(int(line) for line in rest if line.isdigit())])
        indices = [line["index"] for line in read_results(tmp_path)[2]]
        assert indices == list(range(len(indices))) and len(indices) > told


def test_the_header_is_written_whole_or_not_at_all(tmp_path: Path, identity: Identity) -> None:
    path = closed(tmp_path, identity)
    header = json.loads(path.read_text())
    assert [bundle["digest"] for bundle in header["bundles"]] == ["aa", "bb"]
    assert os.listdir(tmp_path) == [NAME]
