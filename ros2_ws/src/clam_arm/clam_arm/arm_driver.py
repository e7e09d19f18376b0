"""Arm driver: joint states out, commands in, and the safety filter between them and any backend."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_arm import diagnostics
from clam_arm.arm_controller import ArmController
from clam_arm.arm_model import HOME, READY, SLEEP, ArmModel, arm_model
from clam_arm.backend import BACKENDS, Backend, BackendSettings, make_backend
from clam_arm.command_reader import read_command
from clam_arm.torque_switch import FOUND, TorqueSwitch
from clam_core.errors import ClamError
from clam_core.safety import FilterSettings, Measurement, Refusal, SafetyFilter, State
from clam_core.safety.checks import Checks
from clam_core.safety.limits import WORKSPACE_LOWER, WORKSPACE_UPPER
from clam_ros import names
from clam_ros.messages import NamedVectorWriter
from clam_ros.node import OK, TWINS, WARN, Node
from clam_ros.qos import STREAM
from clam_ros.run import run
from clam_ros.waiting import sleep

ARRIVED, PATIENCE = 0.1, 3.0  # [rad] at a pose; [s] that the arm may come later than commanded
REMEMBERED = 2.0  # [s] a refusal is a warning for so long
DEFAULTS = FilterSettings()


class ArmDriver(Node):
    """Adapter of `ArmController`. The gripper is commanded and reported as the total gap of its fingers [m]."""

    def __init__(self) -> None:
        super().__init__("arm_driver")
        self.declare("backend", "mujoco", f"{', '.join(BACKENDS)}, or module:class of your own.")
        self.declare("robot", "wx250s", "Robot description of clam_description.")
        self.declare("robot_name", "", "Interbotix: namespace of xs_sdk; empty: that of the robot.")
        self.declare("backend_timeout", 10.0, "Connecting, and each answer of the arm [s].", low=0.1, high=120.0)
        self.declare("rate", 50.0, "Measurements and setpoints [1/s].", low=10.0, high=200.0)
        self.declare("torque", True, "Switch torque on at activation.")
        self.declare("velocity_scale", 1.0, "Factor on the velocity limits of the description.", low=0.01, high=1.0)
        self.declare("gripper_velocity", 0.5, "Velocity limit of the gripper's gap [m/s].", low=0.01, high=2.0)
        self.declare("workspace_lower", list(WORKSPACE_LOWER), "Box of the end effector: least x, y, z [m].")
        self.declare("workspace_upper", list(WORKSPACE_UPPER), "Box of the end effector: greatest x, y, z [m].")
        self.declare("move_speed", 0.5, "Speed of moves to home, ready and sleep [rad/s].", low=0.02, high=1.5)
        self.declare("ready", list(READY), "Pose of service ready: six joints [rad] and the gripper's gap [m].")
        self.declare("max_command_age", 1.0, "Older commands of one point are refused [s].", low=0.02, high=5.0)
        self.declare("on_fast", DEFAULTS.on_fast, "Too fast a command is", choices=("refuse", "scale"))
        for name, low, high, description in (
            ("horizon", 0.01, 0.5, "Time in which a command is to be reached [s]."),
            ("command_timeout", 0.05, 5.0, "Without a command the arm holds [s]."),
            ("measurement_timeout", 0.02, 1.0, "Without a sound measurement nothing is sent [s]."),
            ("startup_time", 0.1, 60.0, "The arm is slow at first after enabling [s]."),
            ("startup_speed", 0.01, 1.0, "Fraction of the velocity limits at first."),
        ):
            self.declare(name, getattr(DEFAULTS, name), description, low=low, high=high)
        self._controller: ArmController | None = None
        self._refusals, self._refused_at = 0, -REMEMBERED
        self._state: State | None = None
        self._estopped: str | None = None  # outlives a cleanup

    def configure(self) -> None:
        """Read the limits, connect the backend, create topics and services."""
        model = arm_model(
            self.value("robot"),
            velocity_scale=self.value("velocity_scale"),
            gripper_velocity=self.value("gripper_velocity"),
            workspace_lower=self.value("workspace_lower"),
            workspace_upper=self.value("workspace_upper"),
        )
        keys = ("horizon", "command_timeout", "measurement_timeout", "startup_time", "startup_speed", "on_fast")
        period = 1.0 / self.value("rate")
        if self.value("horizon") < period:
            raise ClamError(f"horizon {self.value('horizon'):g} s is less than one period: give at least {period:g}")
        safety = SafetyFilter(model.limits, model.kinematics, FilterSettings(**{key: self.value(key) for key in keys}))
        self._ready = self._checked_ready(model)
        self._controller = ArmController(self._connect(model), safety, model.speed(self.value("move_speed")))
        self._torque = TorqueSwitch(self._controller, lambda seconds: sleep(self, seconds))
        if self._estopped:
            self._controller.estop(time.monotonic(), self._estopped)
        self._max_age = self.value("max_command_age")
        fingers = ("left_finger", "right_finger")
        self._joint_states = NamedVectorWriter([*model.limits.names, *fingers])
        self._publish_joint_states = self.publish(JointState, "joint_states", STREAM)
        self.subscribe(JointTrajectory, names.COMMAND, self._on_command, STREAM)
        self.serve(Trigger, "home", self._on_home)
        self.serve(Trigger, "ready", self._on_ready)
        self.serve(Trigger, "sleep", self._on_sleep)
        self.serve(SetBool, "torque", self._on_torque)
        self.serve(Trigger, "estop", self._on_estop)
        self.serve(Trigger, "estop_reset", self._on_estop_reset)
        self.every(1.0 / self.value("rate"), self._tick)
        self.get_logger().info(f"{self.value('robot')} on backend {self.value('backend')}, {self.value('rate'):g} Hz")

    def _checked_ready(self, model: ArmModel) -> list[float]:
        ready, limits = list(self.value("ready")), model.limits
        if len(ready) != len(limits.names):
            raise ClamError(
                f"parameter 'ready' has {len(ready)} numbers: give one for each of {', '.join(limits.names)}"
            )
        try:
            Checks(limits, model.kinematics).position(np.array(ready))
        except Refusal as refusal:
            raise ClamError(f"parameter 'ready': {refusal.text}: give six joints [rad] and the gap [m]") from refusal
        return ready

    def _connect(self, model: ArmModel) -> Backend:
        settings = BackendSettings(
            robot=self.value("robot"),
            urdf=model.urdf,
            limits=model.limits,
            start=model.start,
            period=1.0 / self.value("rate"),
            timeout=self.value("backend_timeout"),
            robot_name=self.value("robot_name"),
            namespace=self.get_namespace(),
            should_stop=self.should_stop,
        )
        return make_backend(self.value("backend"), settings)

    def activate(self) -> None:
        """Hold where the arm is, if it shall have torque."""
        controller = self._controller
        assert controller is not None
        self._torque.stop()  # of before the deactivation
        controller.backend.read_anew()
        if self.value("torque"):
            end = time.monotonic() + FOUND
            controller.tick(time.monotonic())  # sends nothing yet, but learns where the arm is
            while not controller.safety.is_fresh(time.monotonic()) and time.monotonic() < end:
                time.sleep(0.01)
                controller.tick(time.monotonic())
            controller.switch_torque(True, time.monotonic())
            controller.safety.enable(time.monotonic())

    def deactivate(self) -> None:
        """Send nothing more; the motors keep their last setpoint."""
        if self._controller is not None:
            self._torque.forget()
            self._controller.cancel(time.monotonic(), "the driver was deactivated")
            self._controller.safety.disable()

    def cleanup(self) -> None:
        """Let go of the backend."""
        controller, self._controller = self._controller, None
        if controller is not None:
            self._estopped = controller.safety.estopped
            self._torque.stop()  # the backend must not be closed under it
            controller.backend.close()

    # Timer and topics ---------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if not self.active or self._controller is None:
            return
        now = time.monotonic()
        measurement = self._controller.tick(now)
        if measurement is not None:
            self._send_joint_states(measurement)
        refusals = sum(self._controller.safety.counts.values())
        if refusals != self._refusals:
            self._refusals, self._refused_at = refusals, now
        state = self._controller.state(now)
        if state is not self._state:
            self._state = state
            self.publish_diagnostics()

    def _send_joint_states(self, measurement: Measurement) -> None:
        age = time.monotonic() - measurement.stamp  # not of the tick's beginning: the clock is read now
        stamp = self.get_clock().now().nanoseconds - round(age * 1e9)
        gap = measurement.positions[-1]
        self._publish_joint_states.publish(
            self._joint_states.message(stamp, [*measurement.positions, gap / 2, -gap / 2])
        )

    def _on_command(self, message: JointTrajectory) -> None:
        controller, now = self._controller, time.monotonic()
        if not self.active or controller is None:
            if controller is not None:
                controller.safety.silence.heard(now)
            return
        ros_now = self.get_clock().now().nanoseconds
        self.counters["commands"] += 1
        try:
            request = read_command(message, ros_now=ros_now, now=now, max_age=self._max_age)
        except Refusal as error:
            refusal: Refusal | None = controller.refuse(error, now)
        else:
            refusal = controller.command(request, now)
        if refusal is not None:
            self.get_logger().warning(f"command refused, {refusal}", throttle_duration_sec=1.0)

    # Services -----------------------------------------------------------------------------------------------

    async def _on_home(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return await self._move("home", HOME, response)

    async def _on_ready(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return await self._move("ready", self._ready[:-1], response, gap=self._ready[-1])

    async def _on_sleep(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return await self._move("sleep", SLEEP, response)

    async def _move(
        self, name: str, pose: Sequence[float], response: Trigger.Response, gap: float | None = None
    ) -> Trigger.Response:
        """Answers when the arm has arrived, or was stopped."""
        controller = self._controller
        if not self.active or controller is None:
            response.success, response.message = False, "the driver is not active: activate it first"
            return response
        try:
            controller.move(name, pose, time.monotonic(), gap)
        except Refusal as refusal:
            response.success, response.message = False, str(refusal)
            return response
        commanded, mine = time.monotonic(), controller.moves
        while self.active and not controller.stopped and time.monotonic() - commanded < PATIENCE:
            await sleep(self, 0.05)
            if controller.moves != mine:
                break  # another move has begun since
            if controller.moving:
                commanded = time.monotonic()
            elif controller.distance(pose) < ARRIVED:
                break
        off = controller.distance(pose)
        response.success = off < ARRIVED
        if response.success:
            response.message = f"at {name}"
        else:
            late = f"the arm did not come within {ARRIVED:g} rad of it in {PATIENCE:g} s"
            why = "another move has begun" if controller.moves != mine else controller.stopped or late
            response.message = f"stopped {off:.2f} rad from {name}: {why}"
            self.get_logger().warning(response.message)
        return response

    async def _on_torque(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        controller = self._controller
        if not self.active or controller is None:
            response.success, response.message = False, "the driver is not active: activate it first"
            return response
        failure = await self._torque.switch(request.data)
        if failure:
            self.get_logger().error(f"torque {'on' if request.data else 'off'}: {failure}")
        response.success = not failure
        response.message = failure or f"torque {'on' if request.data else 'off'}"
        return response

    def _on_estop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._controller is not None:
            self._controller.estop(time.monotonic())
            self.get_logger().error("e-stop: the arm holds until estop_reset is called")
        response.success = self._controller is not None
        response.message = "the arm holds until estop_reset" if response.success else "the driver is not configured"
        return response

    def _on_estop_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = None if self._controller is None else self._controller.safety.reset_estop(time.monotonic())
        response.success = self._controller is not None and refusal is None
        response.message = str(refusal or "commands are accepted again")
        return response

    # Diagnostics --------------------------------------------------------------------------------------------

    def diagnose(self) -> tuple[bytes, str]:
        """Error in e-stop and faults, warning after refusals and while the arm does not follow."""
        if not self.active or self._controller is None:
            return OK, "inactive"
        now = time.monotonic()
        level, text = diagnostics.level(self._controller, now, now - self._refused_at < REMEMBERED)
        return (WARN, f"{TWINS}; {text}") if self.twins and level == OK else (level, text)

    def facts(self) -> dict[str, str]:
        """As of every node, and all that the filter knows."""
        if self._controller is None:
            return super().facts()
        return super().facts() | diagnostics.facts(self._controller, self.value("backend"), time.monotonic())


def main() -> int:
    """Console script."""
    return run(ArmDriver)


if __name__ == "__main__":
    raise SystemExit(main())
