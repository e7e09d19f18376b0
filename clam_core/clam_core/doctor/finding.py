"""What a check finds: one line about one thing, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """`about` one thing: `text` says what was found, `mend` what to do about it where something is amiss.

    ``warn``: something will not work, or not well, that not everybody needs. ``fail``: the machine is not ready.
    """

    about: str
    level: Level
    text: str
    mend: str = ""


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: Iterable[Check]) -> list[Finding]:
    """All findings. A check that itself fails is a finding too: a doctor must not be stopped by what is broken."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:
            name = getattr(check, "__name__", "check")
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            findings.append(Finding(name, "fail", f"cannot be checked ({text})"))
    return findings


def is_ready(findings: Iterable[Finding]) -> bool:
    """Whether nothing fails."""
    return all(finding.level != "fail" for finding in findings)


def as_text(findings: Iterable[Finding]) -> list[str]:
    """One line per finding, aligned."""
    rows = list(findings)
    width = max((len(row.about) for row in rows), default=0)
    return [f"{row.level:<4}  {row.about:<{width}}  {row.text}" + (f": {row.mend}" if row.mend else "") for row in rows]


def first_failure(findings: Iterable[Finding]) -> str:
    """The first one that fails, in one line that says how many more do; empty if none does."""
    failing = [row for row in findings if row.level == "fail"]
    if not failing:
        return ""
    first = failing[0]
    more = f" ({len(failing) - 1} more: `clam doctor BUNDLE` shows all)" if len(failing) > 1 else ""
    return f"{first.about}: {first.text}" + (f": {first.mend}" if first.mend else "") + more


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Plain values."""
    return [asdict(finding) for finding in findings]
