"""What the recipes of `examples/methods` are to teach, measured on rows that they leave out."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from evalsuite.builtin import model_path
from evalsuite.models import ChatTokenizer
from train.data import DataRow
from train.methods import METHODS
from train.rows import TokenSequence

from .preferences import likelihoods

QUESTIONS = 300
PAIRS = 100
Measure = Callable[[Any, Path], float]


def held_out_pairs(dataset: Path, method: str) -> list[tuple[TokenSequence, ...]]:
    """Return answers of the test split with and without a full stop, as sequences of two."""
    tokenizer = ChatTokenizer.from_dir(model_path())
    reader = METHODS["reward" if method == "reward" else "dpo"]
    pairs = []
    for row in pq.read_table(dataset / "test.parquet").to_pylist()[:PAIRS]:
        if "messages" in row:
            prompt, said = row["messages"][:-1], row["messages"][-1]
        else:
            prompt, said = row["prompt"], (row.get("completion") or row["chosen"])[0]
        bare = said["content"].removesuffix(".")
        answers = {
            name: [{"role": "assistant", "content": text}]
            for name, text in (("chosen", f"{bare}."), ("rejected", bare))
        }
        record = {"prompt": prompt, **answers}
        pair = reader.encode(DataRow("", "", "", "preference", record), tokenizer)
        assert isinstance(pair, tuple)
        pairs.append(pair)
    return pairs


def share_preferring_the_full_stop(model: Any, dataset: Path, method: str = "dpo") -> float:
    """Return the share of answers that are likelier with a full stop than without."""
    sums = [
        [float(likelihoods(model, one).sum()) for one in pair]
        for pair in held_out_pairs(dataset, method)
    ]
    return float(np.mean([chosen > rejected for chosen, rejected in sums]))


def share_scored_rightly(model: Any, dataset: Path) -> float:
    """Return the share of pairs whose answer with a full stop a reward model scores higher."""
    import torch

    def score(one: Any) -> float:
        with torch.no_grad():
            ids = torch.tensor(one.input_ids[None].astype("int64"))
            return float(model(input_ids=ids).logits)

    pairs = held_out_pairs(dataset, "reward")
    return float(np.mean([score(chosen) > score(rejected) for chosen, rejected in pairs]))


def nats_per_token(model: Any, dataset: Path) -> float:
    """Return the mean cross-entropy of the test split's texts."""
    import torch

    tokenizer = ChatTokenizer.from_dir(model_path())
    total, count = 0.0, 0
    for row in pq.read_table(dataset / "test.parquet").to_pylist()[:PAIRS]:
        ids = torch.tensor([tokenizer.encode(row["text"])])
        with torch.no_grad():
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    return total / count


def share_answered_rightly(model: Any, dataset: Path) -> float:
    """Return the share of greedy answers that are right, of questions made by another seed."""
    from transformers import AutoTokenizer

    from evalsuite.builtin.scoring import answer

    script = Path(__file__).parents[2] / "examples/methods/reversals.py"
    rows = [row["messages"] for row in runpy.run_path(str(script))["reversals"](QUESTIONS, 99)]
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    prompts = [prompt["content"] for prompt, _ in rows]
    found = answer(model.eval(), tokenizer, prompts, max_new_tokens=24)
    right = [one == gold["content"] for one, (_, gold) in zip(found, rows, strict=True)]
    return float(np.mean(right))


MEASURES: dict[str, Measure] = {
    **dict.fromkeys(
        ("sft", "completion", "distill", "dpo", "kto", "orpo", "simpo"),
        share_preferring_the_full_stop,
    ),
    "text": nats_per_token,
    "reward": share_scored_rightly,
    **dict.fromkeys(("grpo", "rloo", "rft"), share_answered_rightly),
}
"""By recipe."""
