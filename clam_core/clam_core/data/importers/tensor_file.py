"""Tensors from a ``.pt`` file of unknown origin, a TensorDict among them, without running anything that it says.

A ``.pt`` file is a pickle, and a pickle can name any function to call. PyTorch's restricted reader
(``weights_only=True``) accepts names of tensor parts only. The classes that TensorDict puts into its files, other
ones in different versions, are added to these names, but stand for the inert containers below: the tensordict
package is not needed, and none of its code runs.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clam_core.errors import ClamError

#: Fields by name; nested where a TensorDict holds another.
Fields = dict[str, Any]

#: What the reader raises at a damaged place.
_DAMAGES = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile)
_GLOBAL = re.compile(r"GLOBAL (\S+)")


class _Contents:
    """Stands for a TensorDict: keeps the state that the file gives it, and does nothing with it."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.__dict__.update(state)


def _contents(_container: Any, state: Any) -> _Contents:
    """Stands for the function by which newer versions make a TensorDict from its class and state."""
    contents = _Contents()
    contents.__setstate__(state)
    return contents


#: Names in files of tensordict 0.1 to 0.15, and what they stand for here.
_STAND_INS: list[Any] = [
    (_Contents, "tensordict.tensordict.TensorDict"),
    (_Contents, "tensordict._td.TensorDict"),
    (_contents, "tensordict._reductions._make_td"),
    (dict, "tensordict.utils._StringOnlyDict"),
]


def load_tensors(path: Path) -> Fields:
    """Tensors of the file at `path`, by name, on the CPU; pages are read from disk when they are used.

    Raises:
        ClamError: no such file, one that is cut off, one that holds anything but tensors, or none with names.
    """
    if not path.is_file():
        raise ClamError(f"no file '{path}'; give a .pt file")
    try:
        if not zipfile.is_zipfile(path):
            raise ClamError(f"'{path}' is cut off, or not written by torch.save (1.6 or later); download it again")
        with torch.serialization.safe_globals(_STAND_INS):
            loaded = torch.load(str(path), map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        named = _GLOBAL.search(str(error))
        what = f"names '{named[1]}'" if named else "holds more than tensors"
        raise ClamError(
            f"'{path}' {what}, which is refused: it could run any program; save its tensors as a dict with torch.save"
        ) from error
    except _DAMAGES as error:
        line = " ".join(str(error).split())[:200]
        raise ClamError(f"'{path}' cannot be read ({line}); download or save it again") from error
    fields = _fields(loaded)
    if not fields:
        raise ClamError(f"'{path}' holds no named tensors; save a dict or a TensorDict of them")
    return fields


def _fields(loaded: Any) -> Fields:
    """Plain dictionaries of dense tensors; whatever else is there is left out."""
    if isinstance(loaded, _Contents):
        loaded = vars(loaded).get("_tensordict")
    if not isinstance(loaded, Mapping):
        return {}
    fields: Fields = {}
    for name, value in loaded.items():
        if isinstance(value, (_Contents, Mapping)):
            if nested := _fields(value):
                fields[str(name)] = nested
        elif isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized:
            fields[str(name)] = value.detach()
    return fields
