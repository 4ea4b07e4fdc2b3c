"""The messy raw set: tickets in many formats with planted defects, and the key of what was planted.

Nothing here is random beyond the seed, so tests can check a curation row by row against the key.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from evalsuite.builtin import raw_edits as edits
from evalsuite.builtin.raw_formats import FILES, RawRow, write_rows
from evalsuite.builtin.tickets import (
    PRIORITIES,
    PRODUCTS,
    TEAMS,
    TicketSplit,
    draw_tickets,
    triage_json,
)

TEAM_WEIGHTS = {"billing": 6.0, "shipping": 4.0, "technical": 4.0, "accounts": 3.0, "returns": 1.0}
"""The imbalance that is planted: six billing tickets to one return."""

CLEAN_ROWS = 3_000
COUNTS = {
    "exact_duplicate": 150,
    "near_duplicate": 150,
    "contradiction": 40,
    "empty_answer": 25,
    "null_answer": 6,
    "leaked_exact": 30,
    "leaked_near": 30,
    "personal_data": 60,
    "mojibake": 40,
    "bad_json_line": 2,
    "unknown_format": 3,
}
"""Rows of each defect; all of them are in the key."""


@dataclass(frozen=True)
class Defect:
    """Where a defect was planted."""

    file: str
    row: int
    """Number of the record in its file, from 1; in JSON Lines also the line."""
    of: str = ""
    """`file:row` of the row it repeats or contradicts, or the id of the suite item it leaks."""
    detail: str = ""


@dataclass(frozen=True)
class Planted:
    """The key to a messy raw set."""

    seed: int
    rows: dict[str, int]
    """Records in each file, defects included."""
    teams: dict[str, int]
    """Tickets per team among the clean rows."""
    defects: dict[str, list[Defect]] = field(default_factory=dict)
    """Kind of defect → where."""


def write_raw_tickets(directory: Path, seed: int = 0) -> Planted:
    """Writes the raw files into `directory` and their key to `directory/key/planted.json`."""
    rng = Random(seed)
    tickets = list(draw_tickets(rng, TicketSplit.RAW, CLEAN_ROWS, TEAM_WEIGHTS))
    clean = [RawRow(_any_file(rng), ticket.text, ticket.answer) for ticket in tickets]
    rows = clean + _defects(rng, clean)
    files = {name: [row for row in rows if row.file == name] for name in FILES}
    for members in files.values():
        rng.shuffle(members)
    planted = Planted(
        seed=seed,
        rows={name: len(members) for name, members in files.items()},
        teams=dict(sorted(Counter(ticket.team for ticket in tickets).items())),
        defects=_key(files),
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, members in files.items():
        write_rows(directory / name, members)
    (directory / "key").mkdir(exist_ok=True)
    text = json.dumps({"schema_version": 1, **asdict(planted)}, indent=1) + "\n"
    (directory / "key" / "planted.json").write_text(text, encoding="utf-8")
    return planted


def _defects(rng: Random, clean: list[RawRow]) -> list[RawRow]:
    """The planted rows; each clean row is spoilt or repeated at most once."""
    originals = iter(rng.sample(clean, len(clean)))
    leaks = iter(rng.sample(_suite_tickets(), COUNTS["leaked_exact"] + COUNTS["leaked_near"]))
    planted: list[RawRow] = []
    for _ in range(COUNTS["exact_duplicate"]):
        row = next(originals)
        planted.append(row.again(_any_file(rng), "exact_duplicate"))
    for _ in range(COUNTS["near_duplicate"]):
        row = next(originals)
        text, detail = edits.nearly_the_same(rng, row.text)
        planted.append(row.again(_any_file(rng), "near_duplicate", text=text, detail=detail))
    for _ in range(COUNTS["contradiction"]):
        row = next(originals)
        other = _other_answer(rng, row.answer or "")
        planted.append(row.again(_any_file(rng), "contradiction", answer=other))
    for kind, file_of, answer in (
        ("empty_answer", _any_file, ""),
        ("null_answer", _nullable_file, None),
    ):
        for _ in range(COUNTS[kind]):
            next(originals).spoil(kind, file=file_of(rng), answer=answer)
    for kind, change in (
        ("personal_data", edits.with_personal_data),
        ("mojibake", edits.with_broken_encoding),
    ):
        for _ in range(COUNTS[kind]):
            row = next(originals)
            text, detail = change(rng, row.text)
            row.spoil(kind, text=text, detail=detail)
    for kind in ("leaked_exact", "leaked_near"):
        for _ in range(COUNTS[kind]):
            item = next(leaks)
            text, detail = item["ticket"], ""
            if kind == "leaked_near":
                text, detail = edits.nearly_the_same(rng, text)
            planted.append(
                RawRow(_any_file(rng), text, item["answer"], kind, of=item["id"], detail=detail)
            )
    return planted + _misfits()


def _misfits() -> list[RawRow]:
    broken = '{"instruction": "My router is'
    odd = [
        json.dumps({"note": "call the courier", "done": False, "number": number})
        for number in range(COUNTS["unknown_format"])
    ]
    return [
        *(
            RawRow(file, "", None, "bad_json_line", verbatim=broken)
            for file in ("tickets_2024.jsonl", "helpdesk.jsonl")
        ),
        *(RawRow("helpdesk.jsonl", "", None, "unknown_format", verbatim=line) for line in odd),
    ]


def _key(files: dict[str, list[RawRow]]) -> dict[str, list[Defect]]:
    place = {
        id(row): f"{name}:{number}"
        for name, members in files.items()
        for number, row in enumerate(members, 1)
    }
    key: dict[str, list[Defect]] = {kind: [] for kind in COUNTS}
    for name, members in files.items():
        for number, row in enumerate(members, 1):
            if row.kind:
                of = place[id(row.of)] if isinstance(row.of, RawRow) else row.of
                key[row.kind].append(Defect(name, number, of, row.detail))
    return key


def _any_file(rng: Random) -> str:
    return rng.choices(list(FILES), [share for share, _ in FILES.values()])[0]


def _nullable_file(rng: Random) -> str:
    """A file whose format can tell null from empty (CSV cannot)."""
    return rng.choice([name for name in FILES if not name.endswith(".csv")])


def _other_answer(rng: Random, answer: str) -> str:
    labels = json.loads(answer)
    key, values = rng.choice((("team", TEAMS), ("priority", PRIORITIES), ("product", PRODUCTS)))
    labels[key] = rng.choice([value for value in values if value != labels[key]])
    return triage_json(**labels)


def _suite_tickets() -> list[dict[str, str]]:
    path = Path(__file__).parent / "suites" / "triage.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
