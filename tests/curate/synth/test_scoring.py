"""Answers are scored with the question before them."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from curate.synth.generators.answers import score_answer
from evalsuite.asking.requests import Turn
from evalsuite.scorers import Scorer, ScorerConfig, placed

CODE = """\
from evalsuite.scorers import scorer

@scorer
def echoes(output, item):
    return float(output in item.question and len(item.messages) == 3)
"""


def test_a_function_of_ones_own_sees_the_question(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(CODE)
    adapter: TypeAdapter[Scorer] = TypeAdapter(ScorerConfig)
    own = adapter.validate_python({"kind": "python", "file": "own.py", "function": "echoes"})
    turns = (Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "Say apple"))
    assert score_answer(placed(own, tmp_path), turns, "apple", "") == (1.0, "")
