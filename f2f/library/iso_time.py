"""Times in the records of a library."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator


def _check_time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("it has no time zone")
    return text


IsoTime = Annotated[str, AfterValidator(_check_time)]
"""An ISO 8601 time with its zone; a record with another one cannot be read."""
