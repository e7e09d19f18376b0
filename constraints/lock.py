"""Writes constraints/pyX.Y.txt for the running interpreter: all that pip resolves from the requirements.

`make lock PYTHON=python3.12` runs it. NumPy is left out: the ROS requirements pin it, in two versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = (
    "requirements.txt",
    "requirements-ros-wheels.txt",
    "requirements-dev.txt",
    "requirements-rl.txt",
    "requirements-browser.txt",
)
HERE = Path(__file__).parent


def resolve() -> list[str]:
    """`name==version` of all packages that a fresh environment would get."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    for name in REQUIREMENTS:
        command += ["-r", str(HERE.parent / name)]
    report = json.loads(subprocess.check_output([*command, "--report", "-"]))
    packages = (item["metadata"] for item in report["install"])
    pins = (f"{package['name']}=={package['version'].partition('+')[0]}" for package in packages)
    return sorted((pin for pin in pins if not pin.startswith(("numpy==", "nvidia-", "cuda-"))), key=str.lower)


def main() -> None:
    """Write the file beside this script."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = [f"# Written by `make lock` with Python {version}.", *resolve()]
    (HERE / f"py{version}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
