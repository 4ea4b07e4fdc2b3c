"""The edge of the command line: errors are rendered here, once, and become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from workspace.errors import TemperError

_BROKEN_PIPE = 141


def run(app: Callable[[], object]) -> int:
    """Call a typer app and return its exit code; nobody sees a traceback unless they ask.

    `TEMPER_TRACEBACK=1` shows the traceback of an unexpected error.
    """
    try:
        app()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except TemperError as error:
        report(error)
        return error.exit_code
    except Exception as error:
        if os.environ.get("TEMPER_TRACEBACK") == "1":
            raise
        _report_unexpected(error)
        return 4
    return 0


def report(error: TemperError) -> None:
    """Print an error to stderr: the place, what happened, why, and the way out."""
    from workspace.secrets import redact
    from workspace.text import plain

    lines = [f"✗ {error.title}"]
    if error.where:
        lines.append(f"  at   {error.where}")
    cause = error.cause.split("\n") if error.cause else []
    lines += [f"  {'why ' if index == 0 else '    '} {line}" for index, line in enumerate(cause)]
    if error.cure:
        lines.append(f"  do   {error.cure}")
    print(plain(redact("\n".join(lines))), file=sys.stderr, flush=True)


def _report_unexpected(error: Exception) -> None:
    import logging

    logging.getLogger("temper").exception("unexpected error")
    report(
        TemperError(
            f"unexpected {type(error).__name__}",
            cause=str(error)[:2000] or "It says nothing more.",
            cure="Run again with TEMPER_TRACEBACK=1 and report what it prints.",
        )
    )
