"""Conversations of several turns: facts told and changed, a count kept, rules and a role kept."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from evalsuite.english.making import NAMES, Made, MadeTask, Turn, distinct, in_turn

_FACTS = {
    "favourite colour": ("red", "blue", "green", "purple", "orange", "yellow", "brown"),
    "favourite animal": ("otter", "falcon", "camel", "dolphin", "badger", "tiger", "lizard"),
    "home town": ("Oslo", "Lima", "Turin", "Graz", "Quito", "Leeds", "Porto"),
    "locker number": ("17", "42", "58", "63", "91", "26", "85"),
    "instrument": ("violin", "trumpet", "harp", "cello", "flute", "guitar", "banjo"),
    "dog's name": ("Biscuit", "Pepper", "Rocket", "Waffle", "Ginger", "Shadow", "Marble"),
    "favourite fruit": ("mango", "plum", "cherry", "papaya", "peach", "melon", "apricot"),
    "travel day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_ASIDES = (
    ("How many days are there in a week?", "There are seven days in a week."),
    ("Which is larger, a mouse or a horse?", "A horse is larger."),
    ("Please say hello in one word.", "Hello."),
    ("What do bees make?", "Bees make honey."),
    ("What is ice made of?", "Ice is made of water."),
)


def _told(fact: str, value: str) -> list[Turn]:
    return [("user", f"Please remember: my {fact} is {value}."),
            ("assistant", f"Your {fact} is {value}.")]  # fmt: skip


def _asides(rng: Random, count: int = 1) -> list[list[Turn]]:
    """Return different exchanges about something else."""
    chosen = rng.sample(_ASIDES, count)
    return [[("user", question), ("assistant", answer)] for question, answer in chosen]


def _asked(fact: str) -> Turn:
    return ("user", f"What is my {fact}? Answer with the {fact} only, without a sentence.")


def _two(rng: Random) -> tuple[str, str, str]:
    fact = rng.choice(list(_FACTS))
    first, second = rng.sample(_FACTS[fact], 2)
    return fact, first, second


def _remembered(rng: Random) -> Made:
    fact, value, _ = _two(rng)
    other = rng.choice([name for name in _FACTS if name != fact])
    told = [_told(fact, value), _told(other, rng.choice(_FACTS[other]))]
    rng.shuffle(told)
    turns = [*told[0], *told[1], *_asides(rng)[0], _asked(fact)]
    return Made(value, f"remembered {fact}", turns=tuple(turns))


def _changed(rng: Random) -> Made:
    fact, first, second = _two(rng)
    change = rng.choice(("I made a mistake: my {f} is {v}.", "It has changed: my {f} is now {v}."))
    one, other = _asides(rng, 2)
    turns = [
        *_told(fact, first), *one, ("user", change.format(f=fact, v=second)),
        ("assistant", f"Your {fact} is {second}."),
        *other, _asked(fact),
    ]  # fmt: skip
    return Made(second, f"changed {fact}", turns=tuple(turns))


def _before(rng: Random) -> Made:
    fact, first, second = _two(rng)
    turns = [
        *_told(fact, first), ("user", f"It has changed: my {fact} is now {second}."),
        ("assistant", f"Your {fact} is {second}."), *_asides(rng)[0],
        ("user", f"What was my {fact} before it changed? Answer with the {fact} only, without a "
         "sentence."),
    ]  # fmt: skip
    return Made(first, f"before {fact}", turns=tuple(turns))


def _whose(rng: Random) -> Made:
    fact, one, other = _two(rng)
    names = rng.sample(NAMES, 2)
    values = dict(zip(names, (one, other), strict=True))
    asked = rng.choice(names)
    turns = [
        ("user", f"{names[0]} and {names[1]} are my friends. For {names[0]} the {fact} is {one}."),
        ("assistant", f"Understood: {names[0]}, {one}."),
        ("user", f"And for {names[1]} the {fact} is {other}."),
        ("assistant", f"Understood: {names[1]}, {other}."), *_asides(rng)[0],
        ("user", f"What is the {fact} of {asked}? Answer with the {fact} only, without a "
         "sentence."),
    ]  # fmt: skip
    return Made(values[asked], f"whose {fact}", turns=tuple(turns))


_CHANGES = {
    "coins in a jar": (("I put {n} coins in.", 1), ("I take {n} coins out.", -1)),
    "people on a bus": (("{n} people get on.", 1), ("{n} people get off.", -1)),
    "points in a game": (("I win {n} points.", 1), ("I lose {n} points.", -1)),
    "books on a shelf": (("I add {n} books.", 1), ("I give {n} books away.", -1)),
}


def _counted(things: str, steps: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        total = rng.randint(20, 60)
        turns: list[Turn] = [
            ("user", f"Let us keep count of the {things}. At first there are {total}."),
            ("assistant", f"All right, we begin with {total}."),
        ]
        for _ in range(steps):
            said, sign = rng.choice(_CHANGES[things])
            number = rng.randint(2, 9)
            total += sign * number
            turns += [("user", said.format(n=number)), ("assistant", "Noted.")]
        turns.append(("user", f"How many {things} are there now? Answer with the number only."))
        return Made(str(total), f"{things} after {steps}", turns=tuple(turns))

    return draw


_RULES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "ends": ('end every answer with the word "Over."', [{"check": "ends_with", "text": "Over."}]),
    "begins": ('begin every answer with "Captain,"',
               [{"check": "starts_with", "text": "Captain,"}]),
    "capitals": ("write every answer in capital letters only",
                 [{"check": "case", "case": "upper"}]),
    "small": ("write every answer in small letters only, without a single capital",
              [{"check": "case", "case": "lower"}]),
    "short": ("use at most five words in every answer",
              [{"check": "count", "of": "words", "at_most": 5}]),
    "brackets": ("put every answer into square brackets",
                 [{"check": "starts_with", "text": "["}, {"check": "ends_with", "text": "]"}]),
}  # fmt: skip
_PLAIN = (
    ("What do cows eat?", "Cows eat grass."),
    ("What colour is snow?", "Snow is white."),
    ("Where do fish live?", "Fish live in water."),
    ("What is a hammer for?", "For driving in nails."),
    ("When do owls sleep?", "Owls sleep by day."),
    ("What is an umbrella for?", "It keeps off rain."),
    ("What is bread made of?", "Mostly flour and water."),
    ("What does a baker do?", "A baker bakes bread."),
    ("Why do people wear gloves?", "To keep hands warm."),
    ("What is a bridge for?", "For crossing a river."),
)


def _obeying(rule: str, text: str) -> str:
    if rule == "ends":
        return f"{text} Over."
    if rule == "begins":
        return f"Captain, {text[0].lower()}{text[1:]}"
    if rule == "brackets":
        return f"[{text}]"
    return {"capitals": text.upper(), "small": text.lower()}.get(rule, text)


def _ruled(rule: str, asides: int) -> Callable[[Random], Made]:
    said, checks = _RULES[rule]

    def draw(rng: Random) -> Made:
        turns: list[Turn] = [("user", f"From now on, {said}. Is that clear?")]
        turns.append(("assistant", _obeying(rule, "Yes, that is clear.")))
        *answered, (last, _) = rng.sample(_PLAIN, asides + 1)
        for question, answer in answered:
            turns += [("user", question), ("assistant", _obeying(rule, answer))]
        turns.append(("user", last))
        return Made(checks, f"rule {rule} after {asides}", turns=tuple(turns))

    return draw


_JOBS = ("librarian", "baker", "pilot", "gardener", "carpenter", "nurse", "tailor", "sailor")
_TOWNS = _FACTS["home town"]


def _role(asked: str) -> Callable[[Random], Made]:
    questions = {
        "name": "What is your name?", "job": "What do you do for a living?",
        "town": "Which town do you live in?",
    }  # fmt: skip

    def draw(rng: Random) -> Made:
        who = {"name": rng.choice(NAMES), "job": rng.choice(_JOBS), "town": rng.choice(_TOWNS)}
        system = "You play {name}, a {job} who lives in {town}. Stay in this role.".format(**who)
        turns = [("system", system), *_asides(rng)[0], ("user", questions[asked])]
        return Made(
            [{"check": "includes", "text": who[asked]}], f"role {asked}", turns=tuple(turns)
        )

    return draw


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability: facts (half), counts and rules (a quarter each)."""
    quarter = items // 4
    facts = in_turn((_remembered, _changed, _before, _whose))
    counts = in_turn([_counted(things, steps) for things in _CHANGES for steps in (2, 3, 4, 5)])
    rules = [_ruled(rule, asides) for rule in _RULES for asides in (0, 1, 2)]
    roles = [_role(asked) for asked in ("name", "job", "town")]
    return [
        MadeTask("facts", "conversations", {"kind": "normalised", "articles": True},
                 distinct(facts, "facts", items - 2 * quarter), 48),
        MadeTask("counts", "conversations", {"kind": "numeric"},
                 distinct(counts, "counts", quarter), 64),
        MadeTask("rules", "conversations", {"kind": "constraints"},
                 distinct(in_turn(rules + roles), "rules", quarter), 96),
    ]  # fmt: skip
