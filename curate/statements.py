"""What a dataset's report and card say of leaks, personal data and copies: what was looked for,
what was found, and what such a check cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from curate.ledger import Count, Ledger
from curate.pipeline import Curated
from curate.steps.configs import Decontaminate, ExactDuplicates, NearDuplicates, StepConfig
from curate.steps.quality.configs import Redact
from workspace.text import plain

Config = TypeVar("Config")
_KINDS = {
    "email": "e-mail addresses",
    "phone": "telephone numbers",
    "card": "payment card numbers",
    "iban": "bank account numbers (IBAN)",
    "ip": "public IP addresses",
    "key": "keys and passwords",
}


@dataclass(frozen=True)
class Statement:
    """One subject, in sentences."""

    subject: str
    looked: bool
    """Whether anything was looked for."""
    sentences: tuple[str, ...]


def statements(curated: Curated) -> tuple[Statement, ...]:
    """Return what can be said of evaluation leaks, personal data and duplicates."""
    return contamination(curated), personal_data(curated), duplicates(curated)


def contamination(curated: Curated) -> Statement:
    """Say which evaluations the rows were compared with and what was found."""
    said: list[str] = []
    for name, config in _ran(curated, Decontaminate):
        against = [*config.suites, *(f"{one.path} (field {one.field})" for one in config.files)]
        total = curated.ledger.total(name).dropped
        said.append(
            f"The rows were compared with {_listed(against)}; {_rows(total)} {_was(total)} dropped."
        )
        said += _notes(curated.ledger, name)
        said.append(
            "A row was dropped if it asks what an item asks, if it holds at least "
            f"{100 * config.threshold:g} % of an item's runs of {config.ngram} words (the rarer "
            f"the heavier), or if the two are at least {config.threshold:g} alike by runs of four "
            "characters."
        )
        said += _afterwards(curated, name)
    if not said:
        return Statement(
            "Evaluation leaks",
            False,
            (
                "The rows were not compared with any evaluation: whether they hold items of one "
                "is not known.",
            ),
        )
    said.append(
        "Not found by such a check: paraphrases, translations, and items of evaluations that are "
        "not named here."
    )
    return Statement("Evaluation leaks", True, tuple(said))


def personal_data(curated: Curated) -> Statement:
    """Say which personal data was looked for and what was done with it."""
    said: list[str] = []
    for name, config in _ran(curated, Redact):
        total = curated.ledger.total(name)
        kinds = _listed([_KINDS.get(kind, kind) for kind in config.kinds])
        if config.action == "drop":
            done = f"{_rows(total.dropped)} with any {_was(total.dropped)} dropped"
        else:
            has = "has" if _sum(total.changed) == 1 else "have"
            done = f"{_rows(total.changed)} {has} placeholders in their stead"
        said.append(f"Looked for: {kinds}; {done}.")
        said += _notes(curated.ledger, name)
        said += _afterwards(curated, name)
    if not said:
        return Statement(
            "Personal data",
            False,
            ("Personal data was not looked for: the rows may hold any that their sources hold.",),
        )
    said.append(
        "Nothing else that identifies a person was looked for, and what is written in a form that "
        "the step does not know is not found."
    )
    return Statement("Personal data", True, tuple(said))


def duplicates(curated: Curated) -> Statement:
    """Say which copies were removed."""
    said: list[str] = []
    for name, exact in _ran(curated, ExactDuplicates):
        total = curated.ledger.total(name).dropped
        also = " or but for case, white space and punctuation" if exact.normalised else ""
        said.append(f"Rows equal byte for byte{also}: {_rows(total)} dropped, the first stays.")
    for name, near in _ran(curated, NearDuplicates):
        total = curated.ledger.total(name).dropped
        stays = "the one with the longer answer" if near.keep == "longest" else "the earlier one"
        said.append(
            f"Rows with nearly the words of another (cosine of at least {near.threshold:g}, each "
            f"pair compared word by word) and the same answer, numbers and negations: "
            f"{_rows(total)} dropped, {stays} stays."
        )
    if not said:
        return Statement("Copies", False, ("Duplicate rows were not looked for.",))
    said.append("Rows that say the same in other words are not found by these steps.")
    return Statement("Copies", True, tuple(said))


def _ran(curated: Curated, kind: type[Config]) -> Iterator[tuple[str, Config]]:
    """Yield the steps of one kind, by the names they have in the ledger."""
    steps: Sequence[StepConfig] = curated.evidence.section.steps if curated.evidence else ()
    taken: dict[str, int] = {}
    for step in steps:
        taken[step.name] = taken.get(step.name, 0) + 1
        name = step.name if taken[step.name] == 1 else f"{step.name} {taken[step.name]}"
        if isinstance(step.settings, kind):
            yield name, step.settings


def _afterwards(curated: Curated, name: str) -> list[str]:
    """Say what was not compared: text that later steps wrote."""
    steps = curated.ledger.steps
    if name not in steps:
        return []
    said = []
    for later in steps[steps.index(name) + 1 :]:
        total = curated.ledger.total(later)
        if total.changed:
            said.append(
                f"Afterwards {later} changed {_rows(total.changed)}; that text was not checked "
                "again."
            )
    return said


def _notes(ledger: Ledger, name: str) -> list[str]:
    return [note for time in ledger.times if time.step == name for note in time.notes]


def _sum(counts: dict[str, Count]) -> int:
    return sum(count.rows for count in counts.values())


def _rows(counts: dict[str, Count]) -> str:
    rows = _sum(counts)
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _was(counts: dict[str, Count]) -> str:
    return "was" if _sum(counts) == 1 else "were"


def _listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    shown = [plain(name, 120) for name in names]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1] if shown else "")))
