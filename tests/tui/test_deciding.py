"""Decisions about rows on their way to the file."""

from __future__ import annotations

from collections.abc import Sequence

from tui.browse.deciding import Decisions, Then
from tui.temper import Outcome


class Commands:
    """Ends the commands that were asked for when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], Then]] = []
        self.told: list[int] = []
        self.decisions = Decisions("tickets", lambda given, then: self._ask(given, then))

    def _ask(self, given: Sequence[str], then: Then) -> None:
        self.asked.append((list(given[1:-2]), then))

    def decide(self, rows: str, verdict: str) -> None:
        for row in rows:
            self.decisions.decide(row, verdict, lambda outcome: self.told.append(outcome.code))

    def end(self, code: int = 0) -> list[str]:
        """End the command that runs; return it."""
        ((given, then),) = self.asked
        self.asked.clear()
        then(Outcome(tuple(given), code, "", ""))
        return given


def test_all_rows_that_wait_for_one_verdict_go_together():
    commands = Commands()
    commands.decide("abc", "drop")
    commands.decide("d", "keep")
    commands.decide("e", "drop")
    assert commands.decisions.waiting == 4
    assert commands.end() == ["drop", "a"]
    assert commands.end() == ["drop", "b", "c", "e"]
    assert commands.end() == ["restore", "d"]
    assert commands.decisions.is_idle and commands.told == [0, 0, 0]
    assert commands.decisions.in_force == {**dict.fromkeys("abce", "drop"), "d": "keep"}


def test_what_is_taken_back_before_it_is_sent_is_never_sent():
    commands = Commands()
    commands.decide("ab", "drop")
    commands.decide("b", "undecided")
    assert commands.decisions.of("b") == "undecided"
    commands.decide("a", "undecided")
    assert commands.end() == ["drop", "a"]
    assert commands.end() == ["undecide", "a"]
    assert commands.decisions.is_idle and commands.decisions.in_force == {}


def test_one_row_that_is_refused_does_not_take_the_others_with_it():
    commands = Commands()
    commands.decide("abc", "drop")
    commands.end()
    assert commands.end(2) == ["drop", "b", "c"]
    assert commands.end(2) == ["drop", "b"]
    assert commands.end() == ["drop", "c"]
    assert commands.told == [0, 2, 0]
    assert commands.decisions.in_force == {"a": "drop", "c": "drop"}


def test_a_look_at_the_file_does_not_take_away_what_is_on_its_way():
    commands = Commands()
    commands.decide("a", "drop")
    commands.decisions.found({})
    assert commands.decisions.in_force == {"a": "drop"}
    commands.end()
    commands.decisions.found({"z": "keep"})
    assert commands.decisions.in_force == {"z": "keep"}
