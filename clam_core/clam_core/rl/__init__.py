"""Reinforcement learning of locomotion, where no script is an expert: agents, and the replay they leave behind."""
