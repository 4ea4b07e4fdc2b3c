"""FineTuneCheck 2.0.2 and ours on models whose truth is known: who names each rightly?

    python -m venv NEIGHBOUR
    NEIGHBOUR/bin/pip install "finetunecheck[inference,deep]==2.0.2" torch==2.13.0
    python -P bench/eval_neighbours_truths.py NEIGHBOUR/bin/python [--keep DIR]

It needs transformers below 5, so it has an environment of its own and is asked in a process of its
own. The models are those of `tests/evalsuite/known_truth`, trained here, a minute or less of one
core each; `--keep` finds them, and our evaluations, again. Writes
bench/results/eval_neighbours_truths.md; `-P` keeps this directory off the import path.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).parent / "parts"))
sys.path.append(str(Path(__file__).parents[1]))

from neighbour.asking import ask
from neighbour.cases import CASES, Case, Said
from neighbour.said import ours, ours_cell, theirs, theirs_cell
from neighbour.terms import TERMS

from evalsuite.builtin import model_path
from evalsuite.report import Results
from tests.evalsuite.known_truth.truths import KEPT

RESULTS = Path(__file__).with_name("results") / "eval_neighbours_truths.md"
NO_CHECK = "no such check"


@dataclass(frozen=True)
class Line:
    """One model, and what both said of it."""

    case: Case
    ours: Results
    theirs: dict[str, Any]
    """Its runs by label."""
    has_word: bool
    """Whether its source has a word that the check would need."""

    @property
    def our_mark(self) -> str:
        """Return whether ours is right."""
        return _mark(self.case, ours(self.ours))

    @property
    def their_mark(self) -> str:
        """Return whether FineTuneCheck is right, by the best of what it was given."""
        mark = _mark(self.case, theirs(self._with_items()))
        return mark if self.has_word or mark == "right" else NO_CHECK

    def _with_items(self) -> list[dict[str, Any]]:
        return [run for label, run in self.theirs.items() if label != "quick"]


def _mark(case: Case, said: Said) -> str:
    return "right" if case.rightly(said) else "wrong"


def compare(python: str, keep: Path) -> tuple[list[Line], dict[str, str]]:
    """Ask both of every model; return a line each, and the versions of the neighbour's packages."""
    made = {case.letter: case.made(keep) for case in CASES}
    results = {case.letter: case.evaluated(*made[case.letter]) for case in CASES}
    with tempfile.TemporaryDirectory() as work:
        answer = ask(
            python, model_path(), {letter: run / "model" for letter, (_, run) in made.items()},
            CASES, {letter: root for letter, (root, _) in made.items()}, Path(work),
        )  # fmt: skip
        shutil.copy(Path(work) / "answer.json", keep / "finetunecheck.json")
    lines = [
        Line(
            case, results[case.letter], answer["models"][case.letter],
            bool(answer["words"].get(case.letter, True)),
        )
        for case in CASES
    ]  # fmt: skip
    return lines, answer["versions"]


def told(lines: list[Line], versions: dict[str, str]) -> Iterator[str]:
    """Write the document."""
    yield TERMS.format(
        rule="\n".join(f"- ({one.letter}) {one.what}: right if it {one.should}." for one in CASES),
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
    )
    right = [
        (sum(mark == "right" for mark in marks), sum(mark == NO_CHECK for mark in marks))
        for marks in ([line.our_mark for line in lines], [line.their_mark for line in lines])
    ]
    yield (
        f"## Who names each rightly\n\nOurs {right[0][0]} of {len(lines)}; FineTuneCheck "
        f"{right[1][0]} of {len(lines)}, and for {right[1][1]} it has no such check.\n"
    )
    yield "| truth | should be named | FineTuneCheck, our items | right? | ours | right? |"
    yield "|---|---|---|---|---|---|"
    for line in lines:
        case = line.case
        cell = theirs_cell(line.theirs["items"])
        yield (
            f"| ({case.letter}) {case.what} | {case.should} | {cell} | {line.their_mark} "
            f"| {ours_cell(line.ours)} | {line.our_mark} |"
        )
    yield "\n## What else FineTuneCheck said\n"
    yield "| truth | given | said |\n|---|---|---|"
    for line in lines:
        for label, run in line.theirs.items():
            if label != "items":
                yield f"| ({line.case.letter}) | {label} | {theirs_cell(run)} |"
    yield "\nIts concerns with our items, in its words:\n"
    for line in lines:
        run = line.theirs["items"]
        said = " ".join(run.get("concerns", ())) or "none"
        yield f"- ({line.case.letter}) {said}"
    yield from _scores(lines)


def _scores(lines: list[Line]) -> Iterator[str]:
    """Write the share of right answers that each tool counted, base to tuned."""
    yield "\n## What both counted on the same 60 items of each ability, base to tuned\n"
    yield f"| truth | tool | {' | '.join(KEPT)} |\n|---|---|{'--:|' * len(KEPT)}"
    for line in lines:
        mine = {one.name: one for one in line.ours.comparisons[0].verdict.abilities}
        counted = [_pair(mine[name].base, mine[name].tuned) for name in KEPT]
        yield f"| ({line.case.letter}) | ours | {' | '.join(counted)} |"
        run = line.theirs["items"]
        if "error" not in run:
            pairs = [_pair(run["base"][name], run["tuned"][name]) for name in KEPT]
            yield f"| ({line.case.letter}) | FineTuneCheck | {' | '.join(pairs)} |"


def _pair(base: float | None, tuned: float | None) -> str:
    return "withdrawn" if base is None or tuned is None else f"{base:.2f} to {tuned:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="the interpreter that has finetunecheck")
    parser.add_argument("--keep", type=Path, help="where models are kept for another time")
    parser.add_argument("--out", default=str(RESULTS))
    given: Any = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        keep = given.keep or Path(scratch)
        keep.mkdir(parents=True, exist_ok=True)
        text = "\n".join(told(*compare(given.python, keep))) + "\n"
    print(text)
    if given.out != "-":
        Path(given.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
