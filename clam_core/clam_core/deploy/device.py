"""Which device to compute on."""

from __future__ import annotations

import torch

from clam_core.errors import ClamError


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; anything else is a torch device name.

    Raises:
        ClamError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ClamError(f"unknown device '{name}', valid: auto, cpu, cuda, cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ClamError(f"device '{name}' asked for, but torch finds no CUDA here; use device=auto or cpu")
    return device
