"""Every picture: its name, how large the terminal is, and what leads there from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from screenshots.steps import Picks, Shows, Step, Types

_LOW, _WIDE, _TALL = (120, 20), (120, 30), (120, 36)
"""120 columns are read without effort at the width that a README has."""


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    steps: tuple[Step, ...]
    size: tuple[int, int] = _WIDE
    fits: Callable[[Path], bool] = lambda workspace: True
    """Whether a workspace has what it shows."""


def _has_probes(workspace: Path) -> bool:
    return any('"probe"' in log.read_text("utf-8") for log in workspace.glob("jobs/*/events.jsonl"))


def _run(name: str) -> tuple[Step, ...]:
    return ("ctrl+p", Types(f"go to run {name}"), "enter", Shows("next"))


def _evaluation(name: str) -> tuple[Step, ...]:
    return ("4", Shows("verdict"), Picks(f" {name} "), "enter", Shows("triage"))


_TRIAGE: tuple[Step, ...] = ("2", Shows("triage"), Picks("triage"))
_ROWS: tuple[Step, ...] = (*_TRIAGE, "enter", Shows("2,866 rows"))
_FUNNEL: tuple[Step, ...] = (*_TRIAGE, "d", Shows("near_duplicates"))
_TICKET = "My parcel with the printer has not arrived. It is urgent."
_CHAT: tuple[Step, ...] = (
    *("5", "i", Types("What is 17 plus 25?"), "enter", Shows("42")),
    *(Types("Triage this ticket as JSON."), "ctrl+j", "ctrl+j", Types(_TICKET), "enter"),
    Shows('"team"'),
)
_DUEL: tuple[Step, ...] = ("5", "b", Picks("suite"), "enter", Types("builtin:triage"), "enter")
_RUNS: tuple[Step, ...] = ("6", "c", "enter", Picks("naive"), "enter", Picks("tempered"), "enter")

SHOTS = (
    Shot("home", (), _TALL),
    Shot("data", _TRIAGE),
    Shot("data-rows", _ROWS),
    Shot("data-row", (*_ROWS, "enter", Shows("assistant")), _LOW),
    Shot("data-tokens", (*_ROWS, "enter", "tab", "tab", Shows("of them with loss")), _LOW),
    Shot("data-dropped", (*_FUNNEL, Picks("near_duplicate"), "enter", Shows("rows"), "enter")),
    Shot("data-funnel", _FUNNEL),
    Shot("data-try", (*_FUNNEL, Picks("near_duplicates"), "c", "plus", Shows("changed")), _LOW),
    Shot("data-pairs", (*_FUNNEL, Picks("near_duplicates"), "p", Shows("[+"))),
    Shot("data-balance", (*_TRIAGE, "v", Shows("times the rows of the smallest")), _LOW),
    Shot("train", ("3", Shows("tokens")), (132, 36)),
    Shot("train-proofs", ("3", "c", Shows("turns trained")), _TALL),
    Shot("run", _run("tempered"), (132, 28)),
    Shot("run-probes", (*_run("probed"), "p", Shows("best")), _TALL, _has_probes),
    Shot("run-rows", (*_run("tempered"), *["left"] * 3, "enter", Shows("┃")), _TALL),
    Shot("eval", _evaluation("naive"), _TALL),
    Shot("eval-list", ("4", Shows("verdict")), _LOW),
    Shot("eval-answers", (*_evaluation("naive"), "f", Shows("gold"))),
    Shot("chat", _CHAT, (132, 26)),
    Shot("duel", (*_DUEL, Shows("0 of 500 votes"), Shows("{")), (132, 20)),
    Shot("compare", (*_RUNS, Shows("verdicts differ")), _TALL),
    Shot("doctor", ("7", Shows("log-out"))),
    Shot("help", (*_ROWS, "question_mark")),
    Shot("palette", ("ctrl+p", Types("go"))),
)
