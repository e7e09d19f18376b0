"""SIGINT and SIGTERM without losing the ROS context.

rclpy's own handlers shut the context down at once: a recorder could then neither close its bag in peace nor
say so. Here a signal only sets a flag and wakes the executor, which otherwise would sleep until its next
message.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading

from rclpy.executors import Executor


class StopSignal:
    """Installed by construction, in the main thread. The second signal interrupts whatever the first one
    waits for.
    """

    def __init__(self) -> None:
        self.received = False
        self._thread: threading.Thread | None = None
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def wake(self, executor: Executor) -> None:
        """From now on a signal wakes `executor`. Python runs handlers only between bytecodes, and the
        executor waits in C.
        """

        def watch() -> None:
            while self._reader.recv(1):
                with contextlib.suppress(Exception):  # the executor may be gone by now
                    executor.wake()

        self._thread = threading.Thread(target=watch, name="stop signal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wake nobody any more. A thread that still held the executor at the end of the process would keep the
        context alive, and Fast DDS would leave its segment in /dev/shm (half a megabyte; 34 with camera images).
        """
        signal.set_wakeup_fd(-1)
        self._writer.close()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()

    def _handle(self, *_: object) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True
