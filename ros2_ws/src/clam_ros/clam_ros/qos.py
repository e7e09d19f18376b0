"""Quality of service, chosen once.

States, commands and episode messages are RELIABLE: in lockstep a lost message stops the graph until it is
republished, and a recording must be able to prove that no step is missing. The depths are history for a
reader that the scheduler held back; they never block the writer.
"""

from __future__ import annotations

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

#: observation/state, command, policy/action_chunk, episode/*.
STREAM = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)

#: The same streams where nothing may be missed: recorder and rollouts.
COLLECT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=2000, reliability=ReliabilityPolicy.RELIABLE)

#: For whoever needs the newest message of a stream and no other; it hears reliable and best-effort publishers.
LATEST = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
