"""What `temper eval` prints of a finished evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.cli import _tell
from evalsuite.gate import judge
from evalsuite.report import ComparisonRecord, ModelRecord, PromptGain, Results
from evalsuite.run import EvalResult
from evalsuite.triage.records import TriageRecord
from evalsuite.verdict import Verdict
from tests.evalsuite.test_gate import ability


def test_lost_abilities_are_told_once_beside_a_stored_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    again = TriageRecord(
        tuned="mine", ability="x", kind="real", sentence="x is gone", advice="train less", ways=[]
    )
    verdict = Verdict("pass", 0, "all is well")
    results = Results(
        id="e",
        created="",
        models=[ModelRecord(name="base", role="base", path="runs/ws/start", digest="ab" * 32)],
        suites=[],
        comparisons=[
            ComparisonRecord(base=base, tuned="mine", verdict=verdict)
            for base in ("base", "baseline good")
        ],
        triage=[again],
    )
    _tell(EvalResult(Path("e"), results, "", ()))
    said = capsys.readouterr().out
    assert said.count("x is gone") == 1
    assert said.count("base is runs/ws/start (sha256 abababababab)") == 1


def test_the_table_has_items_the_smallest_change_and_why_no_prompt_is_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    names = ("new", "other")
    verdict = judge([replace(ability(name, purpose="target"), min_gain=0.05) for name in names])
    found = PromptGain(
        ability="new", tuned="mine", prompt="p", n=250, score=0.1, tuned_score=0.9, difference=0.8,
        low=0.7, high=0.9, min_gain=0.05, prompt_tokens=9, tuned_prompt_tokens=9,
    )  # fmt: skip
    results = Results(
        id="e",
        created="",
        models=[],
        suites=[],
        comparisons=[ComparisonRecord(base="base", tuned="mine", verdict=verdict)],
        prompt_gains=[found],
    )
    _tell(EvalResult(Path("e"), results, "", ()))
    said = capsys.readouterr().out
    assert "smallest visible" in said and "500" in said and "2.5" in said
    assert said.count("not told: see below") == 1
