"""Following waypoints: one after the other, then a new motion, and on with the last one when all is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

State = Mapping[str, float]


class Target(Protocol):
    """A waypoint is done with within `tolerance` [m], or after `patience` steps: something may stand in the way."""

    @property
    def tolerance(self) -> float: ...

    @property
    def patience(self) -> int: ...


W = TypeVar("W", bound=Target)


class WaypointFollower(Generic[W]):
    """Where to go now.

    Args:
        plan: the next motion from a state; empty when all is done.
        distance: from a state to a waypoint [m].
        here: the waypoint where a state is.
    """

    def __init__(
        self,
        plan: Callable[[State], Iterable[W]],
        distance: Callable[[State, W], float],
        here: Callable[[State], W],
    ) -> None:
        self._plan, self._distance, self._here = plan, distance, here
        self._goal: W | None = None
        self._ahead: deque[W] = deque()
        self._age = 0

    def towards(self, state: State) -> W:
        """The waypoint of this step; called once per step."""
        if self._goal is not None and not self._is_done_with(self._goal, state):
            self._age += 1
            return self._goal
        if not self._ahead:
            self._ahead.extend(self._plan(state))
        if self._ahead or self._goal is None:
            self._goal = self._ahead.popleft() if self._ahead else self._here(state)
            self._age = 1
        return self._goal

    def restart(self) -> None:
        """Forget the motion: the hand is somewhere else now."""
        self._goal = None
        self._ahead.clear()

    def _is_done_with(self, goal: W, state: State) -> bool:
        return self._age >= goal.patience or self._distance(state, goal) < goal.tolerance
