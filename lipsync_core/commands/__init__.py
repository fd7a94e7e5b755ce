"""What ``python -m lipsync_core`` can do: one module per group of subcommands.

A module here either has ``add_parser(commands)``, which adds its parser and names the function to run
(``set_defaults(run=...)``), or ``DELEGATED``, which maps a subcommand to the ``main`` of a module that reads
its arguments itself. A run function returns the exit code, or ``None`` for 0; its errors become one line.
"""
