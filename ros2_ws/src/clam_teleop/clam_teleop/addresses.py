"""Names and addresses under which this machine can be reached."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress

from clam_core.errors import ClamError

SOMEWHERE = ("192.0.2.1", 9)  # reserved for documentation: asking for the way there sends nothing


HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def checked_name(name: str) -> str:
    """A host name or IPv4 address as browsers and certificates write it.

    Raises:
        ClamError: it is neither.
    """
    with suppress(ValueError):
        address = ipaddress.ip_address(name.strip("[]"))
        if address.version == 6:
            raise ClamError(f"'{name}' is an IPv6 address, and the page is served over IPv4: give its name")
        return str(address)
    if not HOST_NAME.fullmatch(name.lower()) or len(name) > 253:
        raise ClamError(f"'{name}' is no host name or IPv4 address: `names` are like robot.local or 192.168.1.7")
    return name.lower()


def machine_names() -> list[str]:
    """Host name, and that which mDNS gives it; none that no address could hold."""
    name = socket.gethostname().lower()
    return sorted(item for item in {name, f"{name.partition('.')[0]}.local"} if HOST_NAME.fullmatch(item))


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
