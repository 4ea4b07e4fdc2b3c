"""Grades by a judge: any OpenAI-compatible endpoint, or a model on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Record
from curate.steps.scoring.cache import fingerprint_name
from curate.steps.scoring.chats import supervised
from curate.steps.scoring.configs import Judge
from curate.steps.scoring.room import RowJudge
from curate.synth.templates import Prompts
from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.models import ModelSection, resolve_model

VERSION = 1


class JudgeScorer:
    """One grade on the rubric's scale for each row, asked greedily, one row a request.

    A reply that is no such grade is sent back with what is wrong; one that never becomes a grade
    gives no score. A model grades what it wrote itself too well (Panickssery et al., arXiv
    2404.13076), so rows that `made.parquet` beside their source says it made get none either.
    """

    def __init__(self, config: Judge, context: StepContext, directory: Path) -> None:
        self.config = config
        self.kind = context.type
        self.base_dir = context.base_dir
        self.columns: tuple[str, ...] = (config.column,)
        self.described = config.backend.described
        own = context.base_dir / config.prompts if config.prompts else None
        self.prompts = Prompts.load(own)
        self.identity = _identity(config, context.base_dir)
        self.fingerprint: Mapping[str, Any] = {
            "kind": "judge",
            "version": VERSION,
            "type": context.type,
            "model": self.identity,
            "rubric": config.rubric,
            "scale": list(config.scale),
            "max_tokens": config.max_tokens,
            "repairs": config.repairs,
            "seed": config.seed,
            "words": hashlib.sha256(_words(self.prompts).encode()).hexdigest(),
            **_asked_how(config),
        }
        self._log = directory / fingerprint_name(self.fingerprint)
        self._makers: dict[str, Mapping[str, str]] = {}
        self._room: RowJudge | None = None

    def excused(self, source: str | None, user_id: str | None) -> str:
        """A judge does not grade what it wrote."""
        if source is None or user_id is None:
            return ""
        if source not in self._makers:
            self._makers[source] = made_by(self.base_dir / source)
        maker = self._makers[source].get(user_id)
        return "the judge made it itself" if maker == self.identity else ""

    def measure(self, records: Sequence[Record]) -> Found:
        """Yield grades as they come."""
        if self._room is None:
            self._room = RowJudge(self.config, self.prompts, self.base_dir, self._log)
        yield from self._room.grades([entry_text(record, self.kind) for record in records])

    def notes(self) -> tuple[str, ...]:
        """Say who was shown rows, and what it cost."""
        if self._room is None:
            return ()
        counts, purse = self._room.desk.counts, self._room.desk.purse
        spent = purse.spent
        price = f" and {spent.money:.2f} in money" if spent.money else ""
        unsure = purse.unsure.requests
        return (
            f"Rows were shown to {self.described}: {counts.answered:,} requests answered now, "
            f"{counts.remembered:,} known from the log; {spent.tokens:,} tokens{price} in all.",
            *((f"The outcome of {unsure:,} requests is not known.",) if unsure else ()),
        )

    def close(self) -> None:
        """Close the model and the log."""
        if self._room is not None:
            self._room.close()
            self._room = None


def entry_text(record: Record, kind: str) -> str:
    """Return a row as a judge reads it: who says what, the answer last."""
    row = supervised(record, kind)
    if "text" in row:
        return str(row["text"])
    turns = row.get("messages") or [*row["prompt"], *row["completion"]]
    said = [f"{str(turn.get('role', '')).upper()}: {_content(turn)}" for turn in turns]
    tools = [f"TOOLS: {record['tools']}"] if record.get("tools") else []
    return "\n".join([*tools, *said])


def _content(turn: Mapping[str, Any]) -> str:
    calls = [
        f"{call['function']['name']}({call['function']['arguments']})"
        for call in turn.get("tool_calls") or ()
    ]
    return "\n".join(filter(None, [turn.get("content") or "", *calls]))


def made_by(source: Path) -> dict[str, str]:
    """Return id → model of the rows that an augmentation made, if `source` is of one's dataset."""
    table = source.parent / "made.parquet"
    if not table.is_file():
        return {}
    rows = pl.read_parquet(table, columns=["id", "model"], glob=False).drop_nulls()
    return dict(rows.iter_rows())


def _identity(config: Judge, base_dir: Path) -> str:
    """Return the model's name as receipts carry it: the server's, or a local one's digest."""
    backend = config.backend
    if isinstance(backend, EndpointConfig):
        return backend.model
    section = ModelSection(path=backend.path, revision=backend.revision)
    return resolve_model(section, base_dir).digest


def _asked_how(config: Judge) -> dict[str, str]:
    backend = config.backend
    if isinstance(backend, EndpointConfig):
        return {"where": backend.base_url, "response_format": backend.response_format}
    return {"where": backend.kind, "dtype": backend.dtype}


def _words(prompts: Prompts) -> str:
    """Return the prompts that a judge is asked by."""
    return "\x00".join(prompts.templates[name].source for name in ("judge_score", "repair"))
