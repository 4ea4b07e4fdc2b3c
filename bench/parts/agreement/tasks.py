"""Three tasks that a program makes, as a suite of ours and as tasks of lm_eval."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

NEW_TOKENS = 24
WORDS = (
    *("ship", "late", "order", "naïve", "café", "red", "blue"),
    *("seven", "invoice", "card", "größe", "東京", "refund", "zebra"),
)
SUITE = f"""\
schema_version: 1
name: agreement
purpose: retention
tasks:
  - {{name: choose, kind: choice, data: choose.jsonl, prompt: "{{{{ question }}}}",
     choices: "{{{{ options }}}}", gold: "{{{{ gold }}}}"}}
  - {{name: read, kind: perplexity, data: read.jsonl, text: "{{{{ text }}}}"}}
  - {{name: write, kind: generation, data: write.jsonl, prompt: "{{{{ question }}}}",
     gold: "{{{{ answer }}}}", scorer: exact, max_new_tokens: {NEW_TOKENS}}}
"""
PEER_TASKS: dict[str, dict[str, Any]] = {
    "choose": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{options}}",
        "doc_to_target": "{{gold}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "read": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [
            {"metric": "word_perplexity"}, {"metric": "byte_perplexity"},
            {"metric": "bits_per_byte"},
        ],
    },
    "write": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": [], "max_gen_toks": NEW_TOKENS, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    },
}  # fmt: skip


def write_tasks(directory: Path, seed: int = 0, count: int = 120) -> Path:
    """Write three tasks that a program made, with and without ASCII, and return the suite."""
    rng = random.Random(seed)

    def pick(low: int, high: int) -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(low, high)))

    rows: dict[str, list[dict[str, Any]]] = {"choose": [], "read": [], "write": []}
    for number in range(count):
        item = f"i{number}"
        options = [f"{pick(1, 4)} {letter}" for letter in "abcd"][: rng.randint(2, 4)]
        question = f"Which one goes with {pick(2, 8)}?"
        gold = rng.randrange(len(options))
        rows["choose"].append({"id": item, "question": question, "options": options, "gold": gold})
        rows["read"].append({"id": item, "text": pick(1, 16)})
        copied = pick(1, 4)
        rows["write"].append({"id": item, "question": f"Repeat: {copied}", "answer": copied})
    for name, records in rows.items():
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (directory / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    path = directory / "agreement.yaml"
    path.write_text(SUITE)
    return path


def without_trailing_space(model: Path, directory: Path) -> Path:
    """Copy a model with a template whose generation prompt does not end in white space."""
    copy = directory / "bare-template"
    shutil.copytree(model, copy)
    (copy / "chat_template.jinja").write_text(
        "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
        "{% if add_generation_prompt %}<answer>{% endif %}"
    )
    return copy
