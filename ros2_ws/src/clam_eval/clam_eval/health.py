"""What the nodes of the robot say of themselves on /diagnostics, and when that spoils a rollout. No ROS here."""

from __future__ import annotations

from dataclasses import dataclass, field

OK, WARN, ERROR = 0, 1, 2
SILENT = 6.0  # [s] every node says something each second; a busy machine makes it late
#: States of the arm driver in which it obeys nobody.
DEAF = {"disabled": "the arm has no torque: call torque", "inactive": "the driver is not active"}
LASTING = 2  # warnings of the policy in a row: a single one is a hiccup, which a policy has to live with
HICCUP = 1.0  # [s] of an arm driver's fault, for example late measurements on a busy machine: the arm held, and went on


@dataclass
class Report:
    """The last word of a node. `warnings`: how many of its last words in a row were no better than a warning;
    `broken`: since when [s] they were errors.
    """

    level: int = OK
    message: str = ""
    heard: float = 0.0
    warnings: int = 0
    broken: float | None = None
    facts: dict[str, str] = field(default_factory=dict)


class Health:
    """Heeds the policy, the arm driver, the watch over the nodes, and one camera. Times [s] are on a steady clock.

    The policy and the arm must be heard; a `watch` or camera only once they were, or where one is expected.
    """

    def __init__(self, *, policy: str, arm: str, watch: str, camera: str = "", camera_timeout: float = 2.0) -> None:
        self._policy, self._arm, self._watch = policy, arm, watch
        self._camera, self._camera_timeout = camera, camera_timeout
        self._reports: dict[str, Report] = {}
        self._pictured: float | None = None
        self._since = 0.0
        self._barred = False
        self.hiccups = 0  # faults of the arm driver since `begin`

    def hear(self, name: str, level: int, message: str, facts: dict[str, str], now: float) -> None:
        """A word of any node."""
        before = self._reports.get(name, Report())
        warnings = before.warnings + 1 if level >= WARN else 0
        broken = None if level < ERROR else now if before.broken is None else before.broken
        self.hiccups += name == self._arm and broken == now
        self._reports[name] = Report(level, message, now, warnings, broken, facts)
        self._barred |= self.estopped() or self.facts(self._arm).get("state") == "disabled"

    def picture(self, now: float) -> None:
        """The camera gave a picture."""
        self._pictured = now

    def begin(self, now: float) -> None:
        """A rollout begins: what the policy said before is of no concern."""
        self._since, self.hiccups = now, 0
        self._reports.pop(self._policy, None)

    def facts(self, name: str) -> dict[str, str]:
        """The last facts of a node, none if it was not heard."""
        return self._reports.get(name, Report()).facts

    def not_ready(self, now: float) -> str:
        """Why no rollout can begin, in one line; empty if it can."""
        if self._arm not in self._reports:
            return f"{self._arm} has not been heard yet"
        if self._camera and self._pictured is None:
            return f"camera {self._camera} gives no picture yet: does its node run? Parameter camera names another"
        return self._robot(now, 0.0)

    def fault(self, now: float) -> str:
        """What spoils a running rollout, in one line; empty if nothing does."""
        policy = self._reports.get(self._policy)
        heard = self._since if policy is None else policy.heard
        if policy is not None and (policy.level >= ERROR or policy.warnings >= LASTING):
            return f"policy: {policy.message}"
        if now - heard > SILENT:
            return f"policy: {self._policy} has said nothing for {now - heard:.0f} s: does it run?"
        return self._robot(now, HICCUP)

    def estopped(self) -> bool:
        """Whether the arm driver's e-stop is latched."""
        return self.facts(self._arm).get("e-stop", "-") != "-"

    def barred(self) -> bool:
        """Whether somebody has stopped the arm, or taken its torque, since `release`: a person may be at it.

        It stays so when the arm obeys again, also if nobody asked meanwhile.
        """
        return self._barred

    def release(self) -> None:
        """Nobody is at the arm any more. Means nothing while the arm is still stopped: its next word bars it again."""
        self._barred = False

    def _robot(self, now: float, hiccup: float) -> str:
        arm = self._reports.get(self._arm)
        if arm is not None and arm.broken is not None and now - arm.broken >= hiccup:
            return f"arm: {arm.message}"
        state = "" if arm is None else "inactive" if arm.facts.get("active") == "false" else arm.facts.get("state", "")
        if state in DEAF:
            return f"arm: {DEAF[state]}"
        if arm is not None and now - arm.heard > SILENT:
            return f"arm: {self._arm} has said nothing for {now - arm.heard:.0f} s: does it run?"
        watch = self._reports.get(self._watch)
        if watch is not None and watch.level >= ERROR:
            return watch.message
        silence = None if self._pictured is None else now - self._pictured
        if self._camera and silence is not None and silence > self._camera_timeout:
            return f"camera {self._camera} has been silent for {silence:.0f} s: does its node run, is it plugged in?"
        return ""
