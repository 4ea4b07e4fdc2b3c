"""The curve of the built-in model on a task that it learns from rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalsuite.builtin import model_path
from tests.train.curve.test_curve import load, make
from tests.train.test_reinforcement_gain import reversals

SUITE = """
schema_version: 1
name: reversals
purpose: target
tasks:
  - name: reversals
    ability: reversals
    kind: generation
    data: reversals.jsonl
    prompt: "{{ question }}"
    gold: "{{ gold }}"
    scorer: {kind: exact}
    max_new_tokens: 40
"""


@pytest.mark.slow
def test_more_rows_reverse_more_words(bench: Any) -> None:
    rows = [
        {
            "id": f"r-{number}",
            "messages": [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": answer},
            ],
        }
        for number, (prompt, answer) in enumerate(reversals(600, seed=1))
    ]
    bench.dataset("toy", rows)
    (bench.root / "suite.yaml").write_text(SUITE)
    items = [
        json.dumps({"id": str(number), "question": prompt, "gold": answer})
        for number, (prompt, answer) in enumerate(reversals(200, seed=99))
    ]
    (bench.root / "reversals.jsonl").write_text("\n".join(items) + "\n")
    train = {
        "adapter": {"kind": "full"},
        "learning_rate": 5e-4,
        "batch_size": 16,
        "epochs": 2,
    }
    document = {
        "name": "toy",
        "model": {"path": str(model_path())},
        "train": train,
        "evaluate": {"suites": [str(bench.root / "suite.yaml")]},
    }
    (bench.root / "temper.yaml").write_text(json.dumps(document))
    found = make(bench, load(bench.root / "temper.yaml", ()))
    (curve,) = found.abilities
    scores = [point.score for point in curve.points]
    assert [point.rows for point in curve.points] == [60, 180, 600]
    assert curve.items == 200 and scores[2] > scores[0] + 0.05
    # what the curve says is borne out or left open, never the opposite
    assert curve.outlook.verdict in ("gain", "cannot say")
