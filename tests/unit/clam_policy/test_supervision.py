"""A policy that an evaluation began does not outlive it."""

from __future__ import annotations

import pytest

pytest.importorskip("clam_policy", reason="needs clam_policy (make setup)")

from clam_policy.supervision import Supervision


def looks(supervision: Supervision, count: int) -> list[bool]:
    return [supervision.is_lost() for _ in range(count)]


def test_nobody_is_missed_who_was_never_heard() -> None:
    assert not any(looks(Supervision(3), 100))


def test_who_falls_silent_is_missed_once_and_heard_again() -> None:
    supervision = Supervision(3)
    for _ in range(10):
        supervision.hear()
        assert looks(supervision, 2) == [False, False]
    supervision.hear()
    assert looks(supervision, 6) == [False, False, True, False, False, False]
    supervision.hear()
    assert looks(supervision, 3) == [False, False, True]
