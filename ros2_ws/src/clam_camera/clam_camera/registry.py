"""The backends by name. Their libraries are imported only when a backend is chosen."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from clam_camera.source import CameraSource, Settings
from clam_core.errors import ClamError, did_you_mean


@dataclass(frozen=True)
class Backend:
    """Where the class is (``module:Class``), and how to get what it needs."""

    source: str
    mend: str


BACKENDS = {
    "opencv": Backend("clam_camera.opencv_camera:OpenCVCamera", "pip install opencv-python-headless"),
    "realsense": Backend(
        "clam_camera.realsense_camera:RealSenseCamera",
        "pip install pyrealsense2, and apt-get install libusb-1.0-0",
    ),
    "mujoco": Backend("clam_camera.kitchen_camera:KitchenCamera", "pip install mujoco, or make setup"),
}


def make_source(name: str, settings: Settings) -> CameraSource:
    """The source of backend `name`, not opened yet.

    Raises:
        ClamError: unknown backend, its library is missing, or settings that it cannot work with.
    """
    if name not in BACKENDS:
        raise ClamError(f"unknown camera backend '{name}': {did_you_mean(name, BACKENDS)}")
    backend = BACKENDS[name]
    module, _, kind = backend.source.partition(":")
    try:
        source: CameraSource = getattr(importlib.import_module(module), kind)(settings)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise ClamError(f"camera backend '{name}' needs a library ({reason}): {backend.mend}") from error
    return source
