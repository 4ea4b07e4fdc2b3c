"""Answers that changed: base and tuned side by side, with the nearest training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message

from tui.actions import bindings
from tui.evaluations.answers import (
    KIND_WORDS,
    KINDS,
    ORDERS,
    Answers,
    UnreadableAnswers,
    Wanted,
)
from tui.evaluations.neighbours import as_paragraphs
from tui.evaluations.opened import Compared
from tui.evaluations.pairing import Pair, paired, whole
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.screens.dialog import Ask, Choose
from tui.screens.moving import MovingScreen
from tui.temper import Outcome
from tui.widgets.answer_list import AnswerList
from tui.widgets.answer_pair import AnswerPair
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking

Result = TypeVar("Result")
_WORST = {"fail": 0, "inconclusive": 1}
"""Whose answers come first."""
_MOST_SAVED = 500
"""Items that one command saves: more would not fit into a command line."""


class AnswersScreen(MovingScreen):
    """The stored answers of one model beside those of the base."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["answers.tcss", "differing.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("answers")]

    @dataclass
    class Ready(Message):
        """The answers were read, or could not be."""

        answers: Answers | None
        note: str = ""

    @dataclass
    class Found(Message):
        """The pairs that were wanted."""

        wanted: Wanted
        places: Sequence[int]

    @dataclass
    class PromptsRead(Message):
        """Prompts of lines on the screen."""

        prompts: Mapping[int, str]

    @dataclass
    class PairRead(Message):
        """The picked pair, whole."""

        place: int
        pair: Pair | None
        note: str = ""

    def __init__(
        self, glyphs: Glyphs, root: Path, path: Path, compared: Compared, ability: str
    ) -> None:
        super().__init__()
        self._glyphs, self._root, self._path, self._compared = glyphs, root, path, compared
        self._answers: Answers | None = None
        self._wanted = Wanted(ability=ability)
        self._nearest: dict[str, Sequence[Paragraph]] = {}
        self._title = EvaluationTitle(glyphs)
        self._list = AnswerList(glyphs, id="list")
        self._pair = AnswerPair(glyphs, id="pair")
        self._hints = Hints(glyphs, "answers")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides how much the list takes."""
        yield self._title
        with Container(id="body"):
            yield self._list
            yield self._pair
        yield self._hints

    @property
    def moved(self) -> Picking:
        """The list."""
        return self._list

    def on_mount(self) -> None:
        """Read keys and scores in a worker."""
        compared = self._compared
        name = f"answers of {compared.tuned} against {compared.base}"
        self._title.show(name, "", self._path.name)
        self._work("answers", self._read)

    def _work(self, group: str, work: Callable[[], object]) -> None:
        self.run_worker(work, thread=True, exclusive=True, group=group, exit_on_error=False)

    def _read(self) -> None:
        compared = self._compared
        scored = [one for one in compared.abilities if one.bounded]
        scored.sort(key=lambda one: _WORST.get(one.verdict, len(_WORST)))
        names = [one.name for one in scored]
        file = self._path / "samples.parquet"
        try:
            answers = Answers(file, compared.base, compared.tuned, names)
        except UnreadableAnswers as error:
            self.post_message(self.Ready(None, str(error)))
        else:
            self.post_message(self.Ready(answers))

    def on_answers_screen_ready(self, message: Ready) -> None:
        """Look for what is wanted."""
        self._answers = message.answers
        if self._answers is None:
            self._list.tell("no answers")
            self._pair.show(None, "", "", message.note)
            return
        lost, gained = self._answers.counts()
        compared = self._compared
        name = f"{compared.tuned} against {compared.base}: {lost:,} lost, {gained:,} gained"
        self._title.show(name, "", self._path.name)
        self._find(self._wanted)

    def _find(self, wanted: Wanted) -> None:
        answers = self._answers
        if answers is None:
            return
        self._wanted = wanted
        self._list.tell("searching" if wanted.text else "reading")

        def work() -> None:
            try:
                places = answers.find(wanted, lambda: wanted is not self._wanted)
            except Exception as error:  # the file was taken away while it was read
                self.post_message(self.Ready(None, _gone(error)))
            else:
                self.post_message(self.Found(wanted, places.tolist()))

        self._work("find", work)

    def on_answers_screen_found(self, message: Found) -> None:
        """Show the list."""
        if message.wanted is self._wanted and self._answers is not None:
            self._list.show(self._answers, message.places, message.wanted)

    def on_picking_moved(self, message: Picking.Moved) -> None:
        """Read what is on the screen now and was not read yet."""
        self._read_texts()

    def on_resize(self) -> None:
        """Read what came into sight."""
        self.call_after_refresh(self._read_texts)

    def _read_texts(self) -> None:
        answers, place = self._answers, self._list.picked
        if answers is None:
            return
        if place is None:
            self._pair.show(None, "", "", "No such item. d, a, c and / show others.")
            return

        unread = self._list.unread()

        def work() -> None:
            try:
                self.post_message(self.PairRead(place, paired(answers.answer(place))))
                if unread:
                    self.post_message(self.PromptsRead(answers.prompts(unread)))
            except Exception as error:  # the file was taken away while it was read
                self.post_message(self.PairRead(place, None, _gone(error)))

        self._work("texts", work)

    def on_answers_screen_prompts_read(self, message: PromptsRead) -> None:
        """Show prompts in the list."""
        self._list.fill(message.prompts)

    def on_answers_screen_pair_read(self, message: PairRead) -> None:
        """Show the picked pair, if it is picked still."""
        if message.place != self._list.picked:
            return
        self._pair.show(message.pair, self._compared.base, self._compared.tuned, message.note)
        if message.pair is not None:
            self._pair.show_nearest(self._nearest.get(message.pair.answer.key, ()))

    def on_picking_chosen(self) -> None:
        """Show the whole of the item that was clicked twice."""
        self.action_whole()

    def action_open(self) -> None:
        """Show the whole item."""
        self.action_whole()

    def action_whole(self) -> None:
        """Show the whole of the picked item."""
        from tui.screens.whole import WholeScreen

        pair = self._pair.shown
        if pair is not None:
            parts = whole(pair, self._compared.base, self._compared.tuned)
            self.app.push_screen(WholeScreen(self._glyphs, pair.answer.key, parts=parts))

    def copy_text(self) -> str:
        """Return the picked item."""
        pair = self._pair.shown
        if pair is None:
            return ""
        parts = whole(pair, self._compared.base, self._compared.tuned)
        return "".join(text for text, _ in parts)

    def action_kind(self) -> None:
        """Show lost, gained, both, still wrong, or all items."""
        kind = KINDS[(KINDS.index(self._wanted.kind) + 1) % len(KINDS)]
        self._find(replace(self._wanted, kind=kind))
        self.tell(KIND_WORDS[kind])

    def action_sort(self) -> None:
        """Go to the next order."""
        self._find(replace(self._wanted, order=(self._wanted.order + 1) % len(ORDERS)))

    def action_filter(self) -> None:
        """Ask for a text in the prompt, the gold or an answer."""

        def answered(text: str | None) -> None:
            if text is not None:
                self._find(replace(self._wanted, text=text.strip()))

        question = "Items with this in the prompt, the gold or an answer (empty: all)"
        self.app.push_screen(Ask(question, self._wanted.text), answered)

    def action_ability(self) -> None:
        """Choose one ability."""
        names = [one.name for one in self._compared.abilities]
        shown = [
            f"{one.name}  {one.negative_flips:,} lost, {one.positive_flips:,} gained"
            for one in self._compared.abilities
        ]

        def answered(place: int | None) -> None:
            if place is not None:
                ability = "" if place == 0 else names[place - 1]
                kept = replace(self._wanted, ability=ability, group="", items=frozenset())
                self._find(kept)

        now = self._wanted.ability
        selected = names.index(now) + 1 if now in names else 0
        self.app.push_screen(Choose("Answers of", ["all abilities", *shown], selected), answered)

    def action_cluster(self) -> None:
        """Choose a group of what failed, or the cluster of the picked item."""
        plain = replace(self._wanted, cluster="", group="", items=frozenset())
        choices: list[tuple[str, Wanted]] = [("all items", plain)]
        place = self._list.picked
        cluster = self._answers.cluster_of(place) if self._answers and place is not None else ""
        if cluster:
            choices.append((f"cluster of this item: {cluster}", replace(plain, cluster=cluster)))
        for ability, groups in self._compared.groups.items():
            for name, items in groups if self._wanted.ability in ("", ability) else ():
                wanted = replace(plain, ability=ability, group=name, items=items)
                choices.append((f"{ability}: {name} ({len(items):,} items)", wanted))
        if len(choices) == 1:
            self.tell("Nothing here failed in groups, and this item is alone in its cluster.")
            return

        def answered(chosen: int | None) -> None:
            if chosen is not None:
                self._find(choices[chosen][1])

        self.app.push_screen(Choose("Which items?", [text for text, _ in choices]), answered)

    def action_nearest(self) -> None:
        """Seek the training rows nearest to the picked item."""
        pair = self._pair.shown
        if pair is None:
            return
        key = pair.answer.key
        command = ["neighbours", self._path.name, key, "--model", self._compared.tuned]
        told = Paragraph("seeking the nearest training rows", "muted", self._glyphs.dot)
        self._pair.show_nearest((told,))
        self.temper.run_temper([*command, "--json"], partial(self._show_nearest, key))

    def _show_nearest(self, key: str, outcome: Outcome) -> None:
        self._nearest[key] = as_paragraphs(outcome, self._glyphs)
        pair = self._pair.shown
        if pair is not None and pair.answer.key == key:
            self._pair.show_nearest(self._nearest[key])

    def action_save(self) -> None:
        """Save the picked item, or all that are listed, to a file."""
        pair, answers = self._pair.shown, self._answers
        if pair is None or answers is None:
            return
        listed = self._list.length()
        kinds = (("eval item", "item", "items.jsonl"), ("training row", "row", "rows.jsonl"))
        choices = [(f"this item as an {kinds[0][0]}", [pair.answer.key], kinds[0])]
        choices.append((f"this item as a {kinds[1][0]}", [pair.answer.key], kinds[1]))
        if 1 < listed <= _MOST_SAVED:
            keys = answers.keys_of(self._list.places)
            choices += [(f"all {listed:,} listed as {one[0]}s", keys, one) for one in kinds]

        def chosen(place: int | None) -> None:
            if place is not None:
                _, keys, (_, kind, file) = choices[place]
                self._ask_file(keys, kind, file)

        self.app.push_screen(Choose("Save", [text for text, _, _ in choices]), chosen)

    def _ask_file(self, keys: Sequence[str], kind: str, file: str) -> None:
        def answered(name: str | None) -> None:
            if name and name.strip():
                command = ["keep", self._path.name, *keys, "--as", kind, "--to", name.strip()]
                self.temper.run_temper(command, self._told_saved)

        self.app.push_screen(Ask("To which file? (appended, below the workspace)", file), answered)

    def _told_saved(self, outcome: Outcome) -> None:
        if outcome.code:
            self.temper.tell(outcome)
        else:
            self.tell(outcome.output.strip() or outcome.said)


def _gone(error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    return f"The stored answers can no longer be read: {reason}"
