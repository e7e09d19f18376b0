"""Ways of computing an actor's answer: as it is, traced by TorchScript, compiled by torch, or by ONNX Runtime."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from clam_core.deploy import Policy
from clam_core.models.actor import Actor
from clam_core.spec import EnvironmentSpec

#: o_t, o_{t−1} and, of a policy that looks through cameras, images: what an `Actor` is called with.
Inputs = tuple[Tensor, ...]
Forward = Callable[..., Tensor]

OPSET = 17  # of ONNX
EAGER, ONNX_RUNTIME = "eager", "ONNX Runtime"


class Unavailable(Exception):
    """This machine cannot compute in this way; the text says why."""


class Substitute(nn.Module):
    """In `actor`'s place in a `Policy`; `forward` answers."""

    def __init__(self, actor: Actor, forward: Forward) -> None:
        super().__init__()
        self.config = actor.config
        self._answer = forward

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """See `Actor`."""
        return self._answer(*(each for each in inputs if each is not None))


def policy_with(actor: Actor, forward: Forward, spec: EnvironmentSpec, device: torch.device) -> Policy:
    """The runtime that is the same everywhere, with `forward` as its network."""
    return Policy(cast(Actor, Substitute(actor, forward)), spec, device, None, {})


def eager(actor: Actor, inputs: Inputs) -> Forward:
    """The actor itself."""
    return actor


def torchscript(actor: Actor, inputs: Inputs) -> Forward:
    """Traced, with the weights frozen into the graph."""
    with torch.no_grad(), warnings.catch_warnings():
        # Sizes become constants, which is what is wanted; whether the answers are right is checked by the caller.
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace  # has no types
        return cast(Forward, torch.jit.freeze(trace(actor, inputs, check_trace=False)))


def compiled(actor: Actor, inputs: Inputs) -> Forward:
    """``torch.compile`` for the sizes of `inputs`.

    Raises:
        Unavailable: there is no C++ compiler, or it failed.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise Unavailable(f"torch.compile needs a C++ compiler, and there is no {compiler}")
    torch.compiler.reset()  # else the sizes of the policy before, which were others, would count as variable ones
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # where a graph is broken in two is of no interest here
    forward = cast(Forward, torch.compile(actor, dynamic=False))
    try:
        with torch.inference_mode():
            forward(*inputs)
    except RuntimeError as error:
        raise Unavailable(f"torch.compile failed: {_first_line(error)}") from error
    return forward


def onnx_runtime(actor: Actor, inputs: Inputs) -> Forward:
    """Exported to ONNX and run by ONNX Runtime with one thread.

    Raises:
        Unavailable: a package is missing, the device is no CPU, or the network cannot be exported.

    Both packages are optional, and in no requirements: ``pip install onnxruntime onnx``.
    """
    if inputs[0].device.type != "cpu":
        raise Unavailable("ONNX Runtime is measured on the CPU only")
    for package in ("onnxruntime", "onnx"):
        if importlib.util.find_spec(package) is None:
            raise Unavailable(f"the package {package} is not installed")
    onnxruntime = importlib.import_module("onnxruntime")
    names = ["state", "previous", "images"][: len(inputs)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = _exported(actor, inputs, names)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    taken = {entry.name for entry in session.get_inputs()}  # an input that nothing depends on is not exported

    def forward(*tensors: Tensor) -> Tensor:
        feed = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True) if name in taken}
        (answer,) = session.run(None, feed)
        return torch.from_numpy(answer)

    return forward


def _exported(actor: Actor, inputs: Inputs, names: list[str]) -> bytes:
    """The network as an ONNX file.

    Raises:
        Unavailable: it cannot be exported.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # attention as one operation, which ONNX does not know
    try:
        # What cannot be exported is printed, operation by operation; the error says enough.
        with (
            tempfile.TemporaryDirectory(prefix="clam-bench-") as folder,
            torch.no_grad(),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")  # of the tracer, and that this exporter is an old one
            path = Path(folder) / "actor.onnx"
            torch.onnx.export(actor, inputs, path, dynamo=False, opset_version=OPSET, input_names=names)
            return path.read_bytes()
    except (RuntimeError, ImportError, ValueError) as error:
        raise Unavailable(f"the network cannot be exported to ONNX: {_first_line(error)}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _first_line(error: Any) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


#: Name → how to get there; the others are compared with the first.
WAYS: dict[str, Callable[[Actor, Inputs], Forward]] = {
    EAGER: eager,
    "TorchScript": torchscript,
    "torch.compile": compiled,
    ONNX_RUNTIME: onnx_runtime,
}
