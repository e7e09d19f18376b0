"""The kitchen's physics: put things where a layout says, move the arm's goals, read the state."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from clam_core.envs.kitchen_geometry import DISTRACTORS
from clam_core.envs.kitchen_scene import build_model
from clam_core.envs.kitchen_spec import RATE, VELOCITY
from clam_core.envs.kitchen_tasks import Layout, Place, Situation
from clam_core.envs.servos import Servos
from clam_core.errors import ClamError
from clam_description import END_EFFECTOR_LINK, FINGER_JOINTS

Vector = npt.NDArray[np.float64]

OVERLAP = 0.001  # [m] deeper in something else nothing may be put
SETPOINTS = 10  # per action: the servos' goal moves there in as many equal steps, no faster than the joints may


class KitchenSimulator:
    """MuJoCo model and data of the kitchen."""

    def __init__(self) -> None:
        self.model: Any = build_model()
        self.data: Any = mujoco.MjData(self.model)
        self.arm = Servos(self.model, self.data)
        self._goal = np.zeros(len(VELOCITY))
        self._most = np.array(VELOCITY) / RATE  # that the goal moves in one step
        self._physics_steps = round(1.0 / (RATE * SETPOINTS * self.model.opt.timestep))
        self._fingers = [self.model.geom(name).id for name in FINGER_JOINTS]
        self._block_shape = self.model.geom("block").id
        self._end_effector = self.model.body(END_EFFECTOR_LINK).id

    def reset(self, layout: Layout) -> None:
        """Everything as `layout` has it, at rest."""
        mujoco.mj_resetData(self.model, self.data)
        self._goal = np.array([*layout.arm, layout.gap])
        self.arm.place(self._goal)
        self.place_things(layout)

    def place_things(self, layout: Layout) -> None:
        """Everything but the arm as `layout` has it, at rest; the arm stays as it is."""
        positions, velocities = (np.ones(size, dtype=bool) for size in (self.model.nq, self.model.nv))
        positions[self.arm.positions] = velocities[self.arm.velocities] = False
        self.data.qpos[positions], self.data.qvel[velocities] = self.model.qpos0[positions], 0.0
        self.data.qacc_warmstart[:] = 0.0
        mujoco.mj_kinematics(self.model, self.data)
        self._put("block", layout.block)
        for (name, *_), place in zip(DISTRACTORS, layout.distractors, strict=True):
            self._put(name, place)
        for axis, value in zip("xy", layout.pot, strict=True):
            origin = self.model.body("pot").pos + self.data.body("stove").xpos
            self.data.joint(f"pot_{axis}").qpos[0] = value - origin["xy".index(axis)]
        self.data.joint("microwave_door").qpos[0] = layout.door
        mujoco.mj_forward(self.model, self.data)

    def move_block(self, offset: Vector) -> None:
        """Put the block `offset` ``(2,)`` [m] further along x and y, at rest and as high as it is.

        Raises:
            ClamError: a finger touches it, or something else is there; then nothing was moved.
        """
        if self.situation().touches_block:
            raise ClamError("a finger touches the block: move it before the arm is there")
        block = self.data.joint("block")
        before = block.qpos.copy(), block.qvel.copy()
        block.qpos[:2] += offset
        block.qvel[:] = 0.0
        mujoco.mj_forward(self.model, self.data)
        contacts = self.data.contact
        if ((contacts.geom == self._block_shape).any(axis=1) & (contacts.dist < -OVERLAP)).any():
            block.qpos[:], block.qvel[:] = before
            mujoco.mj_forward(self.model, self.data)
            raise ClamError("something is where the block shall be put: choose another place or time")

    def step(self, action: Vector) -> None:
        """One action ``(7,)`` [rad, m] within the limits: 1 / `RATE` seconds."""
        start = self._goal
        self._goal = start + np.clip(action - start, -self._most, self._most)
        for i in range(1, SETPOINTS + 1):
            self.arm.send(start + (self._goal - start) * i / SETPOINTS)
            mujoco.mj_step(self.model, self.data, self._physics_steps)
        mujoco.mj_forward(self.model, self.data)  # what is read now belongs to where things are now

    def state(self) -> Vector:
        """The entries of `STATE_NAMES`."""
        return np.concatenate(
            [
                *self.arm.measure(),
                self.data.xpos[self._end_effector],
                self.data.joint("block").qpos,
                self.data.body("pot").xpos,
                self.data.joint("pot_yaw").qpos,
                self._button(),
                self.data.joint("microwave_door").qpos,
            ]
        )

    def situation(self) -> Situation:
        """What the tasks' rules look at."""
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_XBODY, self._end_effector, velocity, 0)
        button = self._button()
        return Situation(
            end_effector=self.data.xpos[self._end_effector].copy(),
            speed=float(np.linalg.norm(velocity[3:])),
            block=self.data.body("block").xpos.copy(),
            touches_block=any(self._touch(finger, self._block_shape) for finger in self._fingers),
            pot=self.data.body("pot").xpos.copy(),
            button_travel=float(self.data.joint("button").qpos[0]),
            button_distance=min(float(np.linalg.norm(self._tip(finger) - button)) for finger in self._fingers),
            door=float(self.data.joint("microwave_door").qpos[0]),
        )

    def _put(self, name: str, place: Place) -> None:
        """Stand loose thing `name` somewhere. `mj_kinematics` must have been called."""
        support, shape = self.model.geom(place.on), self.model.geom(name)
        half = shape.size[1 if shape.type[0] == mujoco.mjtGeom.mjGEOM_CYLINDER else 2]
        z = self.data.geom(place.on).xpos[2] + support.size[2] + half
        turn = [np.cos(place.yaw / 2), 0.0, 0.0, np.sin(place.yaw / 2)]
        self.data.joint(name).qpos[:] = [place.x, place.y, z, *turn]

    def _button(self) -> Vector:
        """Middle of the button's top ``(3,)`` [m]."""
        top: Vector = self.data.geom("stove_right_button_box").xpos.copy()
        top[2] += self.model.geom("stove_right_button_box").size[2]
        return top

    def _tip(self, finger: int) -> Vector:
        """Middle of the far end of a finger ``(3,)`` [m]: its shape is a box whose x points away from the hand."""
        rotation = self.data.geom_xmat[finger].reshape(3, 3)
        place: Vector = self.data.geom_xpos[finger] + rotation[:, 0] * self.model.geom_size[finger][0]
        return place

    def _touch(self, one: int, other: int) -> bool:
        pairs = np.sort(self.data.contact.geom, axis=1)
        return bool((pairs == sorted((one, other))).all(axis=1).any())
