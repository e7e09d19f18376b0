"""Many cells at once: over cores, a Ray cluster, and seeds stacked on a GPU. What is done is not done again."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.run_cell import Outcome, load_outcome, run_stack
from clam_core.cores import usable_cores
from clam_core.errors import ClamError
from clam_core.methods import method_class
from clam_core.workers import process_pool


@dataclass(frozen=True)
class Pool:
    """Where cells run: `workers` processes here, or the Ray cluster at `ray` (an address, or ``auto``).

    `gpus` is the share of a GPU that each asks Ray for. One process trains up to `stack` cells at once that differ in
    nothing but seed and data; with `share_lam` see `run_stack`.
    """

    workers: int
    ray: str | None = None
    gpus: float = 0.0
    stack: int = 1
    share_lam: bool = False

    @property
    def threads(self) -> int:
        """Threads of each process: together the processes use every core once."""
        return max(1, usable_cores() // self.workers)


def run_cells(cells: Iterable[Cell], root: Path, pool: Pool) -> None:
    """Run each of `cells` that has no outcome yet; one that fails does not stop the others.

    Raises:
        ClamError: cells failed; the line names the first of them and its log.
    """
    cells = list(dict.fromkeys(cells))
    waiting = [cell for cell in cells if load_outcome(cell, root) is None]
    make_datasets(waiting, root, pool.workers)
    failures: list[tuple[Cell, BaseException]] = []
    run = _on_ray if pool.ray else _on_cores
    with tqdm(total=len(cells), initial=len(cells) - len(waiting), desc="cells", unit="cell", disable=None) as bar:
        most = min(pool.stack, -(-len(waiting) // pool.workers))  # no process idle for the sake of a stack
        most = 1 if pool.share_lam else most  # else one's time would be the share of those that trained more
        for stack, results in run(stacks(waiting, most), root, pool):
            bar.update(len(stack))
            failures += [(c, r) for c, r in zip(stack, results, strict=True) if not isinstance(r, Outcome)]
    if failures:
        cell, error = failures[0]
        raise ClamError(
            f"{len(failures)} of {len(cells)} cells failed, first {cell.method} on {cell.task} seed {cell.seed}: "
            f"{error}; its log is {cell.folder(root) / 'log.txt'}; the others are done, the same command goes on"
        )


def make_datasets(cells: Sequence[Cell], root: Path, workers: int) -> None:
    """All datasets of `cells`, one after the other; each is made by `workers` processes."""
    for source in dict.fromkeys(s for cell in cells for _, sources in cell.data for s in sources):
        source.make(root, workers)


def stacks(cells: Iterable[Cell], most: int) -> list[list[Cell]]:
    """`cells` in groups of at most `most` that differ in nothing but seed and data, in the order of the first ones.

    Those that would be trained one by one are alone.
    """
    alike: dict[Cell, list[list[Cell]]] = {}
    groups: list[list[Cell]] = []
    for cell in cells:
        kind = replace(cell, seed=0, first_seed=0, data=(), config=replace(cell.config, seed=0))
        of_kind = alike.setdefault(kind, [])
        if not of_kind or len(of_kind[-1]) >= (most if _stackable(cell) else 1):
            of_kind.append([])
            groups.append(of_kind[-1])
        of_kind[-1].append(cell)
    return groups


def _stackable(cell: Cell) -> bool:
    latent = method_class(cell.config.method).configure(cell.config).lam.latent
    return not (cell.config.compile or latent.follows)


_Results = Iterator[tuple[list[Cell], Sequence[Outcome | BaseException]]]


def _on_cores(stacks: Sequence[list[Cell]], root: Path, pool: Pool) -> _Results:
    if not stacks:
        return
    # Libraries read their number of threads when a process starts; spawned ones inherit it from here.
    before, os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS"), str(pool.threads)
    executor = process_pool(min(pool.workers, len(stacks)))
    try:
        futures = {executor.submit(run_stack, stack, root, pool.threads, pool.share_lam): stack for stack in stacks}
        for future in as_completed(futures):
            error, stack = future.exception(), futures[future]
            yield stack, future.result() if error is None else [error] * len(stack)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _on_ray(stacks: Sequence[list[Cell]], root: Path, pool: Pool) -> _Results:
    """Ray's own queue and placement; `root` must lie where every node of the cluster sees it."""
    ray = _import_ray()
    ray.init(address=pool.ray, ignore_reinit_error=True, log_to_driver=False)
    remote = ray.remote(num_cpus=pool.threads, num_gpus=pool.gpus, max_retries=1)(run_stack)
    pending = {remote.remote(stack, root.resolve(), pool.threads, pool.share_lam): stack for stack in stacks}
    try:
        while pending:
            (done,), _ = ray.wait(list(pending), num_returns=1)
            stack = pending.pop(done)
            try:
                yield stack, ray.get(done)
            except ray.exceptions.RayError as error:
                yield stack, [error] * len(stack)
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ClamError("--ray asked for, but ray is not installed; pip install ray, or leave --ray out") from error
