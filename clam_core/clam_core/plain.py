"""Checked conversion of plain data (YAML, JSON) to frozen dataclasses. Unknown keys name the nearest valid one."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from clam_core.errors import ClamError, did_you_mean

T = TypeVar("T")


def from_plain(target: type[T], values: Mapping[str, Any]) -> T:
    """`values` as the dataclass `target`; inverse of `to_plain`.

    Raises:
        ClamError: an unknown key, or a value of the wrong type.
    """
    return cast(T, _convert(target, values, ""))


def to_plain(instance: Any) -> dict[str, Any]:
    """A dataclass as nested dictionaries and lists, as YAML and JSON know them."""
    return cast(dict[str, Any], _listed(dataclasses.asdict(instance)))


def differences(one: Mapping[str, Any], other: Mapping[str, Any], key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted key and both values, where two nested dictionaries with the same keys differ."""
    for name, value in one.items():
        if isinstance(value, dict):
            yield from differences(value, other[name], f"{key}{name}.")
        elif value != other[name]:
            yield f"{key}{name}", value, other[name]


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


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
