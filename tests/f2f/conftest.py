"""Fixtures for the tests of f2f: checkpoints that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_translators import make_m2m100, make_marian, make_nllb


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of a tiny checkpoint of each family of translation models; not to be changed."""
    makers = (("m2m100", make_m2m100), ("nllb", make_nllb), ("marian", make_marian))
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in makers}
