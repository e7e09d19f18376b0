"""Benchmarks of `clam bench`: what is measured, and how it is written down."""
