"""Room on the disk that bags go to: how long it lasts, and a ballast to let go of when it is used up."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MEBIBYTE = 2**20
BALLAST = 4 * MEBIBYTE  # room for the chunk in memory, the index and the description of a bag
BALLAST_NAME = ".recorder.ballast"


class DiskRoom:
    """Free space in `folder`, of which `reserve` bytes are left to others."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self.folder = folder
        self.reserve = reserve
        self._ballast = folder / BALLAST_NAME

    def free(self) -> int:
        """Bytes that may still be written, beyond the reserve; never negative, 0 where the folder is gone."""
        try:
            facts = os.statvfs(self.folder)
        except OSError:
            return 0  # `why_none` says it
        return max(0, facts.f_bavail * facts.f_frsize - self.reserve)

    def lasts(self, bytes_per_second: float) -> float:
        """Minutes of recording at this rate that fit; infinite at no rate."""
        return self.free() / bytes_per_second / 60.0 if bytes_per_second > 0 else float("inf")

    def why_none(self) -> str:
        """Why nothing is `free`."""
        try:
            os.statvfs(self.folder)
        except OSError as error:
            return f"'{self.folder}' is gone ({error.strerror}): bring its disk back, or choose another `out`"
        return f"the disk of '{self.folder}' is full ({self.reserve // MEBIBYTE} MiB are kept free): make room"

    def refusal(self, bytes_per_second: float, minutes: float) -> str | None:
        """Why a recording should not begin: what is free does not last for `minutes` [min]."""
        free = self.free()
        if not free:
            return self.why_none()
        if self.lasts(bytes_per_second) < minutes:
            return (
                f"the disk of '{self.folder}' lasts for {self.lasts(bytes_per_second):.1f} of {minutes:g} min "
                f"({free / MEBIBYTE:.0f} MiB at {bytes_per_second / MEBIBYTE:.1f} MiB/s): make room"
            )
        return None

    def take_ballast(self) -> bool:
        """Occupy a little space that `drop_ballast` gives back where even the reserve is gone; False without room.

        Quotas and other processes may take what `free` counts; a bag still has to be closed then.
        """
        try:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST)
        except OSError:
            self.drop_ballast()
            return False
        return True

    def drop_ballast(self) -> None:
        """Give the ballast's space back."""
        with suppress(OSError):  # its disk is gone, and the ballast with it
            self._ballast.unlink(missing_ok=True)
