"""Parameters of the node, and what is made of them."""

from __future__ import annotations

from clam_arm.arm_model import ArmModel, arm_model
from clam_core.safety.limits import WORKSPACE_LOWER, WORKSPACE_UPPER
from clam_core.teleop.differential_kinematics import DifferentialKinematics
from clam_core.teleop.settings import BOUNDS, TeleopSettings
from clam_core.teleop.teleoperator import Teleoperator
from clam_description import ARM_JOINTS, BASE_LINK, END_EFFECTOR_LINK
from clam_ros.node import Node
from clam_teleop.serving import declare_serving

DEFAULTS = TeleopSettings()
ABOUT = {
    "scale": "Way of the end effector per way of the hand; headset.",
    "yaw": "Direction in the arm's base of what lies ahead for the operator [rad].",
    "speed": "The end effector is led no faster [m/s].",
    "turn_speed": "Nor is it turned faster [rad/s].",
    "joint_speed": "Nor is a joint [rad/s]; times velocity_scale.",
    "lead": "A joint is commanded no further from where it is measured [rad]; times velocity_scale.",
    "gripper_speed": "The gripper's gap [m/s].",
    "stick_speed": "Full deflection of a stick, or a key held [m/s].",
    "stick_turn_speed": "The same for turns [rad/s].",
    "timeout": "Without a message for so long, or with messages so late, the arm holds [s].",
    "arm_timeout": "Without joint states for so long nobody takes hold of the arm [s].",
    "hand_speed": "A hand that is faster has jumped [m/s].",
    "hand_turn_speed": "A hand that turns faster has jumped [rad/s].",
}


def declare_parameters(node: Node) -> None:
    """All of the node's."""
    node.declare("robot", "wx250s", "Robot description of clam_description.")
    node.declare("rate", 50.0, "Commands [1/s].", low=10.0, high=200.0)
    node.declare("input", "page", "Who operates.", choices=("page", "script"))
    node.declare("seed", 0, "Script: what it does depends on this.", low=0)
    declare_serving(node)
    node.declare("camera", "", "Camera whose JPEG stream the page shows; empty: none.")
    node.declare("record", True, "There is a recorder to start and stop.")
    node.declare("arm", "arm_driver", "Name of the arm driver's node, whose diagnostic is heard.")
    node.declare("velocity_scale", 1.0, "As the arm driver's.", low=0.01, high=1.0)
    node.declare("workspace_lower", list(WORKSPACE_LOWER), "As the arm driver's: least x, y, z [m].")
    node.declare("workspace_upper", list(WORKSPACE_UPPER), "As the arm driver's: greatest x, y, z [m].")
    for name, (low, high) in BOUNDS.items():
        node.declare(name, getattr(DEFAULTS, name), ABOUT[name], low=low, high=high)


def make_teleoperator(node: Node) -> tuple[Teleoperator, ArmModel]:
    """Raises `ClamError` when a parameter is not sound."""
    scale = node.value("velocity_scale")
    values = {name: node.value(name) for name in BOUNDS}
    values |= {name: max(values[name] * scale, BOUNDS[name][0]) for name in ("joint_speed", "lead")}
    settings = TeleopSettings(**values)
    box = {name: node.value(name) for name in ("workspace_lower", "workspace_upper")}
    model = arm_model(node.value("robot"), velocity_scale=scale, **box)
    kinematics = DifferentialKinematics(
        model.urdf,
        ARM_JOINTS,
        base=BASE_LINK,
        tip=END_EFFECTOR_LINK,
        lower=model.limits.lower,
        upper=model.limits.upper,
        speed=[min(settings.joint_speed, speed) for speed in model.limits.velocity],
        straight=["forearm_roll"],
    )
    return Teleoperator(kinematics, model.limits, settings), model
