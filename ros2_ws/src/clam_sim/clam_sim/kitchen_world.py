"""The toy kitchen as hardware: an arm on a bus, things to move, a scene for cameras. It outlives their drivers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_core.envs.kitchen_spec import ACTION, RATE, STATE_NAMES
from clam_core.envs.kitchen_tasks import task_names
from clam_core.envs.mujoco_package import import_mujoco
from clam_core.errors import ClamError
from clam_description import ARM_JOINTS, FINGER_JOINTS
from clam_ros import names
from clam_ros.messages import CommandReader, MessageRefused, NamedVectorWriter
from clam_ros.node import OK, WARN, Node
from clam_ros.qos import LATEST, STREAM
from clam_ros.run import run

if TYPE_CHECKING:
    from clam_core.envs.kitchen_world import KitchenWorld

MAX_SEED = 2**31 - 1
REMEMBERED = 2.0  # [s] lost time and a refused setpoint are a warning for so long
FORSAKEN = 2  # looks without a setpoint, one a second: a driver sends one 50 times a second, also to hold


class Kitchen(Node):
    """Adapter of `KitchenWorld`, which goes on in real time whether or not anybody commands or looks.

    Nothing here protects the arm but what its motors do: limits are the driver's concern (clam_arm).
    """

    def __init__(self) -> None:
        super().__init__("kitchen")
        tasks = task_names()
        self.declare("task", tasks[0], "Task whose layout and rule a reset takes.", choices=tasks, live=True)
        about = "Seed of the next layout; counts up at every reset."
        self.declare("seed", 0, about, low=0, high=MAX_SEED, live=True)
        self.declare("speed", 1.0, "Simulated seconds per second.", low=0.01, high=20.0)
        self.declare("bus_rate", 100.0, "Measurements of the arm [1/s].", low=10.0, high=400.0)
        self.declare("scene_rate", 60.0, "Positions of everything, for cameras [1/s].", low=1.0, high=200.0)
        self._world: KitchenWorld | None = None

    def configure(self) -> None:
        """Build the kitchen; topics and services."""
        self._attempt = self._step = 0
        self._lost, self._faults = 0.0, dict[str, tuple[str, float]]()  # of each kind the last, and when it was
        self._looks: int | None = None  # since the last setpoint; None: there was none yet
        import_mujoco("the toy kitchen")
        from clam_core.envs.kitchen_world import KitchenWorld

        self._world = KitchenWorld(self.value("task"), self._next_seed(), speed=self.value("speed"))
        self._reader = CommandReader(ACTION.names)
        self._joint_states = NamedVectorWriter([*ARM_JOINTS, *FINGER_JOINTS])
        self._scene = NamedVectorWriter(self._world.scene_names)
        self._observation = NamedVectorWriter([*STATE_NAMES, *names.IN_BAND])
        self._publish_joint_states = self.publish(JointState, names.KITCHEN_JOINT_STATES, STREAM)
        self._publish_scene = self.publish(JointState, names.KITCHEN_SCENE, STREAM)
        self._publish_observation = self.publish(JointState, names.OBSERVATION, STREAM)
        self._publish_score = self.publish(Float32, names.SCORE, STREAM)
        self.subscribe(JointTrajectory, names.KITCHEN_SETPOINT, self._on_setpoint, LATEST)
        self.serve(SetBool, names.KITCHEN_TORQUE, self._on_torque)
        self.serve(Trigger, names.RESET, self._on_reset)
        self.every(1.0 / self.value("bus_rate"), self._measure)
        self.every(1.0 / self.value("scene_rate"), self._show)
        self.every(1.0 / (RATE * self.value("speed")), self._observe)
        self.get_logger().info(f"kitchen of {self.value('task')}, {self.value('speed'):g} times real time")

    def activate(self) -> None:
        """Time begins to pass."""
        assert self._world is not None
        self._world.stop_clock()

    def cleanup(self) -> None:
        """Let the kitchen go."""
        self._world = None

    def diagnose(self) -> tuple[bytes, str]:
        """Warns while the machine is too slow, setpoints are refused, or nobody sends any more.

        For the latter, looks are counted and not seconds: where this node was held up, setpoints wait to be heard. A
        look is a call of this, which the base class makes once a second.
        """
        world, now = self._world, time.monotonic()
        if world is None or not self.active:
            return OK, "inactive"
        self.counters["attempt"], self.counters["seed"] = self._attempt, self._seed
        self.counters["lost time [ms]"] = round(1e3 * world.lost)
        if world.lost > self._lost:
            self._lost, self._faults["time"] = world.lost, ("time was lost: the machine is too slow", now)
        faults = [text for text, at in self._faults.values() if now - at < REMEMBERED]
        if self._looks is not None:
            self._looks += 1
            if self._looks > FORSAKEN and world.has_torque:
                faults.append(f"nobody has commanded the arm for {self._looks} s: is its driver running?")
        if faults:
            return WARN, "; ".join(faults)
        return OK, f"score {world.score:g}" + ("" if world.has_torque else ", without torque")

    # Timers -------------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        if now := self._now():
            world, stamp = now
            self._publish_joint_states.publish(self._joint_states.message(stamp, *world.measure()))

    def _show(self) -> None:
        if now := self._now():
            world, stamp = now
            self._publish_scene.publish(self._scene.message(stamp, world.scene()))

    def _observe(self) -> None:
        if now := self._now():
            world, stamp = now
            state = [*world.observe(), self._attempt, self._step]
            self._publish_observation.publish(self._observation.message(stamp, state))
            self._publish_score.publish(Float32(data=world.score))
            self._step += 1

    def _now(self) -> tuple[KitchenWorld, int] | None:
        """The kitchen as it is now, and the stamp [ns] of now; that it takes time to simulate makes nothing newer."""
        if not self.active or self._world is None:
            return None
        now, stamp = time.monotonic(), int(self.get_clock().now().nanoseconds)
        self._world.catch_up(now)
        return self._world, stamp

    # Topics and services ------------------------------------------------------------------------------------

    def _on_setpoint(self, message: JointTrajectory) -> None:
        if not self.active or self._world is None:
            return
        self._looks = 0
        try:
            self._world.send(self._reader.read(message))
        except MessageRefused as refusal:
            self.counters["setpoints refused"] += 1
            self._faults["setpoint"] = f"setpoint refused: {refusal}", time.monotonic()
            return
        self.counters["setpoints"] += 1

    def _on_torque(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._world is None:
            response.success, response.message = False, "the kitchen is not configured: configure it first"
            return response
        self._world.torque(request.data)
        response.success, response.message = True, f"torque {'on' if request.data else 'off'}"
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._world is None:
            response.success, response.message = False, "the kitchen is not configured: configure it first"
            return response
        try:
            self._world.reset(self.value("task"), self.value("seed"))
        except ClamError as error:
            response.success, response.message = False, str(error)
            return response
        self._next_seed()
        self._attempt, self._step = self._attempt + 1, 0
        subscribers = {names.OBSERVATION: self._publish_observation.get_subscription_count()}
        answer = {"episode": self._attempt, "seed": self._seed, "subscribers": subscribers}
        response.success, response.message = True, json.dumps(answer)
        return response

    def _next_seed(self) -> int:
        """Value of the parameter `seed`, which counts up."""
        self._seed = int(self.value("seed"))
        self.set_parameters([Parameter("seed", Parameter.Type.INTEGER, min(self._seed + 1, MAX_SEED))])
        return self._seed


def main() -> int:
    """Console script."""
    return run(Kitchen)


if __name__ == "__main__":
    raise SystemExit(main())
