"""The driver's state as a diagnostic."""

from __future__ import annotations

from clam_arm.arm_controller import ArmController
from clam_core.safety import State
from clam_ros.node import ERROR, OK, WARN

FOLLOWING_ERROR = 0.2  # [rad] beyond it a joint is overloaded, blocked or without power


def facts(controller: ArmController, backend: str, now: float) -> dict[str, str]:
    """Everything that the safety filter knows, as key and value."""
    safety = controller.safety
    commanded = "never" if safety.commanded_at is None else f"{now - safety.commanded_at:.3f}"
    measured = "never" if safety.measured is None else f"{safety.measurement_age(now):.3f}"
    pending = controller.pending(now)
    known = {
        "state": controller.state(now).value,
        "backend": backend,
        "backend's complaint": controller.complaint or "-",
        "moving to": controller.moving or "-",
        "trajectory begins in [s]": f"{pending:.3f}" if pending else "-",
        "e-stop": safety.estopped or "-",
        "following error [rad]": f"{safety.following_error:.4f}",
        "age of last command [s]": commanded,
        "age of last measurement [s]": measured,
        "last refusal": str(safety.last_refusal or "-"),
        "refused": str(sum(safety.counts.values())),
    }
    return known | {f"refused {reason}": str(count) for reason, count in sorted(safety.counts.items())}


def level(controller: ArmController, now: float, refused_lately: bool) -> tuple[bytes, str]:
    """Level and one line: an error while the arm cannot be commanded, a warning while it is not obeyed."""
    safety, state = controller.safety, controller.state(now)
    last = f": {safety.last_refusal}" if safety.last_refusal else ""
    if state is State.ESTOP:
        return ERROR, f"e-stop ({safety.estopped}): call estop_reset"
    if state is State.FAULT:
        return ERROR, f"fault: {controller.complaint}" if controller.complaint else f"fault{last}"
    if safety.following_error > FOLLOWING_ERROR:
        return WARN, f"{state.value}, {safety.following_error:.2f} rad behind its setpoint: overloaded or blocked?"
    if refused_lately:
        return WARN, f"{state.value}{last}"
    if pending := controller.pending(now):
        return OK, f"{state.value}, a trajectory begins in {pending:.1f} s"
    return OK, f"moves to {controller.moving}" if controller.moving else state.value
