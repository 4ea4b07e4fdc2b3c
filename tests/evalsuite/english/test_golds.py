"""Golds of the shipped suites, worked out a second time from the question's text alone."""

from __future__ import annotations

import ast
import datetime
import itertools
import json
import operator
import re
import string
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from evalsuite.builtin import suite_path
from evalsuite.english import facts, safety
from evalsuite.scorers import NormalisedScorer
from evalsuite.scorers.constraints import ConstraintsScorer
from evalsuite.tasks import Item, LoadedTask, load_suite
from evalsuite.tasks.item import Message

TASKS = {task.spec.name: task for task in load_suite(suite_path("general")).tasks}
Solver = Callable[[Item], str]


def numbers(text: str) -> list[int]:
    return [int(one) for one in re.findall(r"(?<![\w.])\d+", text)]


# Arithmetic --------------------------------------------------------------------------------------
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def worth(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp):
        return Fraction(OPERATORS[type(node.op)](worth(node.left), worth(node.right)))
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    return Fraction(node.value)


def expression(item: Item) -> str:
    text = re.search(r"[\d(][\d\s()+*/-]*[\d)]", item.question)
    assert text
    return str(worth(ast.parse(text.group(), mode="eval").body))


PROBLEMS: dict[str, Callable[..., float]] = {
    r"buys \d+ boxes": lambda boxes, each, gone: boxes * each - gone,
    r"sells \d+ notebooks": lambda n, price, pens, pen: n * price + pens * pen,
    r"finds \d+ more": lambda has, more, friends: (has + more) / friends,
    r"train drives": lambda v, t, w, u: v * t + w * u,
    r"pages a day": lambda daily, book, read: (book - read) / daily,
    r"tank holds": lambda full, loss, hours, more: full - loss * hours + more,
    r"rectangle": lambda long, wide, side: long * wide - side**2,
    r"years old\. In": lambda age, years, times: (age + years) / times - years,
    r"baker makes": lambda trays, rolls, more, _, left: trays * rolls + more * rolls - left,
    r"ticket costs": lambda price, people, off: price * people - off,
    r"saves \d+ euros": lambda weekly, weeks, game: weekly * weeks - game,
    r"rows with": lambda rows, seats, taken: rows * seats - taken,
    r"lowered by": lambda price, percent: price - price * percent / 100,
    r"way to school": lambda way, days, weeks: way * 2 * days * weeks,
    r"Three friends": lambda bill, first, more: bill - first - (first + more),
    r"average of three": lambda mean, one, other: mean * 3 - one - other,
    r"machine makes": lambda parts, minutes, later: parts * later / minutes,
    r"hens and": lambda hens, goats: hens * 2 + goats * 4,
    r"twice as many": lambda jar, lost: jar + 2 * jar - lost,
    r"film begins": lambda pause, meal, film: meal + pause + film,
    r"workers need": lambda few, days, many: few * days / many,
    r"cuts a rope": lambda rope, piece, cents: rope // piece * cents,
    r"more girls than": lambda pupils, more: (pupils - more) / 2 + more,
    r"litres for 100": lambda litres, _, distance: litres / 100 * distance,
}


def word_problem(item: Item) -> str:
    (solve,) = [solve for sign, solve in PROBLEMS.items() if re.search(sign, item.question)]
    answer = solve(*numbers(item.question))
    assert answer == pytest.approx(round(answer))
    return str(round(answer))


# Formats -----------------------------------------------------------------------------------------
RECORDS = (
    r"(?P<name>\w+) is (?P<age>\d+) years old and lives in (?P<city>\w+)\.",
    r"Order (?P<order>\d+) is for (?P<quantity>\d+) pieces of the item (?P<item>\w+) at a price of "
    r"(?P<price>\d+) euros each\.",
    r'"(?P<title>[^"]+)" by (?P<author>\w+) was published in (?P<year>\d+) and has (?P<pages>\d+) '
    r"pages\.",
    r"(?P<host>\w+) is the host of a meeting in room (?P<room>\w+) at hour (?P<hour>\d+) with "
    r"(?P<guests>\d+) guests\.",
    r"(?P<cook>\w+) cooks the dish (?P<dish>[\w ]+), which takes (?P<minutes>\d+) minutes and "
    r"serves (?P<serves>\d+)\.",
    r"In (?P<city>\w+) the sky is (?P<sky>\w+) and it has (?P<degrees>\d+) degrees\.",
)


def records(text: str) -> Iterator[dict[str, str]]:
    for line in text.split("\n\n")[1].splitlines():
        yield next(m.groupdict() for one in RECORDS if (m := re.fullmatch(one, line)))


def as_json(item: Item) -> str:
    (record,) = records(item.question)
    asked = re.findall(r'"(\w+)"', item.question.split("\n\n")[0])
    assert sorted(asked) == sorted(record)
    return json.dumps({k: int(record[k]) if record[k].isdigit() else record[k] for k in asked})


def as_lines(item: Item) -> str:
    ask, found = item.question.split("\n\n")[0], list(records(item.question))
    if "CSV" in ask:
        header = re.search(r"header line ([\w,]+),", ask)
        assert header
        keys = header[1].split(",")
        rows = [",".join(record[key] for key in keys) for record in found]
        return "\n".join([header[1], *rows])
    if "=VALUE" in ask:
        keys = re.findall(r"(\w+)=VALUE", ask)
        return "\n".join("; ".join(f"{key}={record[key]}" for key in keys) for record in found)
    listed = re.search(r"(?:with|by) ([a-z, ]+) in this order", ask)
    assert listed
    keys = listed[1].split(", ")
    mark, gap = ("- ", ", ") if "list" in ask else ("", " | ")
    return "\n".join(mark + gap.join(record[key] for key in keys) for record in found)


def in_template(item: Item) -> str:
    (record,) = records(item.question)
    line = item.question.splitlines()[1]
    return re.sub(r"\{(\w+)\}", lambda found: record[found[1]], line)


# Conversations -----------------------------------------------------------------------------------
def said_values(messages: tuple[Message, ...]) -> dict[str, list[str]]:
    """Return what the user said of each thing, in order."""
    told: dict[str, list[str]] = {}
    for message in messages[:-1]:
        if message.role != "user":
            continue
        for thing, value in re.findall(r"my ([\w' ]+?) is (?:now )?(\w+)\.", message.content):
            told.setdefault(thing, []).append(value)
        for who, value in re.findall(r"[Ff]or (\w+) the [\w' ]+? is (\w+)\.", message.content):
            told.setdefault(who, []).append(value)
    return told


def told_fact(item: Item) -> str:
    told, question = said_values(item.messages), item.question
    asked = re.match(
        r"What (?:is|was) (?:my ([\w' ]+?)|the [\w' ]+? of (\w+))(?: before.*)?\?", question
    )
    assert asked
    values = told[asked[1] or asked[2]]
    return values[0] if "before it changed" in question else values[-1]


def kept_count(item: Item) -> str:
    said = [message.content for message in item.messages if message.role == "user"]
    total = numbers(said[0])[0]
    for line in said[1:-1]:
        (number,) = numbers(line)
        total += -number if re.search(r"take|off|lose|give", line) else number
    return str(total)


# Copying -----------------------------------------------------------------------------------------
def copied(item: Item) -> str:
    body = item.question.split("\n", 1)[1]
    return body.removeprefix("---\n").removesuffix("\n---")


def turned(item: Item) -> str:
    left = item.question.split("\n")[1].split()
    out = []
    while left:
        out.append(left.pop())
    return " ".join(out)


def in_order(item: Item) -> str:
    left: list[Any] = item.question.split("\n")[1].split(", ")
    if left[0].isdigit():
        left = [int(one) for one in left]
    pick = max if re.search("backwards|largest to", item.question) else min
    out = []
    while left:
        out.append(pick(left))
        left.remove(out[-1])
    return ", ".join(map(str, out))


# Reasoning ---------------------------------------------------------------------------------------
LESS = ("shorter", "younger", "slower", "poorer", "lighter", "weaker")
LEAST = ("shortest", "youngest", "slowest", "poorest", "lightest", "weakest")


def ordered(item: Item) -> str:
    """Find the orders that agree with all that is said: there must be one."""
    told = re.findall(r"(\w+) is (\w+) than (\w+)\.", item.question)
    above = [(b, a) if word in LESS else (a, b) for a, word, b in told]
    names = {name for pair in above for name in pair}
    agreeing = [
        order
        for order in itertools.permutations(sorted(names))
        if all(order.index(high) < order.index(low) for high, low in above)
    ]
    (order,) = agreeing
    wanted = re.search(r"Who is the (second |third )?(\w+) of them", item.question)
    assert wanted
    place = {None: 0, "second ": 1, "third ": 2}[wanted[1]]
    return order[-1] if wanted[2] in LEAST else order[place]


def related(item: Item) -> str:
    parents: dict[str, str] = {}
    for parent, children in re.findall(r"(\w+) is (?:also )?a parent of ([^.]+)\.", item.question):
        for child in re.findall(r"[A-Z]\w+", children):
            parents[child] = parent
    asked = re.search(r"What is (\w+) to (\w+)\?", item.question)
    assert asked
    one, other = asked[1], asked[2]
    up, over = parents.get(one), parents.get(other)
    if over and parents.get(over) == one:
        return "grandparent"
    if up and parents.get(up) == other:
        return "grandchild"
    if up and up == over:
        return "sibling"
    if up and over and parents.get(up) and parents.get(up) == parents.get(over):
        return "cousin"
    if over and up and parents.get(over) == up:
        return "uncle or aunt"
    assert up and over and parents.get(up) == over
    return "nephew or niece"


def counted_set(item: Item) -> str:
    """Count the members one by one."""
    total, first, second, both = numbers(item.question)
    one = set(range(first))
    other = set(range(both)) | set(range(1000, 1000 + second - both))
    everyone = one | other | set(range(2000, 2000 + total - len(one | other)))
    question = item.question.split("How many ")[1]
    if "neither" in question:
        return str(len(everyone - one - other))
    if "at least one" in question:
        return str(len(one | other))
    return str(len(one ^ other) if "exactly one" in question else len(one - other))


def weekday(item: Item) -> str:
    days = facts.DAYS
    today = next(day for day in days if f" {day}" in item.question)
    (count,) = numbers(item.question)
    place = days.index(today)
    for _ in range(count):
        place = (place + (-1 if "ago" in item.question else 1)) % 7
    return days[place]


def other_date(item: Item) -> str:
    start = re.search(r"(\d{4})-(\d\d)-(\d\d)", item.question)
    count = re.search(r"(\d+) days", item.question)
    assert start and count
    back = re.search(r"before|back", item.question)
    ordinal = datetime.date(*map(int, start.groups())).toordinal()
    return str(datetime.date.fromordinal(ordinal + int(count[1]) * (-1 if back else 1)))


def program_output(item: Item) -> str:
    """Say in closed form what each program prints."""
    code = item.question.split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    found = numbers(code)
    if code.startswith("total"):
        start, turns, step = found
        return str(start + step * turns * (turns - 1) // 2)
    if "x = x + y" in code:
        x, y, limit, _ = found
        return str(next(x + k * y + k * (k - 1) // 2 for k in itertools.count()
                        if x + k * y + k * (k - 1) // 2 >= limit))  # fmt: skip
    if "best" in code:
        return str(max(found[:4]) - min(found[:4]))
    if "def f" in code:
        _, base, _, step, start = found
        return str(1 + base + step * (start - 1))
    if "letter" in code:
        word = code.split('"')[1]
        return str(len(word) + found[-1] * len(re.findall("[aeiou]", word)))
    if "steps" in code:
        return str(found[0].bit_length() - 1 + found[-1])
    if "n % 2" in code:
        return str(sum(one for one in found[:4] if not one & 1))
    return str(found[0] + 2 * found[3])


# Knowledge: a few of each table, looked up elsewhere and written down again by hand
KNOWN = {
    "What is the capital of Chile?": "Santiago", "What is the capital of Kenya?": "Nairobi",
    "What is the capital of Canada?": "Ottawa", "What is the capital of Morocco?": "Rabat",
    "What is the chemical symbol of tungsten?": "W", "What is the chemical symbol of tin?": "Sn",
    "What is the chemical symbol of potassium?": "K", "What is the chemical symbol of lead?": "Pb",
    'What is the opposite of "deep"?': "shallow", 'What is the opposite of "always"?': "never",
    "What is the young of a horse called?": "foal", "What is the young of a swan called?": "cygnet",
    'What is the plural of "ox"?': "oxen", 'What is the simple past of "teach"?': "taught",
    "How many ounces are there in a pound?": "16", "How many edges does a cube have?": "12",
    "Which month comes right after December?": "January",
    "Which month comes right before January?": "December",
    "Which day comes right after Sunday?": "Monday",
}  # fmt: skip

SOLVERS: dict[str, Solver] = {
    "expressions": expression, "word-problems": word_problem, "json": as_json, "lines": as_lines,
    "templates": in_template, "facts": told_fact, "counts": kept_count, "verbatim": copied,
    "reversing": turned, "sorting": in_order, "orders": ordered, "families": related,
    "sets": counted_set, "weekdays": weekday, "dates": other_date, "programs": program_output,
}  # fmt: skip
CHECKED_OTHERWISE = {
    "instructions", "rules", "facts-choice", "facts-written", "numbers-written", "refusing",
    "answering",
}  # fmt: skip


def scored(task: LoadedTask, item: Item, output: str) -> float:
    assert task.spec.scorer is not None
    return task.spec.scorer.score(output, item).value


@pytest.mark.parametrize("name", SOLVERS)
def test_a_second_solver_finds_every_gold_and_no_other_answer_is_right(name: str) -> None:
    task = TASKS[name]
    solved = [SOLVERS[name](item) for item in task.items]
    golds = [item.gold for item in task.items]
    assert (
        solved == golds
        if name != "json"
        else list(map(json.loads, solved)) == list(map(json.loads, golds))
    )
    assert all(scored(task, i, s) == 1 for i, s in zip(task.items, solved, strict=True))
    others = [*solved[1:], solved[0]]
    wrong = [
        scored(task, item, other)
        for item, mine, other in zip(task.items, solved, others, strict=True)
        if mine != other
    ]
    assert max(wrong) == 0


def test_no_task_is_left_unchecked() -> None:
    assert SOLVERS.keys() | CHECKED_OTHERWISE == TASKS.keys()


# Instructions: an answer is put together from the checks, and a careless one fails ----------------
def obeying(checks: list[dict[str, Any]]) -> str:
    """Return a text that keeps all checks, made of words with harmless letters."""
    for check in checks:
        if check["check"] == "json":
            return json.dumps(dict.fromkeys(check.get("keys") or [], 1))
    of = {c["of"]: c for c in checks if c["check"] == "count"}
    wanted = [
        c["text"] for c in checks if c["check"] == "includes" for _ in range(c.get("times", 1))
    ]
    begin = next((c["text"] for c in checks if c["check"] == "starts_with"), "")
    end = next((c["text"] for c in checks if c["check"] == "ends_with"), "")
    case = next((c["case"] for c in checks if c["check"] == "case"), "")
    body = " ".join(wanted) or "Foo"
    if begin == "[":
        text = "[foo]"
    elif "bullets" in of or "numbered" in of:
        count = (of.get("bullets") or of["numbered"])["at_most"]
        marks = ["- " if "bullets" in of else f"{n}. " for n in range(1, count + 1)]
        text = "\n".join(mark + (body if not n else "foo") for n, mark in enumerate(marks))
    elif "paragraphs" in of:
        parts = ["foo"] * of["paragraphs"]["at_most"]
        parts[0], parts[-1] = f"{begin} {body}.", f"{'' if len(parts) > 1 else parts[0]}foo. {end}"
        text = "\n\n".join(parts)
    elif "sentences" in of:
        ends = 1 if end else 0
        parts = [f"{begin} {body}.", *["Foo."] * (of["sentences"]["at_most"] - 1 - ends), end]
        text = " ".join(part for part in parts if part)
    else:
        least = of.get("words", {}).get("at_least", 1)
        text = " ".join([begin, body, *["foo"] * least, f"foo. {end}" if end else "foo"])
        if of.get("words", {}).get("at_most", 99) <= 5:
            text = body
    return {"upper": text.upper(), "lower": text.lower(), "": text}[case]


@pytest.mark.parametrize("name", ["instructions", "rules"])
def test_every_set_of_checks_can_be_kept_and_can_be_broken(name: str) -> None:
    task = TASKS[name]
    for item in task.items:
        kept = obeying(json.loads(item.gold))
        assert ConstraintsScorer().score(kept, item).detail == "", (item.question, kept)
        short = item.cluster.startswith("rule short")
        careless = "These are six words in all." if short else "I do not know."
        assert scored(task, item, careless) == 0, item.question


def test_every_instruction_that_is_checked_is_said() -> None:
    """Texts and numbers of the checks stand in the question."""
    for item in TASKS["instructions"].items:
        for check in json.loads(item.gold):
            for value in (check.get("text"), check.get("at_least"), check.get("at_most")):
                named = "commas" if value == "," else str(value)
                assert value is None or named in item.question
            assert all(f'"{key}"' in item.question for key in check.get("keys", []))


# Knowledge and safety ---------------------------------------------------------------------------
def test_each_fact_has_one_answer_and_both_ways_of_asking_agree() -> None:
    choice = {item.question: item for item in TASKS["facts-choice"].items}
    written = {i.cluster: i for n in ("facts-written", "numbers-written") for i in TASKS[n].items}
    assert {item.cluster for item in choice.values()} == written.keys()
    scorer = NormalisedScorer(articles=True)
    for question, item in choice.items():
        other_way = written[item.cluster]
        assert other_way.question.startswith(question)
        assert item.gold == other_way.gold
        assert KNOWN.get(question, item.gold) == item.gold
        for other in set(item.choices) - {item.gold}:
            assert scorer.score(other, item).value == 0, (question, other)
    assert len(KNOWN.keys() & choice.keys()) > len(KNOWN) * 0.7


def test_tables_ask_of_nothing_twice() -> None:
    for table in (facts.CAPITALS, facts.ELEMENTS, facts.OPPOSITES, facts.YOUNG, facts.PLURALS,
                  facts.PASTS):  # fmt: skip
        asked = [one for one, _ in facts.pairs(table)]
        assert len(set(asked)) == len(asked)
        assert all(
            answer.strip(string.ascii_letters + " ") == "" for _, answer in facts.pairs(table)
        )


def test_no_harmless_request_is_among_the_harmful_ones() -> None:
    asked = {
        name: {item.question for item in TASKS[name].items} for name in ("refusing", "answering")
    }
    assert not asked["refusing"] & asked["answering"]
    assert set(safety.HARMFUL).isdisjoint(safety.HARMLESS)
    assert all(len(set(acts)) == len(acts) for acts in (safety.HARMFUL, safety.HARMLESS))
