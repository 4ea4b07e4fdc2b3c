"""The output is a Python program that passes tests, run in the sandbox."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.sandbox.limits import Limits
from evalsuite.sandbox.run import Outcome, Program, run
from evalsuite.sandbox.tiers import Isolation, Tier, demand_tier
from evalsuite.scorers.code_tests import CodeTests, NotTests, read_tests
from evalsuite.scorers.score import Score
from workspace.errors import WorkError
from workspace.recipe import Section
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_FENCE = re.compile(
    r"```[ \t]*(?:(?:python|py|python3)[ \t]*)?\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL
)
_SHOWN = 200


def program_of(output: str) -> str:
    """Return the program in an answer: its last block of code, or all of it where there is none.

    >>> program_of("Here: ```python\\nx = 1\\n``` That is it.")
    'x = 1'
    """
    blocks = _FENCE.findall(output)
    return str(blocks[-1]) if blocks else output


class CodeScorer(Section):
    """Right if the program in the output passes the tests that are the gold answer.

    The tests run in another process than the program, which sees neither them nor their verdict:
    leaving early, printing, or patching `assert` makes nothing pass.
    """

    kind: Literal["code"] = "code"
    """A Python program that passes tests."""
    partial: bool = False
    """Give the share of tests passed instead of all or nothing. Training on it rewards programs
    that do the easy cases alone."""
    limits: Limits = Limits()
    """What one program may use; of tests by input and output, each by itself."""
    isolation: Isolation = "namespaces"
    """The least that keeps programs apart: `namespaces` (no network, no files but Python's own, no
    other processes), or `limits` (on time, memory and files alone, where the machine has nothing
    better): then a program may do what you may. What was used is recorded."""

    def tier(self) -> Tier:
        """Return how programs are kept apart on this machine.

        Raises:
            UsageError: not as far as `isolation` asks.
        """
        return demand_tier(self.isolation)

    def demand(self) -> str:
        """Return what a person should know of how programs are kept apart.

        Raises:
            UsageError: they cannot be, as far as `isolation` asks.
        """
        tier = self.tier()
        if tier is Tier.NAMESPACES:
            return "programs run in namespaces of their own, without network"
        return "! programs run under limits alone: they may use the network and your files"

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        try:
            read_tests(gold)
        except NotTests as error:
            return f"a gold answer without tests: {error}"
        return None

    def right_answer(self, gold: str) -> str | None:
        """Return a program that passes, where the gold answer has one."""
        return read_tests(gold).solution

    def score(self, output: str, item: Item) -> Score:
        """Run the program of `output` against the tests of `item.gold`.

        Raises:
            UsageError: this machine cannot keep it apart as asked.
            WorkError: no sandbox can be started.
        """
        tests, program, tier = read_tests(item.gold), program_of(output), self.tier()
        if not program.strip():
            return Score(0.0, "no program")
        found = (
            self._statements(program, tests, tier)
            if tests.statements
            else [self._exchange(program, one.input, one.output, tier) for one in tests.exchanges]
        )
        failed = [said for passed, said in found if not passed]
        if not failed:
            return Score(1.0)
        share = 1 - len(failed) / tests.count
        detail = f"{len(failed)} of {tests.count} tests failed: {plain(failed[0], _SHOWN)}"
        return Score(share if self.partial else 0.0, detail)

    def _statements(self, program: str, tests: CodeTests, tier: Tier) -> list[tuple[bool, str]]:
        asked = json.dumps({"setup": tests.setup, "tests": tests.statements})
        files = {"harness.py": _harness(), "solution.py": program}
        outcome = self._run(Program(files, "harness.py", asked, gives_verdict=True), tier)
        if outcome.ended != "exit" or outcome.code != 0:  # what wrote a verdict was not the harness
            return [(False, _ended(outcome))] * tests.count
        verdict = _verdict(outcome.verdict)
        passed, said = verdict.get("passed", []), verdict.get("said", [])
        if len(passed) != tests.count or len(said) != tests.count:
            return [(False, _ended(outcome))] * tests.count
        return [(one is True, str(why)) for one, why in zip(passed, said, strict=True)]

    def _exchange(self, program: str, given: str, wanted: str, tier: Tier) -> tuple[bool, str]:
        outcome = self._run(Program({"solution.py": program}, "solution.py", given), tier)
        if outcome.ended != "exit" or outcome.code != 0:
            return False, _ended(outcome)
        if len(wanted) >= self.limits.output_characters:
            return False, "more output wanted than limits.output_characters keeps"
        if outcome.stdout_cut or _lines(outcome.stdout) != _lines(wanted):
            return False, f"printed {outcome.stdout[:_SHOWN]!r}"
        return True, ""

    def _run(self, program: Program, tier: Tier) -> Outcome:
        outcome = run(program, self.limits, tier)
        if outcome.ended == "unavailable":
            raise WorkError(
                "the sandbox failed",
                where="scorer code",
                cause=outcome.detail,
                cure="Free memory and processes; `temper resume` goes on.",
            )
        return outcome


@cache
def _harness() -> str:
    import evalsuite.sandbox

    return (Path(evalsuite.sandbox.__path__[0]) / "harness.py").read_text(encoding="utf-8")


def _verdict(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _ended(outcome: Outcome) -> str:
    last = outcome.stderr.strip().splitlines()[-1:] or [""]
    how = {"exit": f"exit status {outcome.code}", "signal": f"signal {outcome.code}"}
    return f"{how.get(outcome.ended, outcome.ended)} {last[0]}".strip()
