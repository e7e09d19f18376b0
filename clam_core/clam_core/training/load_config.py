"""From preset, file and ``dotted.key=value`` to a `Config`. Unknown keys are errors that name the nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clam_core.errors import ClamError, did_you_mean
from clam_core.plain import from_plain
from clam_core.training.config import Config


def preset_files() -> dict[str, Path]:
    """Presets of every installed package that registers the entry point group ``clam.presets``."""
    presets: dict[str, Path] = {}
    for entry in entry_points(group="clam.presets"):
        folder = Path(str(files(entry.value)))
        for path in folder.rglob("*.yaml"):
            presets[path.relative_to(folder).with_suffix("").as_posix()] = path
    return presets


def load_config(
    method: str, preset: str | None = None, file: Path | None = None, overrides: Sequence[str] = ()
) -> Config:
    """Defaults, then preset, then file, then ``dotted.key=value`` overrides.

    A preset or file may say ``extends: PRESET``: it then only holds what differs from that preset.

    Raises:
        ClamError: unknown preset or key, unreadable file, value of the wrong type.
    """
    values: dict[str, Any] = {}
    if preset is not None:
        _merge(values, _preset(preset))
    if file is not None:
        if not file.is_file():
            raise ClamError(f"no configuration file at '{file}'")
        _merge(values, _extended(_parse(file.read_text(), str(file))))
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ClamError(f"'{override}' is not of the form dotted.key=value, e.g. lam.latent_dim=8")
        if key == "method" and text != method:
            raise ClamError(f"'{override}': the method is the command's first word; write clam train {text} …")
        nested: Any = _parse(text, override)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        _merge(values, nested)
    return from_plain(Config, {**values, "method": method})


def _preset(name: str) -> dict[str, Any]:
    presets = preset_files()
    if name not in presets:
        hint = did_you_mean(name, presets) if presets else "none installed; pip install ./training"
        raise ClamError(f"unknown preset '{name}': {hint}")
    return _extended(_parse(presets[name].read_text(), name))


def _extended(values: Any) -> dict[str, Any]:
    """`values` merged into the preset that they extend, if any."""
    if not isinstance(values, dict):
        raise ClamError(f"expected 'key: value' pairs, got {values!r}")
    if "extends" not in values:
        return values
    base = _preset(str(values.pop("extends")))
    _merge(base, values)
    return base


def _parse(text: str, source: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ClamError(f"'{source}' is not valid YAML: {' '.join(str(error).split())}") from error


def _merge(base: dict[str, Any], extra: Any) -> None:
    if not isinstance(extra, dict):
        raise ClamError(f"expected 'key: value' pairs, got {extra!r}")
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
