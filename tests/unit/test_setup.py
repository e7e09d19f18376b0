"""What `make setup` notices, and what it installs beside a ROS 2 of the system. Nothing is downloaded here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = "%d.%d" % sys.version_info[:2]  # noqa: UP031  # as in setup.sh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with an empty `.venv` that is ready."""
    for name in ("setup.sh", "Makefile"):
        shutil.copy(ROOT / name, tmp_path / name)
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    (tmp_path / ".venv/.flavor").write_text(f"{VERSION} wheels\n")
    (tmp_path / ".venv/.ready").touch()
    return tmp_path


@pytest.fixture
def ros(tmp_path: Path) -> Path:
    """What `source /opt/ros/…/setup.bash` adds to PYTHONPATH."""
    (tmp_path / "ros/rclpy").mkdir(parents=True)
    for name in ("__init__.py", "node.py"):
        (tmp_path / "ros/rclpy" / name).touch()
    return tmp_path / "ros"


def setup(folder: Path, *arguments: str, ros: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ROS_DISTRO")}
    environment |= {"PYTHONPATH": str(ros)} if ros else {}
    command = ["bash", "setup.sh", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("python", ["", ".venv/bin/python"])
def test_nothing_is_done_where_nothing_changed(folder: Path, python: str) -> None:
    """Also in a terminal where .venv is activated."""
    (folder / ".venv/lib" / f"python{VERSION}" / "site-packages/rclpy").mkdir()
    (folder / ".venv/lib" / f"python{VERSION}" / "site-packages/rclpy/node.py").touch()
    begun = time.monotonic()
    done = setup(folder, "--check", python, ".venv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / ".venv/.ready").exists() and time.monotonic() - begun < 10.0


def test_a_ros_that_came_later_is_noticed(folder: Path, ros: Path) -> None:
    assert setup(folder, "--check", "", ".venv", ros=ros).returncode == 0
    assert not (folder / ".venv/.ready").exists()


def test_another_python_is_noticed_only_where_it_was_chosen(folder: Path) -> None:
    (folder / ".venv/.flavor").write_text("3.9 wheels\n")
    setup(folder, "--check", sys.executable, ".venv")
    assert not (folder / ".venv/.ready").exists()
    make = ["make", "-n", "setup"]
    for chosen, told in (([], '--check "" '), (["PYTHON=python3.12"], '--check "python3.12" ')):
        shown = subprocess.run([*make, *chosen], cwd=folder, capture_output=True, text=True, timeout=60)
        assert told in shown.stdout


def test_a_ros_that_was_not_sourced_costs_no_environment(folder: Path, ros: Path) -> None:
    (folder / ".venv/.flavor").write_text(f"{VERSION} system\n")
    assert setup(folder, "--check", "", ".venv", ros=ros).returncode == 0
    forgotten = setup(folder, "--check", "", ".venv")
    assert forgotten.returncode == 1 and forgotten.stderr.count("\n") == 1
    assert "not sourced in this terminal; source it" in forgotten.stderr
    assert (folder / ".venv/.ready").exists()


@pytest.mark.parametrize(
    ("extra", "flavor", "installs"),
    [
        ("rl", "3.12 wheels", True),
        ("rl", "3.10 system", True),
        ("rl", "3.12 system", False),
        ("browser", "3.12 system", True),
    ],
)
def test_extras_do_not_replace_the_numpy_that_a_system_ros_needs(
    folder: Path, extra: str, flavor: str, installs: bool
) -> None:
    (folder / ".venv/.flavor").write_text(f"{flavor}\n")
    python = folder / ".venv/bin/python"
    python.unlink()
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    done = setup(folder, "--extra", extra, ".venv")
    version, ros = flavor.split()
    if installs:
        wanted = f"-r requirements-{extra}.txt -r requirements-ros-{ros}.txt -c constraints/py{version}.txt"
        assert done.returncode == 0 and wanted in done.stdout
    else:
        assert done.returncode == 1 and done.stdout == "" and "an environment of their own" in done.stderr
