"""The pairs nearest to the threshold of near-duplicates: kept or dropped by a key each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.actions import bindings
from tui.browse.changing import write_command
from tui.browse.deciding import UNDECIDED, Decisions, read_decided
from tui.browse.editing import Edit, with_text
from tui.glyphs import Glyphs
from tui.screens.dialog import Choose
from tui.screens.edit_text import EditText, edit_trouble
from tui.screens.working import Check, Tell, WorkingScreen
from tui.temper import Outcome
from tui.widgets.hints import Hints
from tui.widgets.said import Said
from tui.widgets.text_lines import TextLines

if TYPE_CHECKING:
    from curate.judging import NearPair
    from curate.trying import Trial
    from tui.app import TemperApp

_FAR = 1 << 40


class _Before(NamedTuple):
    """What was before a judgement or an edit."""

    place: int
    pair: NearPair
    judged: bool | None
    decision: str
    edited: Edit | None = None
    """The text, where it was edited."""


class PairsScreen(WorkingScreen):
    """One pair at a time, word by word; each judgement fits the threshold anew."""

    CSS_PATH = "pairs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pairs")]

    def __init__(self, glyphs: Glyphs, root: Path, dataset: Path, name: str, step: str) -> None:
        super().__init__(glyphs, root)
        self._dataset, self._dataset_name, self._step = dataset, name, step
        self._trial: Trial | None = None
        self._pairs: list[NearPair] = []
        self._place = 0
        self._judged: dict[int, bool] = {}
        """Place of a pair → whether it is a copy."""
        self._undo: list[_Before] = []
        self._edited: dict[tuple[str, str], str] = {}
        """Row and text → what was written here."""
        self._title = Said(glyphs, id="title")
        self._which = Said(glyphs, id="which")
        self._text = TextLines(glyphs, id="text")
        self._hints = Hints(glyphs, "pairs")

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield self._title
        yield self._which
        yield self._text
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to compare the rows."""
        self._text.focus()
        self._show_title()
        self.action_refresh()

    def on_text_lines_resized(self) -> None:
        """Cut the texts for the new width."""
        self._show_pair()

    def action_refresh(self) -> None:
        """Compare the rows anew."""
        self.said.show("comparing the rows that reached this step …", "muted")

        def work(tell: Tell, check: Check) -> None:
            from curate.judging import near_pairs
            from curate.trying import open_trial
            from workspace.layout import Workspace

            trial = open_trial(self._dataset, self._step, Workspace(self.root))
            check()
            pairs = near_pairs(trial)
            written = read_decided(self.root, self._dataset)
            check()
            self.done(lambda: self._opened(trial, pairs, written))

        self.later("open", work)

    def _opened(self, trial: Trial, pairs: list[NearPair], written: dict[str, str]) -> None:
        self._decisions.found(written)
        self._trial, self._pairs = trial, pairs
        self._judged.clear()
        self._undo.clear()
        self._edited.clear()
        self._place = 0
        self.said.show("" if pairs else "No two rows are nearly alike.", "muted")
        self._show_pair()

    @property
    def _threshold(self) -> float:
        return float(self._trial.step.settings["threshold"]) if self._trial else 0.0

    @property
    def _fitted(self) -> float:
        from curate.judging import Judged, fitted

        judged = [
            Judged(self._pairs[place].similarity, is_copy)
            for place, is_copy in self._judged.items()
        ]
        return fitted(judged, self._threshold)

    def _show_title(self) -> None:
        told = f"{self._step} {self.glyphs.dot} pairs nearest to the threshold"
        fit = ""
        if self._trial is not None:
            fit = f"threshold {self._threshold:g}, fits best {self._fitted:g}"
            fit += f" ({len(self._judged)} judged)"
        self._title.show(told, "strong", fit)

    def _show_pair(self) -> None:
        self._show_title()
        if not self._pairs:
            self._text.show([])
            return
        pair = self._pairs[self._place]
        state = "one is dropped" if pair.is_dropped else "both are kept"
        judged = self._judged.get(self._place)
        said = "" if judged is None else "you: a copy" if judged else "you: both stay"
        dot = f" {self.glyphs.dot} "
        facts = [f"similarity {pair.similarity:.3f}", state, said]
        place = f"{self._place + 1:,}/{len(self._pairs):,}"
        self._which.show(dot.join(filter(None, facts)), "accent", place)
        width = max(1, self._text.content_size.width)

        def work(tell: Tell, check: Check) -> None:
            from tui.browse.differing import differences

            names = (f"{pair.partner}  stays", f"{pair.row}  goes, if one goes")
            lines = differences(pair.partner_text, pair.row_text, width, names)
            check()
            self.done(lambda: self._text.show(lines))

        self.later("pair", work)

    # Judging

    def action_keep(self) -> None:
        """Both stay."""
        self._judge(is_copy=False)

    def action_drop(self) -> None:
        """It is a copy: one goes."""
        self._judge(is_copy=True)

    @property
    def _decisions(self) -> Decisions:
        return cast("TemperApp", self.app).decisions_of(self._dataset)

    def _judge(self, *, is_copy: bool) -> None:
        if not self._pairs:
            return
        pair, place = self._pairs[self._place], self._place
        before = _Before(place, pair, self._judged.get(place), self._decisions.of(pair.row))
        self._undo.append(before)
        self._judged[place] = is_copy
        self._decide(pair.row, decision_for(is_copy=is_copy, is_dropped=pair.is_dropped))
        self._place = min(len(self._pairs) - 1, place + 1)
        self._show_pair()

    def action_undo(self) -> None:
        """Take the last judgement back."""
        if not self._undo:
            self.said.show("Nothing was judged here yet.", "muted")
            return
        before = self._undo.pop()
        self._place = before.place
        self._pairs[self._place] = before.pair
        if before.edited is not None:
            self._send(before.edited)
        else:
            self._judged.pop(self._place)
            if before.judged is not None:
                self._judged[self._place] = before.judged
            self._decide(before.pair.row, before.decision)
        self._show_pair()

    # Editing

    def action_edit(self) -> None:
        """Choose a text of one of the two rows, and write it anew."""
        if self._trial is None or not self._pairs:
            return
        pair, context = self._pairs[self._place], self._trial.context

        def work(tell: Tell, check: Check) -> None:
            from curate.edits import texts_in

            found = texts_in(context.base, context.type, [pair.row, pair.partner])
            check()
            texts = [
                Edit(row, name, self._edited.get((row, name), text))
                for row, texts in found.items()
                for name, text in texts.items()
            ]
            self.done(lambda: self._choose_text(pair, texts))

        self.later("edit", work)

    def _choose_text(self, pair: NearPair, texts: list[Edit]) -> None:
        def chosen(place: int | None) -> None:
            if place is not None:
                self._edit(pair, texts[place])

        which = {pair.row: "goes ", pair.partner: "stays"}
        shown = [f"{which[one.row]}  {one.name:<12}  {one.text[:200]}" for one in texts]
        answers = [y for y, one in enumerate(texts) if one.row == pair.row]
        question = "Write which text anew? Curating applies it before every step."
        self.app.push_screen(Choose(question, shown, max(answers, default=0)), chosen)

    def _edit(self, pair: NearPair, edit: Edit) -> None:
        trouble = edit_trouble(edit.text)
        if trouble:
            self.said.show(trouble, "warn")
            return

        def written(text: str | None) -> None:
            if text is None or text == edit.text or pair not in self._pairs:
                return
            place = self._pairs.index(pair)
            self._undo.append(_Before(place, pair, None, "", edit))
            self._pairs[place] = with_text(pair, edit, text)
            self._send(edit._replace(text=text))
            self._show_pair()

        self.app.push_screen(EditText(f"{edit.name} of {edit.row}", edit.text), written)

    def _send(self, edit: Edit) -> None:
        self._edited[edit.row, edit.name] = edit.text
        arguments = edit.command(self._decisions.dataset)
        cast("TemperApp", self.app).run_temper(arguments, self._ended)

    def _decide(self, row: str, decision: str) -> None:
        if self._decisions.of(row) != decision:
            self._decisions.decide(row, decision, self._ended)

    def _ended(self, outcome: Outcome) -> None:
        if self._is_left:
            return
        said = " ".join(line.strip() for line in outcome.said.splitlines()[:4])
        self.said.show(said if outcome.code else outcome.command, "bad" if outcome.code else "good")

    def action_write(self) -> None:
        """Write the threshold that fits best into the recipe."""
        if self._trial is None or self._fitted == self._threshold:
            self.said.show("The threshold of the recipe fits best.", "muted")
            return
        recipe = self.recipe_of(self._dataset_name)
        if recipe is not None:
            arguments = write_command(recipe, self._trial.step, "threshold", self._fitted)
            cast("TemperApp", self.app).run_temper(arguments, self._ended)

    def copy_text(self) -> str:
        """Return both texts of the pair."""
        if not self._pairs:
            return ""
        pair = self._pairs[self._place]
        return f"{pair.partner}\n{pair.partner_text}\n\n{pair.row}\n{pair.row_text}"

    # Moving

    def action_neighbour(self, by: int) -> None:
        """Go to the next pair, or the one before."""
        self._place = max(0, min(len(self._pairs) - 1, self._place + by))
        self._show_pair()

    def action_back(self) -> None:
        """Go back."""
        self.leave()

    def action_move(self, by: int) -> None:
        """Scroll by a line."""
        self._text.scroll_by_lines(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._text.scroll_by_pages(by)

    def action_first(self) -> None:
        """Go to the beginning of the texts."""
        self._text.scroll_by_lines(-_FAR)

    def action_last(self) -> None:
        """Go to the end of the texts."""
        self._text.scroll_by_lines(_FAR)


def decision_for(*, is_copy: bool, is_dropped: bool) -> str:
    """Return what is to be decided on a row: nothing where the step does it by itself.

    >>> decision_for(is_copy=True, is_dropped=False), decision_for(is_copy=True, is_dropped=True)
    ('drop', 'undecided')
    """
    if is_copy == is_dropped:
        return UNDECIDED
    return "drop" if is_copy else "keep"
