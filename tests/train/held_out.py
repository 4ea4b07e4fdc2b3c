"""What the recipes of `examples/methods` are to teach, measured on rows that they leave out."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from evalsuite.builtin import model_path
from evalsuite.models import ChatTokenizer
from train.data import DataRow
from train.methods import METHODS
from train.rows import TokenSequence

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


def padded(sequences: Sequence[TokenSequence]) -> tuple[Any, Any, Any]:
    """Return ids, attention mask and loss mask of sequences side by side, padded at their ends."""
    import torch

    width = max(one.tokens for one in sequences)
    ids, seen, learnt = (torch.zeros(len(sequences), width, dtype=torch.long) for _ in range(3))
    for number, one in enumerate(sequences):
        ids[number, : one.tokens] = torch.tensor(one.input_ids.astype("int64"))
        seen[number, : one.tokens] = 1
        learnt[number, : one.tokens] = torch.tensor(one.loss_mask.astype("int64"))
    return ids, seen, learnt


def share_preferring_the_full_stop(model: Any, dataset: Path) -> float:
    """Return the share of answers that are likelier with a full stop than without."""
    import torch

    pairs = held_out_pairs(dataset, "dpo")
    ids, seen, learnt = padded([one for pair in pairs for one in pair])
    with torch.no_grad():
        logs = model(input_ids=ids, attention_mask=seen).logits[:, :-1].log_softmax(-1)
    picked = logs.gather(2, ids[:, 1:, None])[..., 0] * learnt[:, 1:]
    sums = picked.sum(1).reshape(-1, 2)
    return float((sums[:, 0] > sums[:, 1]).float().mean())


def share_scored_rightly(model: Any, dataset: Path) -> float:
    """Return the share of pairs whose answer with a full stop a reward model scores higher."""
    import torch

    ids, seen, _ = padded([one for pair in held_out_pairs(dataset, "reward") for one in pair])
    with torch.no_grad():
        scores = model(input_ids=ids, attention_mask=seen).logits.reshape(-1, 2)
    return float((scores[:, 0] > scores[:, 1]).float().mean())


def nats_per_token(model: Any, dataset: Path) -> float:
    """Return the mean cross-entropy of the test split's texts."""
    import torch

    tokenizer = ChatTokenizer.from_dir(model_path())
    rows = pq.read_table(dataset / "test.parquet").to_pylist()[:PAIRS]
    texts = [np.array(tokenizer.encode(row["text"]), dtype=np.int32) for row in rows]
    whole = [TokenSequence(one, np.ones(len(one), dtype=np.bool_)) for one in texts]
    ids, seen, learnt = padded(whole)
    labels = ids.masked_fill(learnt == 0, -100)
    with torch.no_grad():
        return float(model(input_ids=ids, attention_mask=seen, labels=labels).loss)


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
