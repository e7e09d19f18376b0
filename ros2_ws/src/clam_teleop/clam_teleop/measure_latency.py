"""Time from the page to `command`: the emulated headset's stamp, the node's clock, and DDS, all on this machine.

    measure_teleop --seconds 20

Starts the arm driver's MuJoCo arm and the node, opens the page in a headless Chromium with an emulated Quest 2, leads
the arm about, and prints median and 99th percentile. Needs `make browser` and a Chromium of the system.
"""

from __future__ import annotations

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node as PlainNode
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from clam_arm.arm_driver import ArmDriver
from clam_core.errors import ClamError
from clam_ros.stamps import to_ns
from clam_teleop.emulated_headset import Browser, Controller, start_session, wait_for_banner
from clam_teleop.teleop import Teleop

PATIENCE = 60.0  # [s]
START = (0.2, 1.3, -0.4)  # of the controller [m]
RADIUS, TURN = 0.06, 3.0  # [m], [s] of the circle that it is led in
SETTINGS = {"backend": "mujoco_arm", "secure": "false", "port": "0", "record": "false", "timeout": "1.0"}


class Probe(PlainNode):
    """Hears the commands as any other node does, in a thread of its own."""

    def __init__(self) -> None:
        super().__init__("latency_probe", use_global_arguments=False)
        self.heard: dict[int, int] = {}  # stamp of a command: when it came [ns]
        self.create_subscription(JointTrajectory, "command", self._on_command, 100)
        self.home = self.create_client(Trigger, "home")

    def _on_command(self, message: JointTrajectory) -> None:
        self.heard[to_ns(message.header.stamp)] = time.time_ns()


class Rig:
    """Driver, teleoperation and probe, each on an executor and thread of its own."""

    def __init__(self) -> None:
        arguments = [item for name, value in SETTINGS.items() for item in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *arguments])
        self.driver, self.teleop, self.probe = ArmDriver(), Teleop(), Probe()
        self._stop = False
        self._threads = []
        for node in (self.driver, self.teleop, self.probe):
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            if node is not self.probe and not node.autostart():
                raise ClamError(f"{node.get_name()} did not start: its lines above say why")
            self._threads.append(threading.Thread(target=self._spin, args=(executor,), daemon=True))
            self._threads[-1].start()

    def _spin(self, executor: SingleThreadedExecutor) -> None:
        while not self._stop:
            executor.spin_once(timeout_sec=0.1)

    def bring_home(self) -> None:
        """The arm is where it can be led about."""
        if not self.probe.home.wait_for_service(PATIENCE):
            raise ClamError("the arm driver does not answer")
        answer = self.probe.home.call_async(Trigger.Request())
        end = time.monotonic() + PATIENCE
        while not answer.done():
            if time.monotonic() > end:
                raise ClamError("the arm did not come home")
            time.sleep(0.05)

    def close(self) -> None:
        """End all of it."""
        self._stop = True
        for thread in self._threads:
            thread.join(5.0)
        for node in (self.teleop, self.driver):
            node.close()
        rclpy.try_shutdown()


def measure(rig: Rig, seconds: float) -> dict[str, np.ndarray]:
    """Times [ms] by name, each ``(N,)``."""
    with Browser() as browser:
        page = browser.page()
        page.goto(rig.teleop.url)
        wait_for_banner(page, "ready")
        origin = float(page.evaluate("() => performance.timeOrigin"))  # [ms] of the page's stamps on the wall clock
        start_session(page)
        wait_for_banner(page, "ready")
        controller = Controller(page)
        controller.button("squeeze", 1)
        wait_for_banner(page, "follows")
        rig.teleop.link.answers = []
        trips, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            for step in range(8):
                angle = 2 * math.pi * step / 8
                place = (START[0] + RADIUS * math.sin(angle), START[1] + RADIUS * (math.cos(angle) - 1), START[2])
                controller.move(place, TURN / 8)
            trips.append(float(page.locator("#facts").get_attribute("data-trip") or "nan"))
        answers, rig.teleop.link.answers = rig.teleop.link.answers, None
    time.sleep(0.5)  # the last ones arrive
    if not any(item.command in rig.probe.heard for item in answers):
        raise ClamError("no command answered the page: measure for longer, or look whether the arm follows")
    wall = 1000 * (time.time() - time.monotonic())  # [ms] from our clock to the wall's
    heard = [(item, rig.probe.heard[item.command]) for item in answers if item.command in rig.probe.heard]
    return {
        "page to `command`, as another node hears it": np.array(
            [came / 1e6 - origin - 1000 * item.sent for item, came in heard]
        ),
        "of it, page to node": np.array([1000 * (item.arrived - item.sent) + wall - origin for item, _ in heard]),
        "there and back, WebSocket": np.array([trip for trip in trips if not math.isnan(trip)]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Console script."""
    parser = argparse.ArgumentParser(
        prog="measure_teleop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure (default 20)")
    parsed = parser.parse_args(arguments)
    if not 0.0 < parsed.seconds < math.inf:
        parser.error(f"--seconds is {parsed.seconds:g}: give a positive number")
    rig = None
    try:
        rig = Rig()
        rig.bring_home()
        for name, times in measure(rig, parsed.seconds).items():
            median, worst = np.percentile(times, [50, 99]) if len(times) else (math.nan, math.nan)
            print(f"{name:44s} median {median:6.1f} ms   99 % {worst:6.1f} ms   (n = {len(times)})")
    except ClamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if rig is not None:
            rig.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
