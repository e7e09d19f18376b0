"""The policy node and the plain classes behind it."""
