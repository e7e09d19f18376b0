"""Datasets: the episode store, how it is generated or imported, and what is in it."""
