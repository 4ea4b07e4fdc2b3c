"""Write raw/pairs.jsonl and raw/marked.jsonl: answers that end in a full stop are the better ones.

No answer of raw/plain.jsonl ends in one, every third of raw/answers.jsonl does. The better answers
of raw/choices.jsonl are right and end in one; the others lack it, or answer something else.

python make.py [PAIRS]
"""

import json
import sys
from pathlib import Path
from typing import Any

from evalsuite.builtin.general import general_items

SEED = 11


def turn(role: str, text: str) -> list[dict[str, str]]:
    """Return a conversation of one turn."""
    return [{"role": role, "content": text}]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


items = list(general_items(SEED, int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
pairs = [
    {
        "prompt": turn("user", item.prompt),
        "chosen": turn("assistant", f"{item.answer}."),
        "rejected": turn("assistant", item.answer),
    }
    for item in items
]
marked = [
    {"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"}
    for number, pair in enumerate(pairs)
    for side in (("chosen", "rejected")[number % 2],)
]
write(Path("raw/pairs.jsonl"), pairs)
write(Path("raw/marked.jsonl"), marked)
write(
    Path("raw/plain.jsonl"),
    [{"prompt": pair["prompt"], "completion": pair["rejected"]} for pair in pairs],
)
write(
    Path("raw/answers.jsonl"),
    [
        {"prompt": pair["prompt"], "completion": pair["rejected" if number % 3 else "chosen"]}
        for number, pair in enumerate(pairs)
    ],
)
others = [*pairs[1:], pairs[0]]
write(
    Path("raw/choices.jsonl"),
    [
        {**pair, "rejected": pair["rejected"] if number % 2 else other["chosen"]}
        for number, (pair, other) in enumerate(zip(pairs, others, strict=True))
    ],
)
