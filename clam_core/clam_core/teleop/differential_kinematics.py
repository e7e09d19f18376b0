"""Differential inverse kinematics on the arm's own MuJoCo model, solved by mink as a quadratic program.

Position limits and velocity limits are constraints of the program, so that its answer is within them. A target that
is out of reach brings the arm as near as it can get, and it follows again when the target comes back.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clam_core.envs.mujoco_package import without_shapes
from clam_core.errors import ClamError
from clam_core.teleop.frames import Pose

Vector = npt.NDArray[np.float64]

#: Weights of the errors: of the place [1/m], of the turn [1/rad], and of the posture [1/rad], which decides what the
#: others leave open. A joint that shall stay straight costs more: its part of the turn is given up where it would have
#: to wind up for it, the place is not.
POSITION, ORIENTATION, POSTURE, STRAIGHT = 1.0, 0.05, 1e-3, 0.01
STEADY = 1e-3  # Levenberg-Marquardt damping near singularities


class DifferentialKinematics:
    """Moves `joints` of a URDF so that its link `tip` goes where it shall; poses are in the frame of link `base`.

    `lower`, `upper` ``(J,)`` [rad] and `speed` [rad/s] are limits of the joints. `straight` names joints that are kept
    near 0: of a wrist of roll, pitch and roll, which can wind up at its singularity, the first roll.

    Raises:
        ClamError: mink is not installed, or the URDF lacks a joint or link.
    """

    def __init__(
        self,
        urdf: str,
        joints: Sequence[str],
        *,
        base: str,
        tip: str,
        lower: Sequence[float],
        upper: Sequence[float],
        speed: Sequence[float],
        straight: Sequence[str] = (),
    ) -> None:
        try:
            import mink
        except ImportError as error:
            raise ClamError(f"teleoperation needs mink ({error}): pip install mink, or make setup") from error
        self._mink: Any = mink
        self._model = _model(urdf, joints, (base, tip))
        self._order = np.array([self._model.joint(name).qposadr[0] for name in joints])
        self._model.jnt_range[[self._model.joint(name).id for name in joints]] = np.column_stack([lower, upper])
        self._lower, self._upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        self._configuration = mink.Configuration(self._model)
        self._tip = tip
        self._base = self._configuration.get_transform_frame_to_world(base, "body")
        self._hand = mink.FrameTask(
            tip, "body", position_cost=POSITION, orientation_cost=ORIENTATION, lm_damping=STEADY
        )
        weights = np.full(self._model.nv, POSTURE)
        self._straight = np.array([self._model.joint(name).qposadr[0] for name in straight], dtype=np.intp)
        weights[self._straight] = STRAIGHT
        self._posture = mink.PostureTask(self._model, cost=weights)
        self._limits = [
            mink.ConfigurationLimit(self._model),
            mink.VelocityLimit(self._model, dict(zip(joints, speed, strict=True))),
        ]

    def reset(self, positions: Vector) -> None:
        """Begin at `positions` ``(J,)`` [rad], and prefer postures like this one."""
        self.place(positions)
        posture = self._configuration.q.copy()
        posture[self._straight] = 0.0
        self._posture.set_target(posture)

    def place(self, positions: Vector) -> None:
        """Go on from `positions` ``(J,)`` [rad]."""
        full = np.zeros(self._model.nq)
        full[self._order] = np.clip(positions, self._lower, self._upper)
        self._configuration.update(full)

    @property
    def positions(self) -> Vector:
        """Where the joints are ``(J,)`` [rad]."""
        return np.asarray(self._configuration.q[self._order])

    @property
    def pose(self) -> Pose:
        """Where the tip is."""
        return self._pose(self._configuration.get_transform_frame_to_world(self._tip, "body"))

    def step(self, target: Pose, seconds: float) -> bool:
        """Move the joints for `seconds` towards `target`; False, and no move, if the program has no solution."""
        mink = self._mink
        rotation = mink.SO3.from_matrix(target.rotation)
        goal = mink.SE3.from_rotation_and_translation(rotation, target.position)
        self._hand.set_target(self._base.multiply(goal))
        try:
            velocity = mink.solve_ik(
                self._configuration, [self._hand, self._posture], seconds, "daqp", limits=self._limits
            )
        except mink.MinkError:
            return False
        if not np.isfinite(velocity).all():
            return False
        self._configuration.integrate_inplace(velocity, seconds)
        self._configuration.update(np.clip(self._configuration.q, *self._model.jnt_range.T))
        return True

    def _pose(self, transform: Any) -> Pose:
        local = self._base.inverse().multiply(transform).as_matrix()
        return Pose(local[:3, 3].copy(), local[:3, :3].copy())


def _model(urdf: str, joints: Sequence[str], links: Sequence[str]) -> Any:
    """MuJoCo model of the arm: no shapes, and all joints but `joints` fixed where they are at zero."""
    import mujoco

    robot = without_shapes(urdf)
    for joint in robot.findall("joint"):
        if joint.get("name") not in joints:
            joint.set("type", "fixed")
            for mimic in joint.findall("mimic"):
                joint.remove(mimic)
    extension = robot.find("mujoco")
    extension = ElementTree.SubElement(robot, "mujoco") if extension is None else extension
    compiler = extension.find("compiler")
    compiler = ElementTree.SubElement(extension, "compiler") if compiler is None else compiler
    compiler.set("fusestatic", "false")  # or MuJoCo would drop the link between the fingers
    try:
        model = mujoco.MjModel.from_xml_string(ElementTree.tostring(robot, encoding="unicode"))
    except ValueError as error:
        raise ClamError(f"MuJoCo refuses the URDF: {' '.join(str(error).split())}") from error
    known = {model.joint(index).name for index in range(model.njnt)}
    bodies = {model.body(index).name for index in range(model.nbody)}
    for name, names in (*((joint, known) for joint in joints), *((link, bodies) for link in links)):
        if name not in names:
            raise ClamError(f"the URDF has no '{name}'; it has: {', '.join(sorted(names))}")
    return model
