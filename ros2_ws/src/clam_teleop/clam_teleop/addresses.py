"""Names and addresses under which this machine can be reached."""

from __future__ import annotations

import socket
from contextlib import suppress

SOMEWHERE = ("192.0.2.1", 9)  # reserved for documentation: asking for the way there sends nothing


def machine_names() -> list[str]:
    """Host name, and that which mDNS gives it."""
    name = socket.gethostname()
    return sorted({name, f"{name.partition('.')[0]}.local"})


def machine_addresses() -> list[str]:
    """IPv4 addresses, that of the way out first, this machine's own loop last."""
    found: list[str] = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(SOMEWHERE)
        found.append(str(probe.getsockname()[0]))
    with suppress(OSError):
        for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
            found.append(str(entry[4][0]))
    outside = [address for address in dict.fromkeys(found) if not address.startswith("127.")]
    return [*outside, "127.0.0.1"]
