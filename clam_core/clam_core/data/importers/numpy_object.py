"""The object in a ``.npy`` file of unknown origin, without running anything that it says.

NumPy stores an object array as a pickle, and a pickle can name any function to call. This reader accepts the names
that rebuild numeric arrays, and built-in containers, and nothing else.
"""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from clam_core.errors import ClamError

#: Module → names that may be called.
_ALLOWED = {
    "numpy": frozenset({"ndarray", "dtype"}),
    "numpy.core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "builtins": frozenset({"dict", "list", "tuple", "set", "frozenset"}),
}

#: The module that rebuilds arrays: NumPy 2 moved it, and files keep the name that it had when they were written.
_MULTIARRAY = importlib.import_module(np.ndarray.__reduce__(np.zeros(0))[0].__module__)

#: What a damaged pickle makes its reader raise.
_DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError)


class _Forbidden(Exception):
    """The pickle names something that could run."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What the file may call; ``_core`` and ``core`` are one place under two names, whichever this NumPy has."""
        if name not in _ALLOWED.get(module, ()):
            raise _Forbidden(f"{module}.{name}")
        return getattr(_MULTIARRAY, name) if module.endswith(".multiarray") else super().find_class(module, name)


def load_object(path: Path) -> Any:
    """What ``np.save(path, thing)`` saved, where `thing` consists of containers, texts, numbers and numeric arrays.

    Raises:
        ClamError: no such file, a damaged one, one that holds no object, or one that names anything else.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            format_ = np.lib.format
            read_header = format_.read_array_header_1_0 if version == (1, 0) else format_.read_array_header_2_0
            shape, _, dtype = read_header(file)
            if dtype != np.dtype(object) or shape != ():
                raise ClamError(f"'{path}' holds an array of {dtype}, not a dictionary; give the file of the dataset")
            array = _Reader(file).load()
    except FileNotFoundError as error:
        raise ClamError(f"no file '{path}'; it belongs to the dataset") from error
    except _Forbidden as error:
        raise ClamError(
            f"'{path}' would call {error} when it is read; refused: get it from a source you trust"
        ) from error
    except (*_DAMAGE, OSError) as error:
        why = (str(error) or repr(error)).splitlines()[0]
        raise ClamError(f"'{path}' is damaged ({why}); get it again") from error
    if not isinstance(array, np.ndarray) or array.shape != ():
        raise ClamError(f"'{path}' is damaged (it holds a {type(array).__name__}); get it again")
    return array.item()
