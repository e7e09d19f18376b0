from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clam_core.errors import ClamError
from clam_eval.contender import check_unchanged, read_contenders


def test_bundles_are_named_by_what_they_do_not_share_and_sorted_by_what_they_are(
    make_files: Callable[..., str],
) -> None:
    paths = [make_files("clam", b"1"), make_files("vpt", b"2")]
    contenders = read_contenders(paths)
    assert {one.name for one in contenders} == {"clam", "vpt"}
    assert contenders == read_contenders(paths[::-1])
    assert all(one.rate == 5.0 and one.task == "reach-block" for one in contenders)


def test_another_weight_is_another_bundle_and_the_same_one_twice_is_refused(make_files: Callable[..., str]) -> None:
    one, same, other = make_files("one"), make_files("same"), make_files("other", b"others")
    assert len({contender.digest for contender in read_contenders([one, other])}) == 2
    with pytest.raises(ClamError, match="are the same bundle"):
        read_contenders([one, same])


def test_what_is_no_bundle_is_one_clear_line(tmp_path: Path, make_files: Callable[..., str]) -> None:
    with pytest.raises(ClamError, match=r"no bundle at .*RUN/bundle"):
        read_contenders([str(tmp_path / "nothing")])
    folder = Path(make_files("odd"))
    (folder / "bundle.json").write_text("{}")
    with pytest.raises(ClamError, match="is not understood"):
        read_contenders([str(folder)])


def test_a_bundle_that_a_training_wrote_anew_is_not_that_of_the_evaluation(make_files: Callable[..., str]) -> None:
    folder = make_files("clam")
    (one,) = read_contenders([folder])
    check_unchanged(one)
    (Path(folder) / "weights.safetensors").write_bytes(b"other weights")
    with pytest.raises(ClamError, match="have changed since the evaluation began"):
        check_unchanged(one)
