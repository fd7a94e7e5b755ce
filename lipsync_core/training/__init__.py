"""Training of the networks: data preparation, losses, one loop, export. Needs the ``train`` extra (PyYAML)."""
