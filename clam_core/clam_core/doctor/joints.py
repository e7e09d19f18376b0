"""Checks of joints: what the policy looks at and commands, against what the robot calls its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from clam_core.doctor.finding import Finding
from clam_core.doctor.heard import Heard, JointNames, Needs

BEYOND = 0.05  # of a joint's range: servos sag
FAR_BEYOND = 1.0  # of a joint's range: another unit


def joints(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Whether the state's entries are there, once each, finite, and within the limits of what is commanded."""
    arms = [(topic, found) for topic, found in heard.joints.items() if topic.split("/")[-1] == "joint_states"]
    for topic, found in arms:  # first: of another arm, no state fits either
        if topic != needs.state_topic:
            yield from _arm(needs, topic, found)
    if needs.state_topic in heard.joints:
        yield _entries(needs, heard.joints[needs.state_topic])
    for topic, found in arms:
        if topic == needs.state_topic:
            yield from _arm(needs, topic, found)


def _entries(needs: Needs, found: JointNames) -> Finding:
    about = f"names of {needs.state_topic}"
    if len(found.names) != len(found.positions):
        text = f"{len(found.names)} names but {len(found.positions)} positions"
        return Finding(about, "fail", text, "mend what publishes it")
    if missing := [name for name in needs.state_names if name not in found.names]:
        has = f"it has {listed(found.names)}" if found.names else "it is empty"
        return Finding(about, "fail", f"missing names: {listed(missing)}", f"{has}; set state_topic, or remap")
    twice = sorted({name for name in needs.state_names if found.names.count(name) > 1})
    if twice:
        return Finding(about, "fail", f"more than once: {listed(twice)}", "two arms on one topic? Give them namespaces")
    values = dict(zip(found.names, found.positions, strict=True))
    if broken := [name for name in needs.state_names if not math.isfinite(values[name])]:
        return Finding(about, "fail", f"not finite: {listed(broken)}", "mend what publishes it")
    order = tuple(name for name in found.names if name in needs.state_names)
    same = "in the order of training" if order == needs.state_names else "in another order, matched by name"
    return Finding(about, "ok", f"all {len(needs.state_names)} that the policy looks at, {same}")


def _arm(needs: Needs, topic: str, found: JointNames) -> Iterator[Finding]:
    """The joints that are commanded."""
    action, about = needs.spec.action, f"joints of {topic}"
    if missing := [name for name in action.names if name not in found.names]:
        text = f"the policy commands {listed(missing)}, which the arm does not have"
        yield Finding(about, "fail", text, f"it has {listed(found.names)}: use the bundle's robot")
        return
    values = dict(zip(found.names, found.positions, strict=False))
    if broken := [name for name in action.names if not math.isfinite(values.get(name, math.nan))]:
        yield Finding(about, "fail", f"without a finite position: {listed(broken)}", "mend what publishes it")
        return
    outside, far = [], []
    for name, low, high in zip(action.names, action.low, action.high, strict=True):
        value = values[name]
        beyond = max(low - value, value - high) / (high - low) if high > low else 0.0
        outside += [f"{name} {value:.3g}"] if beyond > BEYOND else []
        far += [name] if beyond > FAR_BEYOND else []
    units = dict(zip(action.names, action.units, strict=True))
    if far:
        mend = f"the bundle's unit of {far[0]} is {units[far[0]]}: is it published in another one?"
        yield Finding(about, "fail", f"far outside their limits: {listed(outside)}", mend)
    elif outside:
        yield Finding(about, "warn", f"outside their limits: {listed(outside)}", "move the arm back")
    else:
        yield Finding(about, "ok", f"all {len(action.names)} that the policy commands, within their limits")


def listed(names: object) -> str:
    """At most five of them."""
    every = list(names)  # type: ignore[call-overload]
    return ", ".join(every[:5]) + (f", … ({len(every)} in all)" if len(every) > 5 else "")
