"""Write the rows of these recipes into raw/. One thing is to be learnt, which the built-in model
never does: answers end in a full stop.

pairs.jsonl        a prompt, an answer with it (the better one) and the same without
marked.jsonl       the same answers one by one, marked good or bad
chats.jsonl        chats of two questions; both answers have it
completions.jsonl  a prompt and an answer that has it
plain.jsonl        a prompt and an answer without: for a teacher who knows better
answers.jsonl      the same, but every third answer has it
choices.jsonl      a prompt, a right answer that has it (the better one), and one that lacks it or
                   answers something else
tickets.jsonl      plain texts of another kind: tickets to a help desk

python make.py [ROWS]
"""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

from evalsuite.builtin.general import general_items
from evalsuite.builtin.tickets import TicketSplit, draw_tickets

SEED = 11


def turn(role: str, text: str) -> list[dict[str, str]]:
    """Return a conversation of one turn."""
    return [{"role": role, "content": text}]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
items = list(general_items(SEED, count))
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
for name, side in (("plain", "rejected"), ("completions", "chosen")):
    rows = [{"prompt": pair["prompt"], "completion": pair[side]} for pair in pairs]
    write(Path(f"raw/{name}.jsonl"), rows)
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
turns = [pair["prompt"] + pair["chosen"] for pair in pairs]
chats = [{"messages": one + other} for one, other in zip(turns, turns[1:] + turns[:1], strict=True)]
write(Path("raw/chats.jsonl"), chats)
tickets = draw_tickets(Random(SEED), TicketSplit.RAW, count)
write(Path("raw/tickets.jsonl"), [{"text": ticket.text} for ticket in tickets])
