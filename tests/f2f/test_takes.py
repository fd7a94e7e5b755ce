"""Takes are remembered whole or not at all, and only for the very same wish."""

from __future__ import annotations

from pathlib import Path

import pytest

from f2f.engines.speech import SpeakerProfile
from f2f.results import Segment, Take, TranslatedSegment
from f2f.take_making import MadeTake
from f2f.takes import TakeMemory

ONE = TranslatedSegment(segment=Segment(id=7, start_s=1, end_s=2, text="a"), text="b", alternatives=("c",))
SPEAKER = SpeakerProfile(index=1)


def keep(memory: TakeMemory, folder: Path) -> str:
    wav = folder / "0007.wav"
    wav.write_bytes(b"sound")
    take = Take(segment_id=7, wav=wav.name, duration_s=1, sample_rate_hz=16000, voice="v", text="b", tries=3)
    key = memory.key(ONE, "v", SPEAKER, 1.5)
    memory.keep(key, wav, MadeTake(take, ("too quiet",)))
    return key


def test_a_take_comes_back_under_another_place(tmp_path: Path) -> None:
    memory = TakeMemory(tmp_path, "scope")
    key = keep(memory, tmp_path)
    made = memory.find(key, tmp_path / "0009.wav", 9)
    assert made is not None
    assert (made.take.segment_id, made.take.wav, made.take.tries, made.problems) == (
        9, "0009.wav", 3, ("too quiet",),
    )  # fmt: skip
    assert (tmp_path / "0009.wav").read_bytes() == b"sound"


@pytest.mark.parametrize("damage", ["sound", "facts", "nothing"])
def test_a_damaged_take_is_none(tmp_path: Path, damage: str) -> None:
    memory = TakeMemory(tmp_path, "scope")
    key = keep(memory, tmp_path)
    kept = tmp_path / "takes" / f"{key}.wav"
    if damage == "sound":
        kept.write_bytes(b"noise")
    elif damage == "facts":
        kept.with_suffix(".json").write_text("{")
    else:
        kept.unlink()
    assert memory.find(key, tmp_path / "x.wav", 1) is None


def test_whatever_is_heard_in_a_take_names_it(tmp_path: Path) -> None:
    memory = TakeMemory(tmp_path, "scope")
    wishes = [
        (ONE, "v", SPEAKER, 1.5),
        (ONE.model_copy(update={"text": "x"}), "v", SPEAKER, 1.5),
        (ONE.model_copy(update={"alternatives": ()}), "v", SPEAKER, 1.5),
        (ONE.model_copy(update={"take": 1}), "v", SPEAKER, 1.5),
        (ONE, "w", SPEAKER, 1.5),
        (ONE, "v", SpeakerProfile(index=2), 1.5),
        (ONE, "v", SpeakerProfile(index=1, reference=tmp_path / "r.wav"), 1.5),
        (ONE, "v", SPEAKER, 1.0),
    ]
    keys = {memory.key(*wish) for wish in wishes} | {TakeMemory(tmp_path, "other").key(*wishes[0])}
    assert len(keys) == len(wishes) + 1
    moved = ONE.segment.model_copy(update={"id": 8, "start_s": 5.0, "end_s": 6.0})
    assert memory.key(ONE.model_copy(update={"segment": moved}), "v", SPEAKER, 1.5) == memory.key(*wishes[0])
