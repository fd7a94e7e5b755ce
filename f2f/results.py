"""What each stage hands to the next: frozen, typed, JSON on disk.

All times are seconds from the start of the video, all paths are file names relative to the folder in
which the result is stored (``Stored.path`` joins them), so a workspace can be moved.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

CODEC_PADDING_S = 0.1
"""Codecs pad sound to whole blocks: sound that outlasts the picture by no more than this is padding."""


class Result(BaseModel):
    """Base of all stage results: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Component(Result):
    """Weights, voices or a program with which an engine did part of its work."""

    name: str
    licence: str


class EngineInfo(Result):
    """Which engine did a stage's work, for the manifest and the report."""

    name: str
    version: str
    licence: str
    detail: str = ""
    """Model, weights file or voice set, as a person would name it."""
    notice: str | None = None
    """Set when a lesser engine was used or quality is known to be limited; shown on console and report."""
    components: tuple[Component, ...] = ()
    """What else it worked with: a face detector, a detector of speech …"""


class SourceVideo(Result):
    """The input as the probe stage found it. Sizes are of the displayed (rotated) picture, in pixels."""

    sha256: str
    duration_s: float
    width: int
    height: int
    sample_aspect_ratio: str
    """As ``"num:den"``; ``"1:1"`` for square pixels."""
    fps: str
    """Constant frame rate used by every later stage, as an exact fraction ``"30000/1001"``."""
    n_frames: int
    """Number of frames at ``fps`` that the output will have."""
    audio_codec: str
    audio_sample_rate_hz: int
    audio_channels: int
    audio_language: str | None = None
    subtitle_languages: tuple[str, ...] = ()


class Word(Result):
    """One word of a segment, as a recogniser heard it."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    """0…1, None where the engine does not say."""


class Segment(Result):
    """One span of speech in the source."""

    id: int
    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    """Name given by a caption file, or ``"S1"``, ``"S2"`` … in order of appearance; None where not known."""
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    """Empty where only the text is known."""
    keep_original: str | None = None
    """Why the source's own sound stays here (music, noise, invented text): the segment is neither translated
    nor spoken nor lip-synced, and is reported. None: it is dubbed."""


class Transcript(Result):
    """Result of ``transcribe``; segments are in time order and do not overlap."""

    language: str
    """BCP-47 code of the spoken language."""
    segments: tuple[Segment, ...]
    engine: EngineInfo


class TranslatedSegment(Result):
    """A source segment with its text in the target language (empty text: nothing to say)."""

    segment: Segment
    text: str
    alternatives: tuple[str, ...] = ()
    """Other translations, best first, without ``text``; a shorter one may fit where ``text`` does not."""
    problems: tuple[str, ...] = ()
    """What the translation lost or could not do, one phrase each."""
    by_context: bool = False
    """Without the sentences before it, the model's choice would have been another one."""
    edited: tuple[str, ...] = ()
    """What a person changed in this segment: ``text``, ``source``, ``times``, ``speaker``, ``voice`` …"""
    voice: str | None = None
    """Voice that a person chose for this segment; None leaves it to the engine."""
    take: int = 0
    """How often a person asked for another take of it."""


class Translation(Result):
    """Result of ``translate``."""

    source_language: str
    target_language: str
    segments: tuple[TranslatedSegment, ...]
    engine: EngineInfo
    characters_per_s: float | None = None
    """Speaking rate by which lengths were estimated; None where there was nothing to choose from."""


class Take(Result):
    """One synthesised segment: a mono 16-bit wav beside the result."""

    segment_id: int
    wav: str
    duration_s: float
    sample_rate_hz: int
    voice: str
    text: str = ""
    """What was said, as subtitles show it: the translation, or a shorter alternative of it."""
    native_rate: float = 1.0
    """Rate at which the voice itself spoke; 1 is its usual one, above is faster."""
    tries: int = 1
    """How often it was said until this take."""


class LibraryVoice(Result):
    """Who a speaker is in the library, and the stock voice that goes with it."""

    speaker: str | None
    """As in the segments; None where nobody tells speakers apart."""
    person: int
    """Number in the library's file of voices."""
    voice: str
    """The one that is heard."""
    usual_voice: str
    """The person's own; another one is heard where somebody else of this video has it, too."""


class Speech(Result):
    """Result of ``synthesize``; segments without a word to say have no take."""

    takes: tuple[Take, ...]
    engine: EngineInfo
    problems: tuple[str, ...] = ()
    """Segments that could not be said, or not well, one line each; never fatal."""
    source_level_dbfs: float | None = None
    """RMS level of the speech in the source, pauses left out; None when there is none to measure."""
    consent: bool = False
    """Whether the user stated that the speakers consent to the cloning of their voices."""
    cloned: tuple[str, ...] = ()
    """Speakers whose voices were cloned; "the speaker" where they have no names."""
    library: tuple[LibraryVoice, ...] = ()
    """Speakers who are known in the library and have stock voices."""

    def as_said(self, translation: Translation) -> Translation:
        """Return ``translation`` with the wordings that were spoken in place of those that were not."""
        said = {take.segment_id: take.text for take in self.takes if take.text}
        segments = [
            one.model_copy(update={"text": said[one.segment.id]}) if one.segment.id in said else one
            for one in translation.segments
        ]
        return translation.model_copy(update={"segments": tuple(segments)})


class Stills(Result):
    """Result of ``stills``: where the picture stands still and shows no face."""

    spans: tuple[tuple[float, float], ...]
    """(start_s, end_s) of each such stretch, in order."""
    engine: EngineInfo


class Placement(Result):
    """Where and how fast one take is played."""

    segment_id: int
    start_s: float
    end_s: float
    slot_end_s: float
    """Next segment's source start less the guard; speech should end by here."""
    tempo: float
    """Playback rate: > 1 faster. Pitch is kept."""
    borrowed_s: float = 0.0
    """Part of the pause after the segment's own end that the speech uses."""
    delayed_s: float = 0.0
    """How much later than its source start it begins, for the sake of an earlier line; below 0: earlier."""
    decision: str = ""
    """One phrase for a person: why this tempo and place."""


class FittedSpeech(Result):
    """Result of ``fit``: one 48 kHz mono wav as long as the video (plus a reported overflow)."""

    wav: str
    sample_rate_hz: int
    duration_s: float
    overflow_s: float
    """How far speech runs past the end of the video; 0 in nearly every case."""
    placements: tuple[Placement, ...]
    warnings: tuple[str, ...] = ()
    source_gain_db: float = 0.0
    """Brings the source's own speech to the level of the dub."""
    undubbed: tuple[int, ...] = ()
    """Ids of the segments that keep the source's own sound and lips."""


class FaceStretch(Result):
    """A run of consecutive frames with the same tracked face, [first_frame, last_frame]."""

    first_frame: int
    last_frame: int
    n_synced: int
    """Frames in it whose lower face was generated."""
    mean_box_height_px: float


class LipRuntime(Result):
    """What ran the lip-sync network, and how far its faces are from those of PyTorch in fp32."""

    name: str
    """Engine of ``lipsync_core.runtime``."""
    reason: str
    """Why this one, as a person would say it."""
    psnr_db: float | None = None
    """Peak signal to noise ratio to fp32 on faces of this video; None where nothing differs or is known."""
    max_difference: float | None = None
    """Largest difference of any value, in 0...1; None where nothing was measured."""
    faces_per_s: float | None = None
    """Measured rate of the network alone."""


class LipSyncResult(Result):
    """Result of ``lipsync``: the generated lower faces as lossless patches, not whole frames.

    ``patches`` is read with ``lipsync_core.inference.read_patches``; ``None`` when no frame was changed.
    """

    patches: str | None
    n_frames: int
    n_synced: int
    stretches: tuple[FaceStretch, ...]
    engine: EngineInfo
    warnings: tuple[str, ...] = ()
    runtime: LipRuntime | None = None
    """None where nothing was generated."""


class SoundMix(Result):
    """What the finished sound is made of, and how loud it is (ITU-R BS.1770)."""

    background: str
    """``separate``: the source's sound without its speech; ``duck``: lowered under the dub; ``none``."""
    separator: EngineInfo | None = None
    """What removed the speech."""
    duck_db: float | None = None
    """By how much the source's sound is lowered while the dub speaks."""
    gain_db: float
    """By how much the whole was raised."""
    loudness_lufs: float | None
    """Integrated loudness; None for silence."""
    true_peak_dbtp: float | None
    """Before the codec; None for silence."""


class MuxResult(Result):
    """Result of ``mux``: the finished video and the subtitles that are also tracks of it."""

    video: str
    target_subtitles: str | None = None
    """SRT at the times at which the dub speaks; None when there is nothing to say."""
    source_subtitles: str | None = None
    """SRT at the source's own times."""
    n_frames: int
    n_copied: int = 0
    """Frames whose encoding is the source's, bit for bit."""
    duration_s: float
    size_bytes: int
    engine: EngineInfo
    sound: SoundMix | None = None


class LipSyncScore(Result):
    """LSE of one face stretch or of a whole video. Units are the named SyncNet's own."""

    start_s: float
    end_s: float
    lse_d: float
    lse_c: float
    offset_frames: int
    n_windows: int


class ScoreCurve(Result):
    """LSE over time: one value per window centre."""

    time_s: tuple[float, ...] = ()
    lse_d: tuple[float, ...] = ()
    lse_c: tuple[float, ...] = ()


class VideoScore(Result):
    """All lip-sync measurements of one video; ``whole`` is None when no face could be measured."""

    whole: LipSyncScore | None
    stretches: tuple[LipSyncScore, ...] = ()
    curve: ScoreCurve = ScoreCurve()
    reason: str | None = None
    """Why ``whole`` is None, in words."""


class Evaluation(Result):
    """Result of ``evaluate``: the source against its own sound, the output against the dub."""

    source: VideoScore
    output: VideoScore
    engine: EngineInfo
    """Names the SyncNet weights that gave the numbers."""


class SourceScore(Result):
    """Result of ``evaluate_source``: the source against its own sound, the same for every target language."""

    score: VideoScore
    engine: EngineInfo


class ReportResult(Result):
    """Result of ``report``: the files that lie beside the finished video, named like it."""

    html: str
    manifest: str
    subtitles: str
    """SRT in the target language; without a cue where nothing was said."""
