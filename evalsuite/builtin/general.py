"""Replay rows: training items of every ability that is not held back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from evalsuite.builtin.abilities import ABILITIES, Item, Split, draw_item

REPLAYED = tuple(ability for ability in ABILITIES if not ability.held_back)


def general_items(seed: int, count: int) -> Iterator[Item]:
    """`count` items with distinct prompts, evenly over the replayed abilities."""
    rng = Random(seed)
    prompts: set[str] = set()
    while len(prompts) < count:
        item = draw_item(REPLAYED[len(prompts) % len(REPLAYED)], rng, Split.TRAINING)
        if item.prompt not in prompts:
            prompts.add(item.prompt)
            yield item


def write_general(path: Path, seed: int, count: int) -> None:
    """Writes the rows as messages, one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for item in general_items(seed, count):
            messages = [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ]
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
