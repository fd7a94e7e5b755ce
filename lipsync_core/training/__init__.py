"""Training of the networks: data preparation, losses, one loop, export (extra ``train``: PyYAML)."""
