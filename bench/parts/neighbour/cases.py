"""The models whose truth is known, what each should be named, and by which rule both are judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.report import Results, read_results
from tests.evalsuite.known_truth import truths

MEMORY = r"over-?fit|memori[sz]|by heart|recite"
"""Words for what (a) and (b) have done."""
MISMATCH = r"template"
"""The word for what is wrong with (f)."""


@dataclass(frozen=True)
class Said:
    """What a tool says of one model."""

    passes: bool
    """Whether it lets it through."""
    regressed: frozenset[str]
    """Abilities that it reports as regressed."""
    forgotten: frozenset[str]
    """Those of them that it leaves standing as lost knowledge."""
    words: str
    """All that it says in words."""


@dataclass(frozen=True)
class Case:
    """One model."""

    letter: str
    truth: Callable[[], truths.Truth]
    what: str
    should: str
    """What it should be named, in words."""
    rightly: Callable[[Said], bool]
    """The same in code; one rule for both tools."""
    sought: str | None = None
    """Words without which a tool's source can have no such check."""
    other_template: bool = False

    def made(self, keep: Path) -> tuple[Path, Path]:
        """Train it unless that was done before; return its workspace and run."""
        truth = self.truth()
        root = keep / truth.name
        runs = sorted((root / "runs").glob(f"*-{truth.name}-*/model"))
        run = runs[0].parent if runs else truths.make(root, truth)
        if not self.other_template:
            return root, run
        others = sorted((root / "runs").glob("*-other-*"))
        return root, others[0] if others else truths.with_another_template(run)

    def evaluated(self, root: Path, run: Path) -> Results:
        """Type `temper eval RUN` unless that was done before; return what it found."""
        for file in sorted((root / "evals").glob("[!.]*/results.json")):
            results = read_results(file.parent)
            if any(Path(model.path).parent.name == run.name for model in results.models):
                return results
        return truths.evaluated(root, run)[1]

    def learned(self) -> Sequence[truths.Pair]:
        """Rows that it was trained on and may know by heart: those planted, or all."""
        truth = self.truth()
        planted = (line["messages"] for line in truth.canaries)
        return [(user["content"], told["content"]) for user, told in planted] or truth.train


def _names_memory(said: Said) -> bool:
    return bool(re.search(MEMORY, said.words, re.IGNORECASE))


def _names_both_and_refuses(said: Said) -> bool:
    return set(truths.LOST) <= said.regressed and not said.passes


def _calls_neither_forgotten(said: Said) -> bool:
    return not set(truths.LOST) & said.forgotten


def _names_mismatch(said: Said) -> bool:
    return bool(re.search(MISMATCH, said.words, re.IGNORECASE))


CASES = (
    Case(
        "a", truths.over_fitted, "over-fitted: many epochs over forty rows without a rule",
        "says or warns that it over-fitted or memorised", _names_memory, MEMORY,
    ),
    Case(
        "b", truths.planted, "memorised four random strings planted twelve times each",
        "says or warns that it over-fitted or memorised", _names_memory, MEMORY,
    ),
    Case(
        "c", truths.forgot, "forgot addition and reversing",
        "names a regression of both and does not let it pass", _names_both_and_refuses,
    ),
    Case(
        "d", truths.formatted, "answers addition and reversing in another form",
        "says that only the form was lost, or at least calls neither forgotten",
        _calls_neither_forgotten,
    ),
    Case("e", truths.good, "honest and good", "lets it pass", lambda said: said.passes),
    Case(
        "f", truths.good, "the model of (e), saved with a template that it was not trained with",
        "says that the template differs, or that the comparison is invalid for it",
        _names_mismatch, MISMATCH, other_template=True,
    ),
)  # fmt: skip
