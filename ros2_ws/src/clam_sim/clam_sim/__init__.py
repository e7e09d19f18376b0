"""The simulator side of the graph: bridge, scripted operator, rollouts."""
