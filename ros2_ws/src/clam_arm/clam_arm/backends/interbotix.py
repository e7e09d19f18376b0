"""The real arm, through Interbotix's Python client and its xs_sdk.

The arm stays in position mode with a time profile; the profile's registers are written here, because the client's
constructor does not. The gripper is put into `linear_position`, which takes the total gap [m]. The client's own limits
and velocity check stay on behind ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clam_arm.backend import BackendSettings
from clam_arm.interbotix_client import InterbotixClient
from clam_core.errors import ClamError
from clam_core.safety import Measurement

Vector = npt.NDArray[np.float64]

#: Motor IDs of group `arm` (without shadows), and of the gripper.
MOTORS = {"wx250s": ((1, 2, 4, 6, 7, 8), 9)}
PROFILE_PERIODS = 5  # a move to a setpoint takes so many periods: setpoints blend, and lag stays small
GRIPPER_TIME = 300  # [ms]
GRIPPER_PWM = 350  # of 885; more lets the motor overload while it grips
SAME_GAP = 1e-4  # [m]
AWAY = 1.0  # [s]


class InterbotixBackend:
    """`read` and `send` never wait; `torque` and construction do, with time-outs."""

    def __init__(self, settings: BackendSettings) -> None:
        if settings.robot not in MOTORS:
            raise ClamError(f"backend 'interbotix' does not know robot '{settings.robot}': valid: {', '.join(MOTORS)}")
        self._settings = settings
        self._limits = settings.limits
        self._moving = PROFILE_PERIODS * settings.period
        self._client = InterbotixClient(
            settings.robot,
            settings.robot_name or settings.robot,
            moving_time=self._moving,
            accel_time=self._moving / 2,
            timeout=settings.timeout,
            should_stop=settings.should_stop,
        )
        self._core: Any = self._client.robot.core
        self._arm: Any = self._client.robot.arm
        self._seen: Any = None
        self._measurement: Measurement | None = None
        self._was_away = False
        self._gap: float | None = None
        try:
            self._check()
        except BaseException:  # also a second Ctrl-C: a process that ends with the client's thread aborts
            self._client.close()
            raise

    def read(self, now: float) -> Measurement | None:
        """The newest joint states, stamped when they were first seen: clocks of two machines may differ.

        Raises:
            ClamError: xs_sdk was away for so long that it may have been restarted, with other registers.
        """
        with self._core.js_mutex:
            message = self._core.joint_states
        stamp = message.header.stamp
        if message is self._seen or (self._seen is not None and stamp == self._seen.header.stamp):
            return self._measurement  # xs_sdk is dead or late: the old stamp will tell
        last = self._measurement  # `torque` of another thread may forget it meanwhile
        if last is not None and now - last.stamp > AWAY:
            self._was_away = True
        if self._was_away:
            raise ClamError("xs_sdk was away and may have been restarted: call torque with true to set it up again")
        self._seen = message
        where = self._core.js_index_map
        position = message.position
        gap = position[where["left_finger"]] - position[where["right_finger"]]
        arm = [position[where[name]] for name in self._limits.joints]
        self._measurement = Measurement(now, np.array([*arm, gap], dtype=np.float64))
        return self._measurement

    def read_anew(self) -> None:
        """Joint states that came before count as seen: they may be as old as the pause. A pause is no absence."""
        with self._core.js_mutex:
            self._seen = self._core.joint_states
        self._measurement, self._was_away = None, False

    def send(self, setpoint: Vector) -> None:
        """One group message; one for the gripper when its gap changed."""
        angles = [float(angle) for angle in setpoint[:-1]]
        if not self._arm.set_joint_positions(angles, blocking=False):
            self._arm.capture_joint_positions()  # what it takes for the last command, if the arm was moved by hand
            if not self._arm.set_joint_positions(angles, blocking=False):
                raise ClamError(f"Interbotix's client refuses {np.round(angles, 3).tolist()}: beyond its limits")
        gap = float(setpoint[-1])
        if self._gap is None or abs(gap - self._gap) > SAME_GAP:
            self._core.robot_write_joint_command(self._limits.gripper, gap)
            self._gap = gap

    def torque(self, on: bool) -> None:
        """All motors of the arm and the gripper; the service says nothing about success."""
        if on:
            self._check()
            self._set_up()
            self._arm.capture_joint_positions()
        self._core.robot_torque_enable("group", "arm", on)
        self._core.robot_torque_enable("single", self._limits.gripper, on)
        self._gap = None
        if on:
            self._measurement, self._was_away = None, False

    def close(self) -> None:
        """The motors keep their torque and their last setpoint."""
        self._client.close()

    def _set_up(self) -> None:
        """Registers that a restart of xs_sdk loses. The gripper lets go when its mode changes, so only if it must."""
        self._core.robot_set_motor_registers("group", "arm", "Profile_Velocity", round(self._moving * 1000))
        self._core.robot_set_motor_registers("group", "arm", "Profile_Acceleration", round(self._moving * 500))
        gripper = self._limits.gripper
        if self._core.robot_get_robot_info("single", gripper).mode != "linear_position":
            self._core.robot_set_operating_modes(
                "single", gripper, "linear_position", "time", GRIPPER_TIME, GRIPPER_TIME // 3
            )
        self._core.robot_set_motor_registers("single", gripper, "Goal_PWM", GRIPPER_PWM)

    def _check(self) -> None:
        """xs_sdk must run for this robot: with another model, gripper commands turn the wrist."""
        arm_ids, gripper_id = MOTORS[self._settings.robot]
        arm = self._core.robot_get_robot_info("group", "arm")
        gripper = self._core.robot_get_robot_info("single", self._limits.gripper)
        if tuple(arm.joint_names) != self._limits.joints:
            raise ClamError(
                f"xs_sdk's group 'arm' has joints {list(arm.joint_names)}, a {self._settings.robot} has "
                f"{list(self._limits.joints)}: start xs_sdk with robot_model:={self._settings.robot}"
            )
        if tuple(arm.joint_ids) != arm_ids or tuple(gripper.joint_ids) != (gripper_id,):
            raise ClamError(
                f"xs_sdk's motor IDs are arm {list(arm.joint_ids)}, gripper {list(gripper.joint_ids)}; a "
                f"{self._settings.robot} has {list(arm_ids)} and {gripper_id}: start xs_sdk with "
                f"robot_model:={self._settings.robot}"
            )
        if arm.mode != "position" or arm.profile_type != "time":
            raise ClamError(
                f"xs_sdk's group 'arm' is in mode '{arm.mode}' with profile '{arm.profile_type}': set operating_mode "
                "position and profile_type time in its mode configuration"
            )
        lower, upper = np.array(arm.joint_lower_limits), np.array(arm.joint_upper_limits)
        if (np.array(self._limits.lower) < lower - 1e-3).any() or (np.array(self._limits.upper) > upper + 1e-3).any():
            raise ClamError(
                f"xs_sdk allows {lower.round(4).tolist()} to {upper.round(4).tolist()} rad, less than the robot "
                "description: start xs_sdk with the description of the same robot"
            )
