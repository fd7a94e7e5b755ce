"""Lip synchronisation: networks, inference, training and measurement."""
