"""The arm and its workcell as URDF, and what can be read from it. Needs no ROS.

>>> from clam_description import end_effector_pose, joint_limits, urdf
>>> urdf("workcell")[:21]
'<?xml version="1.0"?>'
>>> joint_limits()["shoulder"].upper  # rad
1.9896753472735358
"""

from clam_description.expand import arguments, names, rviz_config, urdf
from clam_description.joints import Joint, Limit, Mimic, read_joints
from clam_description.kinematics import link_poses
from clam_description.wx250s import (
    ARM_JOINTS,
    BASE_LINK,
    END_EFFECTOR_LINK,
    FINGER_JOINTS,
    HOME,
    JOINT_STATE_ORDER,
    SLEEP,
    end_effector_pose,
    joint_limits,
)

__all__ = [
    "ARM_JOINTS",
    "BASE_LINK",
    "END_EFFECTOR_LINK",
    "FINGER_JOINTS",
    "HOME",
    "JOINT_STATE_ORDER",
    "SLEEP",
    "Joint",
    "Limit",
    "Mimic",
    "arguments",
    "end_effector_pose",
    "joint_limits",
    "link_poses",
    "names",
    "read_joints",
    "rviz_config",
    "urdf",
]
