"""A bundle that takes part: what it is called, what it is made of, and what an evaluation must know of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

FILES = ("bundle.json", "weights.safetensors")


@dataclass(frozen=True)
class Contender:
    """`digest` is the SHA-256 of its files; `rate` [Hz] is that of its steps."""

    name: str
    path: str
    digest: str
    task: str
    rate: float


def read_contenders(paths: Sequence[str]) -> tuple[Contender, ...]:
    """The contenders, in the order of their digests: whoever names them in another order means the same evaluation.

    Raises:
        ClamError: no bundle there, or the same one twice.
    """
    found: dict[str, Contender] = {}
    for name, path in zip(_names(paths), paths, strict=True):
        contender = _read(name, Path(path))
        if contender.digest in found:
            raise ClamError(f"'{path}' and '{found[contender.digest].path}' are the same bundle: leave one out")
        found[contender.digest] = contender
    return tuple(found[digest] for digest in sorted(found))


def check_unchanged(contender: Contender) -> None:
    """Raises `ClamError` when its files are not those any more that it was read from; a training may go on there."""
    if _read(contender.name, Path(contender.path)).digest != contender.digest:
        raise ClamError("the files of a bundle have changed since the evaluation began: put the old ones back")


def _read(name: str, folder: Path) -> Contender:
    digest = hashlib.sha256()
    try:
        for file in FILES:
            digest.update((folder / file).read_bytes())
        spec = EnvironmentSpec.from_json(json.loads((folder / FILES[0]).read_text())["spec"])
    except OSError as error:
        raise ClamError(f"no bundle at '{folder}' ({error.strerror}): `clam train` writes RUN/bundle") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ClamError(f"'{folder / FILES[0]}' is not understood ({error}): export the bundle again") from error
    return Contender(name, str(folder), digest.hexdigest(), spec.task, float(spec.rate))


def _names(paths: Sequence[str]) -> list[str]:
    """The paths without what they have in common: ``runs/clam/bundle`` and ``runs/vpt/bundle`` are clam and vpt."""
    parts = [[part for part in Path(path).resolve().parts if part != "bundle"] for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(paths)
