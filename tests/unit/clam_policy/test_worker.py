"""The worker keeps order, skips what is outdated, and survives failures."""

from __future__ import annotations

import threading

from clam_policy.worker import Worker


def run(latest_only: bool) -> tuple[list[int], int]:
    """Submit 0 … 4 while 0 is being worked on."""
    begun, gate, done, seen = threading.Event(), threading.Event(), threading.Event(), []

    def work(item: int) -> None:
        begun.set()
        assert gate.wait(30)
        seen.append(item)
        if item == 4:
            done.set()

    worker = Worker(work, lambda error: None, latest_only=latest_only)
    worker.submit(0)
    assert begun.wait(30)
    for item in range(1, 5):
        worker.submit(item)
    gate.set()
    assert done.wait(30)
    assert worker.close(timeout=30)
    return seen, worker.skipped


def test_every_item_in_order() -> None:
    assert run(latest_only=False) == ([0, 1, 2, 3, 4], 0)


def test_only_the_latest_item_waits() -> None:
    assert run(latest_only=True) == ([0, 4], 3)


def test_what_waits_can_be_forgotten() -> None:
    begun, gate, done, seen = threading.Event(), threading.Event(), threading.Event(), []

    def work(item: int) -> None:
        begun.set()
        assert gate.wait(30)
        seen.append(item)
        if item == 2:
            done.set()

    worker = Worker(work, lambda error: None, latest_only=False)
    worker.submit(0)
    assert begun.wait(30)
    worker.submit(1)
    worker.forget()
    worker.submit(2)
    gate.set()
    assert done.wait(30) and seen == [0, 2]


def test_it_goes_on_after_a_failure() -> None:
    errors, done = [], threading.Event()

    def work(item: int) -> None:
        if item:
            done.set()
        else:
            raise ValueError("broken")

    worker = Worker(work, errors.append, latest_only=False)
    worker.submit(0)
    worker.submit(1)
    assert done.wait(30)
    assert [str(error) for error in errors] == ["broken"]
