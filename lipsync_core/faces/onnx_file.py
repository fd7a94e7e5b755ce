"""Reads the few parts of an ONNX file that a plain convolutional network needs, without the package onnx.

An ONNX file is one Protocol Buffers message. Field numbers are those of ``onnx.proto`` (ONNX, Apache-2.0),
the encoding that of the Protocol Buffers documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import CheckpointError

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATION, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 3, 8
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_VALUE_NAME = 1
_FLOAT32 = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Value = int | memoryview
AttributeValue = float | int | tuple[int, ...]


@dataclass
class OnnxNode:
    """One operation: names of what goes in and comes out, and its settings."""

    operation: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, AttributeValue] = field(default_factory=dict)


@dataclass
class OnnxGraph:
    """A network as the file has it.

    Attributes:
        nodes: in an order in which they can be computed.
        weights: float32 tensors by name.
        inputs: names of what has to be given.
        outputs: names of the results.
    """

    nodes: list[OnnxNode] = field(default_factory=list)
    weights: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_onnx(path: Path | str) -> OnnxGraph:
    """Return the graph in an ONNX file.

    Raises:
        CheckpointError: the file cannot be read or holds something else.
    """
    try:
        content = memoryview(Path(path).read_bytes())
        (graph,) = (value for number, value in _fields(content) if number == _MODEL_GRAPH)
        return _read_graph(_message(graph))
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise CheckpointError(f"{path} is no ONNX file that can be read here: {error}") from error


def _read_graph(content: memoryview) -> OnnxGraph:
    graph = OnnxGraph()
    names: list[str] = []
    for number, value in _fields(content):
        if number == _GRAPH_NODE:
            graph.nodes.append(_read_node(_message(value)))
        elif number == _GRAPH_INITIALIZER:
            name, tensor = _read_tensor(_message(value))
            if tensor is not None:
                graph.weights[name] = tensor
        elif number == _GRAPH_INPUT:
            names.append(_value_name(_message(value)))
        elif number == _GRAPH_OUTPUT:
            graph.outputs.append(_value_name(_message(value)))
    # Older files list weights, also unused ones, among the inputs.
    used = {name for node in graph.nodes for name in node.inputs}
    graph.inputs = [name for name in names if name in used and name not in graph.weights]
    return graph


def _read_node(content: memoryview) -> OnnxNode:
    node = OnnxNode()
    for number, value in _fields(content):
        if number == _NODE_INPUT:
            node.inputs.append(_text(value))
        elif number == _NODE_OUTPUT:
            node.outputs.append(_text(value))
        elif number == _NODE_OPERATION:
            node.operation = _text(value)
        elif number == _NODE_ATTRIBUTE:
            _read_attribute(_message(value), node.attributes)
    return node


def _read_attribute(content: memoryview, attributes: dict[str, AttributeValue]) -> None:
    name, single, several = "", None, list[int]()
    for number, value in _fields(content):
        if number == _ATTRIBUTE_NAME:
            name = _text(value)
        elif number == _ATTRIBUTE_FLOAT:
            (single,) = struct.unpack("<f", _message(value))
        elif number == _ATTRIBUTE_INT and isinstance(value, int):
            single = value
        elif number == _ATTRIBUTE_INTS:
            several += _integers(value)
    attributes[name] = tuple(several) if single is None else single


def _read_tensor(content: memoryview) -> tuple[str, npt.NDArray[np.float32] | None]:
    """Return a tensor's name and values; None instead of values that are not float32."""
    name, shape, kind, raw = "", list[int](), 0, bytearray()
    for number, value in _fields(content):
        if number == _TENSOR_DIMS:
            shape += _integers(value)
        elif number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_NAME:
            name = _text(value)
        elif number in (_TENSOR_RAW, _TENSOR_FLOATS):
            raw += _message(value)
    if kind != _FLOAT32:
        return name, None
    return name, np.frombuffer(bytes(raw), "<f4").reshape(shape).astype(np.float32)


def _value_name(content: memoryview) -> str:
    return next(_text(value) for number, value in _fields(content) if number == _VALUE_NAME)


def _fields(content: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield (field number, value) of one message: whole numbers as such, all else as bytes."""
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(content, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _varint(content, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {kind}")
        if position + size > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, content[position : position + size]
        position += size


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _integers(value: Value) -> list[int]:
    """Return the numbers of a repeated field's entry, which holds one or, packed, several."""
    if isinstance(value, int):
        return [value]
    numbers, position = list[int](), 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(number)
    return numbers


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return value


def _text(value: Value) -> str:
    return bytes(_message(value)).decode()
