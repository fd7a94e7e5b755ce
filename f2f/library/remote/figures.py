"""``library.jsonl`` in a store that cannot append: an object for each line, and the file composed of them.

Whoever finishes an output writes its line as an object of its own, so machines lose none of each other's.
Whoever reads the file adds those lines that it does not have. Whoever writes the pages also removes, behind
the file, the objects older than a day of lines that it had before: until then a slow writer may have replaced
it by one without them.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from f2f.library.lecture import LIBRARY_FOLDER
from f2f.library.metrics import METRICS_NAME
from f2f.library.remote.mirror import Mirror
from f2f.library.store import StoreError

FOLDER_NAME = "metrics"
_DAY_S = 86400.0
_MANIFEST = re.compile(rb'"manifest":"([0-9a-f]{64})"')


def add_figures(mirror: Mirror, output_dir: Path, figures: dict[str, Any]) -> None:
    """Write the line of a finished output to the store; again changes nothing."""
    line = json.dumps(figures, ensure_ascii=False, separators=(",", ":")).encode()
    objects, out = mirror.where(output_dir)
    objects.write(f"{out}/{LIBRARY_FOLDER.as_posix()}/{FOLDER_NAME}/{figures['manifest']}.json", line)


def compose_figures(mirror: Mirror, output_dir: Path) -> list[str]:
    """Bring the file up to date here, from that in the store and the lines that it lacks.

    Returns:
        Keys of the objects that may go once the file is in the store.

    Raises:
        StoreError: the store does not give them.
    """
    objects, out = mirror.where(output_dir)
    entries = {
        entry.name.removesuffix(".json"): entry
        for entry in objects.find(f"{out}/{LIBRARY_FOLDER.as_posix()}/{FOLDER_NAME}")
    }
    path, known = output_dir / METRICS_NAME, set[str]()
    if path.is_file():
        if not mirror.fetch(path):
            raise StoreError(f"{mirror.words(str(path))} was replaced while it was read; try again")
        with path.open("rb") as lines:
            for line in lines:
                known.update(one.decode() for one in _MANIFEST.findall(line))
        known &= entries.keys()
    new = [data for _, data in objects.read_all(entries[one].key for one in entries.keys() - known) if data]
    if new:
        with path.open("ab") as file:
            file.writelines(line + b"\n" for line in sorted(new))  # a line begins with its time
    before_ns = (time.time() - _DAY_S) * 1e9
    return [entries[one].key for one in known if entries[one].stamp_ns < before_ns]
