"""A request that has passed the checks before the work, so that nobody makes them a second time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from f2f.request import Request
from f2f.watchdog import Watchdog, deadline_for


@dataclass(frozen=True)
class CheckedRequest(Request):
    """A request in which nothing was found that would fail.

    Attributes:
        device: on which networks will run.
    """

    device: str = field(kw_only=True)


def checked(request: Request) -> CheckedRequest:
    """Return ``request`` with the device it will run on, checked unless it has been.

    Raises:
        PreflightError: something is wrong that can be known before the work.
        StageError: the checks hung, on a file that a decoder finds no end of for instance.
    """
    from f2f.preflight import check

    if isinstance(request, CheckedRequest):
        return request
    with Watchdog("check", deadline_for(request.config.deadlines, None), lambda reason: None):
        device = check(request)
    asked = {each.name: getattr(request, each.name) for each in fields(request)}
    return CheckedRequest(**asked, device=device)
