"""Backends of the arm driver; each imports its library only when it is made."""
