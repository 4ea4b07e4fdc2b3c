"""Saving one turn of a chat as a row, a pair or an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from textual.screen import Screen

from tui.chat.talk import Turn
from tui.duel.saving import Form, default_path, row_of, save
from tui.screens.dialog import Ask, Choose
from workspace.errors import TemperError
from workspace.text import plain

_CHOICES: tuple[tuple[Form, int, str], ...] = (
    ("pairs", 0, "preference pair: {} is better"),
    ("pairs", 1, "preference pair: {} is better"),
    ("rows", 0, "training row: the answer of {}"),
    ("rows", 1, "training row: the answer of {}"),
    ("items", 0, "eval item: the answer of {} is right"),
    ("items", 1, "eval item: the answer of {} is right"),
)


class TurnSaving:
    """Asks how a turn is to be saved, and saves it in a thread."""

    def __init__(self, screen: Screen[None], root: Path, failed: Callable[[str], object]) -> None:
        """`failed` gets a sentence, in the app's own thread."""
        self._screen, self._root, self._failed = screen, root, failed

    def begin(
        self, names: tuple[str, str], turn: Turn, asked: Sequence[Sequence[dict[str, str]]]
    ) -> None:
        """Ask how.

        Args:
            names: of the models.
            turn: that is saved.
            asked: for each side the conversation up to the question.
        """

        def chosen(place: int | None) -> None:
            if place is not None:
                form, side, _ = _CHOICES[place]
                path = str(default_path(form, self._root))
                question = "To which file? Rows are put behind its own."
                self._screen.app.push_screen(
                    Ask(question, path), partial(self._save, form, side, turn, asked[side])
                )

        told = [text.format(names[side]) for _, side, text in _CHOICES]
        self._screen.app.push_screen(Choose("Save the last turn as a", told), chosen)

    def _save(
        self,
        form: Form,
        side: int,
        turn: Turn,
        asked: Sequence[dict[str, str]],
        path: str | None,
    ) -> None:
        if not path:
            return
        place = self._root / Path(path.strip()).expanduser()
        app = self._screen.app

        def write() -> None:
            try:
                row = row_of(form, asked, turn.answers[side].raw, turn.answers[1 - side].raw)
                save(form, [row], place)
            except TemperError as error:
                told = f"{error.title}. {error.cause} {error.cure}"
                app.call_from_thread(self._failed, told)
            except OSError as error:
                app.call_from_thread(self._failed, f"{place} cannot be written: {error}.")
            else:
                said = plain(f"saved: {place}", limit=300)
                app.call_from_thread(partial(app.notify, said, markup=False))

        self._screen.run_worker(write, thread=True, group="save", exit_on_error=False)
