"""``episode.yaml``: what a bag is of. Its recorder writes it when the episode begins and again when it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clam_core.errors import ClamError
from clam_core.whole import write_whole

NAME = "episode.yaml"
FORMAT_VERSION = 1
UNFINISHED = "its recorder did not finish it"


def write_description(bag: Path, content: Mapping[str, Any]) -> None:
    """Write ``<bag>/episode.yaml`` atomically.

    Raises:
        OSError: the folder cannot be written.
    """
    write_whole(bag / NAME, yaml.safe_dump({"format_version": FORMAT_VERSION, **content}, sort_keys=False))


def read_description(bag: Path) -> dict[str, Any]:
    """Content of ``<bag>/episode.yaml``; empty when there is none, as in a bag of ``ros2 bag record``.

    Raises:
        ClamError: it cannot be read, or is not a mapping.
    """
    file = bag / NAME
    if not file.is_file():
        return {}
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClamError(f"{NAME} cannot be read ({' '.join(str(error).split())[:160]})") from error
    if not isinstance(content, dict):
        raise ClamError(f"{NAME} is not a mapping of names to values")
    return content


def ended_early(description: Mapping[str, Any]) -> str | None:
    """Why the recording of a bag did not end as its operator wanted it to; None where it did."""
    if description.get("complete") is not False:
        return None
    reason, lost = str(description.get("ended") or UNFINISHED), description.get("lost_at_end")
    return f"{reason}; {lost} messages at its end are lost" if lost else reason


def sag_remarks(description: Mapping[str, Any]) -> list[str]:
    """What its recorder saw of topics that came too slowly during the episode, one sentence each."""
    remarks = []
    sags: Any = description.get("sags") or []
    for sag in sags if isinstance(sags, list) else [sags]:
        try:
            remarks.append(
                f"its recorder saw {sag['topic']} sag to {float(sag['lowest']):.1f} Hz of {float(sag['expected']):g} "
                f"between {float(sag['from']):.1f} and {float(sag['to']):.1f} s"
            )
        except (TypeError, KeyError, ValueError):
            remarks.append(f"its recorder marked it: {sag}")
    return remarks
