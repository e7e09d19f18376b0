"""A benchmark's result as JSON, Markdown and a picture."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.data.images import encode_png


def as_lines(result: dict[str, Any]) -> list[str]:
    """The result for people."""
    lines = [f"{result['benchmark']}: {result['what']}"]
    for row in result.get("measurements", ()):
        target = f" ({row['target']})" if row["target"] else ""
        lines.append(f"{row['what']:62s} {row['value']:9.2f} {row['unit']}{target}")
    if "measurements" in result:
        return lines
    for name, speed in result["updates_per_second"].items():
        lines.append(f"{name:10s} {speed:7.2f} updates/s, {result['peak_memory_mib'][name]:6.0f} MiB")
    if "stack_ratio" in result:
        ratio = result["stack_ratio"]
        lines.append(
            f"stacked updates are {ratio['median']:.2f} times as fast ({ratio['low']:.2f} to {ratio['high']:.2f})"
        )
    if "ratio" in result:
        ratio = result["ratio"]
        lines.append(f"clam_core is {ratio['median']:.2f} times as fast ({ratio['low']:.2f} to {ratio['high']:.2f})")
    else:
        lines.append(f"the authors' modules were left out: {result['skipped']}")
    return lines


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``<benchmark>.json``, ``.md`` and ``.png`` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / result["benchmark"]
    pictures = result.pop("pictures", None)
    path.with_suffix(".json").write_text(json.dumps(result, indent=2, default=str) + "\n")
    command = shlex.join([Path(sys.argv[0]).name, *(Path(word).name if "/" in word else word for word in sys.argv[1:])])
    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    lines = [f"# {result['benchmark']}", "", *(f"    {line}" for line in as_lines(result)), ""]
    lines += [f"Command: `{command}`", "", f"Machine: {machine}", "", f"![]({path.name}.png)", ""]
    path.with_suffix(".md").write_text("\n".join(lines))
    if pictures is None:
        _draw(result, path.with_suffix(".png"))
    else:
        _show(pictures, path.with_suffix(".png"))


def _show(pictures: list[list[npt.NDArray[np.uint8]]], path: Path) -> None:
    """Pairs of pictures, one below the other and three times as large."""
    columns = [np.concatenate(pair) for pair in pictures]
    path.write_bytes(encode_png(np.concatenate(columns, axis=1).repeat(3, 0).repeat(3, 1)))


def _draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 1 + 0.5 * len(result["updates_per_second"])), layout="constrained")
    axes = figure.add_subplot()
    names, speeds = zip(*result["updates_per_second"].items(), strict=True)
    axes.bar_label(axes.barh(names, speeds), fmt="%.2f")
    axes.invert_yaxis()
    axes.set_xlabel("updates per second")
    figure.savefig(path)
