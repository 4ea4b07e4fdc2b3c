"""Showing a chat: two columns on a terminal, plain lines in a pipe. Models' words stay inert."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from workspace.context import console, note
from workspace.errors import TemperError
from workspace.text import plain

if TYPE_CHECKING:
    from rich.table import Table

    from train.chat.session import Session, Side

HELP = "/reset forgets the conversation, /exit ends, Ctrl-C cuts an answer short."


def converse(session: Session, stream: TextIO | None = None) -> None:
    """Read questions until the end, `/exit` or Ctrl-D, and show what both models answer."""
    stream = stream or sys.stdin
    live = stream.isatty() and sys.stdout.isatty()
    show: Callable[[Session, str], None] = _show_live if live else _show_plain
    for line in _questions(stream, live=live):
        question = line.strip()
        if not question:
            continue
        if question in ("/exit", "/quit"):
            return
        if question == "/reset":
            session.reset()
            note("a new conversation")
        elif question.startswith("/"):
            note(HELP)
        else:
            try:
                show(session, question)
            except TemperError as error:
                note(f"! {error.title}. {error.cause} {error.cure}".rstrip())


def _questions(stream: TextIO, *, live: bool) -> Iterable[str]:
    if not live:
        yield from stream
        return
    with suppress(ImportError):
        import readline  # noqa: F401  (input() then edits lines and remembers them)
    while True:
        try:
            yield input("› ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            note(HELP)


def _show_plain(session: Session, question: str) -> None:
    for _ in session.ask(question):
        pass
    print(f"you: {plain(question)}")
    for side in session.sides:
        print(f"{side.name}: {plain(side.said)}{_mark(side)}", flush=True)


def _show_live(session: Session, question: str) -> None:
    from rich.live import Live

    answer = session.ask(question)
    with Live(console=console(), refresh_per_second=12, vertical_overflow="visible") as live:
        try:
            for _ in answer:
                live.update(side_by_side(session))
        except KeyboardInterrupt:
            answer.close()  # type: ignore[attr-defined]
        live.update(side_by_side(session))


def side_by_side(session: Session) -> Table:
    """Return both answers as a table of two columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False)
    for side in session.sides:
        table.add_column(Text(plain(side.name, 60)), ratio=1, overflow="fold")
    table.add_row(*(Text(plain(side.said) + _mark(side)) for side in session.sides))
    return table


def _mark(side: Side) -> str:
    return "" if side.ended else " …"
