"""The package `calvin_env` (mees/calvin_env), where it is installed: imported late, built quietly, missed helpfully."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError

#: What it imports without its tactile camera. Its other declared dependencies are for recording and rendering data.
DEPENDENCIES = (
    *("pybullet", "scipy", "hydra-core", "omegaconf", "gym", "gitpython", "numpy-quaternion"),
    "opencv-python-headless",
)
INSTALL = (
    f"pip install {' '.join(DEPENDENCIES)} && git clone https://github.com/mees/calvin_env "
    "&& pip install --no-deps -e calvin_env"
)

SCENE = "calvin_scene_D"
ROBOT = ("panda", "panda_longer_finger")  # the second's entries override the first's
PHYSICS_RATE = 240.0  # [Hz]


def installed() -> bool:
    """Whether `calvin_env` can be found; it is not imported."""
    return importlib.util.find_spec("calvin_env") is not None


def load(module: str) -> Any:
    """A module of `calvin_env` or of what it builds on.

    Raises:
        ClamError: it, or something that it imports, is missing.
    """
    if not installed():
        raise ClamError(f"CALVIN's simulator calvin_env is not installed; get it with: {INSTALL}")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), silence():
            warnings.simplefilter("ignore")  # Gym and Hydra say at every import that they are old
            return importlib.import_module(module)
    except ImportError as error:
        raise ClamError(f"calvin_env cannot be loaded ({error}); install what it needs with: {INSTALL}") from error


def config(name: str) -> dict[str, Any]:
    """``conf/<name>.yaml`` of `calvin_env`, without its Hydra defaults; references to other files are left as text.

    Raises:
        ClamError: `calvin_env` was installed without its configuration.
    """
    path = repository() / "conf" / f"{name}.yaml"
    if not path.is_file():
        raise ClamError(f"calvin_env has no {path}; install it from a git clone, editable: {INSTALL}")
    omega = load("omegaconf").OmegaConf
    values: dict[str, Any] = omega.to_container(omega.load(path), resolve=False)
    values.pop("defaults", None)
    return values


def repository() -> Path:
    """The clone of `calvin_env` that is installed: its configuration and meshes lie beside the package."""
    return Path(load("calvin_env").__file__).resolve().parents[1]


def make_simulator() -> Any:
    """A `PlayTableSimEnv` of scene D without cameras, headless, with the settings of its ``conf/``.

    Raises:
        ClamError: `calvin_env` or something that it needs is missing.
    """
    omega = load("omegaconf").OmegaConf
    robot = {key: value for name in ROBOT for key, value in config(f"robot/{name}").items()}
    settings = omega.create({"data_path": "data", "scene": config(f"scene/{SCENE}"), "robot": robot})
    make = load("calvin_env.envs.play_table_env").PlayTableSimEnv
    git_errors = load("git.exc")
    logging.getLogger("calvin_env").setLevel(logging.WARNING)  # else it tells its commit at every episode
    try:
        with silence():
            return make(
                robot_cfg=settings.robot,
                scene_cfg=settings.scene,
                cameras={},
                seed=0,
                use_vr=False,
                show_gui=False,
                use_egl=False,
                use_scene_info=True,  # what the task oracle reads
                bullet_time_step=PHYSICS_RATE,
            )
    except git_errors.InvalidGitRepositoryError as error:
        raise ClamError(
            f"{repository()} is no git clone, which calvin_env insists on; get it with: {INSTALL}"
        ) from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Drop what native code and Python print meanwhile: Bullet greets at every connection, on standard output."""
    c_library = ctypes.CDLL(None)
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        c_library.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
