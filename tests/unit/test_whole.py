"""What a killed or failing writer leaves behind: the old content, whole, and nothing else."""

import os
from pathlib import Path

import pytest

from clam_core.whole import whole_folder, write_whole


def test_a_file_is_replaced_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.md"
    write_whole(path, "first ½")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "third")
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_when_it_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    for content in ("first", "second"):
        with whole_folder(path) as folder:
            (folder / content).write_text(content)
            assert not (path / content).exists()
        assert [file.name for file in path.iterdir()] == [content]
    with pytest.raises(FileNotFoundError), whole_folder(path) as folder:
        (folder / "no-such-folder" / "third").touch()
    assert [file.name for file in path.iterdir()] == ["second"]
    with whole_folder(path):
        pass
    assert list(tmp_path.iterdir()) == [path] and not list(path.iterdir())
