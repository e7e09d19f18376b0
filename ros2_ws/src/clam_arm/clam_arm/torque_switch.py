"""Switching torque for requests that may overlap: one after the other, and the last one decides. No ROS here."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable

from clam_arm.arm_controller import ArmController
from clam_core.errors import ClamError

LOOK = 0.02  # [s] between two looks at what goes on
FOUND = 1.0  # [s] within which an arm that can be measured is measured
REPLACED = "a later request decides"


class _Switching(threading.Thread):
    """Motors answer slowly: one switching, in a thread of its own."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="torque", daemon=True)
        self.failure = ""
        self._work = work

    def run(self) -> None:
        try:
            self._work()
        except ClamError as error:
            self.failure = str(error)
        except Exception as error:  # whatever a backend raises: the motors may be in any state
            self.failure = f"{type(error).__name__}: {' '.join(str(error).split())}"


class TorqueSwitch:
    """Of one arm. Used by the thread that ticks `controller`; `sleep` [s] is how its coroutines let that one work."""

    def __init__(
        self,
        controller: ArmController,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controller = controller
        self._sleep, self._clock = sleep, clock
        self._requests = 0
        self._running: _Switching | None = None

    async def switch(self, on: bool) -> str:
        """Switch, and enable the filter if torque is on in the end; what went wrong in one line, or an empty text."""
        self.forget()
        request, controller = self._requests, self._controller
        controller.cancel(self._clock(), "torque is being switched")
        controller.safety.disable()
        while self._running is not None and self._running.is_alive():
            await self._sleep(LOOK)
        if on and not controller.safety.is_fresh(self._clock()):
            controller.backend.read_anew()
            await self._is_measured()
        if request != self._requests:
            return REPLACED
        now = self._clock()
        self._running = running = _Switching(lambda: controller.switch_torque(on, now))
        running.start()
        while running.is_alive():
            await self._sleep(LOOK)
        if request != self._requests:
            return REPLACED
        if on and not running.failure:
            controller.safety.enable(self._clock())
            if not await self._is_measured():
                return "torque is on, but the arm is not measured: see /diagnostics"
        return running.failure

    def forget(self) -> None:
        """Requests of before decide nothing any more."""
        self._requests += 1

    def stop(self) -> None:
        """Forget them, and wait for what the motors are being told."""
        self.forget()
        if self._running is not None:
            self._running.join()

    async def _is_measured(self) -> bool:
        """Whether a sound measurement comes soon: the next service may count on it."""
        safety, end = self._controller.safety, self._clock() + FOUND
        while not safety.is_fresh(self._clock()) and self._clock() < end:
            await self._sleep(LOOK)
        return safety.is_fresh(self._clock())
