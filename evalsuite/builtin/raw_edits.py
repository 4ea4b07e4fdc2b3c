"""How a clean ticket is spoilt: near copies, personal data, broken encoding."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from evalsuite.builtin.ticket_phrases import CLOSINGS, GREETINGS


def nearly_the_same(rng: Random, text: str) -> tuple[str, str]:
    """One or two small edits that keep the meaning; returns the text and the names of the edits."""
    names: list[str] = []
    changed = text
    for name in rng.sample(list(_EDITS), 2):
        after = _EDITS[name](rng, changed)
        if after != changed:
            names.append(name)
            changed = after
        if names and rng.random() < 0.5:
            break
    if changed == text:
        return text.lower(), "lower case"
    return changed, ", ".join(names)


def with_personal_data(rng: Random, text: str) -> tuple[str, str]:
    """Adds a sentence with an e-mail address, a phone number or a card number (all invalid)."""
    kind, sentence = rng.choice(
        (
            ("email", f"My e-mail is {_mailbox(rng)}."),
            ("email", f"Write to {_mailbox(rng)} please."),
            ("phone", f"Call me on +44 20 7946 0{rng.randint(100, 999)}."),
            ("phone", f"My number is (555) 010-{rng.randint(1000, 9999)}."),
            ("card", f"I paid with card {_card(rng)}."),
        )
    )
    return f"{text} {sentence}", kind


def with_broken_encoding(rng: Random, text: str) -> tuple[str, str]:
    """Adds a sentence that was UTF-8 and was read as Windows-1252."""
    sentence = rng.choice(
        (
            "I don’t know what to do.",
            "It’s from the café in Zürich.",
            "The price was 49 €.",
            "My name is José Núñez.",
            "They said “no” to me.",
            "It cost £30 – too much.",
        )
    )
    # Bytes that Windows-1252 leaves undefined stand for themselves, as browsers have it.
    broken = "".join(_as_cp1252(byte) for byte in sentence.encode())
    return f"{text} {broken}", sentence


def _as_cp1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _mailbox(rng: Random) -> str:
    first = rng.choice(("anna", "ben", "carla", "hugo", "nora", "sam"))
    return (
        f"{first}.{rng.choice(('berg', 'cole', 'diaz', 'frost'))}{rng.randint(1, 99)}@example.com"
    )


def _card(rng: Random) -> str:
    """A number of Visa's test range with a right check digit."""
    digits = [4, 1, 1, 1, *(rng.randint(0, 9) for _ in range(11))]
    doubled = [sum(divmod(2 * d, 10)) if i % 2 == 0 else d for i, d in enumerate(digits)]
    digits.append(-sum(doubled) % 10)
    text = "".join(map(str, digits))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def _typo(rng: Random, text: str) -> str:
    words = text.split(" ")
    place = rng.choice([i for i, word in enumerate(words) if len(word) > 3])
    word, cut = words[place], rng.randint(1, len(words[place]) - 3)
    words[place] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
    return " ".join(words)


def _without_punctuation(rng: Random, text: str) -> str:
    return re.sub(r"[.,?]", "", text)


def _other_greeting(rng: Random, text: str) -> str:
    for greeting in sorted(filter(None, GREETINGS), key=len, reverse=True):
        if text.startswith(f"{greeting}, "):
            return f"{rng.choice(('Hey', 'Greetings', 'Good day'))}, {text[len(greeting) + 2 :]}"
    return f"Good day, {text}"


def _other_closing(rng: Random, text: str) -> str:
    for closing in filter(None, CLOSINGS):
        text = re.sub(rf" {closing}, \w+$", "", text)
    return f"{text} {rng.choice(('Cheers', 'Greetings', 'Bye'))}"


def _small_words(rng: Random, text: str) -> str:
    swaps = {"I am": "I'm", "cannot": "can not", "Please": "Kindly", "does not": "doesn't"}
    for old, new in swaps.items():
        text = text.replace(old, new, 1)
    return text


_EDITS: dict[str, Callable[[Random, str], str]] = {
    "lower case": lambda rng, text: text.lower(),
    "upper case": lambda rng, text: text.upper(),
    "punctuation": _without_punctuation,
    "greeting": _other_greeting,
    "closing": _other_closing,
    "typo": _typo,
    "small words": _small_words,
    "spaces": lambda rng, text: text.replace(" ", "  ").strip() + " ",
}
