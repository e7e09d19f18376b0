"""Presets, one YAML per experiment. `clam train --preset a/b` reads ``a/b.yaml`` from here.

The package is found by the entry point group ``clam.presets``; another distribution can add its own.
"""
