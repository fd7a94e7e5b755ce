"""Reading ONNX files: messages written byte by byte, and the one file that is read for real."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lipsync_core.errors import CheckpointError
from lipsync_core.faces.centerface import centerface_path
from lipsync_core.faces.onnx_file import OnnxGraph, OnnxNode, read_onnx
from lipsync_core.faces.onnx_network import OnnxNetwork


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def blob(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name: str, values: np.ndarray, packed_dims: bool = False) -> bytes:
    if packed_dims:
        dims = blob(1, b"".join(varint(n) for n in values.shape))
    else:
        dims = b"".join(number(1, n) for n in values.shape)
    return blob(5, dims + number(2, 1) + blob(8, name) + blob(9, values.astype("<f4").tobytes()))


def convolution_model(stride: int = 2, packed_dims: bool = False) -> tuple[bytes, np.ndarray]:
    weight = np.random.default_rng(0).normal(size=(200, 2, 3, 3)).astype(np.float32)
    ints = b"".join(number(8, stride) for _ in range(2))
    attributes = blob(5, blob(1, "strides") + ints) + blob(5, blob(1, "pads") + blob(8, bytes([1, 1, 1, 1])))
    epsilon = blob(5, blob(1, "unused") + varint(2 << 3 | 5) + struct.pack("<f", 0.5))
    node = blob(1, "x") + blob(1, "w") + blob(2, "y") + blob(4, "Conv") + attributes + epsilon
    graph = blob(1, node) + tensor("w", weight, packed_dims) + blob(11, blob(1, "x")) + blob(12, blob(1, "y"))
    return number(1, 7) + blob(7, graph), weight


@pytest.mark.parametrize("packed_dims", [False, True])
def test_a_model_written_by_hand(tmp_path: Path, packed_dims: bool) -> None:
    content, weight = convolution_model(packed_dims=packed_dims)
    (tmp_path / "m.onnx").write_bytes(content)
    graph = read_onnx(tmp_path / "m.onnx")
    assert (graph.inputs, graph.outputs) == (["x"], ["y"])
    assert graph.nodes == [
        OnnxNode("Conv", ["x", "w"], ["y"], {"strides": (2, 2), "pads": (1, 1, 1, 1), "unused": 0.5})
    ]
    assert np.array_equal(graph.weights["w"], weight)
    image = torch.randn(3, 2, 9, 8)
    (out,) = OnnxNetwork(graph)(image)
    assert torch.equal(out, torch.conv2d(image, torch.from_numpy(weight), stride=2, padding=1))


@pytest.mark.parametrize("content", [b"", b"<html>no model</html>", convolution_model()[0][:-40]])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match="ONNX"):
        read_onnx(tmp_path / "m.onnx")


def test_unknown_operations_and_lopsided_padding_are_refused() -> None:
    with pytest.raises(CheckpointError, match="Resize"):
        OnnxNetwork(OnnxGraph([OnnxNode("Resize", ["x"], ["y"])], {}, ["x"], ["y"]))
    lopsided = OnnxNode("Conv", ["x", "w"], ["y"], {"pads": (0, 0, 1, 1)})
    weight = np.ones((1, 1, 1, 1), np.float32)
    with pytest.raises(CheckpointError, match="padding"):
        OnnxNetwork(OnnxGraph([lopsided], {"w": weight}, ["x"], ["y"]))(torch.ones(1, 1, 2, 2))


def test_centerface_computes_what_opencv_computes() -> None:
    graph = read_onnx(centerface_path())
    assert (graph.inputs, graph.outputs) == (["input.1"], ["537", "538", "539", "540"])
    images = torch.rand(2, 3, 64, 96) * 255
    with torch.inference_mode():
        ours = OnnxNetwork(graph).eval()(images)
    net = cv2.dnn.readNetFromONNX(str(centerface_path()))
    for i in range(2):
        net.setInput(images[i : i + 1].numpy())
        for mine, theirs in zip(ours, net.forward(graph.outputs), strict=True):
            assert np.abs(mine[i : i + 1].numpy() - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())
