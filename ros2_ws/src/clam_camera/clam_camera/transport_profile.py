"""The Fast DDS profile that this package ships, and the environment variable that makes Fast DDS read it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib.resources import files
from pathlib import Path

#: Fast DDS 3 (Kilted and later) reads the first, Fast DDS 2 the second.
VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
FASTDDS_2 = ("humble", "iron", "jazzy")


def variable() -> str:
    """The variable that Fast DDS of this ROS 2 reads."""
    return VARIABLES[os.environ.get("ROS_DISTRO") in FASTDDS_2]


def profile_path() -> Path:
    """Path of ``fastdds.xml``."""
    return Path(str(files("clam_camera"))) / "config" / "fastdds.xml"


def use_profile(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let Fast DDS of this process read the profile; True if so.

    Call it before `rclpy.init`. A profile that the user has chosen stays, an empty variable means none.
    """
    if any(name in environment for name in VARIABLES):
        return False
    environment[variable()] = str(profile_path())
    return True
