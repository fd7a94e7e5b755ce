"""An OpenVINO graph from the calls that a network made.

Built call by call instead of through OpenVINO's converter: that one traces with the deprecated
``torch.jit``, takes ten seconds for the full network and folds int8 weights back to floats.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.runtime.quantization import CONVOLUTIONS, ActivationRange, quantized_weight
from lipsync_core.runtime.recording import Call, Recording

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which reports every import over the network.

    Raises:
        MissingModelError: the package is not installed.
    """
    is_first = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
    if is_first:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        openvino = importlib.import_module("openvino")
        importlib.import_module("openvino.opset13")
    except ImportError as error:
        raise MissingModelError(
            "engines openvino, openvino-bf16 and openvino-int8 need the package; run: pip install openvino"
        ) from error
    finally:
        if is_first:
            del sys.modules[_TELEMETRY]
    return openvino


def build_graph(recording: Recording, batch_size: int, ranges: Sequence[ActivationRange] = ()) -> Any:
    """Return the ``openvino.Model`` that computes what was recorded.

    Args:
        recording: of a network on CPU tensors in fp32, with one face.
        batch_size: faces that the model takes at once.
        ranges: input ranges of all convolutions in order: they become int8. Empty: nothing does.

    Raises:
        InvalidInputError: a call that has no translation here.
        MissingModelError: OpenVINO is not installed.
    """
    openvino = import_openvino()
    builder = _Builder(openvino.opset13, iter(ranges) if ranges else None)
    parameters = [builder.add_input(tensor, batch_size) for tensor in recording.inputs]
    for call in recording.calls:
        builder.add(call)
    return openvino.Model([builder.node(tensor) for tensor in recording.outputs], parameters)


class _Builder:
    """Nodes by the identity of the tensors that they stand for."""

    def __init__(self, ops: Any, ranges: Any) -> None:
        self._ops, self._ranges = ops, ranges
        self._nodes: dict[int, Any] = {}

    def add_input(self, tensor: Tensor, batch_size: int) -> Any:
        node = self._ops.parameter([batch_size, *tensor.shape[1:]], np.float32)
        self._nodes[id(tensor)] = node
        return node

    def node(self, value: Any) -> Any:
        """Return the node of a tensor or number; what no call made is a constant."""
        if isinstance(value, (int, float)):
            return self._ops.constant(np.float32(value))
        if id(value) not in self._nodes:
            self._nodes[id(value)] = self._constant(value)
        return self._nodes[id(value)]

    def add(self, call: Call) -> None:
        translate = _TRANSLATIONS.get(call.function)
        if translate is None:
            raise InvalidInputError(
                f"OpenVINO is not taught the function {call.function!r} of this network; use --engine torch"
            )
        self._nodes[id(call.output)] = translate(self, call)

    def convolution(self, call: Call) -> Any:
        image, weight = self.node(call.args[0]), self._weight(call)
        if self._ranges is not None:
            image = self._quantized(image, next(self._ranges))
        bias = call.argument(2, "bias")
        stride, padding = _pair(call.argument(3, "stride", 1)), _pair(call.argument(4, "padding", 0))
        if call.function == "conv2d":
            dilation, groups = _pair(call.argument(5, "dilation", 1)), call.argument(6, "groups", 1)
            make = self._ops.convolution if groups == 1 else self._ops.group_convolution
            out = make(image, weight, stride, padding, padding, dilation)
        else:
            extra, groups = _pair(call.argument(5, "output_padding", 0)), call.argument(6, "groups", 1)
            if groups != 1:
                raise InvalidInputError("OpenVINO is not taught grouped transposed convolutions here")
            dilation = _pair(call.argument(7, "dilation", 1))
            out = self._ops.convolution_backprop_data(
                image, weight, stride, None, padding, padding, dilation, output_padding=extra
            )
        return out if bias is None else self._ops.add(out, self._per_channel(bias))

    def _weight(self, call: Call) -> Any:
        """Return the weight, as int8 times its scales where ranges are known."""
        groups = call.argument(6, "groups", 1)
        if self._ranges is None:
            return self._constant(call.args[1], groups)
        integers, scale = quantized_weight(call)
        floats = self._ops.convert(self._ops.constant(_by_group(integers, groups)), "f32")
        return self._ops.multiply(floats, self._ops.constant(_by_group(scale, groups)))

    def _constant(self, values: Tensor, groups: int = 1) -> Any:
        """Return a constant that shares the tensor's memory where it is plain fp32."""
        array = _by_group(values.detach().float().cpu().contiguous().numpy(), groups)
        return self._ops.constant(array, shared_memory=True)

    def _quantized(self, node: Any, known: ActivationRange) -> Any:
        low, high = (self._ops.constant(np.float32(level)) for level in known.levels)
        return self._ops.fake_quantize(node, low, high, low, high, levels=256)

    def _per_channel(self, values: Tensor) -> Any:
        return self._ops.constant(values.detach().float().cpu().numpy().reshape(1, -1, 1, 1))

    def batch_norm(self, call: Call) -> Any:
        image, mean, variance = call.args[:3]
        weight, bias = call.argument(3, "weight"), call.argument(4, "bias")
        scale = (variance + call.argument(7, "eps", 1e-5)).rsqrt() * (1 if weight is None else weight)
        shift = -mean * scale + (0 if bias is None else bias)
        scaled = self._ops.multiply(self.node(image), self._per_channel(scale))
        return self._ops.add(scaled, self._per_channel(shift))

    def pad(self, call: Call) -> Any:
        if call.argument(2, "mode", "constant") != "constant":
            raise InvalidInputError("OpenVINO is taught constant padding only")
        pairs = list(call.argument(1, "pad"))  # last axis first
        rank = call.args[0].dim()
        before, after = [0] * rank, [0] * rank
        for i in range(len(pairs) // 2):
            before[rank - 1 - i], after[rank - 1 - i] = pairs[2 * i], pairs[2 * i + 1]
        value = self.node(float(call.argument(3, "value") or 0))
        return self._ops.pad(self.node(call.args[0]), before, after, "constant", value)

    def slice(self, call: Call) -> Any:
        index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            fill = (slice(None),) * (call.args[0].dim() - len(index) + 1)
            index = (*index[:at], *fill, *index[at + 1 :])
        if not all(isinstance(part, slice) for part in index):
            raise InvalidInputError(f"OpenVINO is taught slices only, not the index {index}")
        axes = [axis for axis, part in enumerate(index) if part != slice(None)]
        bounds = [index[axis].indices(call.args[0].shape[axis]) for axis in axes]
        start, stop, step = ([int(bound[i]) for bound in bounds] for i in range(3))
        return self._ops.slice(self.node(call.args[0]), start, stop, step, axes)

    def cat(self, call: Call) -> Any:
        return self._ops.concat([self.node(part) for part in call.args[0]], call.argument(1, "dim", 0))

    def leaky_relu(self, call: Call) -> Any:
        slope = self.node(float(call.argument(1, "negative_slope", 0.01)))
        return self._ops.prelu(self.node(call.args[0]), slope)

    def same(self, call: Call) -> Any:
        """Return what went in: a function that changes the memory layout, or nothing in evaluation mode."""
        return self.node(call.args[0])


def _one(name: str) -> Callable[[_Builder, Call], Any]:
    return lambda builder, call: getattr(builder._ops, name)(builder.node(call.args[0]))


def _two(name: str) -> Callable[[_Builder, Call], Any]:
    return lambda builder, call: getattr(builder._ops, name)(
        builder.node(call.args[0]), builder.node(call.args[1])
    )


_TRANSLATIONS: dict[str, Callable[[_Builder, Call], Any]] = {
    **dict.fromkeys(CONVOLUTIONS, _Builder.convolution),
    "batch_norm": _Builder.batch_norm,
    "pad": _Builder.pad,
    "__getitem__": _Builder.slice,
    "cat": _Builder.cat,
    "leaky_relu": _Builder.leaky_relu,
    **dict.fromkeys(("contiguous", "dropout", "detach", "to", "as_tensor"), _Builder.same),
    **{name: _one("relu") for name in ("relu", "relu_")},
    **{name: _one("sigmoid") for name in ("sigmoid", "sigmoid_")},
    "tanh": _one("tanh"),
    **{name: _two("add") for name in ("add", "__add__", "add_", "__radd__", "__iadd__")},
    **{name: _two("multiply") for name in ("mul", "__mul__", "__rmul__")},
    **{name: _two("subtract") for name in ("sub", "__sub__")},
}


def _pair(size: int | Sequence[int]) -> list[int]:
    return [size, size] if isinstance(size, int) else [int(v) for v in size]


def _by_group(array: Any, groups: int) -> Any:
    """Return (O, I, H, W) as OpenVINO's grouped (G, O / G, I, H, W), or unchanged for one group."""
    if groups == 1:
        return array
    return array.reshape(groups, array.shape[0] // groups, *array.shape[1:])
