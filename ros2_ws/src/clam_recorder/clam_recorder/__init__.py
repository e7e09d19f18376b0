"""The episode recorder: a node around `EpisodeRecorder`, which knows no ROS."""
