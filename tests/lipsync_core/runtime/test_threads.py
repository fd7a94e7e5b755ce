"""Thread caps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lipsync_core.models import Wav2Lip
from lipsync_core.runtime.threads import is_compact, thread_cap, torch_threads, usable_cores
from lipsync_core.waiting import VARIABLE


def test_a_compact_network_takes_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        compact, full = Wav2Lip(0.25), Wav2Lip(1.0)
    assert is_compact(compact)
    assert not is_compact(full)
    monkeypatch.setenv(VARIABLE, "ACTIVE")
    assert [thread_cap(compact, n) for n in (1, 2, 6, 64)] == [1, 1, 3, 4]
    monkeypatch.setenv(VARIABLE, "passive")
    assert [thread_cap(compact, n) for n in (1, 2, 6, 64)] == [1, 2, 4, 4]
    assert [thread_cap(full, n) for n in (1, 2, 64)] == [1, 2, 64]
    assert 1 <= thread_cap(nn.Conv2d(1, 1, 1)) <= usable_cores()


@pytest.mark.parametrize(("given", "wanted", "inside"), [(2, 1, 1), (1, 2, 1), (2, None, 2)])
def test_threads_are_given_back(given: int, wanted: int | None, inside: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(given)
    try:
        with torch_threads(wanted):
            assert torch.get_num_threads() == inside
        assert torch.get_num_threads() == given
    finally:
        torch.set_num_threads(before)
