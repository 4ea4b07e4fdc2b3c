"""Reasoning: orders, families, sets, dates and programs to trace, each with one right answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from evalsuite.english.facts import DAYS
from evalsuite.english.making import LAST, NAMES, Made, MadeTask, distinct, in_turn

_ORDERS = {
    "tall": ("taller", "shorter", "tallest", "shortest"),
    "old": ("older", "younger", "oldest", "youngest"),
    "fast": ("faster", "slower", "fastest", "slowest"),
    "rich": ("richer", "poorer", "richest", "poorest"),
    "heavy": ("heavier", "lighter", "heaviest", "lightest"),
    "strong": ("stronger", "weaker", "strongest", "weakest"),
}
ORDER_SIZES = (4, 5)
_PLACES = ("first", "second", "third", "last")


def _order(kind: str, size: int) -> Callable[[Random], Made]:
    more, less, _, _ = _ORDERS[kind]

    def draw(rng: Random) -> Made:
        names = rng.sample(NAMES, size)  # from most to least
        told = [
            f"{high} is {more} than {low}."
            if rng.random() < 0.5
            else f"{low} is {less} than {high}."
            for high, low in pairwise(names)
        ]
        rng.shuffle(told)
        place = rng.choice(_PLACES)
        at = {"first": 0, "second": 1, "third": 2, "last": size - 1}[place]
        most, least = _ORDERS[kind][2:]
        question = {
            "first": f"Who is the {most} of them?", "second": f"Who is the second {most} of them?",
            "third": f"Who is the third {most} of them?", "last": f"Who is the {least} of them?",
        }[place]  # fmt: skip
        prompt = f"{' '.join(told)} {question} Answer with the name only."
        return Made(names[at], f"{kind}, {place} of {size}", prompt)

    return draw


KIN = ("grandparent", "grandchild", "sibling", "cousin", "uncle or aunt", "nephew or niece")
_KIN_STORIES = {
    "grandparent": "{a} is a parent of {b}. {b} is a parent of {c}. What is {a} to {c}?",
    "grandchild": "{a} is a parent of {b}. {b} is a parent of {c}. What is {c} to {a}?",
    "sibling": "{a} is a parent of {b}. {a} is also a parent of {c}. What is {b} to {c}?",
    "cousin": "{a} is a parent of {b} and of {c}. {b} is a parent of {d}. {c} is a parent of {e}. "
    "What is {d} to {e}?",
    "uncle or aunt": "{a} is a parent of {b} and of {c}. {c} is a parent of {d}. "
    "What is {b} to {d}?",
    "nephew or niece": "{a} is a parent of {b} and of {c}. {c} is a parent of {d}. "
    "What is {d} to {b}?",
}


def _family(kin: str, turned: bool) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        names = dict(zip("abcde", rng.sample(NAMES, 5), strict=True))
        *told, question = _KIN_STORIES[kin].replace("? ", "?").format(**names).split(". ")
        if turned:
            told.reverse()
        options = ", ".join(rng.sample(KIN, len(KIN)))
        prompt = (
            f"{'. '.join(told)}. {question} Answer with one of these and nothing else: {options}."
        )
        return Made(kin, f"{kin}{' told backwards' if turned else ''}", prompt)

    return draw


_GROUPS = (
    ("pupils", "play chess", "play football"),
    ("guests", "drink tea", "drink coffee"),
    ("workers", "speak French", "speak German"),
    ("farmers", "keep hens", "keep goats"),
)
_SET_QUESTIONS = ("neither", "only the first", "at least one", "exactly one")


def _sets(asked: str, group: int) -> Callable[[Random], Made]:
    people, one, other = _GROUPS[group]

    def draw(rng: Random) -> Made:
        only_one, only_other, both, neither = (rng.randint(2, 20) for _ in range(4))
        total = only_one + only_other + both + neither
        told = (
            f"Of {total} {people}, {only_one + both} {one}, {only_other + both} {other}, "
            f"and {both} do both. How many"
        )
        question, answer = {
            "neither": ("do neither", neither),
            "only the first": (f"{one} but do not {other}", only_one),
            "at least one": ("do at least one of the two", total - neither),
            "exactly one": ("do exactly one of the two", only_one + only_other),
        }[asked]  # fmt: skip
        prompt = f"{told} {question}?"
        return Made(str(answer), f"{asked} of {people}", prompt)

    return draw


def _date(rng: Random) -> date:
    return date(rng.randint(1990, 2030), 1, 1) + timedelta(days=rng.randrange(365))


_DATE_ASKS = ("Which date is {n} days {word} {start}?", "What is the date {n} days {word} {start}?",
              "Count {n} days {way} from {start}. Which date is that?")  # fmt: skip


def _days_later(ask: int, back: bool, far: bool) -> Callable[[Random], Made]:
    word, way = ("before", "back") if back else ("after", "forward")

    def draw(rng: Random) -> Made:
        start, days = _date(rng), rng.randint(30, 120) if far else rng.randint(5, 29)
        found = start + timedelta(days=-days if back else days)
        asked = _DATE_ASKS[ask].format(n=days, word=word, way=way, start=start.isoformat())
        prompt = f"{asked} Give it as YYYY-MM-DD at the end of your answer."
        topic = f"date {word}{' by months' if far else ''}, {ask}"
        return Made(found.isoformat(), topic, prompt)

    return draw


_WEEKDAY_ASKS = (
    "Today is {today}. Which day of the week {word} {when}?",
    "If today is {today}, what day of the week {word} {when}?",
    "It is {today} today. Tell me which day of the week it {verb} {when}.",
)


def _weekday(ask: int, back: bool) -> Callable[[Random], Made]:
    word, verb = ("was it", "was") if back else ("will it be", "will be")

    def draw(rng: Random) -> Made:
        today, days = rng.randrange(7), rng.randint(8, 60)
        when = f"{days} days ago" if back else f"in {days} days"
        found = DAYS[(today + (-days if back else days)) % 7]
        asked = _WEEKDAY_ASKS[ask].format(today=DAYS[today], word=word, verb=verb, when=when)
        topic = f"weekday {'before' if back else 'after'}, {ask}"
        return Made(found, topic, f"{asked} Answer with the day only.")

    return draw


PROGRAMS = (
    "total = {a}\nfor i in range({b}):\n    total = total + i * {c}\nprint(total)",
    "x = {a}\ny = {b}\nwhile x < {d}:\n    x = x + y\n    y = y + 1\nprint(x)",
    "numbers = [{a}, {b}, {c}, {d}]\nbest = numbers[0]\nfor n in numbers:\n    if n > best:\n"
    "        best = n\nprint(best - min(numbers))",
    "def f(n):\n    if n < 2:\n        return n + {a}\n    return f(n - 1) + {c}\n\nprint(f({b}))",
    'text = "{w}"\ncount = 0\nfor letter in text:\n    if letter in "aeiou":\n'
    "        count = count + 1\nprint(count * {a} + len(text))",
    "x = {d}\nsteps = 0\nwhile x > 1:\n    x = x // 2\n    steps = steps + 1\nprint(steps + {a})",
    "numbers = [{a}, {b}, {c}, {d}]\nprint(sum(n for n in numbers if n % 2 == 0))",
    "stack = []\nfor n in [{a}, {b}, {c}]:\n    stack.append(n)\nstack.pop()\nstack.append({d})\n"
    "print(stack[0] + stack[-1] * 2)",
)
_PROGRAM_WORDS = ("banana", "orchestra", "rhythm", "evaluation", "mountain", "queue", "strength")


def _program(number: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        values = {"a": rng.randint(1, 9), "b": rng.randint(2, 7), "c": rng.randint(2, 9)}
        values["d"] = rng.randint(20, 60)
        code = PROGRAMS[number].format(**values, w=rng.choice(_PROGRAM_WORDS))
        prompt = f"What does this Python program print?\n\n{code}\n\n"
        return Made(str(_printed(code)), f"program {number + 1}", prompt)

    return draw


def _printed(code: str) -> int:
    """Run one of the programs above, which hold nothing but numbers of ours."""
    printed: list[int] = []
    exec(code, {"print": printed.append})
    return printed[0]


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability, a fifth each."""
    fifth = items // 5
    orders = [_order(kind, size) for kind in _ORDERS for size in ORDER_SIZES]
    families = [_family(kin, turned) for kin in KIN for turned in (False, True)]
    sets = [_sets(asked, group) for asked in _SET_QUESTIONS for group in range(len(_GROUPS))]
    days = [_weekday(ask, back) for ask in range(3) for back in (False, True)]
    dates = [
        _days_later(ask, back, far)
        for ask in range(len(_DATE_ASKS))
        for back in (False, True)
        for far in (False, True)
    ]
    programs = [_program(number) for number in range(len(PROGRAMS))]
    named, number = {"kind": "normalised"}, {"kind": "numeric"}
    by_iso = {"kind": "regex", "pattern": r"(\d{4}-\d{2}-\d{2})"}
    ordered = distinct(in_turn(orders), "orders", fifth)
    of_names = sum(1 / int(item.topic.rsplit(" ", 1)[1]) for item in ordered) / fifth
    third = items // 15
    return [
        MadeTask("orders", "reasoning", named, ordered, 24, round(of_names, 4)),
        MadeTask("families", "reasoning", named,
                 distinct(in_turn(families), "families", fifth), 24, round(1 / len(KIN), 4)),
        MadeTask("sets", "reasoning", number, distinct(in_turn(sets), "sets", fifth), 384,
                 suffix=LAST),
        MadeTask("weekdays", "reasoning", named, distinct(in_turn(days), "weekdays", third), 24,
                 round(1 / 7, 4)),
        MadeTask("dates", "reasoning", by_iso,
                 distinct(in_turn(dates), "dates", fifth - third), 256),
        MadeTask("programs", "reasoning", number,
                 distinct(in_turn(programs), "programs", items - 4 * fifth), 512,
                 suffix=LAST.lstrip()),
    ]  # fmt: skip
