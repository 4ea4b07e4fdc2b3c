"""Two models side by side: the same question to both, their answers as they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.timer import Timer

from tui.actions import bindings
from tui.chat.child import Child, Event
from tui.chat.talk import Marks, Settings, Talk, Turn, marks_of
from tui.duel.play import Play
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.chat_choosing import choose_models, choose_setting
from tui.screens.chat_duel import DuelOpening
from tui.screens.chat_saving import TurnSaving
from tui.screens.dialog import Confirm
from tui.screens.duel import DuelScreen
from tui.screens.live import LiveScreen
from tui.screens.scrolling_answers import ScrollsAnswers
from tui.snapshot import Snapshot
from tui.widgets.answers import Answers
from tui.widgets.chat_bar import ChatBar, Said
from tui.widgets.hints import Hints
from tui.widgets.prompt import Prompt

REDRAW_SECONDS = 0.25
_IDLE = "The models were unloaded, as nobody asked for a while: the next question loads them again."


class ChatScreen(ScrollsAnswers, LiveScreen):
    """The conversation with two models, which live in a process of their own."""

    CSS_PATH = "chat.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chat")]

    @dataclass
    class ChildSaid(Message):
        """The models' process said something."""

        child: Child
        event: Event

    @dataclass
    class Marked(Message):
        """The differing words of a turn are known."""

        turn: Turn
        marks: tuple[Marks, Marks]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._root = root
        self._snapshot = Snapshot(root)
        self._names: tuple[str, str] | None = None
        self._talk = Talk()
        self._child: Child | None = None
        self._state = "cold"
        self._note = ""
        self._request = 0
        self._current = 0
        self._marked = True
        self._pending: Timer | None = None
        self._bar = ChatBar(glyphs)
        self._panes = (Answers(glyphs, 0, id="left"), Answers(glyphs, 1, id="right"))
        self._said = Said(glyphs)
        self._prompt = Prompt()
        self._hints = Hints(glyphs, "chat")
        self._glyphs = glyphs
        self._duels = DuelOpening(self, root, self._open_duel, self._said.say)
        self._saving = TurnSaving(self, root, self._said.say)

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._bar
        with Container(id="panes"):
            yield from self._panes
        yield self._said
        yield self._prompt
        yield self._hints

    def on_mount(self) -> None:
        """Begin with nothing said."""
        self._prompt.placeholder = "press i to write; enter sends, ctrl+j begins a new line"
        self._redraw()

    def on_unmount(self) -> None:
        """Let the models go."""
        if self._child is not None:
            self._child.close()

    def show(self, update: Update) -> None:
        """Take the newest finished run and its base, until others are chosen."""
        self._snapshot = update.snapshot
        if self._names is None:
            run = next((row for row in update.snapshot.runs if row.state == "finished"), None)
            if run is not None:
                self._names = ("base", run.label)
                self._redraw()

    @property
    def names(self) -> tuple[str, str] | None:
        """The left and the right model, as `temper chat` takes them."""
        return self._names

    @property
    def settings(self) -> Settings:
        """How they are asked."""
        return self._talk.settings

    def open_pair(self, left: str, right: str) -> None:
        """Talk to these two from now on, in a new conversation."""
        if (left, right) != self._names:
            self._unload()
            self._names = (left, right)
            self._talk = Talk(self._talk.settings)
            self._said.say("")
        self._redraw()

    def ask_for_pair(self, left: str, right: str) -> None:
        """Talk to these two, having asked where a conversation with others would be lost."""
        if (left, right) != self._names:
            self._losing("Talk to other models?", partial(self.open_pair, left, right))

    def _unload(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child, self._state = None, "cold"

    @property
    def is_answering(self) -> bool:
        """Whether a question is not answered yet."""
        return bool(self._talk.turns) and not self._talk.turns[-1].is_done

    def on_prompt_sent(self, message: Prompt.Sent) -> None:
        """Put the question to both."""
        if not message.text.strip():
            self.set_focus(None)
        elif self._names is None:
            self._said.say("There is no finished run to talk to: choose two models with m.")
        elif self.is_answering:
            self._said.say("They still answer the last question: Escape stops them.")
        else:
            self._prompt.clear()
            self._said.say("")
            self._put(message.text)

    def _put(self, question: str) -> None:
        assert self._names is not None
        if self._child is None:
            self._state, self._note = "loading", ""
            self._child = self._start()
        self._talk.turns.append(Turn(question))
        self._request += 1
        self._child.send(**self._talk.request(self._request))
        if self._state == "ready":
            self._state = "answering"
        for pane in self._panes:
            pane.scroll_far(1)
        self._redraw()

    def _start(self) -> Child:
        assert self._names is not None
        return Child(*self._names, self._root, self._deliver)

    def _deliver(self, child: Child, event: Event) -> None:
        self.post_message(self.ChildSaid(child, event))

    def on_chat_screen_child_said(self, message: ChildSaid) -> None:
        """Take in what the models' process said, if it still is theirs."""
        event, kind = message.event, message.event["kind"]
        if message.child is not self._child:
            return
        if kind == "ended":
            self._on_ended(event)
        elif kind == "note":
            self._note = str(event["text"]) if self._state == "loading" else ""
        elif kind == "ready":
            self._state = "answering" if self.is_answering else "ready"
        elif event.get("id") == self._request:
            self._on_answer(event, kind)
        self._redraw_soon()

    def _on_answer(self, event: Event, kind: str) -> None:
        self._talk.take(event)
        if kind == "error":
            self._talk.lose()
            parts = (event.get("title"), event.get("cause"), event.get("cure"))
            self._said.say(". ".join(str(part).rstrip(".") for part in parts if part) + ".")
        if kind in ("done", "error"):
            self._state = "ready"
            turn = self._talk.turns[-1]
            work = partial(self._mark, turn)
            self.run_worker(work, thread=True, group="marks", exit_on_error=False)

    def _on_ended(self, event: Event) -> None:
        was_idle = event["code"] == 0 and not self.is_answering
        self._talk.lose()
        self._child, self._state = None, "cold"
        why = " ".join(str(event["said"]).splitlines()[-4:])
        ended = f"The models' process ended ({_code(event['code'])}). {why} "
        self._said.say(_IDLE if was_idle else f"{ended} The next question starts it again.")

    def _mark(self, turn: Turn) -> None:
        left, right = (answer.shown.text for answer in turn.answers)
        self.post_message(self.Marked(turn, marks_of(left, right)))

    def on_chat_screen_marked(self, message: Marked) -> None:
        """Underline the words that differ."""
        for answer, marks in zip(message.turn.answers, message.marks, strict=True):
            answer.marks = marks
        self._redraw()

    def _redraw_soon(self) -> None:
        """Draw four times a second at most, however fast text comes."""
        if self._pending is None:
            self._pending = self.set_timer(REDRAW_SECONDS, self._redraw)

    def _redraw(self) -> None:
        if self._pending is not None:
            self._pending.stop()
            self._pending = None
        self._bar.show(self._names, self._state, self._note, self._talk.settings)
        for side, pane in enumerate(self._panes):
            name = self._names[side] if self._names is not None else ""
            is_current = side == self._current
            pane.set_class(not is_current, "-behind")
            pane.show(name, self._talk.turns, marked=self._marked, is_current=is_current)

    def action_write(self) -> None:
        """Go to the line in which questions are written."""
        self._prompt.focus()

    def action_stop(self) -> None:
        """Stop both answers; leave the line."""
        if self.is_answering and self._child is not None:
            self._child.send(stop=self._request)
        else:
            self.set_focus(None)

    def action_pane(self) -> None:
        """Scroll the other model's answers from now on."""
        self._current = 1 - self._current
        self._redraw()

    def action_marks(self) -> None:
        """Show what differs, or not."""
        self._marked = not self._marked
        self._redraw()

    def action_undo(self) -> None:
        """Take the last question back, into the line."""
        if self._talk.turns and not self.is_answering:
            turn = self._talk.turns.pop()
            self._prompt.text = turn.question
            self._redraw()

    def action_anew(self) -> None:
        """Begin a new conversation, having asked."""
        self._losing("Begin a new conversation?", self._begin_anew)

    def _begin_anew(self) -> None:
        self._stop_quietly()
        self._talk = Talk(self._talk.settings)
        self._redraw()

    def _stop_quietly(self) -> None:
        if self.is_answering and self._child is not None:
            self._child.send(stop=self._request)
        self._state = "ready" if self._state == "answering" else self._state
        self._request += 1

    def _losing(self, question: str, then: Callable[[], object]) -> None:
        """Do it at once where nothing was said yet, else ask."""
        if not self._talk.turns:
            then()
            return
        lost = f"{len(self._talk.turns)} turns are on no disk: w saves the last one."

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        self.app.push_screen(Confirm(question, lost), answered)

    def action_models(self) -> None:
        """Choose both models, the left one first."""
        names = ["base", *(row.label for row in self._snapshot.runs if row.state != "broken")]
        choose_models(self, names, self.ask_for_pair)

    def action_settings(self) -> None:
        """Choose a setting and give its value."""
        choose_setting(self, self.settings, self._set, self._said.say)

    def _set(self, settings: Settings) -> None:
        self._talk.settings = settings
        self._redraw()

    def action_save(self) -> None:
        """Save the last turn as data."""
        if self._names is None or not self._talk.turns or self.is_answering:
            self._said.say("There is no answered question to save yet.")
            return
        asked = [self._talk.messages(0), self._talk.messages(1)]
        self._saving.begin(self._names, self._talk.turns[-1], asked)

    def action_duel(self) -> None:
        """Hold both against each other without their names."""
        if self._names is None:
            self._said.say("There is nothing to hold against each other: choose two with m.")
        elif self.is_answering:
            self._said.say("They still answer the last question: Escape stops them.")
        else:
            self._duels.begin(self._names, self._talk.settings)

    def _open_duel(self, play: Play) -> None:
        """Lend the models to the duel, unless the chat went on while it was read."""
        if self.is_answering or play.duel.models != self._names:
            self._said.say("The chat went on meanwhile: b begins the duel.")
            return
        child, self._child = self._child, None
        self._said.say("")
        ended = partial(self._take_back, self._names)
        self.app.push_screen(DuelScreen(self._glyphs, play, child, self._start), ended)

    def _take_back(self, names: tuple[str, str] | None, child: Child | None) -> None:
        """Take the models back from the duel; let them go where others were chosen meanwhile."""
        if names != self._names:
            if child is not None:
                child.close()
            return
        self._child = child
        self._state = "cold" if child is None else "ready" if child.is_ready else "loading"
        if child is not None:
            child.deliver = self._deliver
        self._redraw()


def _code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
