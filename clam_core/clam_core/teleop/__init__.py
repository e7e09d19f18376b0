"""Teleoperation without ROS, without a web server and without a clock of its own: from a person's hand to a command.

| step | file |
|---|---|
| the page's JSON, checked | `messages.py` |
| devices: headset, gamepad, keyboard and mouse, script: one `Sample` each | `devices.py`, `scripted.py`, `sample.py` |
| WebXR's frame to REP-103 | `frames.py` |
| faults of the stream: gaps, order, lag, jumps | `stream_check.py` |
| dead-man and clutch | `clutch.py` |
| hand to end effector, end effector to joints | `hand_follower.py`, `differential_kinematics.py` |
| trigger to gripper, buttons to requests | `gripper.py`, `buttons.py` |
| all of it together | `teleoperator.py` |
"""
