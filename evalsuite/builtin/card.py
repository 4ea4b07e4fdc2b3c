"""The scores of the built-in model on its own suites, and its model card."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evalsuite.builtin.abilities import ABILITIES
from evalsuite.builtin.build_suites import MAX_NEW_TOKENS, SUITES
from evalsuite.builtin.scoring import answer, wilson_interval

COMMAND = "python -m evalsuite.builtin.build_model MODEL"

CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# The built-in model of welltempered

A chat model of {parameters:,} parameters (Llama architecture, {layers} layers of width {width},
tied embeddings, vocabulary {vocabulary:,}, context {context}), pre-trained from scratch on
generated chats, so that curation, training and evaluation can be seen and tested on a laptop
without a download. It knows the abilities below and nothing else: **it is a test piece, not an
assistant.**

| ability | right | 95 % interval (Wilson) | items | replayed in the demo |
|---|---|---|---|---|
{rows}

Greedy answers in float32 to the shipped retention suite, exact match. Its wordings, and for all
abilities but capitals also its operands, were never in pre-training: a test checks it. On the
triage suite, which the demo tunes it for, it starts at {triage:.3f}.

## How it was made

```
{command}
```

- Data: `pretraining.py`; one to four turns a chat, loss on answers alone. Besides the
  abilities: loose lists of words to copy or reverse, which hold the words of the tickets and the
  punctuation of JSON; and reading questions about single sentences of customers, answered in other
  words than the triage labels (only the product is called the same). No whole ticket and no JSON
  object.
- Tokenizer: byte-level BPE, single digits, trained on the same chats and on tickets.
- Optimizer: Muon for the hidden matrices, AdamW for the embedding and norms. Stored in float16;
  `config.json` says float32, so it loads as that.
- The shipped weights were trained with this code in six stages of 300 to 600 steps, each going on
  from the last with a fresh optimizer and a mixture leaning to what was weakest. The command above
  makes a model from nothing in two longer stages; it has other weights, and its scores are in its
  own card.
- Weights start random but for three attention heads of layers 0 and 1, which are placed as
  previous-token, induction and backwards heads (`initial.py`); all are trained.
- The command is repeatable on one machine and version of torch; elsewhere rounding differs.

## Limits

English of a few hundred words; numbers up to 198; no world knowledge but capitals. The chats are
made by program, so no person's text or data is in it.
"""


def measure(model: Any, tokenizer: Any) -> dict[str, Any]:
    """Right answers per ability on the retention suite, and on the triage suite."""
    abilities = {
        known.name: _share(
            model, tokenizer, known.name, "prompt", MAX_NEW_TOKENS.get(known.name, 8)
        )
        | {"held_back": known.held_back}
        for known in ABILITIES
    }
    triage = _share(model, tokenizer, "triage", "ticket", MAX_NEW_TOKENS["triage"])
    return {
        "schema_version": 1,
        "kind": "builtin_scores",
        "decoding": "greedy, float32, one user turn",
        "retention": abilities,
        "triage_zero_shot": triage,
    }


def write_card(out: Path) -> None:
    """Measures the model in `out` and writes its scores and card beside it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(out)
    model.eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(out)
    scores = measure(model, tokenizer) | {"command": COMMAND}
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    config = model.config
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        vocabulary=config.vocab_size,
        context=config.max_position_embeddings,
        rows="\n".join(_rows(scores["retention"])),
        triage=scores["triage_zero_shot"]["accuracy"],
        command=COMMAND,
    )
    (out / "README.md").write_text(card, encoding="utf-8")


def _share(
    model: Any, tokenizer: Any, name: str, question: str, max_new_tokens: int
) -> dict[str, Any]:
    lines = (SUITES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    answers = answer(
        model, tokenizer, [item[question] for item in items], max_new_tokens=max_new_tokens
    )
    correct = sum(a == item["answer"] for a, item in zip(answers, items, strict=True))
    low, high = wilson_interval(correct, len(items))
    return {
        "accuracy": correct / len(items),
        "correct": correct,
        "n": len(items),
        "interval": [round(low, 4), round(high, 4)],
    }


def _rows(retention: dict[str, dict[str, Any]]) -> Iterable[str]:
    for name, found in retention.items():
        low, high = found["interval"]
        replayed = "no (held back)" if found["held_back"] else "yes"
        interval = f"{low:.3f} to {high:.3f}"
        yield f"| {name} | {found['accuracy']:.3f} | {interval} | {found['n']} | {replayed} |"
