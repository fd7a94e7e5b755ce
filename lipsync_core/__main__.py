"""``python -m lipsync_core sync | evaluate | make-pairs | preprocess | train``.

Exit codes: 0 done, 2 bad usage or input, 3 weights or package missing, 4 anything else went wrong,
130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from lipsync_core.commands import data, evaluate, evaluate_pairs, sync, train
from lipsync_core.errors import (
    CheckpointError,
    InvalidInputError,
    LipSyncError,
    MediaError,
    MissingModelError,
    NoFaceError,
)
from lipsync_core.waiting import wait_passively

EXIT_INPUT, EXIT_MISSING, EXIT_FAILED, EXIT_INTERRUPTED = 2, 3, 4, 130
DELEGATED = {**data.DELEGATED, **train.DELEGATED}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    wait_passively()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in DELEGATED:
        run, _ = DELEGATED[arguments[0]]
        return _run(lambda: run(arguments[1:]), debug=False)
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if args.debug else logging.WARNING, format="%(message)s")
    return _run(lambda: args.run(args), debug=args.debug)


def _run(action: Callable[[], int | None], debug: bool) -> int:
    """Call ``action`` and turn its errors into one line and an exit code."""
    try:
        return action() or 0
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (LipSyncError, OSError, RuntimeError, ValueError) as error:
        if debug:
            logging.getLogger(__name__).exception("traceback:")
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    if isinstance(error, (InvalidInputError, MediaError, NoFaceError)):
        return EXIT_INPUT
    return EXIT_MISSING if isinstance(error, (MissingModelError, CheckpointError)) else EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lipsync_core", description="Lip synchronisation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sync.add_parser(commands)
    evaluate.add_parser(commands)
    evaluate_pairs.add_parser(commands)
    for name, (_, help_text) in DELEGATED.items():
        commands.add_parser(name, help=help_text, add_help=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
