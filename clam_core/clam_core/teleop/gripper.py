"""Trigger to gripper: pulled is closed."""

from __future__ import annotations

DEAD = 0.08  # of the trigger's way


class Gripper:
    """The gap [m] between `closed` and `opened`, changing no faster than `speed` [m/s].

    Whoever takes hold of the arm does not change the grip by it: the gripper keeps its gap until the trigger has moved.
    Otherwise a block would fall when the arm is engaged with a trigger that is not pulled.
    """

    def __init__(self, closed: float, opened: float, speed: float) -> None:
        self._closed, self._opened, self._speed = closed, opened, speed
        self._begin: float | None = None  # of the trigger; None once it has moved

    def engage(self, trigger: float) -> None:
        """The arm begins to follow."""
        self._begin = trigger

    def step(self, gap: float, trigger: float, seconds: float) -> float:
        """The next gap [m] after `gap`, `seconds` later."""
        if self._begin is not None:
            if abs(trigger - self._begin) < DEAD:
                return gap
            self._begin = None
        goal = self._opened + trigger * (self._closed - self._opened)
        most = self._speed * seconds
        return min(max(gap + min(max(goal - gap, -most), most), self._closed), self._opened)
