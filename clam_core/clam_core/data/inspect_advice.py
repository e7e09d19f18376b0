"""What to do more of in play, in sentences, from what `inspect_space` and `inspect` find."""

from __future__ import annotations

from typing import Any

LOW_REGION = 0.3  # share of a region's voxels below which to go there more
LOW_RANGE = 0.6  # share of an action's bins
LOW_PAIR = 0.15  # share of the cells of two actions
LOW_PLACES = 0.9  # share of the expert's steps
LOW_MOTION = 0.8  # share of the expert's range of a motion
MUCH_REST = 0.3  # share of steps
FEW_GRASPS = 2.0  # a minute
LISTED = 3  # of each sort, the worst


def advice(space: dict[str, Any], against: dict[str, Any] | None = None) -> list[str]:
    """Sentences for the operator, the most telling first; one that says so when nothing stands out."""
    if not space:
        return []
    lines = [*_towards(against or {}), *_regions(space.get("workspace", {})), *_ranges(space.get("actions", {}))]
    pairs = space.get("pairs")
    if pairs and pairs["worst_share"] < LOW_PAIR:
        first, second = pairs["worst"]
        lines.append(
            f"move {first} and {second} independently: together they visit {pairs['worst_share']:.0%} of their range"
        )
    grasps, minutes = space.get("grasps"), space["minutes"]
    if grasps is not None and grasps < FEW_GRASPS * minutes:
        lines.append(f"close and open the gripper more often: it closed {grasps} times in {minutes:.1f} min")
    if space.get("rest", 0.0) > MUCH_REST:
        lines.append(f"keep moving: the arm rests in {space['rest']:.0%} of the steps")
    return lines or ["nothing stands out: more of the same"]


def _towards(against: dict[str, Any]) -> list[str]:
    """Where the expert goes and the play does not."""
    lines = []
    place = against.get("workspace")
    if place and place["share"] < LOW_PLACES:
        x, y, z = place["missing_centre"]
        lines.append(
            f"go where {against['kind']} data of {against['path']} go: {1 - place['share']:.0%} of their steps are in "
            f"places hardly visited here, most around x {x:.2f}, y {y:.2f}, z {z:.2f} m"
        )
    worst = sorted(against.get("motion", {}).items(), key=lambda item: item[1])[:LISTED]
    lines += [
        f"move {name} as {against['kind']} data do: {share:.0%} of the range of its motion is covered"
        for name, share in worst
        if share < LOW_MOTION and not name.startswith("previous/")
    ]
    return lines


def _regions(workspace: dict[str, Any]) -> list[str]:
    worst = sorted(workspace.get("regions", {}).items(), key=lambda item: item[1])[:LISTED]
    return [f"go more to the {name}: {share:.0%} of it visited" for name, share in worst if share < LOW_REGION]


def _ranges(actions: dict[str, dict[str, float]]) -> list[str]:
    lines = []
    actions = {name: facts for name, facts in actions.items() if "gripper" not in name}  # open or closed, see grasps
    for name, facts in sorted(actions.items(), key=lambda item: item[1]["share"])[:LISTED]:
        if facts["share"] >= LOW_RANGE:
            continue
        width = facts["high"] - facts["low"]
        below, above = (facts["min"] - facts["low"]) / width, (facts["high"] - facts["max"]) / width
        if max(below, above) < 0.1:
            how = "with fewer repetitions of the same values"
        else:
            end, value = ("below", facts["min"]) if below > above else ("above", facts["max"])
            how = f"also {end} {value:.2f}"
        usual = f"usual are {facts['low']:.2f} to {facts['high']:.2f}"
        lines.append(f"move {name} {how}: {facts['share']:.0%} of its range visited ({usual})")
    return lines
