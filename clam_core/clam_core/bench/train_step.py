"""``clam bench train-step``: updates per second of Transformer-CLAM beside the authors' modules, in alternation."""

from __future__ import annotations

import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from clam_core.bench.contenders import EVERY, PRESET, Step, our_step, reference_step, stacked_step
from clam_core.errors import ClamError
from clam_core.workers import process_pool


@dataclass(frozen=True)
class Options:
    """`rounds` times `updates` of each contender; `reference`: a checkout of the authors' code, or None.

    Above 1, `stack` runs at once are a further contender.
    """

    device: str
    reference: Path | None
    rounds: int = 7
    updates: int = 10
    overrides: tuple[str, ...] = ()
    stack: int = 1

    @property
    def stacked(self) -> str:
        """Name of that contender."""
        return f"stack of {self.stack}"


def run(options: Options) -> dict[str, Any]:
    """Measure; the reference half is left out, with the reason, where the authors' code is absent."""
    device = torch.device(options.device)
    contenders: dict[str, Step] = {"clam_core": our_step(device, list(options.overrides))}
    if options.stack > 1:
        contenders[options.stacked] = stacked_step(device, list(options.overrides), options.stack)
    skipped = "no --reference given: a checkout of clamrobot/clam_code"
    if options.reference is not None:
        try:
            contenders["clam_code"] = reference_step(device, options.reference)
        except ClamError as error:
            skipped = str(error)
    rounds = _alternate(contenders, options, device)
    result: dict[str, Any] = {
        "benchmark": "train-step",
        "what": f"one update of {PRESET}: 128 unlabeled windows, 128 labeled ones every {EVERY}nd update, AdamW",
        "machine": machine(device),
        "options": {**asdict(options), "reference": options.reference and options.reference.name},
        "updates_per_second": {
            name: options.updates * (options.stack if name == options.stacked else 1) / statistics.median(times)
            for name, times in rounds.items()
        },
        "peak_memory_mib": {name: _peak_memory(name, options) for name in contenders},
    }
    if options.stack > 1:
        result["stack_ratio"] = _ratio(rounds[options.stacked], rounds["clam_core"], options.stack)
    if "clam_code" in rounds:
        result["ratio"] = _ratio(rounds["clam_core"], rounds["clam_code"])
    else:
        result["skipped"] = skipped
    return result


def _ratio(times: list[float], reference: list[float], size: int = 1) -> dict[str, float]:
    """How many times as many updates as the reference, of rounds in which one did `size` updates for each of its."""
    ratios = [size * theirs / own for own, theirs in zip(times, reference, strict=True)]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def _alternate(contenders: dict[str, Step], options: Options, device: torch.device) -> dict[str, list[float]]:
    """Seconds of every round, warm-up left out; the contenders take turns so that the machine's mood hits both."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(-1, options.rounds):
        for name, step in contenders.items():
            _wait(device)
            started = time.perf_counter()
            for update in range(1, options.updates + 1):
                step(update)
            _wait(device)
            if round_number >= 0:
                times[name].append(time.perf_counter() - started)
    return times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory(name: str, options: Options) -> float:
    """MiB that a few updates need beyond an idle process that has imported everything, in a process of its own."""
    with process_pool(1) as pool:
        return pool.submit(measure_memory, name, options).result()


def measure_memory(name: str, options: Options) -> float:
    """Runs in the process of its own."""
    device = torch.device(options.device)
    torch.nn.Linear(8, 8).to(device)(torch.zeros(1, 8, device=device)).sum().backward()  # libraries and contexts
    before = _resident("VmRSS")
    if name == "clam_code":
        assert options.reference is not None
        step = reference_step(device, options.reference)
    elif name == options.stacked:
        step = stacked_step(device, list(options.overrides), options.stack)
    else:
        step = our_step(device, list(options.overrides))
    for update in range(1, 7):
        step(update)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    """Resident memory of this process in MiB: ``VmRSS`` now, ``VmHWM`` at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ClamError("/proc/self/status does not say how much memory is used; this benchmark needs Linux")


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    description: dict[str, Any] = {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "processor": _processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        description["gpu"] = torch.cuda.get_device_name(device)
    return description


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
