"""``f2f models``: see, fetch, check, move and remove the weights that engines use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from f2f.commands.shared_options import Debug, Json
from f2f.errors import EngineUnavailableError, UsageError
from f2f.session import Session

if TYPE_CHECKING:
    from f2f.models.registry import Model

EXIT_CODES = (
    "Exit codes: 0 done · 2 the command or its input cannot be used · "
    "3 a model is missing, damaged or cannot be fetched · 130 interrupted, the same command goes on"
)

app = typer.Typer(
    help="See, fetch, check, move and remove the weights that engines use.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="As f2f models list shows them.")
]
For = Annotated[
    str | None, typer.Option("--for", metavar="LANG", help="What translating into LANG would use best.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="LANG", help="Spoken language, for models of one pair.")
]
Licence = Annotated[
    str | None,
    typer.Option(metavar="any|permissive", help="permissive: with --for, only weights for commercial use."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML file, as for translate.")
]


@app.command("list", epilog=EXIT_CODES)
def list_(
    here: Annotated[bool, typer.Option("--here", help="Only what is on this machine.")] = False,
    for_: For = None,
    source: From = None,
    licence: Licence = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show every model: size, licence, and whether it is on this machine."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.listing import describe, list_tables
        from f2f.models.registry import all_models

        models = _chosen(session, None, for_, source, licence, config) if for_ else all_models()
        described = [describe(model) for model in models]
        if here:
            described = [one for one in described if one["state"] in ("here", "inside the package")]
        session.show("models", list_tables(described), models=described)


@app.command(epilog=EXIT_CODES)
def pull(
    names: Names = None,
    for_: For = None,
    source: From = None,
    licence: Licence = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch models; a download that was interrupted goes on."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.progress import download_display
        from f2f.models.pulling import pull as fetch_all

        models = _chosen(session, names, for_, source, licence, config)
        with download_display(session.console, session.emit if json else None) as display:
            fetched = {model.name for model in fetch_all(models, display)}
        lines = [f"{model.name}: was here already" for model in models if model.name not in fetched]
        session.show("pulled", lines, models=[model.name for model in models], fetched=sorted(fetched))


@app.command(epilog=EXIT_CODES)
def verify(names: Names = None, json: Json = False, debug: Debug = False) -> None:
    """Hash models that are here and compare with what was published; without NAME all of them."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.checking import verify as check
        from f2f.models.registry import find_model

        models = [find_model(name) for name in names] if names else _here()
        verdicts = []
        for model in models:
            verdict = check(model)
            verdicts.append(verdict)
            lines = [f"{model.name}: {verdict.words}"] if verdict.is_usable else []
            session.show("verified", lines, model=model.name, state=verdict.state, words=verdict.words)
        bad = [verdict for verdict in verdicts if not verdict.is_usable]
        if bad:
            raise EngineUnavailableError("\n".join(f"{one.model.name}: {one.words}" for one in bad))


@app.command(epilog=EXIT_CODES)
def export(  # noqa: PLR0913 - one parameter per option
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE.tar", help="File to write.")],
    names: Names = None,
    for_: For = None,
    source: From = None,
    licence: Licence = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Pack models that are here into one file; without NAME and --for all of them."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.bundle_writing import export as pack

        models = _chosen(session, names, for_, source, licence, config) if names or for_ else _here()
        manifest = pack(models, bundle, session.note)
        packed = [model.name for model in manifest.models]
        session.show(
            "exported", [str(bundle)], bundle=str(bundle), models=packed, size_bytes=manifest.size_bytes
        )


@app.command("import", epilog=EXIT_CODES)
def import_(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE.tar", help="File that export wrote.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Unpack models to where the engines look; everything is checked first."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.bundle_reading import import_bundle

        models = import_bundle(bundle, session.note)
        session.show("imported", [], models=[model.name for model in models])


@app.command(epilog=EXIT_CODES)
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As f2f models list shows them.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete models from this machine, and the copies that were made of them."""
    with Session(json=json, debug=debug) as session:
        from f2f.models.progress import size_words
        from f2f.models.registry import copies_of, find_model

        models = [find_model(name) for name in names]
        if packaged := [model.name for model in models if model.place.is_packaged]:
            raise UsageError(
                f"{', '.join(packaged)}: inside an installed package, goes when that is uninstalled"
            )
        copies = {model.name: copies_of(model) for model in models}
        absent = [
            one.name
            for one in models
            if one.place.find() is None and not one.place.begun_bytes() and not copies[one.name]
        ]
        if absent:
            raise EngineUnavailableError(f"not here: {', '.join(absent)}; nothing was removed")
        for model in models:
            freed = model.place.remove() + sum(copy.place.remove() for copy in copies[model.name])
            made = [copy.name for copy in copies[model.name]]
            words = f"{model.name}: {size_words(freed)} freed" + (f", with {', '.join(made)}" if made else "")
            session.show("removed", [words], model=model.name, freed_bytes=freed, copies=made)


def _here() -> list[Model]:
    from f2f.models.registry import all_models

    return [model for model in all_models() if model.place.find() is not None]


def _chosen(
    session: Session,
    names: list[str] | None,
    for_: str | None,
    source: str | None,
    licence: str | None,
    config: Path | None,
) -> list[Model]:
    """Return the models of names and language, each once, and say what was passed over."""
    from f2f.models.registry import find_model
    from f2f.models.selection import select_for
    from f2f.options import build_config

    if not names and not for_:
        raise UsageError("which models? give names (f2f models list shows them), or --for LANG")
    models = [find_model(name) for name in names or ()]
    if for_:
        selection = select_for(for_, source, build_config(config, {"licence": licence}))
        for note in selection.notes:
            session.note(note)
        models += selection.models
    return list({model.name: model for model in models}.values())
