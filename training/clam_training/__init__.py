"""Executables over `clam_core` for ``ros2 run``, the demo, and the presets of every experiment."""
