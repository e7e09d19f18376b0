"""The operator's keys in a terminal: `ros2 run clam_eval keys`, beside an evaluation that a person scores."""

from __future__ import annotations

import json
import os
import select
import sys
import termios
import tty

import rclpy
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from clam_eval.buttons import BUTTONS
from clam_ros import names
from clam_ros.qos import STREAM

LABELS = {
    "clear": "nobody is at the arm",
    "scene_ready": "scene is reset",
    "score_0": "score 0",
    "score_half": "score ½",
    "score_1": "score 1",
    "invalid": "invalid, repeat",
    "abort": "stop the policy",
    "estop": "e-stop",
}
KEYS = {key: name for name, key in BUTTONS.items() if key}


class Keys(Node):
    """Calls the services of the evaluator, and prints what its status says when that changes."""

    def __init__(self) -> None:
        super().__init__("evaluation_keys")
        self._calls = {name: self.create_client(Trigger, f"evaluation/{name}") for name in LABELS}
        self._estop = self.create_client(Trigger, "estop")  # the arm driver's: it must not need an evaluator
        self._said = ""
        self.create_subscription(String, names.EVALUATION_STATUS, self._on_status, STREAM)

    def press(self, key: str) -> None:
        """A key was pressed; others than those of the buttons mean nothing."""
        name = KEYS.get(key.lower())
        if name is None:
            return
        client = self._calls[name]
        if name == "estop" and self._estop.service_is_ready():
            self._ask(self._estop, "e-stop of the arm")
        if not client.service_is_ready():
            self._say(f"{LABELS[name]}: no evaluation runs here")
            return
        self._ask(client, LABELS[name])

    def _ask(self, client: Client, label: str) -> None:
        answer = client.call_async(Trigger.Request())
        answer.add_done_callback(lambda done: self._say(f"{label}: {done.result().message}"))

    def _on_status(self, message: String) -> None:
        status = json.loads(message.data)
        text = f"{status['place']}: {status['title']}" + (f" ({status['message']})" if status["message"] else "")
        if text != self._said:
            self._said = text
            self._say(text)

    def _say(self, text: str) -> None:
        print(f"{text}\r", flush=True)


def main() -> int:
    """Console script; q or Ctrl-C ends it."""
    if not sys.stdin.isatty():
        print("keys: error: this is no terminal: use the page, or services evaluation/…", file=sys.stderr)
        return 1
    rclpy.init()
    node, before = Keys(), termios.tcgetattr(sys.stdin)
    print(", ".join(f"{key}: {LABELS[name]}" for key, name in KEYS.items()) + ", q: quit")
    try:
        tty.setcbreak(sys.stdin)
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.02)
            if select.select([sys.stdin], [], [], 0.0)[0]:
                key = os.read(sys.stdin.fileno(), 1).decode(errors="ignore")
                if key in ("q", ""):
                    return 0
                node.press(key)
        return 0
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
