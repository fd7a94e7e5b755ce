"""Whether a stage has a chance in the memory that is left: asked before it starts.

What a stage takes is what it took on this machine before with the same engine, settings and size of picture
(``$F2F_HOME/memory.HOST.json``); before its first time, a part of the size of its weights. Refused is only
what cannot work: the least that was ever measured does not fit, swap included.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from f2f.errors import StageError, UsageError
from f2f.home import home_folder
from f2f.peak_memory import used_mib
from f2f.workspace import make_key, write_atomically

_LEAST_PART = 0.25  # of the published weights: 32 bits that are read as 8
_MIB = 2**20


@dataclass(frozen=True)
class Available:
    """Memory that can still be had.

    Attributes:
        mib: without swapping, in MiB.
        swap_mib: free swap space that may be used beside it.
    """

    mib: float
    swap_mib: float


@dataclass(frozen=True)
class Demand:
    """What a stage took here.

    Attributes:
        least_mib: the smallest peak of all times.
        last_mib: the peak of the last time.
    """

    least_mib: float
    last_mib: float


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Available | None:
    """Return what this process may still take, limits of its container included; None if unknown."""
    facts = _numbers(proc / "meminfo", 1 / 1024)
    if "MemAvailable" not in facts:
        return None
    left_mib, swap_mib = facts["MemAvailable"], facts.get("SwapFree", 0.0)
    for group_mib in _group_rooms(proc, cgroups):
        if group_mib < left_mib:
            left_mib, swap_mib = group_mib, 0.0
    return Available(max(0.0, left_mib), swap_mib)


def demand_key(stage: str, config: Mapping[str, Any], device: str, n_pixels: int) -> str:
    """Return under which name a stage's demand is kept: pictures count by powers of two."""
    size = round(math.log2(n_pixels)) if n_pixels else 0
    return f"{stage} {device} {make_key(stage, 0, {'config': config, 'size': size})[:12]}"


def check_memory(stage: str, config: Mapping[str, Any], key: str, tell: Callable[[str], None]) -> None:
    """Say so where the memory that is left is short for a stage.

    Args:
        stage: the stage's name.
        config: its configuration, with the engine that was chosen.
        key: of its demand.
        tell: told where it may be too little.

    Raises:
        StageError: it cannot be enough.
    """
    left, used = available_memory(), used_mib()
    if left is None or used is None:
        return
    demand = read_demands().get(key) or _first_demand(config, used)
    if demand is None:
        return
    if demand.least_mib - used > left.mib + left.swap_mib:
        raise StageError(
            stage,
            f"{stage} takes at least {demand.least_mib:,.0f} MiB of memory, and {used + left.mib:,.0f} MiB "
            "can be had: end other programs, give the machine or container more, or choose a smaller model",
            is_passing=True,
        )
    if demand.last_mib - used > left.mib:
        tell(
            f"{stage} took {demand.last_mib:,.0f} MiB of memory the last time, and {used + left.mib:,.0f} "
            "MiB can be had: it may become slow, or be ended by the system"
        )


def read_demands() -> dict[str, Demand]:
    """Return what was measured on this machine, by key; nothing where that cannot be read."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return {key: Demand(float(one["least_mib"]), float(one["last_mib"])) for key, one in kept.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_demand(key: str, peak_mib: float | None) -> None:
    """Remember what a stage took; a memory only, so that a full disk does not matter."""
    if peak_mib is None:
        return
    demands = read_demands()
    least_mib = min(peak_mib, demands[key].least_mib) if key in demands else peak_mib
    demands[key] = Demand(round(least_mib, 1), round(peak_mib, 1))
    text = json.dumps({name: vars(one) for name, one in sorted(demands.items())}, indent=1)
    with contextlib.suppress(OSError):
        write_atomically(_file(), text)


def _file() -> Path:
    """Return where demands are kept: several machines may share the folder, each with others."""
    return home_folder() / f"memory.{quote(socket.gethostname(), safe='')}.json"


def _first_demand(config: Mapping[str, Any], used: float) -> Demand | None:
    """Return what the weights alone take, where their size is known."""
    name = _weights_name(str(config.get("engine")), config)
    if name is None:
        return None
    from f2f.models.registry import find_model

    try:
        about_bytes = find_model(name).about_bytes
    except UsageError:  # weights of one's own
        return None
    if about_bytes is None:
        return None
    least_mib = used + about_bytes * _LEAST_PART / _MIB
    return Demand(least_mib, least_mib)


def _weights_name(engine: str, config: Mapping[str, Any]) -> str | None:
    """Return the name of the large model that an engine loads, as ``f2f.models`` has it, if it does."""
    if engine in ("whisper", "faster-whisper"):
        return f"{engine}-{config.get('whisper_model')}"
    own = {"nllb": "nllb-200-distilled-600M", "m2m100": "m2m100_418M", "coqui": "xtts-v2"}.get(engine)
    return own and str(config.get("model") or own)


def _group_rooms(proc: Path, cgroups: Path) -> Iterator[float]:
    """Yield what is left in each control group that this process is in, in MiB."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if kinds == "" or "memory" in kinds.split(","):
            root = cgroups / "memory" if kinds else cgroups
            group = root / path.lstrip("/")
            # Within a container the path may be that of the host; what is mounted is then the group itself.
            for folder in [*_upwards(group, root), root]:
                yield from _room(folder)


def _upwards(group: Path, root: Path) -> Iterator[Path]:
    while group != root and root in group.parents:
        yield group
        group = group.parent


def _room(folder: Path) -> Iterator[float]:
    for limit_name, used_name, idle_name in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit = int((folder / limit_name).read_text(encoding="ascii"))
            used = int((folder / used_name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such group, or "max"
            continue
        idle_mib = _numbers(folder / "memory.stat", 1 / _MIB).get(idle_name, 0.0)
        yield (limit - used) / _MIB + idle_mib


def _numbers(path: Path, factor: float) -> dict[str, float]:
    """Return the lines ``name value`` or ``name: value`` of a file, the values times ``factor``."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    rows = (line.replace(":", " ").split() for line in text.splitlines())
    return {row[0]: int(row[1]) * factor for row in rows if len(row) > 1 and row[1].isdigit()}
