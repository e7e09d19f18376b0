"""What the pages of benchmarks have in common: JSON beside them, the command, the machine and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write_page(
    result: Mapping[str, Any], folder: Path, command: str, text: Sequence[str], draw: Callable[[Path], None]
) -> Path:
    """Write ``<benchmark>.json``, ``.md`` (title and `text`) and ``.png`` into `folder`; the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / str(result["benchmark"])
    path.with_suffix(".json").write_text(json.dumps({**result, "command": command}, indent=1) + "\n")
    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    lines = [*text, "", f"Command: `{command}`", "", f"Machine: {machine}", "", f"![]({path.name}.png)", ""]
    path.with_suffix(".md").write_text("\n".join(lines))
    draw(path.with_suffix(".png"))
    return path.with_suffix(".md")
