"""Scored rollouts on a robot, as the paper evaluates: see docs/evaluation.md."""
