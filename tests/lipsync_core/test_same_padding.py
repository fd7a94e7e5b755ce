"""TensorFlow's "same" padding against its definition, written out in NumPy loops."""

import numpy as np
import pytest
import torch

from lipsync_core.models.same_padding import SameConv2d, SameConvTranspose2d, same_padding


def convolved(x: np.ndarray, kernel: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """Correlate (C, H, W) with (O, C, k, k): ceil(n / stride) outputs, the odd padding pixel at the end."""
    side = kernel.shape[2]
    sizes = [-(-n // s) for n, s in zip(x.shape[1:], stride, strict=True)]
    firsts = [
        -(max((out - 1) * s + side - n, 0) // 2) for out, s, n in zip(sizes, stride, x.shape[1:], strict=True)
    ]
    result = np.zeros((len(kernel), *sizes))
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            for i in range(side):
                for j in range(side):
                    y, z = firsts[0] + row * stride[0] + i, firsts[1] + column * stride[1] + j
                    if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                        result[:, row, column] += kernel[:, :, i, j] @ x[:, y, z]
    return result


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (96, 3, 2, (0, 1)),
        (96, 5, 2, (1, 2)),
        (96, 7, 1, (3, 3)),
        (96, 7, 2, (2, 3)),
        (80, 3, 3, (0, 1)),
        (27, 3, 3, (0, 0)),
        (9, 3, 1, (1, 1)),
        (7, 3, 2, (1, 1)),
    ],
)
def test_padding(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (10, 4)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (3, 3)])
@torch.inference_mode()
def test_convolution_equals_the_definition(shape, kernel, stride):
    torch.manual_seed(0)
    layer, x = SameConv2d(2, 3, kernel, stride), torch.randn(1, 2, *shape)
    expected = convolved(x[0].double().numpy(), layer.weight.double().numpy(), stride)
    expected += layer.bias.double().numpy()[:, None, None]
    np.testing.assert_allclose(layer(x)[0].numpy(), expected, atol=1e-5)


def test_a_strided_convolution_is_shifted_against_torch_padding():
    """Kernel 3, stride 2 looks at pixels 0, 1, 2 first; torch's padding=1 at -1, 0, 1."""
    layer = SameConv2d(1, 1, 3, 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layer.weight.data[0, 0, 0, 0] = 1
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert torch.equal(layer(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 3), (5, 2), (4, 2), (3, 1)])
def test_transposed_convolution_is_the_gradient_of_the_convolution(kernel, stride):
    """The definition: with the same kernel, <conv(x), y> = <x, transposed(y)> for all x and y."""
    torch.manual_seed(1)
    down, up = SameConv2d(3, 2, kernel, stride), SameConvTranspose2d(2, 3, kernel, stride)
    for layer in (down, up):
        torch.nn.init.zeros_(layer.bias)
    up.weight.data.copy_(down.weight.data)
    x = torch.randn(1, 3, 4 * stride, 6 * stride, dtype=torch.float64)
    y = torch.randn(1, 2, 4, 6, dtype=torch.float64)
    down, up = down.double(), up.double()
    assert up(y).shape == x.shape
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())


def test_one_pixel_spreads_to_the_lower_right():
    layer = SameConvTranspose2d(1, 1, 3, 2)
    layer.weight.data[0, 0] = torch.arange(1.0, 10).reshape(3, 3)
    torch.nn.init.zeros_(layer.bias)
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    out = layer(x)[0, 0]
    assert out.shape == (6, 6)
    assert torch.equal(out[2:5, 2:5], layer.weight.data[0, 0])
    assert out.count_nonzero() == 9
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 2, 2] = 1
    out = layer(x)[0, 0]  # the last row and column of the kernel are cut off
    assert torch.equal(out[4:, 4:], layer.weight.data[0, 0, :2, :2])
    assert out.count_nonzero() == 4
