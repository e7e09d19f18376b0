"""trajectory_msgs/JointTrajectory to a request, with the checks that need the message."""

from __future__ import annotations

from trajectory_msgs.msg import JointTrajectory

from clam_arm.arm_controller import Request
from clam_core.safety import Reason, Refusal
from clam_ros.stamps import to_ns


def read_command(message: JointTrajectory, *, ros_now: int, now: float, max_age: float) -> Request:
    """The request of a message that came at `ros_now` [ns], which is `now` [s] on the controller's clock.

    One point with `time_from_start` 0 is what the arm shall do now; its stamp is that of the observation it answers
    (or 0) and may be `max_age` [s] old. Everything else is a trajectory that starts at its stamp (0: now), at most
    `max_age` from now: nobody stands by an arm that moves off minutes after it was told to.

    Raises:
        Refusal: the command is too old or too far in the future, or velocities, accelerations or efforts are given for
        another number of joints.
    """
    joints = len(message.joint_names)
    for index, point in enumerate(message.points):
        for what in ("velocities", "accelerations", "effort"):
            size = len(getattr(point, what))
            if size not in (0, joints):
                raise Refusal(Reason.SHAPE, f"point {index} has {size} {what} for {joints} joints: give all or none")
    times = [to_ns(point.time_from_start) / 1e9 for point in message.points]
    stamp = to_ns(message.header.stamp)
    age = (ros_now - stamp) / 1e9 if stamp else 0.0
    if times == [0.0] and age > max_age:
        raise Refusal(Reason.STALE_COMMAND, f"the command answers what was seen {age:.3f} s ago, limit {max_age:g} s")
    if age < -max_age:
        raise Refusal(
            Reason.STALE_COMMAND,
            f"the command is {-age:.3f} s from the future, limit {max_age:g} s: synchronize clocks, or send it later",
        )
    return Request(list(message.joint_names), times, [list(point.positions) for point in message.points], now - age)
