"""What a run shows of itself is a courtesy: where it cannot be shown, the work is none the worse."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flows.stage_tasks import SERVER_TROUBLE, one_line
from lipsync_core.errors import LipSyncError

logger = logging.getLogger(__name__)


def shown_if_possible(what: str, show: Callable[[], object]) -> bool:
    """Show something on the run page; what goes wrong is logged.

    Returns:
        Whether it shows now.
    """
    try:
        show()
    except (*SERVER_TROUBLE, LipSyncError, OSError, ValueError) as error:
        logger.warning("%s could not be shown: %s", what, one_line(error))
        return False
    return True
