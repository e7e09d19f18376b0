"""Checkpoints: safetensors weights, optimizer state loaded with ``weights_only``, written atomically."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from clam_core.errors import ClamError
from clam_core.whole import whole_folder

FORMAT_VERSION = 2


@dataclass(frozen=True)
class Position:
    """Where a run stands: `stage` counts from 0, `update` is the last one done."""

    stage: int
    update: int


def save_checkpoint(folder: Path, position: Position, model: nn.Module, state: dict[str, Any]) -> None:
    """Write ``folder/<stage>-<update>`` under a temporary name, rename it, then drop the older ones."""
    older = _complete(folder)
    final = folder / f"{position.stage:02d}-{position.update:09d}"
    _write(final, position, model, state)
    for path in older:
        if path != final:
            shutil.rmtree(path)


def load_checkpoint(folder: Path, model: nn.Module) -> tuple[Position, dict[str, Any]] | None:
    """Load the newest checkpoint of `folder` into `model`; None where there is none.

    Returns:
        Its position, and the training state that was saved with it.

    Raises:
        ClamError: another format version, or a damaged file.
    """
    complete = _complete(folder)
    return _read(complete[-1], model) if complete else None


def save_best(folder: Path, position: Position, model: nn.Module) -> None:
    """Write ``folder/best-<stage>``, replacing an older one: the weights with the lowest held-out error so far."""
    _write(folder / f"best-{position.stage:02d}", position, model, {})


def load_best(folder: Path, stage: int, model: nn.Module) -> Position:
    """Load ``folder/best-<stage>`` into `model`; returns its position."""
    return _read(folder / f"best-{stage:02d}", model)[0]


def _write(final: Path, position: Position, model: nn.Module, state: dict[str, Any]) -> None:
    with whole_folder(final) as folder:
        weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        torch.save(state, folder / "training_state.pt")
        header = {"format_version": FORMAT_VERSION, "stage": position.stage, "update": position.update}
        (folder / "checkpoint.json").write_text(json.dumps(header))


def _read(path: Path, model: nn.Module) -> tuple[Position, dict[str, Any]]:
    header = json.loads((path / "checkpoint.json").read_text())
    if header.get("format_version") != FORMAT_VERSION:
        raise ClamError(
            f"checkpoint '{path}' has format version {header.get('format_version')}, this clam reads "
            f"{FORMAT_VERSION}; resume it with the clam that wrote it, or train again into another folder"
        )
    try:
        model.load_state_dict(load_file(path / "weights.safetensors"))
        state = torch.load(path / "training_state.pt", weights_only=True, map_location="cpu")
    except Exception as error:  # safetensors and torch raise many kinds for a damaged or hostile file
        reason = str(error).splitlines()[0]
        raise ClamError(f"checkpoint '{path}' cannot be read ({reason}); delete it and resume again") from error
    return Position(header["stage"], header["update"]), state


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*-[0-9]*") if (path / "checkpoint.json").is_file())
