"""`colcon build` of the whole workspace, and the executables that it installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("colcon_ros", reason="needs colcon (make setup, or a system ROS 2)")

WORKSPACE = Path(__file__).parents[2] / "ros2_ws"
PACKAGES = ["arm", "bringup", "camera", "core", "description", "eval", "policy", "recorder", "ros", "sim"]
PACKAGES += ["teleop", "training"]


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install folder of a fresh build."""
    folder = tmp_path_factory.mktemp("colcon")
    command = [sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), "build"]
    bases = ["--build-base", str(folder / "build"), "--install-base", str(folder / "install")]
    built = subprocess.run([*command, *bases], cwd=WORKSPACE, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "install"


def test_every_package_is_built_and_known_to_the_ament_index(install: Path) -> None:
    for package in PACKAGES:
        name = f"clam_{package}"
        assert (install / name / "share/ament_index/resource_index/packages" / name).exists()
        assert (install / name / "share" / name / "package.xml").exists()
    assert (install / "clam_description/share/clam_description/urdf/workcell.urdf.xacro").is_file()
    assert (install / "clam_camera/share/clam_camera/config/fastdds.xml").is_file()
    (page,) = (install / "clam_teleop").rglob("page/main.js")
    assert (page.parent / "index.html").is_file()
    (page,) = (install / "clam_eval").rglob("page/evaluation.js")
    assert (page.parent / "index.html").is_file()
    launch_files = {path.name for path in (install / "clam_bringup/share/clam_bringup/launch").iterdir()}
    assert {
        f"{name}.launch.py" for name in ("policy", "sim", "record", "robot", "sim_kitchen", "evaluate")
    } <= launch_files


def test_installed_executables_run_from_the_install_folder_alone(install: Path) -> None:
    script = (
        f". {install}/setup.sh && cd / && "
        "for e in generate import_data inspect train train_lam relabel evaluate summary; do "
        f'"$1/clam_training/lib/clam_training/$e" --help >/dev/null || exit 1; done && '
        f'"$1/clam_bringup/lib/clam_bringup/clam-launch" policy --show && '
        f'"$1/clam_bringup/lib/clam_bringup/clam-call" --help >/dev/null && '
        f'python3 -c "import clam_core; print(clam_core.__file__)"'
    )
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    ran = subprocess.run(
        ["sh", "-c", script, "sh", str(install)], capture_output=True, text=True, env=environment, timeout=200
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "clam_policy policy" in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith(str(install)), "clam_core came from elsewhere"
