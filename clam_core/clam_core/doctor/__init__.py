"""Is this machine ready? Checks that each give findings; ``clam doctor`` prints them."""
