"""Choosing a backend: every wrong choice is one line that says what to do."""

from __future__ import annotations

import sys

import pytest

from clam_camera.registry import BACKENDS, make_source
from clam_camera.source import Settings
from clam_core.errors import ClamError


def refusal(backend: str, settings: Settings) -> str:
    with pytest.raises(ClamError) as caught:
        make_source(backend, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_backend_names_the_nearest() -> None:
    assert "did you mean 'realsense'?" in refusal("realsens", Settings())


@pytest.mark.parametrize(
    ("backend", "library", "mend"),
    [
        ("realsense", "pyrealsense2", "pip install pyrealsense2"),
        ("opencv", "cv2", "pip install opencv-python"),
        ("mujoco", "mujoco", "pip install mujoco"),
    ],
)
def test_a_missing_library_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, backend: str, library: str, mend: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for module in (BACKENDS[backend].source.partition(":")[0], "clam_core.envs.kitchen_view"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    message = refusal(backend, Settings())
    assert library in message and mend in message


def test_the_registry_imports_no_camera_library() -> None:
    import subprocess

    code = "import sys, clam_camera.registry; print(sorted({'cv2', 'pyrealsense2', 'rclpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
