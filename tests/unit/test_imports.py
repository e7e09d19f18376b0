"""What `clam_core` may import, checked in a fresh interpreter."""

import subprocess
import sys


def test_importing_clam_core_needs_neither_ros_nor_a_simulator() -> None:
    code = """
import importlib, pkgutil, sys
import clam_core
# Those are imported by name, on demand.
lazy = ("clam_core.envs.", "clam_core.operators.", "clam_core.bench.data", "clam_core.__main__")
for module in pkgutil.walk_packages(clam_core.__path__, "clam_core."):
    if not module.name.startswith(lazy):
        importlib.import_module(module.name)
print(sorted({"rclpy", "mujoco", "metaworld", "gymnasium"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_no_file_of_clam_core_names_rclpy() -> None:
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("clam_core")
    assert spec and spec.submodule_search_locations
    files = list(Path(spec.submodule_search_locations[0]).rglob("*.py"))
    assert len(files) > 20
    assert not [path for path in files if "import rclpy" in path.read_text() or "from rclpy" in path.read_text()]
