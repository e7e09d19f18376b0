"""The folder that an export makes: one export's only, with the permissions of any new folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from clam_core.data.exporting import new_folder
from clam_core.errors import ClamError


def test_two_exports_to_one_place_do_not_mix(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"

    def export_both() -> None:
        with new_folder(out) as late, new_folder(out) as first:
            (late / "late").touch()
            (first / "first").touch()

    with pytest.raises(ClamError, match="exists already"):
        export_both()
    assert [path.name for path in out.iterdir()] == ["first"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_export_may_be_read_by_whom_any_new_folder_may(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    with new_folder(tmp_path / "out") as folder:
        (folder / "file").touch()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "any").stat().st_mode
