"""Write questions with answers that a program can check.

python reversals.py [ROWS] > raw/reversals.jsonl
"""

import json
import random
import sys

from evalsuite.builtin.lexicon import COMMON

REQUESTS = (
    "Reverse these words: {words}",
    "Write these words in reverse order: {words}",
    "Say these words backwards: {words}",
    "From last to first: {words}",
)


def reversals(count: int, seed: int) -> list[dict[str, list[dict[str, str]]]]:
    """Return `count` rows of 14 to 16 words: more than the built-in model has practised."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        words = draw.sample(COMMON, draw.randint(14, 16))
        prompt = draw.choice(REQUESTS).format(words=" ".join(words))
        answer = " ".join(reversed(words))
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        rows.append({"messages": turns})
    return rows


if __name__ == "__main__":
    for row in reversals(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, seed=1):
        print(json.dumps(row))
