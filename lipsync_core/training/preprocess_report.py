"""What preprocessing has kept, corrected and dropped, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lipsync_core.training.shards import FPS, INDEX_FILE, SHARD_PATTERN


@dataclass
class Summary:
    """Counts over all shards of a folder, those of earlier runs included.

    Attributes:
        n_sources: videos done.
        n_unreadable: of these, nothing could be read; ``unreadable`` names them and says why.
        n_kept: clips stored.
        n_corrected: of these, the sound was shifted by a constant offset.
        n_dropped: clips left out, by reason.
        dropped_s: their length, by reason.
        kept_s: length of the clips stored.
        n_identities: different people, as far as the folders tell.
        splits: clips stored by split.
        offsets: clips stored by measured offset in frames.
    """

    n_sources: int = 0
    n_unreadable: int = 0
    n_kept: int = 0
    n_corrected: int = 0
    n_identities: int = 0
    kept_s: float = 0.0
    n_dropped: dict[str, int] = field(default_factory=dict)
    dropped_s: dict[str, float] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return everything for JSON."""
        return asdict(self)

    def lines(self) -> Iterable[str]:
        """Yield the lines of a table."""
        yield f"{'videos':42}{self.n_sources:>8}"
        if self.n_unreadable:
            yield f"{'  unreadable':42}{self.n_unreadable:>8}"
        yield f"{'clips kept':42}{self.n_kept:>8}{_length(self.kept_s):>12}   {self.n_identities} identities"
        if self.n_corrected:
            yield f"{'  of these with the sound shifted':42}{self.n_corrected:>8}"
        for reason, count in sorted(self.n_dropped.items(), key=lambda item: -item[1]):
            yield f"{'dropped: ' + reason:42}{count:>8}{_length(self.dropped_s[reason]):>12}"


def _length(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02} h" if hours else f"{rest // 60}:{rest % 60:02} min"


def summarise(root: Path) -> Summary:
    """Return the counts over all sealed shards of a folder."""
    summary, identities = Summary(), set()
    counts: dict[str, Counter[str]] = {"n_dropped": Counter(), "splits": Counter(), "offsets": Counter()}
    dropped_frames: Counter[str] = Counter()
    kept_frames = 0
    for path in sorted(root.glob(f"{SHARD_PATTERN}/{INDEX_FILE}")):
        index = json.loads(path.read_text(encoding="utf-8"))
        for source in index["sources"]:
            summary.n_sources += 1
            if source["error"]:
                summary.unreadable[source["source"]] = source["error"]
            for dropped in source["dropped"]:
                counts["n_dropped"][dropped["reason"]] += 1
                dropped_frames[dropped["reason"]] += dropped["n_frames"]
        for clip in index["clips"]:
            identities.add(clip["identity"])
            kept_frames += clip["n_frames"]
            summary.n_kept += 1
            summary.n_corrected += clip["sound_shift_frames"] != 0
            counts["splits"][clip["split"] or "none"] += 1
            if clip["sync_offset"] is not None:
                counts["offsets"][f"{clip['sync_offset']:+d}"] += 1
    summary.n_unreadable = len(summary.unreadable)
    summary.n_identities = len(identities)
    summary.kept_s = kept_frames / FPS
    summary.n_dropped, summary.splits = dict(counts["n_dropped"]), dict(counts["splits"])
    summary.offsets = dict(sorted(counts["offsets"].items(), key=lambda item: int(item[0])))
    summary.dropped_s = {reason: frames / FPS for reason, frames in dropped_frames.items()}
    return summary
