"""What docs/scorers.md says of scorers is what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from evalsuite.scorers import PythonScorer, Scorer, ScorerConfig, placed
from evalsuite.tasks import Item

PAGE = (Path(__file__).parents[3] / "docs" / "scorers.md").read_text(encoding="utf-8")
ADAPTER: TypeAdapter[Scorer] = TypeAdapter(ScorerConfig)


def blocks(language: str) -> list[str]:
    """Return the page's code blocks."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_has_the_score_that_the_page_says() -> None:
    examples = next(one for text in blocks("yaml") if isinstance(one := YAML().load(text), list))
    for one in examples:
        gold = one.get("gold", "")
        golds = tuple(gold) if isinstance(gold, list) else (gold,)
        item = Item("1", gold=golds[0], golds=golds if len(golds) > 1 else ())
        found = ADAPTER.validate_python(one["scorer"]).score(one["output"], item)
        assert found.value == pytest.approx(one["score"], abs=5e-5), one
    kinds = {ADAPTER.validate_python(one["scorer"]).kind for one in examples}
    assert {"f1", "rouge_l", "chrf", "bleu", "refusal", "length", "language"} <= kinds


def test_the_function_on_the_page_is_a_scorer(tmp_path: Path) -> None:
    (tmp_path / "scorers.py").write_text(blocks("python")[0], encoding="utf-8")
    polite = placed(PythonScorer(file="scorers.py", function="polite"), tmp_path)
    item = Item("1", gold="42")
    scores = [polite.score(said, item).value for said in ("42", "Thanks!", "Thank you: 42")]
    assert scores == [0.0, 0.5, 1.0]
