"""Honest about being a fake: Interbotix's Python client, as far as the backend uses it.

Names and signatures are those of interbotix_ros_toolboxes (humble and jazzy): `InterbotixRobotNode`,
`InterbotixManipulatorXS` with `core` and `arm`. It answers at once, moves at once, and breaks on demand. What it cannot
show is timing, motors and the bus.
"""

from __future__ import annotations

import copy
import sys
import threading
import types
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")

from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState

JOINTS = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate"]
NAMES = [*JOINTS, "gripper", "left_finger", "right_finger"]
LOWER = [-3.141583, -1.884956, -2.146755, -3.141583, -1.745329, -3.141583]
UPPER = [3.141583, 1.989675, 1.605703, 3.141583, 2.146755, 3.141583]


class World:
    """What a test sets and sees: motor IDs, modes, calls, positions."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.arguments: dict[str, Any] = {}
        self.arm_ids, self.gripper_id = [1, 2, 4, 6, 7, 8], 9
        self.joints, self.upper = list(JOINTS), list(UPPER)
        self.mode, self.profile = "position", "time"
        self.gripper_mode = "pwm"
        self.silent = self.exits = False
        self.core: Any = None
        self.stamp = 0

    def publish(self, arm: Any, gap: float = 0.05) -> None:
        """New joint states, as xs_sdk would send them."""
        self.stamp += 1
        message = JointState(name=NAMES, position=[*map(float, arm), 0.3, gap / 2, -gap / 2])
        message.header.stamp.sec = self.stamp
        self.core.joint_states = message

    def republish(self) -> None:
        """The same state with the same stamp in another message."""
        self.core.joint_states = copy.deepcopy(self.core.joint_states)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The fake is where Interbotix's modules would be."""
    world = World()

    class InterbotixRobotNode(Node):
        def __init__(self, node_name: str = "robot", namespace: str | None = None, *args: Any, **kwargs: Any) -> None:
            super().__init__(node_name, *args, namespace=namespace, **kwargs)

        def wait_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
            raise AssertionError("waits for ever when xs_sdk dies; the backend must override it")

    class Core:
        def __init__(self, node: InterbotixRobotNode) -> None:
            self.js_mutex = threading.Lock()
            self.joint_states: Any = None
            self.js_index_map = {name: index for index, name in enumerate(NAMES)}
            self._node = node

        def _request(self, *call: Any) -> None:
            world.calls.append(call)
            future = Future()
            if not world.silent:
                future.set_result(None)
            self._node.wait_until_future_complete(future)

        def robot_get_robot_info(self, cmd_type: str, name: str) -> Any:
            self._request("info", cmd_type, name)
            if cmd_type == "single":
                return types.SimpleNamespace(joint_ids=[world.gripper_id], mode=world.gripper_mode)
            return types.SimpleNamespace(
                joint_names=world.joints,
                joint_ids=world.arm_ids,
                mode=world.mode,
                profile_type=world.profile,
                joint_lower_limits=LOWER,
                joint_upper_limits=world.upper,
            )

        def robot_set_motor_registers(self, cmd_type: str, name: str, reg: str, value: int) -> None:
            self._request("register", cmd_type, name, reg, value)

        def robot_set_operating_modes(
            self,
            cmd_type: str,
            name: str,
            mode: str,
            profile_type: str = "velocity",
            profile_velocity: int = 0,
            profile_acceleration: int = 0,
        ) -> None:
            self._request("mode", cmd_type, name, mode, profile_type)
            world.gripper_mode = mode

        def robot_torque_enable(self, cmd_type: str, name: str, enable: bool) -> None:
            self._request("torque", cmd_type, name, enable)

        def robot_write_joint_command(self, joint_name: str, command: float) -> None:
            world.calls.append(("single", joint_name, command))

    class Arm:
        def __init__(self, core: Core, moving_time: float) -> None:
            self._core, self._moving_time = core, moving_time
            self.capture_joint_positions()

        def capture_joint_positions(self) -> None:
            self.joint_commands = list(self._core.joint_states.position[:6])
            world.calls.append(("capture",))

        def set_joint_positions(
            self,
            joint_positions: list[float],
            moving_time: float | None = None,
            accel_time: float | None = None,
            blocking: bool = True,
        ) -> bool:
            assert moving_time is None and accel_time is None and not blocking, "a service call each time"
            speeds = [abs(a - b) / self._moving_time for a, b in zip(joint_positions, self.joint_commands, strict=True)]
            if max(speeds) > 3.1416:
                return False
            self.joint_commands = list(joint_positions)
            world.calls.append(("group", *joint_positions))
            return True

    class InterbotixManipulatorXS:
        def __init__(self, robot_model: str, node: InterbotixRobotNode, **arguments: Any) -> None:
            if world.exits:
                sys.exit(1)
            world.arguments = {"robot_model": robot_model, **arguments}
            self.core = world.core = Core(node)
            world.publish([0.0, -1.8, 1.55, 0.0, 0.8, 0.0])
            self.arm = Arm(self.core, arguments["moving_time"])

    modules: dict[str, dict[str, Any]] = {
        "interbotix_common_modules": {},
        "interbotix_common_modules.common_robot": {},
        "interbotix_common_modules.common_robot.robot": {"InterbotixRobotNode": InterbotixRobotNode},
        "interbotix_xs_modules": {},
        "interbotix_xs_modules.xs_robot": {},
        "interbotix_xs_modules.xs_robot.arm": {"InterbotixManipulatorXS": InterbotixManipulatorXS},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__path__ = []
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return world
