"""What stands in the subtitles of a finished video."""

from __future__ import annotations

from pathlib import Path

from made_results import ENGINE, make_fitted, make_transcript, make_translation

from f2f.doubts import SILENCE_REASON
from f2f.results import Transcript
from f2f.subtitle_files import write_subtitles
from f2f.words import SOUND_REASON


def test_what_nobody_said_is_not_shown(tmp_path: Path) -> None:
    spans = ((0.0, 1.0), (1.2, 2.0), (2.2, 3.0))
    said, invented, sound = make_transcript(spans).segments
    segments = (
        said,
        invented.model_copy(update={"keep_original": SILENCE_REASON}),
        sound.model_copy(update={"keep_original": SOUND_REASON}),
    )
    transcript = Transcript(language="en", segments=segments, engine=ENGINE)
    translation = make_translation(transcript, texts=("नमस्ते", "", ""))
    written = write_subtitles(transcript, translation, make_fitted(tmp_path, translation, 4.0), tmp_path, 4.0)
    assert written.source is not None
    shown = written.source.read_text("utf-8")
    assert said.text.split()[0] in shown
    assert "[music]" in shown
    assert invented.text not in shown
