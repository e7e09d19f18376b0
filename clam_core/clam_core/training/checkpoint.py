"""Checkpoints: safetensors weights, optimizer state loaded with ``weights_only``, written atomically."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from clam_core.errors import ClamError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Position:
    """Where a run stands: `stage` counts from 0, `update` is the last one done."""

    stage: int
    update: int


def save_checkpoint(
    folder: Path, position: Position, model: nn.Module, optimizer: dict[str, Any], schedule: dict[str, Any]
) -> None:
    """Write ``folder/<stage>-<update>`` under a temporary name, rename it, then drop the older ones."""
    final = folder / f"{position.stage:02d}-{position.update:09d}"
    partial = folder / f".{final.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        partial / "weights.safetensors",
    )
    generators = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        generators["cuda"] = torch.cuda.get_rng_state()
    state = {"optimizer": optimizer, "schedule": schedule, "generators": generators}
    torch.save(state, partial / "training_state.pt")
    header = {"format_version": FORMAT_VERSION, "stage": position.stage, "update": position.update}
    (partial / "checkpoint.json").write_text(json.dumps(header))
    older = _complete(folder)
    os.replace(partial, final)
    for path in older:
        shutil.rmtree(path)


def load_checkpoint(folder: Path, model: nn.Module) -> tuple[Position, dict[str, Any]] | None:
    """Load the newest checkpoint of `folder` into `model` and torch's generators; None where there is none.

    Returns:
        Its position, and the states of optimizer and schedule.

    Raises:
        ClamError: another format version, or a damaged file.
    """
    complete = _complete(folder)
    if not complete:
        return None
    newest = complete[-1]
    header = json.loads((newest / "checkpoint.json").read_text())
    if header.get("format_version") != FORMAT_VERSION:
        raise ClamError(
            f"checkpoint '{newest}' has format version {header.get('format_version')}, this clam reads "
            f"{FORMAT_VERSION}; resume it with the clam that wrote it, or train again into another folder"
        )
    try:
        model.load_state_dict(load_file(newest / "weights.safetensors"))
        state = torch.load(newest / "training_state.pt", weights_only=True, map_location="cpu")
    except Exception as error:  # safetensors and torch raise many kinds for a damaged or hostile file
        reason = str(error).splitlines()[0]
        raise ClamError(f"checkpoint '{newest}' cannot be read ({reason}); delete it and resume again") from error
    torch.set_rng_state(state["generators"]["cpu"])
    if "cuda" in state["generators"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["generators"]["cuda"])
    return Position(header["stage"], header["update"]), state


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*-[0-9]*") if (path / "checkpoint.json").is_file())
