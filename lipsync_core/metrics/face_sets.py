"""Two sets of faces, true and other, and the Fréchet distance between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.faces.geometry import Box, FrameArray, crop_resized, generator_box
from lipsync_core.metrics.features import FaceFeatures
from lipsync_core.metrics.frechet import FeatureStatistics, frechet_distance

FEATURES_EVERY_FRAMES = 5  # neighbouring frames are nearly the same picture


@dataclass(frozen=True)
class Frechet:
    """A Fréchet distance over a set.

    Attributes:
        name: what the distance is called: FID only with Inception's published weights.
        distance: 0 for equal sets.
        n_pictures: in each set.
        n_features: numbers a picture; with fewer pictures than that the distance is biased upwards.
        weights_sha256: of the network behind the features.
    """

    name: str
    distance: float
    n_pictures: int
    n_features: int
    weights_sha256: str


@dataclass
class FaceSets:
    """Features of true and of other faces, for a Fréchet distance over many videos.

    Attributes:
        features: network behind them.
        true: statistics of the true faces.
        other: of the same rectangles in the videos that are judged.
    """

    features: FaceFeatures
    true: FeatureStatistics = field(init=False)
    other: FeatureStatistics = field(init=False)

    def __post_init__(self) -> None:
        self.true = FeatureStatistics(self.features.size)
        self.other = FeatureStatistics(self.features.size)

    def push(self, true: list[FrameArray], other: list[FrameArray]) -> None:
        """Take crops of both sets."""
        self.true.push(self.features(true))
        self.other.push(self.features(other))

    def push_features(
        self, true: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]
    ) -> None:
        """Take (n, size) features of both sets."""
        self.true.push(true)
        self.other.push(other)

    def frechet(self) -> Frechet | None:
        """Return the distance between the two sets, None with fewer than two faces."""
        if min(self.true.count, self.other.count) < 2:
            return None
        return Frechet(
            self.features.distance_name,
            frechet_distance(self.true, self.other),
            min(self.true.count, self.other.count),
            self.features.size,
            self.features.weights_sha256,
        )


def face_crops(
    true_frame: FrameArray, frame: FrameArray, box: Box, size_px: int
) -> tuple[list[FrameArray], list[FrameArray]]:
    """Return the rectangle around a face of two frames of one size, as lists of one crop each."""
    height, width = true_frame.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in generator_box(box, width, height))
    if x2 <= x1 or y2 <= y1:
        return [], []
    rectangle = (x1, y1, x2, y2)
    return [crop_resized(true_frame, rectangle, size_px)], [crop_resized(frame, rectangle, size_px)]
