"""Arithmetic: expressions with precedence and brackets, and word problems of several steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from random import Random

from evalsuite.english.making import LAST, NAMES, Made, MadeTask, distinct, in_turn

Solve = Callable[..., Fraction]


@dataclass(frozen=True)
class _Template:
    """A question with places for numbers, and how it is solved."""

    text: str
    ranges: dict[str, tuple[int, int]]
    solve: Solve

    def draw(self, rng: Random, topic: str, frame: str = "{}") -> Made:
        """Draw numbers until the answer is a whole number from 1."""
        while True:
            numbers = {name: rng.randint(*ends) for name, ends in self.ranges.items()}
            solved = self.solve(**{name: Fraction(value) for name, value in numbers.items()})
            if solved.denominator == 1 and solved >= 1:
                break
        words = {"name": rng.choice(NAMES), "thing": rng.choice(_THINGS)}
        text = frame.format(self.text.format(**numbers, **words))
        return Made(str(solved), topic, text)


def _whole(number: Fraction) -> Fraction:
    """Return the number, or zero, which is drawn again: half a piece is none."""
    return number if number.denominator == 1 else Fraction(0)


_THINGS = ("pencils", "marbles", "stickers", "buttons", "cards", "shells", "coins", "stamps")
_FRAMES = ("What is {}?", "Calculate {}.", "Work out the value of {}.", "Evaluate {}.")
_EXPRESSIONS = (
    _Template("{a} + {b} * {c}", {"a": (11, 99), "b": (3, 19), "c": (3, 12)},
              lambda a, b, c: a + b * c),
    _Template("{a} * {b} - {c}", {"a": (11, 49), "b": (3, 12), "c": (5, 80)},
              lambda a, b, c: a * b - c),
    _Template("({a} + {b}) * {c}", {"a": (4, 40), "b": (4, 40), "c": (3, 9)},
              lambda a, b, c: (a + b) * c),
    _Template("{a} - ({b} - {c})", {"a": (60, 400), "b": (30, 90), "c": (3, 29)},
              lambda a, b, c: a - b + c),
    _Template("{a} * ({b} - {c}) + {d}",
              {"a": (3, 12), "b": (15, 40), "c": (2, 14), "d": (2, 90)},
              lambda a, b, c, d: a * (b - c) + d),
    _Template("{a} / {b} + {c}", {"a": (24, 180), "b": (3, 12), "c": (5, 90)},
              lambda a, b, c: a / b + c),
    _Template("({a} - {b}) / {c}", {"a": (60, 250), "b": (5, 50), "c": (3, 9)},
              lambda a, b, c: (a - b) / c),
    _Template("{a} - {b} + {c} * {d}",
              {"a": (50, 200), "b": (5, 49), "c": (3, 15), "d": (3, 9)},
              lambda a, b, c, d: a - b + c * d),
    _Template("{a} * {b} + {c} * {d}", {"a": (3, 15), "b": (3, 12), "c": (3, 15), "d": (3, 12)},
              lambda a, b, c, d: a * b + c * d),
    _Template("{a} + {b} - {c} + {d}",
              {"a": (100, 999), "b": (100, 999), "c": (10, 99), "d": (10, 999)},
              lambda a, b, c, d: a + b - c + d),
)  # fmt: skip
_PROBLEMS = (
    _Template("{name} buys {a} boxes with {b} {thing} in each and gives {c} {thing} away. How many "
              "{thing} are left?", {"a": (3, 9), "b": (12, 30), "c": (5, 30)},
              lambda a, b, c: a * b - c),
    _Template("A shop sells {a} notebooks at {b} euros each and {c} pens at {d} euros each. How "
              "many euros does it take in?",
              {"a": (4, 30), "b": (2, 9), "c": (5, 40), "d": (1, 5)},
              lambda a, b, c, d: a * b + c * d),
    _Template("{name} has {a} {thing}, finds {b} more and then shares all of them equally among "
              "{c} friends. How many {thing} does each friend get?",
              {"a": (10, 60), "b": (5, 60), "c": (3, 9)}, lambda a, b, c: (a + b) / c),
    _Template("A train drives {a} kilometres an hour for {b} hours and then {c} kilometres an hour "
              "for {d} hours. How many kilometres does it drive in all?",
              {"a": (60, 160), "b": (2, 6), "c": (40, 120), "d": (1, 5)},
              lambda a, b, c, d: a * b + c * d),
    _Template("{name} reads {a} pages a day. The book has {b} pages, of which {c} are already "
              "read. How many days does the rest take?",
              {"a": (8, 30), "b": (150, 500), "c": (20, 120)}, lambda a, b, c: (b - c) / a),
    _Template("A tank holds {a} litres. It is full, loses {b} litres an hour for {c} hours and "
              "then gets {d} litres more. How many litres are in it?",
              {"a": (300, 900), "b": (10, 40), "c": (2, 6), "d": (5, 20)},
              lambda a, b, c, d: a - b * c + d),
    _Template("A rectangle is {a} metres long and {b} metres wide. A square with sides of {c} "
              "metres is cut out of it. How many square metres are left?",
              {"a": (12, 40), "b": (8, 30), "c": (2, 7)}, lambda a, b, c: a * b - c * c),
    _Template("{name} is {a} years old. In {b} years {name} will be {c} times as old as a cousin "
              "is then. How old is the cousin now?",
              {"a": (14, 60), "b": (2, 12), "c": (2, 4)}, lambda a, b, c: (a + b) / c - b),
    _Template("A baker makes {a} trays of {b} rolls in the morning and {c} trays of {b} rolls in "
              "the afternoon. {d} rolls are not sold. How many are sold?",
              {"a": (4, 12), "b": (12, 30), "c": (2, 9), "d": (3, 40)},
              lambda a, b, c, d: (a + c) * b - d),
    _Template("A ticket costs {a} euros. A group of {b} people gets {c} euros off the whole price. "
              "How many euros does the group pay?",
              {"a": (8, 35), "b": (6, 24), "c": (5, 40)}, lambda a, b, c: a * b - c),
    _Template("{name} saves {a} euros a week for {b} weeks and then buys a game for {c} euros. How "
              "many euros are left?", {"a": (6, 30), "b": (4, 15), "c": (15, 60)},
              lambda a, b, c: a * b - c),
    _Template("There are {a} rows with {b} seats each in a hall. {c} seats are taken. How many are "
              "free?", {"a": (8, 30), "b": (10, 28), "c": (20, 75)}, lambda a, b, c: a * b - c),
    _Template("A price of {a} euros is lowered by {b} percent. What is the new price in euros?",
              {"a": (20, 600), "b": (5, 60)}, lambda a, b: a * (100 - b) / 100),
    _Template("The way to school is {a} metres long. {name} walks it there and back on {b} days "
              "a week. How many metres is that in {c} weeks?",
              {"a": (300, 1500), "b": (3, 6), "c": (2, 8)}, lambda a, b, c: 2 * a * b * c),
    _Template("Three friends pay a bill of {a} euros. The first pays {b} euros, the second pays "
              "{c} euros more than the first. How many euros does the third pay?",
              {"a": (90, 200), "b": (10, 35), "c": (2, 15)}, lambda a, b, c: a - 2 * b - c),
    _Template("The average of three numbers is {a}. Two of them are {b} and {c}. What is the "
              "third?", {"a": (20, 80), "b": (5, 60), "c": (5, 60)},
              lambda a, b, c: 3 * a - b - c),
    _Template("A machine makes {a} parts in {b} minutes. How many parts does it make in {c} "
              "minutes at the same speed?", {"a": (6, 60), "b": (2, 10), "c": (12, 90)},
              lambda a, b, c: a / b * c),
    _Template("A farmer has {a} hens and {b} goats. How many legs do the animals have together?",
              {"a": (5, 60), "b": (3, 40)}, lambda a, b: 2 * a + 4 * b),
    _Template("{name} has {a} {thing} in a jar and twice as many in a bag. After losing {b} of "
              "them, how many {thing} does {name} still have?",
              {"a": (10, 70), "b": (3, 29)}, lambda a, b: 3 * a - b),
    _Template("A film begins {a} minutes after a meal of {b} minutes has ended and lasts {c} "
              "minutes. How many minutes pass from the start of the meal to the end of the film?",
              {"a": (5, 45), "b": (20, 70), "c": (80, 170)}, lambda a, b, c: a + b + c),
    _Template("{a} workers need {b} days for a wall. How many days do {c} workers need, if all "
              "work equally fast?", {"a": (3, 12), "b": (4, 18), "c": (2, 12)},
              lambda a, b, c: a * b / c),
    _Template("{name} cuts a rope of {a} centimetres into pieces of {b} centimetres. Each piece is "
              "sold for {c} cents. How many cents does that bring?",
              {"a": (100, 600), "b": (5, 30), "c": (10, 60)}, lambda a, b, c: _whole(a / b) * c),
    _Template("A class of {a} pupils has {b} more girls than boys. How many girls are there?",
              {"a": (18, 60), "b": (2, 12)}, lambda a, b: (a + b) / 2),
    _Template("A car uses {a} litres for 100 kilometres. How many litres does it use for {b} "
              "kilometres?", {"a": (4, 12), "b": (150, 950)}, lambda a, b: a * b / 100),
)  # fmt: skip


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability, `items` in all: a third expressions."""
    expressions = [
        partial(template.draw, topic=f"expression {number} in frame {at}", frame=frame)
        for number, template in enumerate(_EXPRESSIONS, start=1)
        for at, frame in enumerate(_FRAMES, start=1)
    ]
    problems = [
        partial(template.draw, topic=f"problem {number}")
        for number, template in enumerate(_PROBLEMS, start=1)
    ]
    third = items // 3
    scorer = {"kind": "numeric"}
    return [
        MadeTask("expressions", "arithmetic", scorer,
                 distinct(in_turn(expressions), "expressions", third), 384, suffix=LAST),
        MadeTask("word-problems", "arithmetic", scorer,
                 distinct(in_turn(problems), "word problems", items - third), 512,
                 suffix=LAST),
    ]  # fmt: skip
