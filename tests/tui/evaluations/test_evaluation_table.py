"""The list of evaluations does no work for what it shows already."""

from __future__ import annotations

from pathlib import Path

from tui import glyphs
from tui.evaluations.rows import EvaluationRow
from tui.widgets import evaluation_table
from tui.widgets.evaluation_table import EvaluationTable


def test_rows_are_arranged_once_and_searched_only_for_a_text(monkeypatch):
    table = EvaluationTable(glyphs.UNICODE)
    replaced, searched = [], []
    monkeypatch.setattr(table, "replaced", replaced.append)
    monkeypatch.setattr(evaluation_table, "_searched", lambda row: searched.append(row) or row.id)
    table.show(())
    rows = (EvaluationRow("one", Path("one"), "fail"), EvaluationRow("two", Path("two"), "pass"))
    for _ in range(3):
        table.show(rows)
    assert len(replaced) == 2 and not searched
    table.filter("tw")
    assert [row.id for row in table._rows] == ["two"] and len(searched) == 2
