"""What is read of a bundle before anything that needs torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clam_core.bundle_file import parse_paths, read_spec, same_task
from clam_core.errors import ClamError


def test_the_spec_is_what_the_bundle_was_trained_on(make_bundle: Any) -> None:
    spec = read_spec(make_bundle("gym", "Pendulum-v1"))
    assert (spec.env, spec.task, spec.rate) == ("gym", "Pendulum-v1", 20.0)


def test_it_is_read_without_torch() -> None:
    code = "import sys, clam_core.bundle_file, clam_core.doctor.arm; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_no_bundle_is_one_line_with_the_mend(make_bundle: Any, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match=r"no bundle at '.*nothing': expected bundle.json there; .*RUN/bundle"):
        read_spec(tmp_path / "nothing")
    bundle = make_bundle("gym", "Pendulum-v1")
    with pytest.raises(ClamError, match=rf"did you mean '{bundle}'"):
        read_spec(bundle.parent)
    (bundle / "weights.safetensors").unlink()
    with pytest.raises(ClamError, match=r"has no weights\.safetensors"):
        read_spec(bundle)
    description = json.loads((bundle / "bundle.json").read_text())
    for text, said in (
        ("{", "is not valid JSON"),
        ("[]", "format version None"),
        (json.dumps({**description, "format_version": 1}), "format version 1, this clam reads 2"),
        (json.dumps({**description, "spec": {}}), "is not understood"),
    ):
        (bundle / "bundle.json").write_text(text)
        (bundle / "weights.safetensors").touch()
        with pytest.raises(ClamError, match=said) as refused:
            read_spec(bundle)
        assert "\n" not in str(refused.value)


def test_one_bundle_or_a_list_of_them_but_not_both() -> None:
    assert parse_paths("runs/a", "") == ["runs/a"]
    assert parse_paths("", "[runs/a, 'runs/b']") == ["runs/a", "runs/b"]
    assert parse_paths("", "runs/a,runs/b") == ["runs/a", "runs/b"]
    for pair in (("", ""), ("runs/a", "[runs/b]"), ("", "[]")):
        with pytest.raises(ClamError, match="bundle:=FOLDER or bundles:="):
            parse_paths(*pair)


def test_a_task_is_the_same_one_in_any_spelling_that_environments_take() -> None:
    assert same_task("push_button", "push-button") and same_task("assembly-v3", "assembly")
    assert not same_task("reach-block", "push-button") and not same_task("Hopper-v4", "Hopper-v5")
