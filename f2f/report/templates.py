"""Fills the page templates of this folder; every page is one file without any external resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render_template(
    name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """Return the filled template; all that is not marked safe in it is escaped."""
    environment = _environment()
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)


def read_style(*names: str) -> str:
    """Return style sheets of this folder, one after the other."""
    folder = resources.files("f2f.report")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("f2f", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
