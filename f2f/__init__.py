"""Face-to-face translation."""
