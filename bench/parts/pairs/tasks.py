"""Local tasks that a program makes, as a suite of ours and as tasks of lm_eval."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEW_TOKENS = 32
_WORDS = (
    *("the", "of", "to", "and", "from", "with", "order", "card", "refund", "late", "ship"),
    *("seven", "zebra", "capital", "train", "paper", "river", "invoice", "blue", "window"),
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """One task."""

    name: str
    kind: str
    """choice, generation or perplexity, as in a suite."""
    told: str
    """What it is, for the table."""
    aim: float | None
    """Most CPU time as a share of lm_eval's; None: shown for information."""
    items: int


SHAPES = (
    Shape("passage", "choice", "choices of several tokens under a passage of each item's own",
          0.5, 64),
    Shape("documents", "choice", "the same, eight questions to a passage", 0.5, 64),
    Shape("examples", "choice", "choices of several tokens after examples that all items share",
          0.5, 64),
    Shape("letters", "choice", "choices of one token after examples that all items share",
          0.5, 64),
    Shape("short", "choice", "choices of several tokens, a short question each", None, 64),
    Shape("write", "generation", "short prompts, short answers", 1.0, 96),
    Shape("write-examples", "generation", "the same after examples that all items share",
          1.0, 96),
    Shape("read", "perplexity", "texts of one window", None, 96),
)  # fmt: skip


def write_suite(directory: Path, scale: float = 1.0, seed: int = 0) -> Path:
    """Write all tasks' rows and one suite, and return its path.

    Args:
        directory: where to.
        scale: of the number of items.
        seed: of the rows.
    """
    lines = ["schema_version: 1", "name: pairs", "purpose: retention", "tasks:"]
    for number, shape in enumerate(SHAPES):
        rows = _rows(shape, max(8, round(shape.items * scale)), random.Random(seed + number))
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (directory / f"{shape.name}.jsonl").write_text(text)
        lines += _task(shape)
    path = directory / "pairs.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def peer_task(shape: Shape, rows: list[Row]) -> dict[str, Any]:
    """Return a task of lm_eval over rows in memory, so that it need not read files."""
    import datasets

    found = datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)})
    return {
        "task": f"pairs_{shape.name}",
        "custom_dataset": lambda **_: found,
        "test_split": "test",
        **_PEERS[shape.kind],
    }


_PEERS: dict[str, dict[str, Any]] = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{options}}",
        "doc_to_target": "{{gold}}",
        "metric_list": [{"metric": "acc"}],
    },
    "generation": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{gold}}",
        "generation_kwargs": {"until": [], "max_gen_toks": NEW_TOKENS, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    },
    "perplexity": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    },
}


def _task(shape: Shape) -> list[str]:
    start = f"  - {{name: {shape.name}, kind: {shape.kind}, data: {shape.name}.jsonl, "
    return [
        start
        + {
            "choice": 'prompt: "{{ question }}", choices: "{{ options }}", gold: "{{ gold }}"}',
            "generation": 'prompt: "{{ question }}", gold: "{{ gold }}", scorer: exact, '
            f"max_new_tokens: {NEW_TOKENS}}}",
            "perplexity": 'text: "{{ text }}"}',
        }[shape.kind]
    ]


def _rows(shape: Shape, count: int, rng: random.Random) -> list[Row]:
    before = _examples(rng) if shape.name in ("examples", "letters", "write-examples") else ""
    passages = [_words(rng, 90, 130) for _ in range((count + 7) // 8)]
    rows: list[Row] = []
    for number in range(count):
        if shape.kind == "perplexity":
            rows.append({"id": str(number), "text": _words(rng, 20, 120)})
            continue
        if shape.kind == "generation":
            copied = _words(rng, 2, 6)
            asked = f"{before}Repeat: {copied}"
            rows.append({"id": str(number), "question": asked, "gold": copied})
            continue
        if shape.name == "passage":
            before = _words(rng, 90, 130) + ". "
        elif shape.name == "documents":
            before = passages[number // 8] + ". "
        letters = shape.name == "letters"
        options = list("ABCD") if letters else [f"{_words(rng, 2, 5)} {c}" for c in "abcd"]
        asked = f"{before}Which one goes with {_words(rng, 3, 9)}?"
        rows.append(
            {"id": str(number), "question": asked, "options": options, "gold": rng.randrange(4)}
        )
    return rows


def _examples(rng: random.Random) -> str:
    return "".join(f"Q: {_words(rng, 8, 14)}? A: {_words(rng, 2, 5)}. " for _ in range(8))


def _words(rng: random.Random, low: int, high: int) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(low, high)))
