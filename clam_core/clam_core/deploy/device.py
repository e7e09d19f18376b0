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
    if device.type not in ("cpu", "cuda"):
        raise ClamError(f"device '{name}' is not supported, valid: auto, cpu, cuda, cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ClamError(f"device '{name}' asked for, but torch finds no CUDA here; use device=auto or cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ClamError(f"device '{name}' asked for, but the GPUs end at cuda:{torch.cuda.device_count() - 1}")
    return device


def computes_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions for bfloat16. A CPU that has none emulates them: a CNN's update took 13 times
    as long there as in float32 (AMD EPYC with AVX2)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
