"""Checks of this machine: versions, processor, disk, GPU, ROS 2, OpenGL."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clam_core.doctor.finding import Check, Finding

OLDEST_PYTHON = (3, 10)
REQUIRED = ("clam_core", "torch", "numpy", "zarr", "rosbags", "mcap", "opencv-python-headless")
USEFUL = ("clam_description", "clam_bringup", "mujoco", "metaworld", "gymnasium")
SCARCE, TOO_SCARCE = 5.0, 0.5  # [GiB] free
GL_PATIENCE = 120.0  # [s] for the first image: drivers may compile shaders
NODE_PATIENCE = 60.0  # [s] for a node: the machine may be busy
_SETUP = "run make setup"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_DRAW = """
import mujoco
from clam_core.envs.rendering import OffscreenRenderer
model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><light pos='0 0 3'/><camera name='c' pos='0 0 2'/><geom size='.5'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
image = OffscreenRenderer(model).render(data, 32, 32, "c")
assert image.max() > image.min(), "an empty image"
import os
print(os.environ.get("MUJOCO_GL", ""))
"""

# A program of another process: this package itself never imports ROS.
_NODE = """
rclpy = __import__("rclpy")
rclpy.init()
rclpy.create_node("clam_doctor").destroy_node()
rclpy.shutdown()
"""


def python() -> Iterator[Finding]:
    """Interpreter and operating system."""
    text = f"{platform.python_version()} on {platform.system()} {platform.release()} ({platform.machine()})"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("python", "fail", text, f"use {'.'.join(map(str, OLDEST_PYTHON))} or later")
    else:
        yield Finding("python", "ok", text)


def packages() -> Iterator[Finding]:
    """Versions of what is needed, and of what simulators and robots need."""
    found = {name: _version(name) for name in (*REQUIRED, *USEFUL)}
    missing = [name for name in REQUIRED if found[name] is None]
    text = ", ".join(f"{name} {number}" for name, number in found.items() if number is not None)
    if missing:
        yield Finding("packages", "fail", f"without {', '.join(missing)}", _SETUP)
    yield Finding("packages", "ok", text)
    if absent := [name for name in USEFUL if found[name] is None]:
        yield Finding("packages", "warn", f"without {', '.join(absent)}: some environments cannot be made", _SETUP)


def processor() -> Iterator[Finding]:
    """Cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", "ok", f"{cores} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f}")


def disk() -> Iterator[Finding]:
    """Room here and for temporary files."""
    for name, folder in (("disk", Path.cwd()), ("disk of temporary files", Path(os.environ.get("TMPDIR", "/tmp")))):
        free = shutil.disk_usage(folder).free / 2**30
        level, mend = ("ok", "") if free >= SCARCE else ("warn" if free >= TOO_SCARCE else "fail", "make room")
        yield Finding(name, level, f"{free:.1f} GiB free", mend)  # type: ignore[arg-type]


def gpu() -> Iterator[Finding]:
    """What PyTorch can train on."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Finding("gpu", "ok", f"{', '.join(names)} (CUDA {torch.version.cuda})")
    else:
        yield Finding("gpu", "ok", "none: training and policies run on the processor")


def ros() -> Iterator[Finding]:
    """Whether nodes can run, and which ROS 2 they would use."""
    if importlib.util.find_spec("rclpy") is None:
        yield Finding("ros", "warn", "no rclpy: nodes cannot run", f"source a ROS 2, or {_SETUP}")
        return
    wheel = _version("ros-rclpy")
    origin = f"rclpy {wheel} from PyPI" if wheel else f"ROS 2 {os.environ.get('ROS_DISTRO', 'of this system')}"
    middleware = os.environ.get("RMW_IMPLEMENTATION", "the default middleware")
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    bags = "rosbag2_py" if importlib.util.find_spec("rosbag2_py") else "rosbags"
    text = f"{origin}, {middleware}, domain {domain}"
    if why := _no_node():
        mend = "check RMW_IMPLEMENTATION, ROS_DOMAIN_ID (0 to 232) and what is installed"
        yield Finding("ros", "fail", f"{text}: no node can run ({why})", mend)
    else:
        yield Finding("ros", "ok", f"{text}, bags by {bags}")
    nodes = [name for name in ("clam_ros", "clam_recorder", "clam_policy") if importlib.util.find_spec(name) is None]
    if nodes:
        yield Finding("ros", "warn", f"without {', '.join(nodes)}", f"{_SETUP}, or colcon build and source it")


def opengl() -> Iterator[Finding]:
    """Whether cameras of simulators can be drawn without a display; in a process of its own, which may crash."""
    if importlib.util.find_spec("mujoco") is None:
        return
    try:
        done = subprocess.run([sys.executable, "-c", _DRAW], capture_output=True, text=True, timeout=GL_PATIENCE)
    except subprocess.TimeoutExpired:
        yield Finding("opengl", "warn", f"no image within {GL_PATIENCE:g} s", "try MUJOCO_GL=osmesa")
        return
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = said[-1][:160] if said else f"status {done.returncode}"
        yield Finding("opengl", "warn", f"no images of simulators ({why})", "apt-get install libegl1")
    else:
        yield Finding("opengl", "ok", f"draws without a display ({done.stdout.strip() or 'default'})")


#: In the order in which they are shown.
MACHINE: tuple[Check, ...] = (python, packages, processor, disk, gpu, ros, opengl)


def _no_node() -> str:
    """Why no node can be made, in a process of its own, which the middleware may end; empty if it can."""
    try:
        done = subprocess.run([sys.executable, "-c", _NODE], capture_output=True, text=True, timeout=NODE_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"none within {NODE_PATIENCE:g} s"
    said = [_COLOUR.sub("", line).strip() for line in done.stderr.splitlines() if line.strip()]
    return (said[-1][:160] if said else f"status {done.returncode}") if done.returncode else ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
