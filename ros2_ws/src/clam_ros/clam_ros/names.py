"""Names of topics, services and in-band fields (DESIGN.md, "ROS 2 interface")."""

from __future__ import annotations

OBSERVATION = "observation/state"
IMAGE = "camera/{name}/image_raw"
COMPRESSED = "camera/{name}/compressed"
CAMERA_INFO = "camera/{name}/camera_info"
JOINT_STATES = "joint_states"
COMMAND = "command"
ACTION_CHUNK = "policy/action_chunk"
STATUS = "episode/status"
REWARD = "episode/reward"
SUCCESS = "episode/success"
SCORE = "episode/score"

RESET = "reset"
RECORD_START = "record/start"
RECORD_STOP = "record/stop"
RECORD_DISCARD = "record/discard"
RECORD_SUCCESS = "record/success"
RECORD_STATUS = "record/status"
RECORD_MARK = "record/mark"
POLICY_ENABLE = "policy/enable"
EVALUATION_STATUS = "evaluation/status"  # 5 Hz as long as the evaluator lives

#: Last two names of observation/state in a simulator. DDS orders messages only within a topic, so the episode
#: travels with the observation: a policy resets itself when the index changes, an importer proves that no
#: step is missing.
EPISODE_INDEX = "episode/index"
EPISODE_STEP = "episode/step"
IN_BAND = (EPISODE_INDEX, EPISODE_STEP)

#: Names of episode/status; its stamp is that of the observation which ends the transition.
STATUS_FIELDS = (EPISODE_INDEX, EPISODE_STEP, "episode/seed", "reward", "return", "success", "done")

#: The simulated toy kitchen in the place of a robot: the bus of its arm, and what its cameras draw.
KITCHEN_JOINT_STATES = "kitchen/joint_states"  # six joints and both fingers, as the motors measure them
KITCHEN_SETPOINT = "kitchen/setpoint"  # one point: six joints and the gripper's gap
KITCHEN_TORQUE = "kitchen/torque"
KITCHEN_SCENE = "kitchen/scene"  # positions of all joints of the world
