"""Which moment of a finished video is worth a picture."""

from __future__ import annotations

from fractions import Fraction

from f2f.manifest import Manifest


def picture_time_s(manifest: Manifest) -> float:
    """Return the middle of the stretch with the most generated frames, else of the video."""
    fps = Fraction(manifest.source.fps)
    synced = [stretch for stretch in manifest.lips.stretches if stretch.n_synced]
    if not synced:
        return manifest.source.duration_s / 2
    longest = max(synced, key=lambda stretch: stretch.n_synced)
    return float((longest.first_frame + longest.last_frame) / 2 / fps)


def source_time_s(manifest: Manifest, output_s: float) -> float:
    """Return which moment of the source is shown at one of the output; another where pictures were slowed."""
    stretch = manifest.video_stretch
    return output_s if stretch is None else stretch.source_s(output_s)
