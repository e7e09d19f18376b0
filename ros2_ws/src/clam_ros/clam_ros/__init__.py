"""What CLAM's nodes share. Standard messages only; everything numeric or stateful lives in plain classes."""
