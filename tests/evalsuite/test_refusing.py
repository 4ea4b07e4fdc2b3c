"""A refusal says everything that stands against the models, and what to do about each of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.gate import judge
from evalsuite.refusing import refuse
from evalsuite.report import ComparisonRecord, Results
from evalsuite.triage.records import TriageRecord
from evalsuite.verdict import Verdict
from tests.evalsuite.test_gate import ability
from workspace.errors import GateFailed


def results_of(*verdicts: tuple[str, Verdict], triage: list[TriageRecord] | None = None) -> Results:
    """An evaluation of `mine` against each of the named."""
    compared = [
        ComparisonRecord(base=name, tuned="mine", verdict=verdict) for name, verdict in verdicts
    ]
    return Results(
        id="e", created="", models=[], suites=[], comparisons=compared, triage=triage or []
    )


def refused(results: Results, *, told: bool = True) -> GateFailed:
    with pytest.raises(GateFailed) as caught:
        refuse(results, Path("report.html"), gate=True, inconclusive="inconclusive", told=told)
    return caught.value


FELL = ability("labels", kept=10, lost=480, gained=0, wrong=10, purpose="target", min_gain=0.05)
FULL = ability("short", kept=500, lost=0, gained=0, wrong=0, purpose="target", min_gain=0.05)
STILL = ability("long", kept=100, lost=0, gained=0, wrong=400, purpose="target", min_gain=0.05)
KEPT = ability("sums")
LOST = ability("capitals", kept=60, lost=410)


def test_targets_that_fell_or_had_no_room_get_advice_of_their_own() -> None:
    cure = refused(results_of(("base", judge([FELL, FULL, LOST])))).cure
    assert "labels fell although it was to be gained" in cure
    assert "at the ceiling of short already: take that target out" in cure
    assert "Against forgetting" in cure
    assert "To learn more" not in cure
    assert "To learn more" in refused(results_of(("base", judge([STILL, KEPT])))).cure


def test_a_refusal_by_a_baseline_too_names_both() -> None:
    both = results_of(("base", judge([STILL, KEPT])), ("baseline good", judge([LOST])))
    why = refused(both).cause.split("\n")
    assert [line.split(": ")[0] for line in why] == ["mine", "mine against baseline good"]
    assert "Against forgetting" in refused(both).cure


def test_what_asking_again_showed_is_said_where_no_table_was_printed() -> None:
    again = TriageRecord(
        tuned="mine", ability="capitals", kind="format", sentence="only the form is lost",
        advice="Teach the form.", ways=[],
    )  # fmt: skip
    lost = results_of(("base", judge([LOST])), triage=[again])
    silent = refused(lost, told=False)
    assert "mine: only the form is lost" in silent.cause
    assert silent.cure.startswith("Teach the form.")
    assert "only the form" not in refused(lost).cause
