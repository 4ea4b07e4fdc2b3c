"""A blind duel: two answers without names, one key to vote, the names at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from tui.actions import bindings
from tui.chat.child import Child, Event
from tui.duel.play import Play, parts_of
from tui.duel.record import Choice
from tui.duel.saving import FORMS, Form, default_path
from tui.glyphs import Glyphs
from tui.screens.dialog import Ask, Choose
from tui.screens.scrolling_answers import ScrollsAnswers
from tui.temper import Outcome
from tui.widgets.answers import Answers
from tui.widgets.chat_bar import Said
from tui.widgets.duel_bar import DuelBar
from tui.widgets.hints import Hints
from tui.widgets.prompt import Prompt
from tui.widgets.rows import Part
from tui.widgets.texts import Texts
from workspace.errors import TemperError
from workspace.text import plain


class DuelScreen(ScrollsAnswers, Screen[Child | None]):
    """Prompts one after the other; returns the models' process to the chat."""

    CSS_PATH = "duel.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("duel")]

    @dataclass
    class ChildSaid(Message):
        """The models' process said something."""

        child: Child
        event: Event

    @dataclass
    class Judged(Message):
        """The votes are counted."""

        parts: list[Part]

    def __init__(
        self, glyphs: Glyphs, play: Play, child: Child | None, start: Callable[[], Child]
    ) -> None:
        """Go on with a duel; `start` makes the models' process where there is none."""
        super().__init__()
        self._play = play
        self._child = child
        self._start = start
        self._current = 0
        self._note = ""
        self._is_revealed = False
        self._bar = DuelBar(glyphs)
        self._asked = Texts(glyphs, id="asked")
        self._panes = (
            Answers(glyphs, 0, id="left", blind=True), Answers(glyphs, 1, id="right", blind=True)
        )  # fmt: skip
        self._result = Texts(glyphs, id="result")
        self._said = Said(glyphs)
        self._prompt = Prompt()
        self._hints = Hints(glyphs, "duel")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._bar
        yield self._asked
        with Container(id="panes"):
            yield from self._panes
        yield self._result
        yield self._said
        yield self._prompt
        yield self._hints

    def on_mount(self) -> None:
        """Ask for the first answers."""
        self.set_class(self._play.duel.source == "typed", "-typed")
        self._prompt.placeholder = "press i to type a prompt; enter puts it to both"
        if self._child is not None:
            self._child.deliver = self._deliver
        if self._play.prompts and self._play.current is None:
            self.action_reveal()
        self._go_on()

    def _deliver(self, child: Child, event: Event) -> None:
        self.post_message(self.ChildSaid(child, event))

    def on_unmount(self) -> None:
        """Let the models go, where nobody takes them over."""
        if self._child is not None:
            self._child.close()

    def _go_on(self) -> None:
        """Ask for what will be needed next, and draw."""
        request = None if self._is_revealed else self._play.next_request()
        if request is not None:
            if self._child is None:
                self._child = self._start()
                self._child.deliver = self._deliver
            self._child.send(**request)
        self._draw()

    def _draw(self) -> None:
        play, number, turn = self._play, self._play.current, self._play.shown
        votes = f"{len(play.votes)} of {len(play.prompts)} votes"
        if play.trouble and not self._is_revealed:
            self._said.say(f"{play.trouble} 0 passes over this prompt.")
        is_waiting = number is not None and turn is None and self._child is not None
        state = f"answering {self._note}" if is_waiting and not self._is_revealed else ""
        self._bar.show(f"blind duel  {votes}", plain(state, limit=40))
        self._asked.show(parts_of(play.prompts[number]) if number is not None else [])
        order = play.sides()
        for place, pane in enumerate(self._panes):
            is_current = place == self._current
            pane.set_class(not is_current, "-behind")
            name = "left" if place == 0 else "right"
            pane.show_one(name, turn.answers[order[place]] if turn else None, is_current=is_current)

    def on_duel_screen_child_said(self, message: ChildSaid) -> None:
        """Take in answers; those under way are not shown."""
        event, kind = message.event, message.event["kind"]
        if message.child is not self._child:
            return
        if kind == "note":
            self._note = str(event["text"])
        elif kind == "ended":
            self._play.lose()
            self._child, self._note = None, ""
            why = " ".join(str(event["said"]).splitlines()[-4:])
            self._said.say(f"The models' process ended. {why} Enter starts it again.")
            self._draw()
            return
        else:
            self._note = ""
            self._play.take(event)
        if kind in ("ready", "done", "error", "note"):
            self._go_on()

    def on_prompt_sent(self, message: Prompt.Sent) -> None:
        """Put a typed prompt behind the others."""
        if message.text.strip():
            self._prompt.clear()
            self._guarded(lambda: self._play.add(message.text))
        self.set_focus(None)
        self._go_on()

    def _guarded(self, write: Callable[[], object]) -> bool:
        """Write something; say why where it cannot be written."""
        try:
            done = write()
        except TemperError as error:
            self._said.say(f"{error.title}. {error.cause} {error.cure}")
            return False
        return done is not False

    def action_vote(self, choice: Choice) -> None:
        """Vote on the prompt that is shown, and go on to the next."""
        request = self._play.current_request
        if self._is_revealed or not self._guarded(lambda: self._play.vote(choice)):
            return
        self._said.say("")
        if choice == "skip" and request and self._child is not None:
            self._child.send(stop=request)
        for pane in self._panes:
            pane.scroll_far(-1)
        if self._play.current is None and self._play.duel.source != "typed":
            self.action_reveal()
        self._go_on()

    def action_undo(self) -> None:
        """Take the last vote back; not once the names are known."""
        if self._is_revealed:
            self._said.say("The names are known now: this vote would no longer be blind.")
        elif self._guarded(self._play.take_back):
            self._go_on()

    def action_write(self) -> None:
        """Type a prompt, or start the models again where they ended."""
        if self._child is None:
            self._said.say("")
            self._go_on()
        if self._play.duel.source == "typed":
            self._prompt.focus()

    def action_reveal(self) -> None:
        """Count the votes, in a thread, and show who was who."""
        self._is_revealed = True
        self.add_class("-revealed")
        self.run_worker(self._judge, thread=True, group="judge", exit_on_error=False)
        self._draw()

    def _judge(self) -> None:
        from tui.duel.tally import judge, sentences, tally

        duel = self._play.duel
        found = judge(tally(self._play.votes.values()))
        parts: list[Part] = []
        for text, role in sentences(duel.models, found):
            parts += [(text, f"{role}" if parts else f"{role or 'strong'}"), ("", "")]
        name = shlex.quote(duel.id)
        parts += [(f"The votes are in duels/{duel.id}/votes.jsonl; w saves them as data.", "muted")]
        parts += [(f"{self._bar.glyphs.prompt} temper duel show {name}", "accent")]
        self.post_message(self.Judged(parts))

    def on_duel_screen_judged(self, message: Judged) -> None:
        """Show the result."""
        self._result.show(message.parts)

    def action_save(self) -> None:
        """Save the votes, once they are counted."""
        if not self._is_revealed:
            self._said.say("First end the duel with e: votes are saved as a whole.")
            return
        forms: list[Form] = [*FORMS]

        def chosen(place: int | None) -> None:
            if place is not None:
                path = default_path(forms[place], self._play.duel.directory.parent.parent)
                self.app.push_screen(
                    Ask("To which file? Rows are put behind its own.", str(path)),
                    partial(self._export, forms[place]),
                )

        self.app.push_screen(Choose("Save the votes as", [*FORMS.values()]), chosen)

    def _export(self, form: Form, path: str | None) -> None:
        if path:
            from tui.app import TemperApp

            arguments = ["duel", "export", self._play.duel.id, "--as", form, "-o", path]
            cast(TemperApp, self.app).run_temper(arguments, self._exported)

    def _exported(self, outcome: Outcome) -> None:
        from tui.app import TemperApp

        app = cast(TemperApp, self.app)
        if outcome.code:
            app.tell(outcome)
        else:
            app.notify(plain(outcome.output.strip(), limit=300), markup=False)

    def action_back(self) -> None:
        """Leave the line, or the duel."""
        if self._prompt.has_focus:
            self.set_focus(None)
        else:
            self.hand_back()

    def hand_back(self) -> None:
        """Go back to the chat, with the models' process."""
        child, self._child = self._child, None
        self.dismiss(child)

    def action_pane(self) -> None:
        """Scroll the other answer from now on."""
        self._current = 1 - self._current
        self._draw()
