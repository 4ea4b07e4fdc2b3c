"""A duel on disk: `duels/<id>/` with its prompts and votes, both of them only ever appended to.

A vote holds everything there is to know of it, so that what was voted can be read, counted and
exported without the models. A line that a crash tore does not count.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tui.chat.talk import Settings
from tui.records import UnreadableRecord, read_record, whole, words
from workspace.files import telling_disk_errors, write_json
from workspace.layout import Workspace, new_id

Choice = Literal["left", "right", "both good", "both bad", "skip"]
Turns = tuple[dict[str, str], ...]

DIRECTORY = "duels"
_RECORD, _PROMPTS, _VOTES = "duel.json", "prompts.jsonl", "votes.jsonl"


@dataclass(frozen=True)
class Vote:
    """What a person said of two answers to one prompt."""

    item: int
    """Number of the prompt, from 0."""
    choice: Choice
    first_is_left: bool
    """Whether the first model's answer stood on the left."""
    messages: Turns
    """What was asked."""
    answers: tuple[str, str]
    """Of the first model, then of the second."""
    time: float = 0.0

    @property
    def winner(self) -> int | None:
        """0 the first model, 1 the second; None where neither was preferred."""
        if self.choice not in ("left", "right"):
            return None
        return 0 if (self.choice == "left") == self.first_is_left else 1


@dataclass(frozen=True)
class Duel:
    """Who is held against whom, and how they are asked."""

    directory: Path
    models: tuple[str, str]
    settings: Settings
    order_seed: int
    """Of the sides on which the answers stand."""
    source: str
    """Where the prompts are from, in words."""

    @property
    def id(self) -> str:
        """The directory's name."""
        return self.directory.name

    def first_is_left(self, item: int) -> bool:
        """Draw on which side the first model's answer to this prompt stands."""
        return random.Random(f"{self.order_seed}:{item}").random() < 0.5

    def prompts(self) -> list[Turns]:
        """Return the prompts so far; torn or strange lines are passed over."""
        found = (_turns(line.get("messages")) for line in _lines(self.directory / _PROMPTS))
        return [turns for turns in found if turns]

    def add_prompts(self, prompts: Iterable[Turns]) -> None:
        """Put more prompts behind those there are."""
        append(self.directory / _PROMPTS, ({"messages": turns} for turns in prompts))

    def votes(self) -> dict[int, Vote]:
        """Return the last vote on each prompt; one that was taken back does not count."""
        found: dict[int, Vote] = {}
        for line in _lines(self.directory / _VOTES):
            item = whole(line.get("item"))
            if item is None:
                continue
            if line.get("taken_back") is True:
                found.pop(item, None)
            elif (vote := _vote(item, line)) is not None:
                found[item] = vote
        return found

    def vote(self, vote: Vote) -> None:
        """Write a vote; it is on the disk when this returns."""
        append(self.directory / _VOTES, [asdict(vote)])

    def take_back(self, item: int) -> None:
        """Let the vote on a prompt not count."""
        append(self.directory / _VOTES, [{"item": item, "taken_back": True, "time": time.time()}])


def make_duel(
    root: Path,
    models: tuple[str, str],
    settings: Settings,
    prompts: Sequence[Turns],
    *,
    source: str,
    order_seed: int | None = None,
) -> Duel:
    """Begin a duel in the workspace at `root`."""
    workspace = Workspace(root)
    directory = workspace.root / DIRECTORY / new_id("duel")
    workspace.make(directory)
    seed = random.SystemRandom().randrange(2**31) if order_seed is None else order_seed
    duel = Duel(directory, models, settings, seed, source)
    duel.add_prompts(prompts)
    record = {
        "schema_version": 1, "id": directory.name, "created": time.time(), "models": [*models],
        "settings": asdict(settings), "order_seed": seed, "source": source,
    }  # fmt: skip
    write_json(directory / _RECORD, record)
    return duel


def read_duel(directory: Path) -> Duel:
    """Read a duel's record.

    Raises:
        UnreadableRecord: missing, damaged or from a newer version.
    """
    record = read_record(directory / _RECORD, kind="duel")
    models, settings = record.get("models"), record.get("settings")
    seed = whole(record.get("order_seed"))
    try:
        assert isinstance(models, list) and isinstance(settings, dict) and seed is not None
        left, right = map(str, models)
        return Duel(
            directory, (left, right), Settings(**settings), seed, words(record.get("source"))
        )
    except (AssertionError, TypeError, ValueError):
        raise UnreadableRecord("this duel's record (duel.json) is damaged.") from None


def list_duels(root: Path) -> list[Duel]:
    """Return the duels of a workspace that can be read, newest first."""
    found = []
    for path in sorted((root / DIRECTORY).glob("[!.]*"), reverse=True):
        try:
            found.append(read_duel(path))
        except UnreadableRecord:
            continue
    return found


def append(path: Path, rows: Iterable[Any]) -> None:
    """Put rows behind a JSON lines file and wait until they are on the disk.

    Raises:
        TemperError: the disk is full, or may not be written.
    """
    # half a pair of surrogates, which a model may write, is no text: readers would refuse the line
    lines = [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows]
    if not lines:
        return
    data = b"\n".join(lines) + b"\n"
    with telling_disk_errors(path), path.open("a+b") as stream:
        if stream.tell() and _last_byte(path) != b"\n":
            data = b"\n" + data  # a crash tore the line before
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1)


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_bytes()
    except OSError:
        return []
    found = []
    for line in text.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def _turns(value: Any) -> Turns:
    if not isinstance(value, list):
        return ()
    turns = tuple(
        {"role": str(turn["role"]), "content": turn["content"]}
        for turn in value
        if isinstance(turn, dict) and isinstance(turn.get("content"), str) and turn.get("role")
    )
    return turns if len(turns) == len(value) else ()


def _vote(item: int, line: dict[str, Any]) -> Vote | None:
    choice, left, answers = (line.get(name) for name in ("choice", "first_is_left", "answers"))
    is_good = (
        choice in get_args(Choice) and isinstance(left, bool)
        and isinstance(answers, list) and len(answers) == 2
        and all(isinstance(answer, str) for answer in answers)
    )  # fmt: skip
    turns = _turns(line.get("messages"))
    if not is_good or not turns:
        return None
    when = line.get("time")
    return Vote(
        item, choice, left, turns, (answers[0], answers[1]),  # type: ignore[arg-type,index]
        float(when) if isinstance(when, int | float) else 0.0,
    )  # fmt: skip
