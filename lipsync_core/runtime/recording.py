"""What a network computes, as a flat list of calls: run it once and write down each torch function.

Other runtimes are built from such a list, and activations are observed on it. Exporting through TorchScript
gives the same graph, but takes ten times as long as the network's own start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SILENT = ("dim", "size", "shape", "is_floating_point", "__get__")  # ask about tensors, compute nothing


@dataclass(frozen=True)
class Call:
    """One function call.

    Attributes:
        function: its name in torch, such as ``"conv2d"`` or ``"cat"``.
        args: positional arguments, tensors included.
        kwargs: keyword arguments.
        output: what it returned.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument wherever it was given."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)


@dataclass(frozen=True)
class Recording:
    """One run of a network. All tensors are kept, so identities (``id``) tell them apart.

    Attributes:
        inputs: tensors that went in.
        calls: in the order in which they were made.
        outputs: tensors that came out.
    """

    inputs: tuple[Tensor, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Tensor, ...]


class _Recorder(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", str(func))
        if name not in _SILENT and isinstance(out, Tensor):
            self.calls.append(Call(name, tuple(args), dict(kwargs or {}), out))
        return out


def record(network: nn.Module, inputs: Sequence[Tensor]) -> Recording:
    """Run ``network`` on ``inputs`` and return all calls it made; it must be in evaluation mode."""
    with torch.inference_mode(), _Recorder() as recorder:
        result = network(*inputs)
    outputs = (result,) if isinstance(result, Tensor) else tuple(result)
    return Recording(tuple(inputs), tuple(recorder.calls), outputs)
