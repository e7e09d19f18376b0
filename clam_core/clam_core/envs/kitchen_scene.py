"""The MuJoCo model of the toy kitchen: arm, table, kitchen and cameras from `clam_description`, and what moves.

The URDF of the workcell says where everything stands and how the arm is built. Added here is what it leaves out:
servos, the coupling of the fingers, the door, the button's spring, and the loose things.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from clam_core.envs.kitchen_geometry import (
    BLOCK_HALF,
    DESCRIPTION,
    DISTRACTORS,
    DOOR_HALF,
    HINGE,
    POT_HEIGHT,
    POT_LIFT,
    POT_RADIUS,
    POT_WALL,
)
from clam_core.envs.kitchen_spec import CAMERAS, LIMITS, POSE
from clam_core.envs.servos import add_servo
from clam_description import FINGER_JOINTS, urdf

TIMESTEP = 0.0025  # [s]

BUTTON_TRAVEL, BUTTON_STIFFNESS = 0.006, 400.0  # [m], [N/m]
DOOR_OPEN = 1.6  # range of the microwave's door [rad]

#: Vertical field of view of a 4:3 image [degrees]: D435's colour camera, and a common webcam.
FIELD_OF_VIEW = {"external": 42.0, "over_shoulder": 43.0}

ARM, THING = 1, 2  # contact bits: the arm does not collide with itself, everything else with everything


def build_model() -> Any:
    """The compiled ``mujoco.MjModel``."""
    spec = mujoco.MjSpec.from_string(urdf(DESCRIPTION))
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0  # a held block does not slip
    delete_twins(spec)
    _prepare_arm(spec)
    _add_button(spec)
    _add_door(spec)
    _add_pot(spec)
    _add_loose(spec, "block", "BOX", (BLOCK_HALF,) * 3, (0.10, 0.65, 0.20, 1.0))
    for thing in DISTRACTORS:
        _add_loose(spec, *thing)
    _add_cameras(spec)
    add_room(spec)
    return spec.compile()


def delete_twins(spec: Any) -> None:
    """Leave one shape where the URDF has two, for collision and for the eye: both would be drawn."""
    for geom in list(spec.geoms):
        if geom.contype == 0:
            geom.delete()


def scene_names(model: Any) -> tuple[str, ...]:
    """Names of the entries of ``qpos``: a joint's own, and for what lies loose its name and `POSE`."""
    names: list[str] = []
    for index in range(model.njnt):
        joint = model.joint(index)
        is_loose = joint.type[0] == mujoco.mjtJoint.mjJNT_FREE
        names += [f"{joint.name}_{part}" for part in POSE] if is_loose else [joint.name]
    return tuple(names)


def _prepare_arm(spec: Any) -> None:
    spec.joint("gripper").delete()  # the servo's horn: it is seen, but nothing depends on it
    for joint in spec.joints:
        joint.solref_limit[:], joint.solimp_limit[:3] = [2 * TIMESTEP, 1.0], [0.99, 0.999, 0.001]  # hard stops
        add_servo(spec, joint, LIMITS[joint.name].effort, finger=joint.name in FINGER_JOINTS)
    coupling = spec.add_equality(name="fingers", type=mujoco.mjtEq.mjEQ_JOINT)
    coupling.objtype = mujoco.mjtObj.mjOBJ_JOINT
    coupling.name1, coupling.name2 = FINGER_JOINTS[::-1]
    coupling.data[:2] = [0.0, -1.0]  # right = −left, the URDF's mimic
    arm = _below(spec.body("base_link"))
    for body in arm:
        body.gravcomp = 1.0  # as real servos hold their position
    names = {body.name for body in arm}
    for geom in spec.geoms:
        is_arm = geom.parent.name in names
        geom.contype, geom.conaffinity = (ARM, THING) if is_arm else (THING, ARM | THING)
        geom.friction = [1.5 if "finger" in geom.name else 0.8, 0.005, 0.0001]


def _add_button(spec: Any) -> None:
    button = spec.body("stove_right_button")
    button.add_joint(
        name="button",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=[0, 0, -1],
        limited=1,
        range=[0, BUTTON_TRAVEL],
        stiffness=BUTTON_STIFFNESS,
        damping=2.0,
        armature=0.01,
    )
    spec.add_exclude(bodyname1="stove", bodyname2="stove_right_button")  # it sinks into the stove


def _add_door(spec: Any) -> None:
    """Hinged at the left edge of the microwave's front, opening towards the arm; the frame is on the hinge."""
    thickness, half, _ = DOOR_HALF
    door = spec.body("microwave").add_body(name="microwave_door", pos=HINGE)
    door.add_joint(
        name="microwave_door",
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=[0, 0, -1],
        limited=1,
        range=[0, DOOR_OPEN],
        damping=0.02,
        frictionloss=0.02,
        armature=0.001,
    )
    _add_shape(door, "door_plate", "BOX", DOOR_HALF, (0.75, 0.76, 0.78, 1.0), pos=(0.0, -half, 0.0), mass=0.15)
    handle, out = (0.004, 0.004, 0.03), thickness + 0.004
    _add_shape(door, "door_handle", "BOX", handle, (0.2, 0.2, 0.2, 1.0), pos=(-out, 0.012 - 2 * half, 0.0), mass=0.01)


def _add_pot(spec: Any) -> None:
    """A round pot of eight walls that slides over the stove and turns, but does not tip."""
    stove, top = spec.body("stove"), 2 * spec.geom("stove_box").size[2]
    pot = stove.add_body(name="pot", pos=[0, 0, top + POT_LIFT])
    for axis, vector in (("pot_x", [1, 0, 0]), ("pot_y", [0, 1, 0])):
        pot.add_joint(name=axis, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=vector, damping=2.0, frictionloss=1.0)
    pot.add_joint(name="pot_yaw", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1], damping=0.01, frictionloss=0.02)
    colour, wall = (0.55, 0.12, 0.15, 1.0), POT_WALL / 2
    _add_shape(pot, "pot_floor", "CYLINDER", (POT_RADIUS, wall, 0.0), colour, pos=(0.0, 0.0, wall), mass=0.05)
    middle = POT_RADIUS + wall
    size = (wall, middle * np.tan(np.pi / 8), POT_HEIGHT / 2)
    for i in range(8):
        angle = i * np.pi / 4
        place = (middle * np.cos(angle), middle * np.sin(angle), POT_HEIGHT / 2)
        turn = [np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)]
        _add_shape(pot, f"pot_wall{i}", "BOX", size, colour, pos=place, mass=0.02).quat = turn


def _add_loose(spec: Any, name: str, kind: str, size: tuple[float, ...], colour: tuple[float, ...]) -> None:
    body = spec.worldbody.add_body(name=name, pos=[0, 0, 0])
    body.add_freejoint(name=name)
    _add_shape(body, name, kind, size, colour, mass=0.04).condim = 4


def _add_shape(
    body: Any,
    name: str,
    kind: str,
    size: tuple[float, ...],
    colour: tuple[float, ...],
    *,
    pos: tuple[float, ...] = (0.0, 0.0, 0.0),
    mass: float,
) -> Any:
    """A geom of half sizes `size` [m] and `mass` [kg] that collides with everything."""
    geom = body.add_geom(name=name, type=getattr(mujoco.mjtGeom, f"mjGEOM_{kind}"), size=list(size), pos=list(pos))
    geom.rgba, geom.mass = list(colour), mass
    geom.contype, geom.conaffinity = THING, ARM | THING
    geom.friction = [1.0, 0.005, 0.0001]
    return geom


def _add_cameras(spec: Any) -> None:
    """Cameras in the optical frames (z forward, y down); MuJoCo's look along −z with y up: half a turn about x."""
    for name in CAMERAS:
        frame = spec.body(f"{name}_optical_frame")
        frame.add_camera(name=name, quat=[0, 1, 0, 0], fovy=FIELD_OF_VIEW[name])


def add_room(spec: Any) -> None:
    """Light and a grey background."""
    spec.worldbody.add_light(
        name="lamp", directional=True, pos=[0, 0, 2], dir=[0.2, 0.3, -1], diffuse=[0.5] * 3, castshadow=False
    )
    spec.add_texture(
        name="room",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=[0.72, 0.75, 0.78],
        rgb2=[0.72, 0.75, 0.78],
        width=16,
        height=16,
    )
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.4] * 3, [0.35] * 3
    spec.stat.extent, spec.stat.center = 1.0, [0.3, 0.0, 0.1]
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 5.0


def _below(body: Any) -> list[Any]:
    """`body` and all bodies that hang on it."""
    return [body, *(below for child in body.bodies for below in _below(child))]
