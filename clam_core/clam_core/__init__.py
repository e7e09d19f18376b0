"""Continuous latent action models: everything of the product that needs no ROS.

Importing this package imports neither ROS nor a simulator nor PyTorch; its parts do so when they are used.
"""

from __future__ import annotations

__version__ = "0.1.0"
