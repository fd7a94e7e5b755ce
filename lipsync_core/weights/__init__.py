"""Which weights there are, where they lie, and how they are fetched.

The folder also holds the embedded weights (safetensors) with their model card. Importing this package
loads, hashes and downloads nothing.
"""

from lipsync_core.weights.fetch import fetch, is_fetchable
from lipsync_core.weights.lookup import cache_folder, resolve, verified_path
from lipsync_core.weights.registry import REGISTRY, Weights

__all__ = ["REGISTRY", "Weights", "cache_folder", "fetch", "is_fetchable", "resolve", "verified_path"]
