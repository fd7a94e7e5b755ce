"""The command ``f2f``: options in, exit code out. All work is elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from f2f import errors
from f2f.commands import batch, library_report, models, review, schedule
from f2f.commands.shared_options import (
    ConfigFile,
    Consent,
    Debug,
    Device,
    Force,
    From,
    Glossary,
    Json,
    Licence,
    NoLipsync,
    Profile,
    Runner,
    Settings,
)
from f2f.commands.urls import refuse_urls
from f2f.session import Session
from lipsync_core.waiting import wait_passively

EXIT_CODES = (
    "Exit codes: 0 done · 2 the command, its configuration or its input cannot be used · "
    "3 an engine or a model is missing · 4 a stage failed, the same command resumes · "
    "130 interrupted, the same command resumes"
)
# click's UsageError, wherever this version of typer keeps its click.
_CommandLineError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="f2f",
    help="Face-to-face translation: a lecture in, the same lecturer speaking another language out.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Input = Annotated[Path, typer.Argument(metavar="INPUT", help="Video with a speaking person.")]
To = Annotated[
    list[str], typer.Option("--to", metavar="LANG", help="Target language, such as hi; repeatable.")
]
OutputDir = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="DIR", help="Folder for the outputs; else beside INPUT."),
]
Workdir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for intermediate results; else .f2f beside the outputs."),
]
Captions = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Captions in the spoken language (.srt, .vtt, .ass).")
]
TranslationFile = Annotated[
    Path | None, typer.Option("--translation", metavar="FILE", help="Captions in the target language.")
]
Speakers = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=20, help="How many people speak; found out if not said.")
]
Asr = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, captions, faster-whisper, whisper or sphinx.")
]
Mt = Annotated[str | None, typer.Option(metavar="NAME", help="auto, captions, nllb, m2m100, marian or none.")]
Tts = Annotated[str | None, typer.Option(metavar="NAME", help="auto, coqui, mms or espeak.")]
Voice = Annotated[str | None, typer.Option(metavar="NAME", help="Voice of the engine, such as hi+f2.")]
LibraryVoices = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="People keep their voices in all videos that name the same file."),
]
Lips = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, embedded, wav2lip, wav2lip_gan or none.")
]
Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Workers that make the lips of one video together: a Dask scheduler (tcp://192.0.2.10:8786), or "
        "local:2 for two processes here.",
    ),
]
Mark = Annotated[
    bool | None,
    typer.Option(
        "--mark/--no-mark", help="Small visible mark that says the video is synthetic.", show_default=False
    ),
]

VideoStretch = Annotated[
    bool | None,
    typer.Option("--video-stretch", help="Slow slides for lines that are too long.", show_default=False),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="Stop after a stage, such as translate, for a review."),
]

app.add_typer(models.app, name="models")
app.command(epilog=review.EXIT_CODES)(review.resume)
app.command(epilog=review.EXIT_CODES)(review.redo)
app.command(epilog=batch.EXIT_CODES)(batch.batch)
app.command(epilog=schedule.EXIT_CODES)(schedule.schedule)
app.command(epilog=library_report.EXIT_CODES)(library_report.report)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from f2f import __version__

        typer.echo(f"f2f {__version__}")
        raise typer.Exit


@app.command(epilog=EXIT_CODES)
def translate(  # noqa: PLR0913 - one parameter per option
    source: Input,
    to: To,
    from_: From = None,
    output: OutputDir = None,
    captions: Captions = None,
    translation: TranslationFile = None,
    asr: Asr = None,
    speakers: Speakers = None,
    mt: Mt = None,
    glossary: Glossary = None,
    tts: Tts = None,
    voice: Voice = None,
    consent: Consent = None,
    library_voices: LibraryVoices = None,
    lips: Lips = None,
    dask: Dask = None,
    mark: Mark = None,
    video_stretch: VideoStretch = None,
    config: ConfigFile = None,
    settings: Settings = None,
    profile: Profile = None,
    licence: Licence = None,
    no_lipsync: NoLipsync = False,
    device: Device = None,
    workdir: Workdir = None,
    runner: Runner = None,
    force: Force = False,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Translate a talking-face video; what is finished already is not done again."""
    flags = {
        "captions": captions, "translation": translation, "asr": asr, "mt": mt, "glossary": glossary,
        "tts": tts, "voice": voice, "speakers": speakers, "library_voices": library_voices,
        "consent": consent, "lips": lips, "dask": dask, "mark": mark, "profile": profile, "device": device,
        "licence": licence, "video_stretch": video_stretch,
    }  # fmt: skip
    with Session(json=json, debug=debug) as session:
        from f2f.options import build_config, build_request

        resolved = build_config(config, flags, settings or ())
        request = build_request(
            source, to, config=resolved, source_language=from_, output_dir=output, workdir=workdir,
            lipsync=not no_lipsync, force=force, until=until,
        )  # fmt: skip
        if dry_run:
            session.show_plan(request)
        else:
            session.translate(request, runner)


@app.command(epilog=EXIT_CODES)
def sample(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write it, such as lecture.mp4.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a 25-second lecture to try translate on, with captions in English, Hindi and Spanish beside it."""
    with Session(json=json, debug=debug) as session:
        session.make_sample(path, force=force)


@app.command(epilog=EXIT_CODES)
def doctor(  # noqa: PLR0913 - one parameter per option
    source: Annotated[Path | None, typer.Argument(metavar="[INPUT]", help="A video to choose for.")] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="LANG", help="Target language; repeatable.")
    ] = None,
    from_: From = None,
    config: ConfigFile = None,
    profile: Profile = None,
    licence: Licence = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what this machine can run, and what translate would choose."""
    with Session(json=json, debug=debug) as session:
        from f2f.options import build_config, build_request

        settings = build_config(config, {"profile": profile, "licence": licence})
        request = build_request(
            source or Path("lecture.mp4"), to or [], config=settings, source_language=from_
        )
        session.show_doctor(request, source)


@app.command(epilog=EXIT_CODES)
def ui(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port (else PREFECT_SERVER_API_PORT, else 4200).")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; the default is this machine alone.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Start a local server that shows runs, and print its address."""
    with Session(json=False, debug=debug) as session:
        session.start_ui(port, host)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; mistakes in the command line itself are one line, too."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    wait_passively()
    try:
        refuse_urls(sys.argv[1:] if arguments is None else arguments)
        outcome: Any = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except _CommandLineError as error:
        sys.stderr.write(f"f2f: {error.format_message()} (see f2f --help)\n")
        return errors.EXIT_USAGE
    except errors.UsageError as error:
        sys.stderr.write(f"f2f: {error}\n")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return errors.EXIT_INTERRUPTED
    return outcome if isinstance(outcome, int) else errors.EXIT_DONE
