"""``f2f resume`` and ``f2f redo``: go on after a review, and do single segments again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from f2f.commands.shared_options import Debug, Force, Json, Runner
from f2f.session import Session

EXIT_CODES = (
    "Exit codes: 0 done · 2 a table, subtitle or option cannot be used, nothing was done · "
    "3 an engine or a model is missing · 4 a stage failed, the same command resumes · 130 interrupted"
)

Workdir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for intermediate results, as in the earlier run.")
]


def resume(  # noqa: PLR0913 - one parameter per option
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The video of the earlier run.")],
    to: Annotated[
        list[str], typer.Option("--to", metavar="LANG", help="Target language, such as hi; repeatable.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Output folder of the earlier run.")
    ] = None,
    workdir: Workdir = None,
    until: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Stop after a stage, such as synthesize.")
    ] = None,
    runner: Runner = None,
    force: Force = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Take the edits in lecture.hi.csv or lecture.hi.review.srt and go on; only what they touch is redone.

    All other options are those of the earlier run.
    """
    with Session(json=json, debug=debug) as session:
        from f2f.config import Config
        from f2f.options import build_request

        asked = build_request(
            source, to, config=Config(), output_dir=output, workdir=workdir, until=until, force=force
        )
        session.resume(asked, runner)


def redo(  # noqa: PLR0913 - one parameter per option
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="Of the finished video, such as lecture.hi.json.")
    ],
    segment: Annotated[
        list[int], typer.Option("--segment", metavar="ID", help="Segment to do again; repeatable.")
    ],
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it says from now on, in the target language.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option(metavar="NAME", help="Voice that says it from now on, such as hi+f2.")
    ] = None,
    workdir: Workdir = None,
    runner: Runner = None,
    force: Force = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say single segments again; every other take stays as it is, bit for bit. Later runs keep the change."""
    with Session(json=json, debug=debug) as session:
        from f2f.review.redo import Redo

        session.redo(manifest, Redo(tuple(segment), text, voice), workdir, runner, force=force)
