"""What a duel asks for: ahead of need, stopped where skipped, whole or not shown."""

from __future__ import annotations

import pytest

from tui import glyphs
from tui.chat.talk import SIDES, Settings
from tui.duel.play import Play
from tui.duel.record import make_duel
from tui.screens.duel import DuelScreen


@pytest.fixture
def duel(tmp_path):
    prompts = [({"role": "user", "content": f"prompt {n}"},) for n in range(9)]
    return make_duel(tmp_path, ("base", "mine"), Settings(), prompts, source="a list")


class Models:
    """Stands in for the models' process."""

    def __init__(self):
        self.stopped = []

    def send(self, *, stop):
        self.stopped.append(stop)


def answer(play, finish="stop"):
    """Answer what is asked, wholly or not."""
    for side in SIDES:
        play.take({"kind": "text", "id": play.request_id, "side": side, "text": "so"})
        play.take({"kind": "end", "id": play.request_id, "side": side, "finish": finish})
    play.take({"kind": "done", "id": play.request_id})


def test_only_the_prompt_that_is_skipped_is_stopped(duel, monkeypatch):
    play = Play.of(duel)
    screen = DuelScreen(glyphs.UNICODE, play, None, lambda: None)
    screen._child = models = Models()
    monkeypatch.setattr(screen, "_go_on", play.next_request)
    monkeypatch.setattr(screen._said, "say", str)
    for pane in screen._panes:
        monkeypatch.setattr(pane, "scroll_far", abs)
    play.next_request()
    answer(play)
    assert play.next_request()["sides"][0][-1]["content"] == "prompt 1"
    screen.action_vote("skip")  # the first was answered: the second goes on
    assert models.stopped == []
    screen.action_vote("skip")  # the second is under way
    assert models.stopped == [play.request_id]


def test_a_stopped_answer_is_not_shown_but_asked_again_by_another_name(duel):
    play = Play.of(duel)
    first = play.next_request()["id"]
    play.vote("skip")
    for side in SIDES:
        play.take({"kind": "end", "id": first, "side": side, "finish": "stopped"})
    play.take_back()
    assert play.shown is None
    play.take({"kind": "done", "id": first})
    assert play.shown is None
    again = play.next_request()
    assert again["sides"][0][-1]["content"] == "prompt 0" and again["id"] != first
    answer(play)
    assert play.shown.answers[0].raw == "so"
    assert Play.of(duel).next_request()["id"] not in (first, again["id"])
