"""The arm driver node, the backends that it drives, and the plain classes behind it."""
