"""The edge of the command line: errors are rendered here, once, and become exit codes."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from workspace.errors import Stopped, TemperError, WorkError

_BROKEN_PIPE = 141


def run(app: Callable[[], object]) -> int:
    """Call a typer app and return its exit code; nobody sees a traceback unless they ask.

    `TEMPER_TRACEBACK=1` shows the traceback of an unexpected error.
    """
    _open_closed_streams()
    # What a command makes many of are classes, as it imports, and those stay: look for cycles less.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)  # nor at the end, when the interpreter would look through all
    # The threads that numpy starts for its BLAS would keep a core busy while they wait for work.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")
    if sys.platform == "linux":  # read by the allocator of polars when that is imported: with large
        # pages a curation spends a fifth less of its time in the kernel
        os.environ.setdefault("_RJEM_MALLOC_CONF", "thp:always")
    try:
        app()
    except SystemExit as stop:  # --help, --version and wrong usage
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130
    except TemperError as error:
        report(error)
        return error.exit_code
    except Exception as error:
        if os.environ.get("TEMPER_TRACEBACK") == "1":
            raise
        report(_refused(error) or _unexpected(error))
        return 4
    return 0


def _open_closed_streams() -> None:
    """Give the process the standard streams that its parent closed.

    Without them the next file opened would be what libraries believe to be stderr.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


@contextmanager
def no_foreign_exit_codes() -> Iterator[None]:
    """Keep what typer would turn into exit code 1, which only a gate may give, from reaching it.

    Raises:
        WorkError: a file ended early.
        Stopped: Ctrl-C, of which typer would say nothing.
        SystemExit: 141 when the reader of stdout went away, as a shell has it.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(signal.SIGINT) from None
    except BrokenPipeError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(_BROKEN_PIPE) from None
    except EOFError as error:
        raise WorkError(
            "a file ended early", cause=str(error), cure="It may be cut short: fetch it again."
        ) from error


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
    with suppress(OSError, ValueError):  # the terminal may be gone; the exit code still tells
        print(plain(redact("\n".join(lines))), file=sys.stderr, flush=True)


def _refused(error: Exception) -> TemperError | None:
    """Return what the operating system refused, where no one below knew what was being done."""
    from workspace.files import disk_refusal

    where = str(getattr(error, "filename2", None) or getattr(error, "filename", None) or "")
    return disk_refusal(error, where, writing=False)


def _unexpected(error: Exception) -> TemperError:
    return TemperError(
        f"unexpected {type(error).__name__}",
        cause=str(error)[:2000] or "It says nothing more.",
        cure="Run again with TEMPER_TRACEBACK=1 and report what it prints.",
    )
