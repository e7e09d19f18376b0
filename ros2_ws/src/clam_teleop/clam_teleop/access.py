"""Who may talk to the server: the token in the path, and requests that come from our own page only."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Sequence

from clam_core.errors import ClamError

SHORTEST = 12  # characters of a token
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def make_token() -> str:
    """A token that nobody guesses (96 bits)."""
    return secrets.token_urlsafe(12)


class Access:
    """`token` is the first part of every path. `names` are host names, besides addresses, that the page may have.

    A page of somebody else cannot open the WebSocket: its Origin is another. That a host must be an address or one of
    `names` keeps out pages whose own name was made to point here (DNS rebinding).

    Raises:
        ClamError: the token is short, or has letters that do not belong into an address.
    """

    def __init__(self, token: str, names: Sequence[str]) -> None:
        if len(token) < SHORTEST or not set(token) <= LETTERS:
            raise ClamError(
                f"a token has at least {SHORTEST} characters, letters, digits, '-' and '_'; or leave it empty"
            )
        self.token = token
        self._names = {"localhost", *(name.lower() for name in names)}

    def knows(self, token: str) -> bool:
        """Whether `token` is ours; takes as long for every wrong one."""
        return hmac.compare_digest(_bytes(token), self.token.encode())

    def is_ours(self, host: str) -> bool:
        """Whether a Host header, ``name:port``, names this machine."""
        name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._names
        return True

    def is_same_origin(self, origin: str | None, scheme: str, host: str) -> bool:
        """Whether an Origin header is that of the page at `host`."""
        return origin is not None and hmac.compare_digest(_bytes(origin.lower()), _bytes(f"{scheme}://{host}".lower()))


def _bytes(text: str) -> bytes:
    """Whatever came over the network: also what was no UTF-8."""
    return text.encode("utf-8", "backslashreplace")
