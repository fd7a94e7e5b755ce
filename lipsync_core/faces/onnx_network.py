"""Runs the graph of an ONNX file on PyTorch: on any device, and in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.errors import CheckpointError
from lipsync_core.faces.onnx_file import AttributeValue, OnnxGraph

Attributes = dict[str, AttributeValue]


class OnnxNetwork(nn.Module):
    """A convolutional network described by an `OnnxGraph`, in evaluation mode.

    Args:
        graph: its operations must be among convolutions, batch norm, addition, ReLU and sigmoid.

    Raises:
        CheckpointError: another operation, or more than one input.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        super().__init__()
        unknown = sorted({node.operation for node in graph.nodes} - set(_OPERATIONS))
        if unknown or len(graph.inputs) != 1:
            raise CheckpointError(
                f"cannot run this ONNX network: inputs {graph.inputs} (one is allowed), unknown operations "
                f"{unknown} (known are {', '.join(_OPERATIONS)})"
            )
        self._graph = graph
        self._keys = {name: f"w{i}" for i, name in enumerate(graph.weights)}  # dots are not allowed in keys
        for name, values in graph.weights.items():
            self.register_buffer(self._keys[name], torch.from_numpy(values))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map the input (N, C, H, W) to the outputs, in the file's order."""
        known: dict[str, Tensor] = {name: self.get_buffer(key) for name, key in self._keys.items()}
        known[self._graph.inputs[0]] = images
        for node in self._graph.nodes:
            run = _OPERATIONS[node.operation]
            known[node.outputs[0]] = run([known[name] for name in node.inputs], node.attributes)
        return [known[name] for name in self._graph.outputs]


def _convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    image, weight, *bias = inputs
    top, left = _padding(attributes)
    return F.conv2d(
        image, weight, bias[0] if bias else None, _numbers(attributes, "strides", (1, 1)), (top, left),
        _numbers(attributes, "dilations", (1, 1)), _number(attributes, "group", 1),
    )  # fmt: skip


def _transposed_convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    image, weight, *bias = inputs
    top, left = _padding(attributes)
    return F.conv_transpose2d(
        image, weight, bias[0] if bias else None, _numbers(attributes, "strides", (1, 1)), (top, left),
        _numbers(attributes, "output_padding", (0, 0)), _number(attributes, "group", 1),
        _numbers(attributes, "dilations", (1, 1)),
    )  # fmt: skip


def _batch_norm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    image, weight, bias, mean, variance = inputs
    epsilon = attributes.get("epsilon", 1e-5)
    assert isinstance(epsilon, float)
    return F.batch_norm(image, mean, variance, weight, bias, training=False, eps=epsilon)


def _padding(attributes: Attributes) -> tuple[int, int]:
    top, left, bottom, right = _numbers(attributes, "pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise CheckpointError(f"padding {(top, left, bottom, right)} differs between opposite sides")
    return top, left


def _numbers(attributes: Attributes, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value: Any = attributes.get(name, default)
    return tuple(value)


def _number(attributes: Attributes, name: str, default: int) -> int:
    value: Any = attributes.get(name, default)
    return int(value)


_OPERATIONS: dict[str, Callable[[list[Tensor], Attributes], Tensor]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "BatchNormalization": _batch_norm,
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Relu": lambda inputs, _: torch.relu(inputs[0]),
    "Sigmoid": lambda inputs, _: torch.sigmoid(inputs[0]),
}
