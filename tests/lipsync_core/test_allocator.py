"""Freed memory goes back."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import ctypes, re, sys
from lipsync_core.commands.allocator import return_freed_blocks
if sys.argv[1] == "yes":
    return_freed_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
size = 6 << 20
libc.free(libc.malloc(size))  # by default glibc takes this as the new limit
blocks = [libc.malloc(size - 4096 * k) for k in range(20)]
for block in blocks:
    ctypes.memset(block, 1, size - 4096 * 20)
for block in blocks[:-1]:  # the last, at the heap's end, stays
    libc.free(block)
print(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")
def test_large_freed_blocks_go_back_to_the_system() -> None:
    resident_kb = {
        word: int(
            subprocess.run(
                [sys.executable, "-c", CODE, word], capture_output=True, text=True, check=True
            ).stdout
        )
        for word in ("no", "yes")
    }
    assert resident_kb["no"] - resident_kb["yes"] > 60 * 1024, resident_kb
