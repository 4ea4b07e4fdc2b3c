"""The same rows come of one thread and of eight."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORDS = [f"word{number}" for number in range(400)]
STEPS: list[Any] = [
    {"repair": {}},
    "empty_answers",
    "exact_duplicates",
    {"near_duplicates": {"threshold": 0.75}},
    "contradictions",
    {"repeated_prompts": {"most": 2}},
    {"repeated_answers": {"most": 5, "least_tokens": 2}},
    "prefix_conversations",
    {"decontaminate": {"files": [{"path": "items.jsonl", "field": "q", "answer": "a"}]}},
    "redact",
    {"filter": {"length": {"min_words": 2}, "repetition": {}, "language": {"keep": ["en"]}}},
    {"select": {"rows": 0.9}},
    {"balance": {"by": "label", "upsample": "max", "count": "rows"}},
]


def write_rows(path: Path) -> None:
    rng = random.Random(4)
    rows: list[dict[str, Any]] = []
    for number in range(700):
        kind = number % 10
        ask = " ".join(rng.choices(WORDS, k=rng.randint(5, 25)))
        say = " ".join(rng.choices(WORDS, k=rng.randint(2, 40)))
        if rows and kind in (1, 2):  # a copy, or one with an edit
            other = rng.choice(rows)["messages"]
            ask, say = other[0]["content"], other[1]["content"]
            say = f"{say} indeed" if kind == 2 else say
        elif kind == 3:
            say = f"write to a{number}@example.org about the caf\u00c3\u00a9 and {say}"
        turns = [{"role": "user", "content": ask}, {"role": "assistant", "content": say}]
        rows.append({"messages": turns, "label": rng.choices("abc", (8, 3, 1))[0]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    write_rows(tmp_path / "rows.jsonl")
    first = json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])["messages"]
    item = {"q": first[0]["content"], "a": first[1]["content"]}
    (tmp_path / "items.jsonl").write_text(json.dumps(item))
    return {
        "name": "made",
        "model": {"path": "builtin"},
        "curate": {
            "sources": ["rows.jsonl"],
            "steps": STEPS,
            "split": {"validation": 0.1, "test": 0.1, "stratify": ["label"]},
            "circuit_breaker": 1,
        },
    }


def run(root: Path, threads: int) -> dict[str, Any]:
    number = str(threads)
    names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    command = [sys.executable, "-P", "-m", "tui", "curate", "--no-cache", "--dry-run", "--json"]
    done = subprocess.run(
        command,
        cwd=root,
        env=os.environ | dict.fromkeys(names, number),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    for step in found["ledger"]["steps"]:
        del step["seconds"]
    return found


@pytest.mark.slow
def test_any_number_of_threads_gives_the_same_digest_and_account(
    tmp_path: Path, recipe: dict[str, Any]
) -> None:
    (tmp_path / "temper.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    found = [run(tmp_path, count) for count in (1, 2, 4, 8)]
    assert len({one["digest"] for one in found}) == 1
    assert all(one == found[0] for one in found)
    ledger = found[0]["ledger"]
    acted = {step["step"] for step in ledger["steps"] if step["dropped"] or step["changed"]}
    assert len(acted) >= 7, acted
    assert ledger["rows"]["made"] > 0
