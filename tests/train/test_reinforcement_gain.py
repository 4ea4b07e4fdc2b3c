"""GRPO with a verifiable reward lifts a weak ability of the built-in model and keeps the others."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from evalsuite.builtin import model_path, suite_path
from evalsuite.builtin.lexicon import COMMON

ITEMS = 300
REQUESTS = (
    "Reverse these words: {words}",
    "Write these words in reverse order: {words}",
    "Say these words backwards: {words}",
    "From last to first: {words}",
)


def reversals(count: int, seed: int) -> list[tuple[str, str]]:
    """Questions with 14 to 16 words, which the model has never practised, and their answers."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        words = draw.sample(COMMON, draw.randint(14, 16))
        prompt = draw.choice(REQUESTS).format(words=" ".join(words))
        rows.append((prompt, " ".join(reversed(words))))
    return rows


def scores(model: Any) -> dict[str, float]:
    """Return the share of right greedy answers by ability, 300 items each."""
    from transformers import AutoTokenizer

    from evalsuite.builtin.scoring import answer

    tokenizer = AutoTokenizer.from_pretrained(model_path())
    asked = {"reversals": reversals(ITEMS, seed=99)}
    for file in suite_path("retention").parent.glob("*.jsonl"):
        if not file.stem.startswith("triage"):
            rows = [json.loads(line) for line in file.read_text().splitlines()[:ITEMS]]
            asked[file.stem] = [(row["prompt"], row["answer"]) for row in rows]
    found = {}
    for name, items in asked.items():
        answers = answer(model.eval(), tokenizer, [item[0] for item in items], max_new_tokens=24)
        right = sum(one == gold for one, (_, gold) in zip(answers, items, strict=True))
        found[name] = right / len(items)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_weak_ability_is_lifted_and_no_other_is_lost(bench: Any, seed: int) -> None:
    from evalsuite.models.load import load_model

    bench.model = model_path()
    rows = [
        {"id": f"r-{number}", "prompt": [{"role": "user", "content": prompt}], "answer": answer}
        for number, (prompt, answer) in enumerate(reversals(4_000, seed=1))
    ]
    bench.dataset("toy", rows)
    run = bench.train(
        {
            "method": {"kind": "grpo", "rewards": ["exact"], "max_new_tokens": 24, "beta": 0.05},
            "adapter": {"kind": "full"},
            "learning_rate": 3e-4,
            "schedule": "constant",
            "warmup": 3,
            "batch_size": 32,
            "steps": 30,
            "seed": seed,
        }
    )
    before, after = scores(load_model(model_path())), scores(load_model(run / "model"))
    change = {name: round(after[name] - before[name], 3) for name in before}
    assert change.pop("reversals") >= 0.15, change
    assert min(change.values()) >= -0.05, change


@pytest.mark.slow
def test_rejection_sampling_lifts_a_weak_ability(bench: Any) -> None:
    from evalsuite.models.load import load_model

    bench.model = model_path()
    rows = [
        {"id": f"r-{number}", "prompt": [{"role": "user", "content": prompt}], "answer": answer}
        for number, (prompt, answer) in enumerate(reversals(600, seed=1))
    ]
    bench.dataset("toy", rows)
    run = bench.train(
        {
            "method": {"kind": "rft", "rewards": ["exact"], "max_new_tokens": 24, "samples": 4},
            "adapter": {"kind": "full"},
            "learning_rate": 3e-4,
            "batch_size": 32,
            "steps": 40,
        }
    )
    account = json.loads((run / "ledger.json").read_text())["sampling"]
    assert account["prompts_kept"] + account["prompts_lost"] == 600
    assert account["prompts_lost"] < 330
    before, after = scores(load_model(model_path())), scores(load_model(run / "model"))
    change = {name: round(after[name] - before[name], 3) for name in before}
    gain = change.pop("reversals")
    assert gain >= 0.15, (gain, change, account)
    assert min(change.values()) >= -0.05, (gain, change, account)
