"""Static 8-bit quantisation: which range each convolution's input has, and weights as int8.

The usual scheme for convolutions (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018): weights symmetric per output channel, activations per
tensor, unsigned where they are never negative (behind a ReLU). OpenVINO's own library for this, NNCF, would
bring scikit-learn, pandas and SciPy along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError
from lipsync_core.runtime.recording import Call, record
from lipsync_core.runtime.threads import thread_cap, torch_threads

CONVOLUTIONS = ("conv2d", "conv_transpose2d")
KEPT_SHARE = 0.9999  # of a batch's values lies inside its range: single outliers would coarsen all others
_MAX_SAMPLED = 100_000  # values of one batch looked at


@dataclass(frozen=True)
class ActivationRange:
    """Range of one convolution's input over all calibration faces; it always holds 0.

    Attributes:
        low: 0 or less.
        high: above ``low``.
    """

    low: float
    high: float

    @property
    def levels(self) -> tuple[float, float]:
        """Values of the lowest and the highest of 256 levels: 0...255 or -128...127 steps."""
        if self.low >= 0:
            return 0.0, self.high
        step = max(-self.low / 128, self.high / 127)
        return -128 * step, 127 * step


def observe_ranges(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[ActivationRange, ...]:
    """Return the input range of every convolution, in the order in which they are called.

    Args:
        network: folded, in evaluation mode, fp32.
        batches: (mel, faces) as `Engine.generate` takes them, real ones.

    Raises:
        InvalidInputError: no batch.
    """
    ranges: list[ActivationRange] = []
    for mel, faces in batches:
        with torch_threads(thread_cap(network)):
            calls = [call for call in record(network, (mel, faces)).calls if call.function in CONVOLUTIONS]
        seen = [_range_of(call.args[0]) for call in calls]
        if not ranges:
            ranges = seen
        ranges = [
            ActivationRange(min(a.low, b.low), max(a.high, b.high)) for a, b in zip(ranges, seen, strict=True)
        ]
    if not ranges:
        raise InvalidInputError("int8 needs faces to calibrate on, and there are none")
    return tuple(ranges)


def quantized_weight(call: Call) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return a convolution's weight as int8 and its scales, which broadcast over the weight."""
    weight: npt.NDArray[np.float32] = call.args[1].detach().float().cpu().contiguous().numpy()
    channel_axis = 1 if call.function == "conv_transpose2d" else 0
    others = tuple(axis for axis in range(weight.ndim) if axis != channel_axis)
    scale = np.maximum(np.abs(weight).max(axis=others, keepdims=True) / 127, 1e-12).astype(np.float32)
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def _range_of(values: Tensor) -> ActivationRange:
    # In memory order, whatever the layout. Not every fourth, eighth ... value: those may be of one channel.
    is_dense = values.is_contiguous() or values.is_contiguous(memory_format=torch.channels_last)
    flat = values.as_strided((values.numel(),), (1,)) if is_dense else values.flatten()
    sampled = flat[:: max(1, len(flat) // _MAX_SAMPLED) | 1].float().cpu().numpy()
    n_outside = int((1 - KEPT_SHARE) * sampled.size)
    ordered = np.partition(sampled, (n_outside, sampled.size - 1 - n_outside))
    low, high = float(ordered[n_outside]), float(ordered[-1 - n_outside])
    if float(sampled.min()) >= 0:
        low = 0.0
    return ActivationRange(min(low, 0.0), max(high, 1e-6))
