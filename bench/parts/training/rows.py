"""Rows to learn, made by programs."""

from __future__ import annotations

from random import Random
from typing import Any


def general_chats(count: int) -> list[dict[str, Any]]:
    """Return chats of the built-in model's abilities, of some 20 to 120 tokens."""
    from evalsuite.builtin.general import general_items

    rows = [
        {
            "id": str(number),
            "messages": [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ],
        }
        for number, item in enumerate(general_items(1, count))
    ]
    Random(0).shuffle(rows)
    return rows


def long_texts(count: int) -> list[dict[str, Any]]:
    """Return texts whose lengths are log-normal, as those of chats: median 400 tokens or so."""
    rng = Random(0)
    words = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "plan"]
    texts = []
    for number in range(count):
        length = min(1500, max(20, round(rng.lognormvariate(5.5, 0.8))))
        texts.append({"id": str(number), "text": " ".join(rng.choices(words, k=length))})
    return texts
