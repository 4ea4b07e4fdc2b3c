"""What to evaluate, chosen line by line, and the command that does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tui.records import UnreadableRecord, read_record, words
from tui.snapshot import RunRow

Kind = Literal["run", "suite", "against", "option", "start"]
PROMPTS, TOP_UP = "--prompts", "--top-up"
TITLES: dict[Kind, str] = {
    "run": "Runs (none: the latest)",
    "suite": "Suites (none: those of the recipe)",
    "against": "Hold against, besides the base",
    "option": "Also",
    "start": "Start",
}


@dataclass(frozen=True)
class Choice:
    """A line that can be chosen."""

    kind: Kind
    value: str
    """What goes into the command."""
    about: str = ""
    is_usable: bool = True


@dataclass(frozen=True)
class Measurement:
    """What is chosen."""

    runs: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    against: str = ""
    options: tuple[str, ...] = ()

    def toggled(self, choice: Choice) -> Measurement:
        """Return this with a line chosen, or no longer; one baseline at most is."""
        if choice.kind == "against":
            return replace(self, against="" if self.against == choice.value else choice.value)
        if choice.kind == "run":
            return replace(self, runs=_without_or_with(self.runs, choice.value))
        if choice.kind == "suite":
            return replace(self, suites=_without_or_with(self.suites, choice.value))
        return replace(self, options=_without_or_with(self.options, choice.value))

    def has(self, choice: Choice) -> bool:
        """Whether a line is chosen."""
        chosen = {
            "run": self.runs, "suite": self.suites, "option": self.options,
            "against": (self.against,),
        }  # fmt: skip
        return choice.value in chosen.get(choice.kind, ())

    @property
    def arguments(self) -> list[str]:
        """What `temper` is called with; it runs on without this terminal."""
        suites = [part for suite in self.suites for part in ("--suite", suite)]
        against = ["--against", self.against] if self.against else []
        return ["eval", *self.runs, *suites, *against, *self.options, "--detach"]


def _without_or_with(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    if value in values:
        return tuple(one for one in values if one != value)
    return (*values, value)


def choices(root: Path, runs: Sequence[RunRow]) -> list[Choice]:
    """Return all lines, read from the workspace in a worker."""
    found = [_of_run(row) for row in runs]
    found += [Choice("suite", path.stem) for path in sorted((root / "suites").glob("*.yaml"))]
    found += [Choice("suite", f"builtin:{name}") for name in _builtin()]
    found += [_of_baseline(path) for path in sorted((root / "baselines").glob("[!.]*.json"))]
    found.append(Choice("option", TOP_UP, "ask more items only of what is undecided"))
    found.append(Choice("option", PROMPTS, "try prompts in place of tuning"))
    return [*found, Choice("start", "")]


def _of_run(row: RunRow) -> Choice:
    verdict = f"evaluated: {row.verdict.verdict}" if row.verdict is not None else "not evaluated"
    is_usable = row.state == "finished"
    about = verdict if is_usable else f"{row.state}: it has no finished model"
    return Choice("run", row.label, about, is_usable)


def _of_baseline(path: Path) -> Choice:
    try:
        blessed = read_record(path, kind="baseline").get("blessed")
    except UnreadableRecord as error:
        return Choice("against", path.stem, str(error), is_usable=False)
    blessed = blessed if isinstance(blessed, dict) else {}
    what = f"{words(blessed.get('model'))} of {words(blessed.get('evaluation'))}"
    return Choice("against", path.stem, f"{what} {words(blessed.get('why'))}".strip())


def _builtin() -> list[str]:
    from evalsuite.builtin import suite_paths

    return [*suite_paths()]
