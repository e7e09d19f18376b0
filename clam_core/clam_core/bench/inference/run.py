"""Ways in turns on the same observations, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from clam_core.bench.inference.subjects import PRESETS, Subject, observations_of, subject_of_bundle, subject_of_preset
from clam_core.bench.inference.ways import EAGER, ONNX_RUNTIME, WAYS, Forward, Inputs, Unavailable, policy_with
from clam_core.bench.train_step import machine
from clam_core.deploy import Policy
from clam_core.errors import ClamError
from clam_core.spec import EnvironmentSpec, Observation

ROUNDS, ANSWERS = 40, 10
COMPARED = 4  # observations on which the ways have to agree
TOLERANCE = 1e-4  # of an action's range: rounding of another order of sums is a hundredth of it
WARM_UP = 10  # answers; TorchScript optimizes its graph during the first ones


@dataclass(frozen=True)
class Options:
    """`rounds` times `answers` of each way; `bundle` None: policies of `PRESETS`, with `overrides`."""

    device: str
    bundle: Path | None = None
    rounds: int = ROUNDS
    answers: int = ANSWERS
    overrides: tuple[str, ...] = ()


def run(options: Options) -> dict[str, Any]:
    """Measure, with one thread.

    Raises:
        ClamError: no bundle there, an unknown override, or a way whose answers are not those of the network.
    """
    device = torch.device(options.device)
    with _one_thread():
        measured = [_measure(subject, options, device) for subject in _subjects(options, device)]
        return {
            "benchmark": "inference",
            "what": f"one answer of a policy, one thread, batch of one, {options.rounds} rounds of {options.answers}",
            "machine": machine(device) | _runtimes(measured),
            "rounds": options.rounds,
            "answers": options.answers,
            "tolerance": TOLERANCE,
            "policies": measured,
        }


def _subjects(options: Options, device: torch.device) -> list[Subject]:
    if options.bundle is None:
        return [subject_of_preset(preset, options.overrides, device) for preset in PRESETS]
    if options.overrides:
        raise ClamError(f"'{options.overrides[0]}': the network of a bundle is what it is; leave it or --bundle out")
    return [subject_of_bundle(options.bundle, device)]


def _runtimes(measured: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Versions of what answered, besides torch."""
    used = any(ONNX_RUNTIME in policy["ways"] for policy in measured)
    return {"onnxruntime": version("onnxruntime")} if used else {}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _measure(subject: Subject, options: Options, device: torch.device) -> dict[str, Any]:
    observations = observations_of(subject.spec, COMPARED)
    inputs = _inputs(subject, observations, device)
    expected = _answers(subject.actor, inputs)
    policies, apart, skipped = dict[str, Policy](), dict[str, float](), dict[str, str]()
    for name, make in WAYS.items():
        try:
            forward = make(subject.actor, inputs[0])
        except Unavailable as reason:
            skipped[name] = str(reason)
            continue
        apart[name] = check_agreement(name, _answers(forward, inputs), expected, subject.spec)
        policies[name] = policy_with(subject.actor, forward, subject.spec, device)
    seconds = _in_turns(subject.name, policies, observations, options)
    eager = seconds[EAGER]
    return {
        "name": subject.name,
        "what": subject.what,
        "period_ms": 1e3 / subject.spec.rate,
        "ways": {name: _summary(rounds, eager) | {"apart": apart[name]} for name, rounds in seconds.items()},
        "skipped": skipped,
    }


def _inputs(subject: Subject, observations: Sequence[Observation], device: torch.device) -> list[Inputs]:
    """What the runtime calls the network with, for each of `observations`."""
    seen: list[Inputs] = []

    def watched(*inputs: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(each.clone() for each in inputs))
        answer: torch.Tensor = subject.actor(*inputs)
        return answer

    policy = policy_with(subject.actor, watched, subject.spec, device)
    for observation in observations:
        policy.predict_chunk(observation)
    return seen


def _answers(forward: Forward, inputs: Sequence[Inputs]) -> torch.Tensor:
    """Unclipped chunks ``(N, K, A)``."""
    with torch.inference_mode():
        return torch.cat([forward(*each).cpu() for each in inputs])


def check_agreement(name: str, answers: torch.Tensor, expected: torch.Tensor, spec: EnvironmentSpec) -> float:
    """How far `answers` ``(N, K, A)`` are from `expected`, as a share of the actions' ranges.

    Raises:
        ClamError: further than `TOLERANCE`, or not finite: the time of wrong answers says nothing.
    """
    extent = torch.tensor(spec.action.high) - torch.tensor(spec.action.low)
    apart = float(((answers - expected).abs() / extent).max())
    if not apart <= TOLERANCE:  # nan too
        raise ClamError(
            f"{name} answers otherwise than the network itself, by {apart:.2g} of an action's range (at most "
            f"{TOLERANCE:g}): its time would say nothing; use another torch, or mend clam_core/bench/inference/ways.py"
        )
    return apart


def _in_turns(
    name: str, policies: dict[str, Policy], observations: Sequence[Observation], options: Options
) -> dict[str, list[list[float]]]:
    """Way → rounds → seconds of every answer; the order changes from round to round, and nothing else."""
    for policy in policies.values():
        for _, observation in zip(range(WARM_UP), itertools.cycle(observations), strict=False):
            policy.predict_chunk(observation)
    seconds: dict[str, list[list[float]]] = {way: [] for way in policies}
    order = list(policies)
    for _ in tqdm(range(options.rounds), desc=name, unit="round", disable=None):
        for way in order:
            turn = list[float]()
            for _, observation in zip(range(options.answers), itertools.cycle(observations), strict=False):
                started = time.perf_counter()
                policies[way].predict_chunk(observation)
                turn.append(time.perf_counter() - started)
            seconds[way].append(turn)
        order = order[1:] + order[:1]
    return seconds


def _summary(rounds: Sequence[Sequence[float]], eager: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Milliseconds of all answers, and how much of the eager way's time a round took: the middle half of the rounds."""
    every = np.concatenate([np.asarray(turn) for turn in rounds]) * 1e3
    ratios = [statistics.median(own) / statistics.median(base) for own, base in zip(rounds, eager, strict=True)]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return {
        "median_ms": float(np.median(every)),
        "p99_ms": float(np.quantile(every, 0.99)),
        "ratio": {"median": float(middle), "low": float(low), "high": float(high)},
    }
