"""Parameters of the node."""

from __future__ import annotations

from clam_ros.node import Node
from clam_teleop.serving import declare_serving

ROBOTS, SCORERS = ("mujoco", "interbotix"), ("auto", "person", "simulator")


def declare_parameters(node: Node) -> None:
    """All of the node's."""
    node.declare("task", "", "Task that is evaluated (required).")
    node.declare("robot", "mujoco", "What is driven; mujoco: node kitchen resets itself.", choices=ROBOTS)
    node.declare("bundle", "", "Folder of the bundle; or several in `bundles`.")
    node.declare("bundles", "", "Folders of several bundles: [A, B].")
    node.declare("rollouts", 10, "Rollouts of each bundle, each on a layout of its own.", low=1, high=10_000)
    node.declare("steps", 100, "Budget of a rollout in control periods.", low=1, high=100_000)
    node.declare("seed", 1_000_000, "Seed of the first layout; it draws the order of bundles too.", low=0)
    node.declare("out", "evaluation", "Folder of results; one that is there is continued.")
    node.declare("scorer", "auto", "Who scores; auto: a simulator itself, else a person.", choices=SCORERS)
    node.declare("operator", "", "Who operates, for the results file.")
    node.declare("camera", "external", "Camera of the videos and of the page; empty: none.")
    node.declare("stop_at_success", True, "A simulator's score of 1 ends a rollout.")
    node.declare("repeats", 3, "Of a rollout that says nothing, because something failed.", low=0, high=100)
    node.declare("patience", 60.0, "Without an operator: longest wait for what is not ready [s].", low=1.0)
    node.declare("policy", "policy", "Name of the policy node.")
    node.declare("arm", "arm_driver", "Name of the arm driver's node.")
    declare_serving(node)
