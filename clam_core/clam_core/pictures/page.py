"""The page that shows a run's pictures: one HTML file that needs no other."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from clam_core.whole import write_whole

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ heading }}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
  img { max-width: 100%; height: auto; }
  p { max-width: 50rem; }
  p.remark { font-weight: 600; }
</style>
<h1>{{ heading }}</h1>
<p>What the run has learned, on episodes that its training held out.</p>
{% for remark in remarks %}<p class="remark">{{ remark }}</p>
{% endfor %}
{% for picture in pictures %}
<h2>{{ picture.title }}</h2>
<p>{{ picture.reading }}</p>
<img alt="{{ picture.title }}" src="data:image/png;base64,{{ images[picture.file] }}">
{% endfor %}
</html>
"""


@dataclass(frozen=True)
class Picture:
    """A file of the folder, what it shows, how to read it, and its numbers."""

    file: str
    title: str
    reading: str
    facts: dict[str, Any] = field(default_factory=dict)


def write_page(folder: Path, heading: str, remarks: Sequence[str], pictures: Sequence[Picture]) -> None:
    """Write ``index.html`` into `folder`, where the pictures are."""
    template = jinja2.Template(_PAGE, autoescape=True, undefined=jinja2.StrictUndefined)
    images = {picture.file: base64.b64encode((folder / picture.file).read_bytes()).decode() for picture in pictures}
    page = template.render(heading=heading, remarks=remarks, pictures=pictures, images=images)
    write_whole(folder / "index.html", page)
