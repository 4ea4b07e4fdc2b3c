"""Commands that are copied or shown can be typed, whatever the names in them are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tui import glyphs
from tui.evaluations.rows import EvaluationRow
from tui.screens.evals import EvalsScreen
from tui.screens.evaluation import EvaluationScreen
from tui.screens.measuring import MeasuringScreen
from tui.screens.trends import TrendsScreen


def test_names_with_spaces_and_shell_signs_are_quoted(tmp_path, monkeypatch):
    trends = TrendsScreen(glyphs.UNICODE, tmp_path)
    assert trends.copy_text() == ""
    trends._list._trends = (SimpleNamespace(model="my model", ability="$(rm x)"),)
    assert trends.copy_text() == "temper history 'my model' --ability '$(rm x)'"

    path = tmp_path / "evals" / "a;b"
    assert EvaluationScreen(glyphs.UNICODE, tmp_path, path).copy_text() == "temper report 'a;b'"

    told = [part.text for part in EvalsScreen(glyphs.UNICODE, tmp_path)._words(row(path))]
    assert "temper report 'a;b'" in told

    screen = MeasuringScreen(glyphs.UNICODE, tmp_path, "a;b")
    shown = []
    monkeypatch.setattr(screen._state, "show", shown.extend)
    screen._show_state(row(path, is_job=True))
    assert shown[1].text == "temper stop 'a;b'"


def row(path: Path, *, is_job: bool = False) -> EvaluationRow:
    return EvaluationRow(path.name, path, "running" if is_job else "fail", is_job=is_job)
