"""The page a person reads after a run: one self-contained HTML file."""
