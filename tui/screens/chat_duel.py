"""How a duel begins: one that is on disk already, or prompts from a file, a suite, or the keys."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from textual.screen import Screen

from tui.chat.talk import Settings
from tui.duel.play import Play
from tui.duel.record import Duel, Turns, list_duels, make_duel
from tui.screens.dialog import Ask, Choose
from workspace.errors import TemperError

_MOST_LISTED = 8
_NEW = (
    "new: prompts from a file (.txt, .jsonl, .csv, .parquet)",
    "new: prompts of a suite",
    "new: prompts that I type",
)

_ASKED = (("Which file?", "questions.txt"), ("Which suite?", "builtin:general"))


class DuelOpening:
    """Asks what a duel is to be about, over a screen."""

    def __init__(
        self,
        screen: Screen[None],
        root: Path,
        opened: Callable[[Play], object],
        failed: Callable[[str], object],
    ) -> None:
        """`opened` gets the duel as it was read, `failed` a sentence; both in the app's thread."""
        self._screen, self._root = screen, root
        self._opened, self._failed = opened, failed

    def begin(self, models: tuple[str, str], settings: Settings) -> None:
        """Ask which duel of these two it is to be."""

        def look() -> None:
            known = [duel for duel in list_duels(self._root) if duel.models == models]
            told = [
                f"go on: {duel.source}, {len(duel.votes())} of {len(duel.prompts())} votes"
                for duel in known[:_MOST_LISTED]
            ]
            self._then(partial(self._ask, models, settings, known[:_MOST_LISTED], told))

        self._in_thread(look)

    def _ask(
        self,
        models: tuple[str, str],
        settings: Settings,
        known: Sequence[Duel],
        told: Sequence[str],
    ) -> None:
        def chosen(place: int | None) -> None:
            if place is None:
                return
            if place < len(known):
                self._in_thread(partial(self._read, known[place]))
                return
            self._ask_source(place - len(known), models, settings)

        self._screen.app.push_screen(Choose("A blind duel", [*told, *_NEW]), chosen)

    def _ask_source(self, kind: int, models: tuple[str, str], settings: Settings) -> None:
        if kind == 2:
            self._make(models, settings, "typed", tuple)
            return
        question, hint = _ASKED[kind]
        from_ = self._from_file if kind == 0 else self._from_suite

        def named(name: str | None) -> None:
            if name and name.strip():
                self._make(models, settings, name.strip(), partial(from_, name.strip()))

        self._screen.app.push_screen(Ask(question, hint=hint), named)

    def _from_file(self, name: str) -> Sequence[Turns]:
        from tui.duel.prompts import from_file

        return from_file(self._root / Path(name).expanduser())

    def _from_suite(self, name: str) -> Sequence[Turns]:
        from tui.duel.prompts import from_suite

        return from_suite(name, self._root, seed=random.SystemRandom().randrange(2**31))

    def _make(
        self,
        models: tuple[str, str],
        settings: Settings,
        source: str,
        prompts: Callable[[], Sequence[Turns]],
    ) -> None:
        def make() -> None:
            try:
                duel = make_duel(self._root, models, settings, prompts(), source=source)
            except TemperError as error:
                parts = (error.title, error.where, error.cause, error.cure)
                told = " ".join(f"{part.rstrip('.')}." for part in parts if part)
                self._then(partial(self._failed, told))
            except (OSError, ValueError) as error:
                self._then(partial(self._failed, f"{source} cannot be read: {error}."))
            else:
                self._read(duel)

        self._in_thread(make)

    def _read(self, duel: Duel) -> None:
        """Read its prompts and votes, in a thread: there may be very many."""
        self._then(partial(self._opened, Play.of(duel)))

    def _in_thread(self, work: Callable[[], None]) -> None:
        self._screen.run_worker(work, thread=True, group="duel", exit_on_error=False)

    def _then(self, act: Callable[[], object]) -> None:
        self._screen.app.call_from_thread(act)
