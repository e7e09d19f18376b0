"""Simulator bridge: any environment of `clam_core.envs` behind topics, in lockstep or in real time."""

from __future__ import annotations

import json

import numpy as np
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_core.envs import ENVS, make_env
from clam_ros import names
from clam_ros.images import ImageWriter
from clam_ros.messages import CommandReader, MessageRefused, NamedVectorWriter, Vector
from clam_ros.node import OK, WARN, Node
from clam_ros.qos import STREAM
from clam_ros.run import run
from clam_ros.stamps import set_stamp, to_ns
from clam_sim.simulation import MODES, ON_MISSING, Frame, PendingCommand, Simulation

MAX_SEED = 2**31 - 1


class SimBridge(Node):
    """Publishes observations and steps on commands.

    Lockstep: one step for each command whose stamp is that of the outstanding observation; simulated time, as
    fast as the machine allows. Realtime: one step for each tick of the wall clock, with or without a command.
    """

    def __init__(self) -> None:
        super().__init__("sim_bridge")
        self.declare("env", "metaworld", f"Environment family: {', '.join(ENVS)}.")
        self.declare("task", "assembly", "Task of the environment.")
        self.declare("camera", "", "Camera of the environment to publish; empty: none.")
        self.declare("image_size", 84, "Height and width of its images [pixels].", low=8, high=1024)
        self.declare("mode", "lockstep", "Step on commands, or on the wall clock.", choices=MODES)
        self.declare("seed", 0, "Seed of the next episode; counts up at every reset.", low=0, high=MAX_SEED)
        self.declare("auto_reset", False, "Begin an episode at activation and whenever one is done.")
        self.declare("republish_period", 0.5, "Lockstep: repeat an unanswered observation [s].", low=0.01, high=60.0)
        self.declare("speed", 1.0, "Realtime: factor on the environment's rate.", low=0.01, high=100.0)
        self.declare("on_missing_command", "hold", "Realtime: what to do without a command.", choices=ON_MISSING)
        self.declare("publish_clock", False, "Realtime: publish simulated time on /clock and stamp with it.")
        self._fault = ""

    def configure(self) -> None:
        """Build the environment, publishers and services."""
        camera = self.value("camera")
        options = {"camera": camera, "image_size": self.value("image_size")} if camera else {}
        environment = make_env(self.value("env"), self.value("task"), **options)
        spec = environment.spec
        self._simulation = Simulation(environment)
        self._limits = np.array(spec.action.low), np.array(spec.action.high)
        self._reader = CommandReader(spec.action.names)
        self._pending = PendingCommand(spec, self.value("on_missing_command"))
        self._observation = NamedVectorWriter([*spec.observation.names, *names.IN_BAND])
        self._status = NamedVectorWriter(names.STATUS_FIELDS)
        self._lockstep = self.value("mode") == "lockstep"
        self._publishes_clock = not self._lockstep and self.value("publish_clock")
        self._period = round(1e9 / spec.rate)
        self._stamp = self._first_stamp = self._ticks = 0
        self._outstanding = False

        self._publish_observation = self.publish(JointState, names.OBSERVATION, STREAM)
        self._publish_status = self.publish(JointState, names.STATUS, STREAM)
        self._cameras = {
            camera.name: (self.publish(Image, names.IMAGE.format(name=camera.name), STREAM), ImageWriter(camera.name))
            for camera in spec.observation.cameras
        }
        self._publish_reward = self.publish(Float64, names.REWARD, STREAM)
        self._publish_success = self.publish(Bool, names.SUCCESS, STREAM)
        self.subscribe(JointTrajectory, names.COMMAND, self._on_command, STREAM)
        self.serve(Trigger, names.RESET, self._on_reset)
        if self._lockstep:
            self._republisher = self.every(self.value("republish_period"), self._republish)
        else:
            self._clock_publisher = self.publish(ClockMessage, "/clock", 10)
            self.every(1.0 / (spec.rate * self.value("speed")), self._tick)
        self.get_logger().info(f"{spec.env}/{spec.task}, {self.value('mode')}, {spec.rate:g} Hz")

    def activate(self) -> None:
        """Begin the first episode where nobody else will."""
        if self.value("auto_reset"):
            self._begin_episode()

    def cleanup(self) -> None:
        """Close the environment."""
        if hasattr(self, "_simulation"):
            self._simulation.environment.close()
            del self._simulation

    def diagnose(self) -> tuple[bytes, str]:
        """Warns after a refused command until a sound one comes."""
        frame = self._simulation.frame if hasattr(self, "_simulation") else None
        where = "no episode yet" if frame is None else f"episode {frame.episode} step {frame.step} seed {frame.seed}"
        return (WARN, f"command refused: {self._fault}") if self._fault else (OK, where)

    # Episodes -----------------------------------------------------------------------------------------------

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self.active:
            response.success, response.message = False, "the bridge is not active: activate it first"
            return response
        frame = self._begin_episode()
        publishers = {names.OBSERVATION: self._publish_observation, names.STATUS: self._publish_status}
        subscribers = {topic: publisher.get_subscription_count() for topic, publisher in publishers.items()}
        answer = {"episode": frame.episode, "seed": frame.seed, "subscribers": subscribers}
        response.success, response.message = True, json.dumps(answer)
        return response

    def _begin_episode(self) -> Frame:
        seed = self.value("seed")
        frame = self._simulation.reset(seed)
        self.set_parameters([Parameter("seed", Parameter.Type.INTEGER, min(seed + 1, MAX_SEED))])
        self.counters["episodes"] += 1
        self._pending.reset(frame.state)
        self._first_stamp = self._stamp = self._next_stamp()
        self._send(frame)
        return frame

    def _advance(self, action: Vector) -> None:
        low, high = self._limits
        clipped = np.clip(action, low, high)
        if (clipped != action).any():
            self.counters["actions clipped"] += 1
        frame = self._simulation.step(clipped)
        self.counters["steps"] += 1
        self._stamp = self._next_stamp()
        self._send(frame)
        if frame.done and self.value("auto_reset"):
            self._begin_episode()

    def _next_stamp(self) -> int:
        """Stamp of a new observation [ns]: strictly monotonic over episodes, whatever the clock does."""
        if self._lockstep:
            return self._stamp + self._period
        now = self._ticks * self._period if self._publishes_clock else self.get_clock().now().nanoseconds
        return max(now, self._stamp + 1)

    def _send(self, frame: Frame) -> None:
        for name, (publisher, writer) in self._cameras.items():
            publisher.publish(writer.message(self._stamp, frame.images[name]))
        self._publish_status.publish(self._status.message(self._stamp, frame.status_values()))
        self._publish_observation.publish(self._observation.message(self._stamp, frame.observation_values()))
        if self._publish_reward.get_subscription_count():
            self._publish_reward.publish(Float64(data=frame.reward))
        if self._publish_success.get_subscription_count():
            self._publish_success.publish(Bool(data=frame.success))
        self._outstanding = not frame.done
        if self._lockstep:
            self._republisher.reset()

    # Commands -----------------------------------------------------------------------------------------------

    def _on_command(self, message: JointTrajectory) -> None:
        if not self.active:
            return
        try:
            action = self._reader.read(message)
        except MessageRefused as refusal:
            self.counters["commands refused"] += 1
            if str(refusal) != self._fault:
                self.get_logger().warning(f"command refused: {refusal}")
            self._fault = str(refusal)
            return
        stamp = to_ns(message.header.stamp)
        if self._lockstep:
            if not self._outstanding or stamp != self._stamp:
                self.counters["commands ignored"] += 1
                return
            self._fault = ""
            self._advance(action)
        elif self._first_stamp <= stamp and self._simulation.running:
            self._fault = ""
            self._pending.put(action)
        else:
            self.counters["commands ignored"] += 1

    def _republish(self) -> None:
        """Lockstep: nobody has answered; somebody may have come up only now."""
        frame = self._simulation.frame
        if self.active and self._outstanding and frame is not None:
            self.counters["observations republished"] += 1
            self._send(frame)

    def _tick(self) -> None:
        """Realtime: one period of the environment has passed."""
        self._ticks += 1
        if self._publishes_clock:
            clock = ClockMessage()
            set_stamp(clock.clock, self._ticks * self._period)
            self._clock_publisher.publish(clock)
        if not self.active or not self._simulation.running:
            return
        action, fresh = self._pending.take()
        if not fresh:
            self.counters["commands missing"] += 1
        self._advance(action)


def main() -> int:
    """Console script."""
    return run(SimBridge)


if __name__ == "__main__":
    raise SystemExit(main())
