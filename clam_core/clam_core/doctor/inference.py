"""Check of the device a bundle runs on: does it answer within a control period?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from clam_core.doctor.finding import Finding
from clam_core.doctor.heard import Needs
from clam_core.spec import Observation

BUSY = 0.5  # of a control period
WARM_UP, RUNS, SECONDS = 2, 10, 2.0  # runs after the first ones, for at most so long


class Chunked(Protocol):
    """What is needed of `clam_core.deploy.Policy`."""

    def reset(self) -> None: ...
    def predict_chunk(self, observation: Observation) -> npt.NDArray[np.float64]: ...


def inference(needs: Needs, policy: Chunked, observation: Observation) -> Iterator[Finding]:
    """What the policy gives for `observation`, how long that takes, and on what. The policy forgets its episode."""
    device = getattr(policy, "device", None)
    if device is not None:
        yield Finding("device", "ok", _device(device))
    policy.reset()
    chunk, times = policy.predict_chunk(observation), []
    end = time.perf_counter() + SECONDS
    for run in range(WARM_UP + RUNS):
        begin = time.perf_counter()
        chunk = policy.predict_chunk(observation)
        times.append(time.perf_counter() - begin)
        if run >= WARM_UP and time.perf_counter() > end:
            break
    policy.reset()
    yield _judged(needs, np.asarray(chunk), statistics.median(times), max(times[1:]))


def _judged(needs: Needs, chunk: npt.NDArray[np.float64], middle: float, longest: float) -> Finding:
    period = 1 / needs.spec.rate
    text = f"{middle * 1e3:.1f} ms (at most {longest * 1e3:.1f}), the control period is {period * 1e3:.0f} ms"
    if not np.isfinite(chunk).all():
        return Finding("inference", "fail", "the policy's actions are not finite", "train or export it again")
    if middle > period * max(1.0, needs.chunk / 2):
        return Finding("inference", "fail", text, "use a faster device, a smaller network or a longer chunk")
    if middle > BUSY * period:
        return Finding("inference", "warn", text, "free the machine, or use a faster device")
    return Finding("inference", "ok", text)


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return f"{device} with {torch.get_num_threads()} threads"
    free, total = torch.cuda.mem_get_info(device)
    return f"{device}: {torch.cuda.get_device_name(device)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
