"""Names and paths of LeRobot datasets (versions 2.1 and 3.0) that reading and writing share."""

from __future__ import annotations

INFO, STATS, CLAM = "meta/info.json", "meta/stats.json", "meta/clam.json"
TASKS, TASKS_21 = "meta/tasks.parquet", "meta/tasks.jsonl"
EPISODES_FOLDER, EPISODES_21 = "meta/episodes", "meta/episodes.jsonl"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

STATE, ACTION, CAMERA_PREFIX = "observation.state", "action", "observation.images."
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"

FILES_PER_CHUNK = 1000
DATA_FILE_MB, VIDEO_FILE_MB = 100, 200  # a file is closed when it has grown to this size
