"""Coverage of the workspace and of the action space, and what to do more of, for a dataset's page."""

from __future__ import annotations

import html
from typing import Any

from matplotlib.figure import Figure

from clam_core.data.inspect_picture import MINE, THEIRS, picture
from clam_core.data.inspect_space import VOXEL, end_effector
from clam_core.data.store import EpisodeStore

_VIEWS = (("from above", 1, 0), ("from the side", 0, 2), ("from the front", 1, 2))  # title, axis to the right, axis up
_POINTS = 6000  # drawn of each dataset


def space_section(facts: dict[str, Any], store: EpisodeStore, other: EpisodeStore | None) -> list[str]:
    """HTML: where the end effector was, the shares by region and by action, and the advice."""
    space = facts["space"]
    if not space:
        return []
    parts = [f"<h2>Coverage</h2><p>{space['minutes']:.1f} minutes.</p>"]
    if "advice" in facts:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in facts["advice"])
        parts.append(f"<p>Do more of:</p><ul>{items}</ul>")
    if "workspace" in space:
        parts += [f"<p>{_workspace_line(space)}</p>", _views(store, other)]
        if regions := space["workspace"].get("regions"):
            parts.append(_table(("region", "visited"), regions))
    if "actions" in space:
        rows = {name: facts["share"] for name, facts in space["actions"].items()}
        parts.append(_table(("action", "share of its range visited"), rows))
    return parts


def _workspace_line(space: dict[str, Any]) -> str:
    place = space["workspace"]
    whole = "" if place["share"] is None else f" of {place['reachable']} within reach ({place['share']:.0%})"
    voxels = f"The end effector visited {place['visited']} voxels of {VOXEL * 100:g} cm{whole}"
    return f"{voxels} and rested in {space['rest']:.0%} of the steps."


def _views(store: EpisodeStore, other: EpisodeStore | None) -> str:
    """Where the end effector was, from three sides."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    drawn = [(THEIRS, end_effector(other))] if other is not None else []
    for axes, (title, right, up) in zip(figure.subplots(1, len(_VIEWS)), _VIEWS, strict=True):
        for color, points in (*drawn, (MINE, end_effector(store))):
            if points is not None:
                chosen = points[:: max(1, len(points) // _POINTS)]
                axes.plot(chosen[:, right], chosen[:, up], ".", color=color, markersize=2, alpha=0.5)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(f"{'xyz'[right]} [m]", fontsize=8)
        axes.set_ylabel(f"{'xyz'[up]} [m]", fontsize=8)
        axes.set_aspect("equal")
        if right == 1:
            axes.invert_xaxis()  # y points to the left
    return picture(figure, "where the end effector was, from three sides")


def _table(head: tuple[str, str], rows: dict[str, float]) -> str:
    body = "".join(f"<tr><td>{html.escape(name)}</td><td>{share:.0%}</td></tr>" for name, share in rows.items())
    return f"<table><tr><th>{head[0]}</th><th>{head[1]}</th></tr>{body}</table>"
