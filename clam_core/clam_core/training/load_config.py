"""From preset, file and ``dotted.key=value`` to a `Config`. Unknown keys are errors that name the nearest one."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clam_core.errors import ClamError, did_you_mean
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

    Raises:
        ClamError: unknown preset or key, unreadable file, value of the wrong type.
    """
    values: dict[str, Any] = {}
    if preset is not None:
        presets = preset_files()
        if preset not in presets:
            hint = did_you_mean(preset, presets) if presets else "none installed; pip install ./training"
            raise ClamError(f"unknown preset '{preset}': {hint}")
        _merge(values, _parse(presets[preset].read_text(), preset))
    if file is not None:
        if not file.is_file():
            raise ClamError(f"no configuration file at '{file}'")
        _merge(values, _parse(file.read_text(), str(file)))
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ClamError(f"'{override}' is not of the form dotted.key=value, e.g. lam.latent_dim=8")
        nested: Any = _parse(text, override)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        _merge(values, nested)
    return config_from_dict({**values, "method": method})


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Checked conversion of nested plain data to `Config`; inverse of `dataclasses.asdict`."""
    config = _convert(Config, values, "")
    assert isinstance(config, Config)
    return config


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


def _convert(target: Any, value: Any, key: str) -> Any:
    """`value` as the type `target`; `key` is its dotted name for error lines."""
    if dataclasses.is_dataclass(target):
        return _convert_dataclass(target, value, key)
    origin = typing.get_origin(target)
    if origin is tuple:
        if target == tuple[str, ...] and isinstance(value, str):
            value = (value,)
        if not isinstance(value, (list, tuple)):
            raise ClamError(f"{key} must be a list, got {value!r}")
        return tuple(_convert(typing.get_args(target)[0], item, key) for item in value)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _convert(next(t for t in typing.get_args(target) if t is not type(None)), value, key)
    if target is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as text
        except ValueError:
            pass
    if target is str and isinstance(value, Path):
        return str(value)
    if type(value) is not target:
        raise ClamError(f"{key} must be {target.__name__}, got {value!r}")
    return value


def _convert_dataclass(target: Any, value: Any, key: str) -> Any:
    if not isinstance(value, Mapping):
        raise ClamError(f"{key or 'the configuration'} must be 'key: value' pairs, got {value!r}")
    hints = typing.get_type_hints(target)
    for name in value:
        if name not in hints:
            prefix = f"{key}." if key else ""
            raise ClamError(f"unknown key '{prefix}{name}': {did_you_mean(str(name), hints)}")
    return target(**{n: _convert(hints[n], item, f"{key}.{n}" if key else n) for n, item in value.items()})
