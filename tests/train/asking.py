"""Questions for a model that learns by reward, and the recipe to learn by."""

from __future__ import annotations

from typing import Any

WORDS = ["card", "late", "happy", "angry", "password", "plan"]
HAS_AN_A = {"kind": "format", "pattern": ".*a.*"}
"""A random model meets it by chance, a trained one always."""
METHOD = {
    "kind": "grpo",
    "rewards": [HAS_AN_A],
    "num_generations": 4,
    "max_new_tokens": 8,
}
GRPO = {
    "method": METHOD,
    "adapter": {"kind": "full"},
    "batch_size": 4,
    "steps": 4,
}


def ask(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of two words; the first is the answer."""
    first, second = WORDS[number % 6], WORDS[(number // 6 + number + 1) % 6]
    return {
        "id": f"ask-{number}",
        "prompt": [{"role": "user", "content": f"{first} {second}"}],
        "answer": first,
        "meta": {"source": "asks.jsonl", "row": number},
        **changes,
    }


def method(**changes: Any) -> dict[str, Any]:
    return {**GRPO, "method": {**METHOD, **changes}}
