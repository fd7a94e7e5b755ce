"""The registry as a table for a person and as values for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from f2f.models.licences import use_words
from f2f.models.places import Found, OneFile
from f2f.models.progress import size_words
from f2f.models.registry import FAMILY_NAMES, Model


def describe(model: Model) -> dict[str, Any]:
    """Return everything known of a model as JSON values; nothing is hashed or asked of a network."""
    found = model.place.find()
    return {
        "name": model.name,
        "stage": model.stage,
        "engine": model.engine,
        "state": _state(model, found),
        "size_bytes": found.size_bytes if found else model.place.needed_bytes,
        "about_bytes": model.about_bytes,
        "licence": model.licence,
        "commercial_use": model.commercial_use,
        "sha256": model.place.weights.sha256 if isinstance(model.place, OneFile) else None,
        "sources": list(model.place.sources),
        "folder": str(found.folder if found else model.place.folder),
        "revision": found.revision if found else "",
        "note": model.note,
        "made_from": model.made_from,
    }


def _state(model: Model, found: Found | None) -> str:
    if model.place.is_packaged:
        return "inside the package" if found else "package missing"
    if found:
        return "here"
    return "begun" if model.place.begun_bytes() else "not here"


def list_tables(described: Sequence[dict[str, Any]]) -> Iterator[Table | str]:
    """Yield what to print for `describe`d models: one table for each stage."""
    for stage in dict.fromkeys(one["stage"] for one in described):
        table = Table(title=f"\n{stage}", title_justify="left", box=None, pad_edge=False, show_header=False)
        for column in ("model", "state", "size"):
            table.add_column(column, no_wrap=True, justify="right" if column == "size" else "left")
        table.add_column("licence", overflow="fold")
        for one in described:
            if one["stage"] == stage:
                table.add_row(*_cells(one))
        yield table
    yield "".join(f"\n{name}: {what}" for name, what in FAMILY_NAMES.items())
    yield from dict.fromkeys(one["folder"] for one in described if one["state"] == "here")


def _cells(one: dict[str, Any]) -> tuple[str, str, str, str]:
    colour = {"here": "green", "inside the package": "green", "begun": "yellow"}.get(one["state"], "dim")
    size = size_words(one["size_bytes"]) if one["size_bytes"] else ""
    if not size and one["about_bytes"]:
        size = f"≈ {size_words(one['about_bytes'])}"
    licence = escape(one["licence"])
    if one["commercial_use"] is not True:
        licence += f" [yellow](commercial use {use_words(one['licence'])})[/]"
    return escape(one["name"]), f"[{colour}]{one['state']}[/]", size, licence
