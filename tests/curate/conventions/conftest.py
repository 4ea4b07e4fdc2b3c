"""Rows with a convention, and rows planted among them that depart: the truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import pytest

from evalsuite.builtin.tickets import TicketSplit, draw_tickets

Row = dict[str, str]


def _compact(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _misspelt(rng: Random, answer: str) -> str:
    fields = json.loads(answer)
    team = fields["team"]
    place = rng.randint(1, len(team) - 2)
    fields["team"] = team[:place] + team[place + 1] + team[place] + team[place + 2 :]
    if fields["team"] == team:
        fields["team"] = team + "s"
    return _compact(fields)


DEFECTS: dict[str, Callable[[Random, str], str]] = {
    "missing key": lambda rng, a: _compact({k: v for k, v in json.loads(a).items() if k != "team"}),
    "extra key": lambda rng, a: _compact({**json.loads(a), "note": "call back"}),
    "key order": lambda rng, a: _compact(dict(reversed(json.loads(a).items()))),
    "type": lambda rng, a: _compact({**json.loads(a), "priority": 2}),
    "case": lambda rng, a: _compact(
        {**json.loads(a), "priority": json.loads(a)["priority"].capitalize()}
    ),
    "slip": _misspelt,
    "fence": lambda rng, a: f"```json\n{a}\n```",
    "words around": lambda rng, a: f"Sure, here is the JSON: {a}",
    "broken": lambda rng, a: a[:-1],
    "spacing": lambda rng, a: json.dumps(json.loads(a)),
    "white space": lambda rng, a: f"{a}\n",
    "prose": lambda rng, a: f"The team is {json.loads(a)['team']}.",
}
RARE = '{"team":"billing","priority":"urgent","product":"router"}'


def tickets(seed: int, rows: int = 1_500, each: int = 5) -> tuple[list[Row], dict[int, str]]:
    """Return triage rows, and place → defect of those that depart."""
    rng = Random(seed)
    out = [
        {"prompt": ticket.text, "completion": ticket.answer}
        for ticket in draw_tickets(rng, TicketSplit.RAW, rows)
    ]
    places = iter(rng.sample(range(rows), len(DEFECTS) * each + 1))
    truth = {}
    for name, spoil in DEFECTS.items():
        for _ in range(each):
            place = next(places)
            out[place]["completion"] = spoil(rng, out[place]["completion"])
            truth[place] = name
    place = next(places)
    out[place]["completion"], truth[place] = RARE, "rare"
    return out, truth


def solutions(seed: int, rows: int = 1_500, each: int = 6) -> tuple[list[Row], dict[int, str]]:
    """Return worked sums that end with `#### ANSWER`, and place → defect of those that depart."""
    rng = Random(seed)
    names = ("Ada", "Ben", "Carla", "Dan", "Edith", "Farid")
    goods = ("apples", "books", "coins", "discs", "eggs", "flags")
    out, truth = [], {}
    for _ in range(rows):
        name, good = rng.choice(names), rng.choice(goods)
        first, second = rng.randint(2, 60), rng.randint(2, 60)
        asked = f"{name} has {first} {good} and buys {second} more. How many {good} in all?"
        told = f"{name} begins the day with {first} {good} in the bag and then goes to the shop "
        told += f"to buy another {second} of them.\n"
        told += f"{first} + {second} = {first + second} {good}.\n#### {first + second}"
        out.append({"prompt": asked, "completion": told})
    spoilers: dict[str, Callable[[str], str]] = {
        "marker": lambda a: a.rsplit("\n", 1)[0],
        "boxed": lambda a: f"{a.rsplit('####', 1)[0]}\\boxed{{{a.rsplit(' ', 1)[1]}}}",
        "opening": lambda a: f"Sure! {a}",
        "small letter": lambda a: a[0].lower() + a[1:],
        "line breaks": lambda a: a.replace("\n", "\r\n"),
        "language": lambda a: (
            "Zu Beginn liegen einige Dinge auf dem Tisch, danach kommen noch weitere hinzu, und "
            "wir zählen am Ende einfach alle zusammen, um die Summe zu bekommen.\n#### "
            + a.rsplit(" ", 1)[1]
        ),
        "length": lambda a: (
            a.rsplit("#", 4)[0] + "And so it goes on with the counting. " * 120 + "\n#### 3"
        ),
    }
    places = iter(rng.sample(range(rows), len(spoilers) * each))
    for name, spoil in spoilers.items():
        for _ in range(each):
            place = next(places)
            out[place]["completion"] = spoil(out[place]["completion"])
            truth[place] = name
    return out, truth


def labels(seed: int, rows: int = 2_000, each: int = 5) -> tuple[list[Row], dict[int, str]]:
    """Return classified texts of 12 labels, and place → defect of those that depart."""
    rng = Random(seed)
    names = [
        "card_arrival", "card_linking", "cash_withdrawal", "lost_card", "refund", "top_up_failed",
        "top_up_limits", "exchange_rate", "verify_identity", "pending_transfer", "transfer_fee",
        "wrong_amount",
    ]  # fmt: skip
    out = [
        {"prompt": f"Message {number}: {rng.random()}", "completion": rng.choice(names)}
        for number in range(rows)
    ]
    truth = {}
    spoilers: dict[str, Callable[[str], str]] = {
        "case": str.capitalize,
        "spaces": lambda a: a.replace("_", " ") if "_" in a else f" {a}",
        "stop": lambda a: f"{a}.",
        "slip": lambda a: a[:3] + a[4:],
    }
    places = iter(rng.sample(range(rows), len(spoilers) * each))
    for name, spoil in spoilers.items():
        for _ in range(each):
            place = next(places)
            out[place]["completion"] = spoil(out[place]["completion"])
            truth[place] = name
    return out, truth


MAKERS = {"tickets": tickets, "solutions": solutions, "labels": labels}


@pytest.fixture(params=sorted(MAKERS))
def planted(request: pytest.FixtureRequest) -> tuple[list[Row], dict[int, str]]:
    """Rows with a convention, and place → defect of those planted."""
    return MAKERS[request.param](0)
