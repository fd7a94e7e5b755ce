"""Files of the current folder, the lectures' say, are no modules of the processes that are started there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import f2f


def safe_path_variables() -> dict[str, str]:
    """Return the variables with which a Python takes no file of its current folder for a module.

    Effective since Python 3.11. f2f itself may have been found in the current folder (``python -m f2f``
    beside its source): then its folder stays known.
    """
    variables = {"PYTHONSAFEPATH": "1"}
    root = str(Path(f2f.__file__).parents[1])
    if root == (sys.path[0] or str(Path.cwd())):
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), root)))
    return variables
