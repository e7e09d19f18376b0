"""What a bundle says of itself in ``bundle.json``, read without torch, before any node runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec

FORMAT_VERSION = 2
DESCRIPTION, WEIGHTS = "bundle.json", "weights.safetensors"


def parse_paths(bundle: str, bundles: str) -> list[str]:
    """The folders that ``bundle:=A`` or ``bundles:="[A, B]"`` name.

    Raises:
        ClamError: none, or both.
    """
    text = bundles.strip().removeprefix("[").removesuffix("]")
    several = [path for part in text.split(",") if (path := part.strip().strip("'\""))]
    if bool(bundle.strip()) == bool(several):
        given = "both" if several else "neither"
        raise ClamError(f"{given} of bundle and bundles given: say bundle:=FOLDER or bundles:='[FOLDER, FOLDER]'")
    return several or [bundle.strip()]


def same_task(one: str, other: str) -> bool:
    """Whether both name the same task, as environments read it: `push_button` is `push-button`."""
    first, second = (name.replace("_", "-").removesuffix("-v3") for name in (one, other))
    return first == second


def read_description(folder: Path) -> dict[str, Any]:
    """All of ``bundle.json``.

    Raises:
        ClamError: no bundle there, another format version, or it is damaged.
    """
    file = folder / DESCRIPTION
    if not file.is_file():
        inner = folder / "bundle"
        mend = f"did you mean '{inner}'?" if (inner / DESCRIPTION).is_file() else "`clam train` writes RUN/bundle"
        raise ClamError(f"no bundle at '{folder}': expected {DESCRIPTION} there; {mend}")
    try:
        description = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ClamError(f"'{file}' is not valid JSON ({error}); export the bundle again") from error
    version = description.get("format_version") if isinstance(description, dict) else None
    if version != FORMAT_VERSION:
        raise ClamError(
            f"bundle '{folder}' has format version {version}, this clam reads {FORMAT_VERSION}; "
            "export it again with this version"
        )
    return dict(description)


def read_spec(path: Path | str) -> EnvironmentSpec:
    """What the bundle was trained on, once all that it is made of is there.

    Raises:
        ClamError: as `read_description`; or the weights are missing.
    """
    folder = Path(path)
    description = read_description(folder)
    if not (folder / WEIGHTS).is_file():
        raise ClamError(f"bundle '{folder}' has no {WEIGHTS}: copy all of its folder, or export it again")
    try:
        return EnvironmentSpec.from_json(description["spec"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClamError(f"'{folder / DESCRIPTION}' is not understood ({error}): export the bundle again") from error
