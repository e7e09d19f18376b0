"""The one exception that users are meant to see."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ClamError(Exception):
    """A problem that the user can mend.

    The message is one line: the value found, the valid choices, and the mend. Command lines print it without
    a traceback; nodes log it and turn it into a diagnostic.
    """


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """End of an error line: the nearest valid choice, then all of them (shortened when there are many)."""
    names = sorted(choices)
    near = difflib.get_close_matches(value, names, n=1)
    listed = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
    return f"did you mean '{near[0]}'? Valid: {listed}" if near else f"valid: {listed}"
