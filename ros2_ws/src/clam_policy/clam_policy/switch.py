"""Whether a policy commands: as it was asked, and where a gate guards that, only once the gate lets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Guard(Protocol):
    """What is needed of `clam_policy.gate.Gate`."""

    def open(self) -> None: ...
    def close(self) -> None: ...
    def passes(self) -> bool: ...
    async def failure(self) -> str: ...


class Switch:
    """`on`: the policy commands. `waits`: it was to be on at activation, and is as soon as the gate lets it.

    Without `gate` nothing is guarded; nor while `forced` says so. `begin` is called right before it goes on. Used by
    the executor's thread, which other threads may watch.
    """

    def __init__(self, gate: Guard | None, forced: Callable[[], bool], begin: Callable[[], None], *, on: bool) -> None:
        self._gate, self._forced, self._begin = gate, forced, begin
        self._active, self._stops = False, 0
        self.on, self.waits = False, on

    def activate(self) -> None:
        """On as far as it was asked for, and nothing stands against it."""
        self._active = True
        self.waits, self.on = self.waits or self.on, False
        if self.waits and self._free:
            self._go_on()
        elif self._gate is not None:
            self._gate.close()

    def deactivate(self) -> None:
        """Off, until it is activated."""
        self._active = False
        self._stops += 1
        self.waits, self.on = self.waits or self.on, False
        if self._gate is not None:
            self._gate.open()

    def look(self) -> None:
        """Whether what waits may begin; to be called now and then."""
        if self._active and self.waits and (self._free or (self._gate is not None and self._gate.passes())):
            self._go_on()

    def off(self) -> None:
        """Off, until somebody wants it on."""
        self._stops += 1
        self.on = self.waits = False
        if self._active and self._gate is not None:
            self._gate.close()

    async def request(self, on: bool) -> str:
        """Somebody wants it `on` or off; why that is refused, or empty.

        Off always works, and for good; so does on where it is on, or not active yet: then it waits.
        """
        if not on:
            self.off()
        elif not self._active:
            self.waits = True
        elif not self.on:
            stops = self._stops
            failure = "" if self._free or self._gate is None else await self._gate.failure()
            if stops != self._stops:
                failure = "it was switched off before the checks were done"
            if self.on:
                return ""
            if failure:
                return failure
            self._go_on()
        return ""

    @property
    def _free(self) -> bool:
        return self._gate is None or self._forced()

    def _go_on(self) -> None:
        if self._gate is not None:
            self._gate.open()
        self._begin()
        self.on, self.waits = True, False
