"""Training data that many tests share."""

import pytest
from training_data import write_prepared

from lipsync_core.training.dataset import PreparedClips


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("prepared") / "data", ["a"] * 6 + ["b", "c"])


@pytest.fixture(scope="session")
def prepared(prepared_folder):
    return PreparedClips(prepared_folder)
