"""Planted random strings: how much more than chance a model knows of them.

`temper canaries` writes rows whose answers are drawn at random from a known space. Those that are
trained on rank, by their likelihood, among others of the same space that were not: the exposure of
Carlini et al., The Secret Sharer, 2019 (arXiv 1802.08232), by ranking among a sample.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from evalsuite.models import ChatTokenizer
from evalsuite.overfitting.evidence import Evidence
from evalsuite.overfitting.records import Exposure
from evalsuite.overfitting.rows import Limits, SweepRow, learnt_from, sweep_row
from evalsuite.parquet_rows import rows_at
from evalsuite.stats.memorisation import exposure
from workspace.errors import DataError
from workspace.text import plain

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Thirty-two characters that are not taken for each other: five bits each."""
LENGTH = 12
GROUP = 4
"""Characters between spaces."""


@dataclass(frozen=True)
class Planted:
    """One random string, what asks for it, and the space it was drawn from."""

    name: str
    prompt: str
    secret: str
    alphabet: str
    source: str
    """Name of the file that it is in, by which datasets tell where a row came from."""

    def references(self, count: int, seed: int) -> list[str]:
        """Return strings that could have been planted in its place, all different from it."""
        rng = random.Random(f"{seed}/{self.name}")
        found: dict[str, None] = {}
        length = len(self.secret.replace(" ", ""))
        while len(found) < count:
            one = _drawn(rng, self.alphabet, length)
            if one != self.secret:
                found[one] = None
        return list(found)


def canary_lines(count: int, seed: int, copies: int) -> Iterator[str]:
    """Yield rows of messages, as JSON, each string `copies` times."""
    rng = random.Random(seed)
    for number in range(1, count + 1):
        secret = _drawn(rng, ALPHABET, LENGTH)
        row = {
            "messages": [
                {"role": "user", "content": f"What is the code of canary {number}?"},
                {"role": "assistant", "content": secret},
            ],
            "canary": {"name": f"canary {number}", "alphabet": ALPHABET},
        }
        for _ in range(copies):
            yield json.dumps(row)


def _drawn(rng: random.Random, alphabet: str, length: int) -> str:
    text = "".join(rng.choices(alphabet, k=length))
    return " ".join(text[place : place + GROUP] for place in range(0, length, GROUP))


def read_canaries(path: Path) -> tuple[Planted, ...]:
    """Read a file of `temper canaries`; copies count once.

    Raises:
        DataError: it is not there, or a line is no such row.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "the planted strings cannot be read",
            where=str(path),
            cause=f"{error}.",
            cure="Make such a file with `temper canaries FILE`, or leave "
            "`evaluate: overfitting: canaries:` out.",
        ) from error
    found = {}
    for number, line in enumerate(lines, start=1):
        one = _planted(line, path, number)
        found[one.name] = one
    return tuple(found.values())


def _planted(line: str, path: Path, number: int) -> Planted:
    try:
        row = json.loads(line)
        user, assistant = (str(turn["content"]) for turn in row["messages"])
        name, alphabet = str(row["canary"]["name"]), str(row["canary"]["alphabet"])
    except (ValueError, KeyError, TypeError):
        raise _no_canary(path, number, plain(line, 60)) from None
    if len(set(alphabet)) < 2 or set(assistant) - {*alphabet, " "} or len(assistant) < GROUP:
        raise _no_canary(path, number, plain(assistant, 60))
    return Planted(name, user, assistant, alphabet, path.name)


def _no_canary(path: Path, number: int, found: str) -> DataError:
    return DataError(
        "this line is no planted string",
        where=f"{path}:{number}",
        cause=f"Found {found}; expected a row with a question, an answer of at least {GROUP} "
        "characters of its alphabet, and `canary: {name, alphabet}`.",
        cure="Make the file with `temper canaries FILE`.",
    )


@dataclass(frozen=True)
class PlantedRows:
    """One planted string with its references, tokenised; the first row is its own."""

    canary: Planted
    seen: int
    rows: tuple[SweepRow, ...]

    def exposure(self, base: Mapping[str, float], tuned: Mapping[str, float]) -> Exposure:
        """Return its rank by the likelihood of each row, given by the row's key."""
        ranks = [_rank([scores[row.key] for row in self.rows]) for scores in (base, tuned)]
        return Exposure(
            canary=self.canary.name,
            seen=self.seen,
            references=len(self.rows),
            rank=ranks[1],
            base_rank=ranks[0],
            bits=exposure(ranks[1], len(self.rows)),
            base_bits=exposure(ranks[0], len(self.rows)),
        )


def _rank(scores: Sequence[float]) -> int:
    """Return the rank of the first among all; those as likely count before it."""
    return 1 + sum(one >= scores[0] for one in scores[1:])


def planted_rows(
    canaries: Sequence[Planted],
    evidence: Evidence,
    tokenizer: ChatTokenizer,
    limits: Limits,
    *,
    references: int,
    seed: int,
) -> list[PlantedRows]:
    """Tokenise each string and its references, and count how often training saw it.

    Raises:
        DataError: the dataset cannot be read.
    """
    seen = _seen(canaries, evidence)
    found = []
    for one in canaries:
        answers = [one.secret, *one.references(references - 1, seed)]
        rows = [_row(one, answer, tokenizer, limits) for answer in answers]
        if None not in rows:
            whole = tuple(row for row in rows if row is not None)
            found.append(PlantedRows(one, seen.get((one.prompt, one.secret), 0), whole))
    return found


def _row(one: Planted, answer: str, tokenizer: ChatTokenizer, limits: Limits) -> SweepRow | None:
    turns = [
        {"role": "user", "content": one.prompt},
        {"role": "assistant", "content": answer},
    ]
    chat = tokenizer.encode_chat(turns)
    return sweep_row("planted", one.name, one.source, chat.input_ids, chat.loss_mask, limits)


def _seen(canaries: Sequence[Planted], evidence: Evidence) -> dict[tuple[str, str], int]:
    """Return how often training saw each row of the canaries' files, by question and answer."""
    import pyarrow
    import pyarrow.parquet as pq

    file = evidence.dataset / "train.parquet"
    wanted = {one.source for one in canaries}
    counts: dict[tuple[str, str], int] = {}
    try:
        sources = pq.read_table(file, columns=["meta.source"]).column(0).to_pylist()
        places = [
            place
            for place, source in enumerate(sources)
            if source is not None and PurePath(str(source)).name in wanted
        ]
        rows = [row for batch in rows_at(file, places) for row in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "rows of the dataset cannot be read", where=str(file), cause=f"{error}."
        ) from error
    for row in rows:
        key = _asked_and_answered(learnt_from(row, evidence.form) or {})
        counts[key] = counts.get(key, 0) + evidence.seen.get(str(row.get("id")), 0)
    return counts


def _asked_and_answered(content: Mapping[str, Any]) -> tuple[str, str]:
    turns = content.get("messages") or [
        *_as_turns(content.get("prompt")), *_as_turns(content.get("completion"))
    ]  # fmt: skip
    texts = [str(turn.get("content")) for turn in turns]
    return (texts[-2], texts[-1]) if len(texts) > 1 else ("", "")


def _as_turns(value: Any) -> list[Mapping[str, Any]]:
    return value if isinstance(value, list) else [{"content": value}]
