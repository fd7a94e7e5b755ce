"""Opens the file formats in which weights are published, and names a bad file for what it is.

Seen in the wild: a pickled dict (zip or legacy) with ``state_dict`` and optimizer state, a pickled bare map
of tensors, a TorchScript archive, safetensors. Pickles are read with ``weights_only=True``, so a file that
carries code is refused. Importing this module does not import torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from lipsync_core.errors import CheckpointError

_HASH_BLOCK_BYTES = 1 << 20
_SNIFF_BYTES = 512
_MAX_HEADER_BYTES = 100_000_000  # limit of the safetensors format
_MAX_LISTED = 4  # names in an error
# What a pickled map of tensors refers to; anything else is a class or function to be called on loading.
_TENSOR_GLOBAL = re.compile(
    r"collections\.OrderedDict|torch\.(\w*Storage|Size|device|[a-z]+\d+|_utils\._rebuild\w+|storage\.\w+)"
)
# What one public mirror (camenduru/Wav2Lip) offers as wav2lip.pth; only the start of its hash is known.
STUB_SHA256_PREFIX = "b6c6630c"
_STUB_MAX_BYTES = 1_000_000


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the text metadata of a safetensors file (empty when it has none), without reading tensors.

    Raises:
        CheckpointError: not a whole safetensors header.
    """
    path = Path(path)
    with path.open("rb") as file:
        prefix = file.read(8)
        size = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else _MAX_HEADER_BYTES + 1
        raw = file.read(size) if size <= _MAX_HEADER_BYTES else b""
    try:
        header = json.loads(raw)
        return {str(k): str(v) for k, v in header.get("__metadata__", {}).items()}
    except (ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a safetensors file or is truncated: download it again"
        ) from error


def refuse_impostor(path: Path) -> None:
    """Raise `CheckpointError` when a file is a web page, a git-lfs pointer, empty, or a known stub."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_SNIFF_BYTES)
    if not start:
        raise CheckpointError(f"{path} is empty: the download failed; delete it and download it again")
    if is_web_page(start):
        raise CheckpointError(
            f"{path} ({size} bytes) is a web page, not weights: the link led to a login, quota or error "
            "page; delete it and download the file itself"
        )
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"{path} is a git-lfs pointer, not the weights it stands for: run `git lfs pull` where it came "
            "from, or download the file itself"
        )
    if size <= _STUB_MAX_BYTES and sha256_of(path).startswith(STUB_SHA256_PREFIX):
        raise CheckpointError(
            f"{path} ({size} bytes) is the stub that a public mirror offers as wav2lip.pth; the real file "
            "has 435,807,851 bytes: download it from another mirror"
        )


def is_web_page(start: bytes) -> bool:
    """Say whether the first bytes of a file are those of HTML (or XML, as object stores send errors)."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype", b"<html", b"<head", b"<script", b"<?xml", b"<!--"))


def read_container(path: Path) -> object:
    """Return what a weights file holds: a map of tensors, or a dict with one under ``state_dict``.

    Raises:
        CheckpointError: truncated, damaged, or a pickle that carries code.
    """
    return _reader_for(path)(path)


def is_safetensors(path: Path) -> bool:
    """Say whether a file begins like safetensors."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= _MAX_HEADER_BYTES


def _reader_for(path: Path) -> Callable[[Path], object]:
    if is_safetensors(path):
        return _read_safetensors
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"
    return _read_torchscript if is_archive and _is_torchscript(path) else _read_pickle


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise _damaged(path) from error
    return any("/code/" in name or name.endswith("/constants.pkl") for name in names)


def _read_torchscript(path: Path) -> object:
    import torch

    try:
        with warnings.catch_warnings():  # torch calls the whole format deprecated; published files stay in it
            warnings.simplefilter("ignore")
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, EOFError) as error:
        raise _damaged(path) from error
    return dict(module.state_dict())


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise _damaged(path) from error


def _read_pickle(path: Path) -> object:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about storages of files written by torch before 2.0
            # What is in an archive need not be copied: folding makes new tensors anyway.
            is_archive = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        if foreign := _foreign_globals(path):
            raise CheckpointError(
                f"{path} carries code ({listed(foreign)}) and was not opened: weights must hold only "
                "tensors; use the published file, or one re-saved as safetensors by somebody you trust"
            ) from error
        raise _damaged(path) from error
    # What unpickling damaged bytes can raise is not documented by torch, and is wide.
    except (
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        OSError,
    ) as error:
        raise _damaged(path) from error


def _foreign_globals(path: Path) -> list[str]:
    """Return the names in a pickle, read without executing it, that no map of tensors needs."""
    names: list[str] = []
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            member = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
            if member is None:
                return []
            stream: IO[bytes] = stack.enter_context(archive.open(member))
        else:
            stream = stack.enter_context(path.open("rb"))
        with contextlib.suppress(ValueError):  # the end of the pickles, or of a truncated one
            while True:  # the legacy format is several pickles in a row
                names += _globals_of(stream)
    return sorted({name for name in names if not _TENSOR_GLOBAL.fullmatch(name)})


def _globals_of(pickled: IO[bytes]) -> Iterator[str]:
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(texts[-2:])
        elif isinstance(argument, str):
            texts.append(argument)


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} ({path.stat().st_size} bytes) is truncated, damaged, or no weights file: expected is a "
        "PyTorch checkpoint, a TorchScript archive or safetensors; delete it and download it again"
    )


def listed(names: list[Any]) -> str:
    """Return the first names of a list in one line."""
    shown = ", ".join(str(n) for n in names[:_MAX_LISTED])
    return shown + (", ..." if len(names) > _MAX_LISTED else "")
