"""Copying: odd strings verbatim, lists reversed, lists sorted."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from evalsuite.english.making import Made, MadeTask, distinct, in_turn

_WORDS = (
    "anchor", "basket", "candle", "dragon", "engine", "feather", "garden", "hammer", "island",
    "jacket", "kettle", "ladder", "magnet", "needle", "orange", "pepper", "quarry", "ribbon",
    "saddle", "temple", "urchin", "velvet", "walnut", "xylem", "yogurt", "zipper",
)  # fmt: skip
_ALPHABETS = {
    "codes": "ABCDEFGHJKLMNPQRSTUVWXYZ23456789",
    "signs": "abcxyz0189_-+=@#%&*/:;.,!?()[]{}<>",
    "accents": "àéîõüçñßøåæœžłđ",
    "symbols": "→←↑↓≤≥≠±×÷√∞°€£¥§¶",
}
_COPY_ASKS = (
    "Repeat the text between the lines exactly, sign by sign. Write nothing else.\n---\n{}\n---",
    "Copy this text exactly as it stands and write nothing else:\n{}",
    "Write the following once more without any change, and nothing beside it:\n{}",
)


def _verbatim(alphabet: str, ask: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        signs = _ALPHABETS[alphabet]
        parts = ["".join(rng.choices(signs, k=rng.randint(4, 7))) for _ in range(rng.randint(2, 3))]
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(_WORDS))
        text = " ".join(parts)
        return Made(text, f"{alphabet} in words {ask}", _COPY_ASKS[ask].format(text))

    return draw


_REVERSE_ASKS = (
    "Write these words in reverse order, the last first, separated by single spaces, and nothing "
    "else:\n{}",
    "Turn the order of these words round. Answer with the words only, one space between them:\n{}",
    "List the following words from the last to the first, with spaces between them and nothing "
    "else:\n{}",
)


def _reversed(ask: int, size: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        words = rng.sample(_WORDS, size)
        answer = " ".join(reversed(words))
        return Made(answer, f"{size} reversed {ask}", _REVERSE_ASKS[ask].format(" ".join(words)))

    return draw


_SORT_ASKS = {
    "a to z": "Sort these words alphabetically, from A to Z.",
    "z to a": "Sort these words alphabetically backwards, from Z to A.",
    "up": "Sort these numbers from the smallest to the largest.",
    "down": "Sort these numbers from the largest to the smallest.",
}


def _sorted(order: str, size: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        backwards = order in ("z to a", "down")
        if order in ("up", "down"):
            numbers = rng.sample(range(1, 1000), size)
            given = [str(one) for one in numbers]
            answer = [str(one) for one in sorted(numbers, reverse=backwards)]
        else:
            given = rng.sample(_WORDS, size)
            answer = sorted(given, reverse=backwards)
        prompt = (
            f"{_SORT_ASKS[order]} Write them in one line, separated by a comma and a space, and "
            f"nothing else:\n{', '.join(given)}"
        )
        return Made(", ".join(answer), f"{size} sorted {order}", prompt)

    return draw


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability, a third each: verbatim, reversing, sorting."""
    third = items // 3
    verbatim = [_verbatim(alphabet, ask) for alphabet in _ALPHABETS for ask in range(3)]
    reversing = [_reversed(ask, size) for ask in range(3) for size in (4, 5, 6, 7)]
    sorting = [_sorted(order, size) for order in _SORT_ASKS for size in (4, 5, 6, 7)]
    scorer = {"kind": "exact"}
    return [
        MadeTask("verbatim", "copying", scorer, distinct(in_turn(verbatim), "verbatim", third), 96),
        MadeTask("reversing", "copying", scorer,
                 distinct(in_turn(reversing), "reversing", third), 48),
        MadeTask("sorting", "copying", scorer,
                 distinct(in_turn(sorting), "sorting", items - 2 * third), 48),
    ]  # fmt: skip
