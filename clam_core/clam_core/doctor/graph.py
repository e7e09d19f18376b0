"""Checks of a live ROS graph: topics, rates, stamps, clock, and who else commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from clam_core.doctor.finding import Finding
from clam_core.doctor.heard import Heard, Needs, Stream

SLOW, TOO_SLOW = 0.9, 0.5  # of the bundle's rate
TOO_FAST = 1.5  # of the bundle's rate, where every message is an observation
QUIET = 3.0  # control periods without a message
LATE = 0.5  # of the age at which observations are refused


def topics(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Whether everything that the policy looks at is there, of the right type, and comes often enough."""
    for topic, kind in needs.types.items():
        stream, offered = heard.streams.get(topic, Stream()), heard.offered.get(topic, ())
        if offered and kind not in offered:
            text = f"is {', '.join(sorted(set(offered)))}, the policy hears {kind}"
            yield Finding(topic, "fail", text, "remap it, or set images to raw or compressed")
        elif not stream.arrivals:
            yield _absent(needs, heard, topic, kind, len(offered))
        else:
            yield _rate(needs, heard, topic, stream)
            if len(offered) > 1:
                text = f"published by {len(offered)}: what the policy sees is a mixture"
                yield Finding(topic, "warn", text, "stop all but one (one that was killed is seen for some seconds)")


def stamps(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Whether stamps go on and are of this clock; how far apart those of different streams are."""
    ages = {}
    for topic in needs.types:
        stream = heard.streams.get(topic, Stream())
        if stream.arrivals:
            ages[topic] = stream.age
            yield _stamp(needs, heard, topic, stream)
    if len(ages) > 1:
        newest, oldest = min(ages, key=lambda topic: ages[topic]), max(ages, key=lambda topic: ages[topic])
        apart = ages[oldest] - ages[newest]
        text = f"those of '{oldest}' are {apart:.3f} s older than those of '{newest}'"
        if apart > 0.5 / needs.spec.rate:
            mend = "pictures and state do not show the same moment: synchronize clocks, stamp at capture"
            yield Finding("stamps together", "warn", text, mend)
        else:
            yield Finding("stamps together", "ok", text)


def clock(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Whether the node's clock is that of the graph."""
    del needs
    if heard.use_sim_time and not heard.clock_publishers:
        yield Finding("clock", "fail", "use_sim_time is true, but nobody publishes /clock", "set it to false")
    elif not heard.use_sim_time and heard.clock_publishers:
        text = "somebody publishes /clock, but use_sim_time is false"
        yield Finding("clock", "warn", text, "set use_sim_time to true if the robot is simulated")
    else:
        yield Finding("clock", "ok", "simulated time" if heard.use_sim_time else "time of this machine")


def command(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Whether an arm listens, and to this policy alone."""
    del needs
    if not heard.command_listeners:
        yield Finding("command", "warn", "nobody listens to it", "start the arm's driver")
    if heard.other_commanders:
        number = heard.other_commanders
        text = f"published already by {number}: a policy that runs, or a teleoperation"
        yield Finding("command", "warn", text, "let only one command at a time")
    elif heard.command_listeners:
        yield Finding("command", "ok", "an arm listens, and nobody else commands")


def _absent(needs: Needs, heard: Heard, topic: str, kind: str, publishers: int) -> Finding:
    if publishers:
        text = f"nothing in {heard.seconds:.1f} s, though it has a publisher"
        return Finding(topic, "fail", text, "is it paused, or best effort where reliable is asked for?")
    within = heard.namespace.rstrip("/")
    whole = f"{within}/{topic}"
    here, kept = whole.rpartition("/")[0], set(heard.topics) - {f"{within}/{other}" for other in needs.types}
    twin = next((name for name in (f"{here}/image_raw", f"{here}/compressed") if name != whole and name in kept), "")
    alike = difflib.get_close_matches(whole, [name for name in kept if heard.topics[name] == kind], n=1, cutoff=0.0)
    if topic in needs.cameras and twin:
        mend = f"there is '{twin}': set images to {'compressed' if twin.endswith('compressed') else 'raw'}"
    elif alike:
        mend = f"start what publishes it; or remap '{alike[0]}', if that is it"
    else:
        mend = "start what publishes it; has it the same ROS_DOMAIN_ID?"
    return Finding(topic, "fail", f"nobody publishes it, nothing in {heard.seconds:.1f} s", mend)


def _rate(needs: Needs, heard: Heard, topic: str, stream: Stream) -> Finding:
    wanted, silence = needs.spec.rate, (heard.now - stream.arrivals[-1]) / 1e9
    text = f"{stream.rate:.1f} Hz, the policy looks {wanted:g} times a second"
    if silence > QUIET / wanted and silence > 0.5:
        return Finding(topic, "fail", f"silent for {silence:.1f} s", "is what publishes it still alive?")
    if stream.rate < TOO_SLOW * wanted:
        return Finding(topic, "fail", text, "raise its rate, or free the machine")
    if stream.rate < SLOW * wanted:
        return Finding(topic, "warn", text, "raise its rate, or free the machine")
    if needs.each_counts and stream.rate > TOO_FAST * wanted:
        return Finding(topic, "fail", f"{text}, at each of these", f"publish it at {wanted:g} Hz")
    return Finding(topic, "ok", f"{text}, longest pause {stream.longest_pause:.2f} s")


def _stamp(needs: Needs, heard: Heard, topic: str, stream: Stream) -> Finding:
    about, age = f"stamps of {topic}", stream.age
    distinct = len(set(stream.stamps))
    sim = ", or set use_sim_time" if heard.clock_publishers and not heard.use_sim_time else ""
    if not any(stream.stamps):
        return Finding(about, "fail", "they are 0", "let what publishes it stamp its messages")
    if len(stream.stamps) > 2 and distinct <= len(stream.stamps) / 2:
        return Finding(about, "fail", f"only {distinct} of {len(stream.stamps)} are new", "is its source stuck?")
    if age < -needs.max_age:
        return Finding(about, "fail", f"{-age:.3f} s in the future", f"synchronize the machines' clocks{sim}")
    if age > needs.max_age:
        text = f"{age:.3f} s old when they come, at most {needs.max_age:g} s is allowed"
        return Finding(about, "fail", text, f"synchronize the machines' clocks{sim}, or find what delays it")
    if age < -LATE * needs.max_age or age > LATE * needs.max_age:
        text = f"{abs(age):.3f} s {'old' if age > 0 else 'in the future'}, {needs.max_age:g} s is the most"
        return Finding(about, "warn", text, f"synchronize the machines' clocks{sim}, or find what delays it")
    return Finding(about, "ok", f"{age:.3f} s old when they come")
