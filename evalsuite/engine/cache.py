"""Answers on disk, a batch a line, so that a kill loses at most one batch.

lm_eval's cache is keyed by the question alone and has given the base the tuned model's answers
(its issue 4063). Here a store belongs to one fingerprint of everything that decides an answer, it
says in clear which, and its name is a digest of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.engine.requests import Answer, answer_from_record, answer_to_record
from evalsuite.tasks.item import content_digest
from workspace.errors import WorkError
from workspace.files import read_json, telling_disk_errors, write_json

Fingerprint = Mapping[str, str]


class AnswerStore:
    """The answers of one model under one fingerprint."""

    def __init__(self, root: Path, fingerprint: Fingerprint) -> None:
        """Open or make the store of `fingerprint` below `root`.

        Raises:
            WorkError: the store there was made for another fingerprint.
        """
        self.fingerprint = dict(fingerprint)
        self.path = root / content_digest(self.fingerprint)
        self._file = self.path / "answers.jsonl"
        record = self.path / "fingerprint.json"
        with telling_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if record.exists():
            self._check(record)
        else:
            write_json(record, {"schema_version": 1, "fingerprint": self.fingerprint})
        self._known = self._read()
        self._fresh: set[str] = set()

    def _check(self, record: Path) -> None:
        found = read_json(record, kind="answer store").get("fingerprint")
        if found != self.fingerprint:
            raise WorkError(
                "these stored answers belong to another model",
                where=str(self.path),
                cure="Remove this directory and run the same command again.",
            )

    def _read(self) -> dict[str, list[dict[str, Any]]]:
        known: dict[str, list[dict[str, Any]]] = {}
        if not self._file.exists():
            return known
        data = self._file.read_bytes()
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            try:
                entry = json.loads(line)
                known[entry["batch"]] = entry["answers"]
            except (ValueError, KeyError, TypeError):
                continue  # damaged: the batch is answered again
        return known

    def get(self, batch_key: str, kinds: Sequence[str]) -> list[Answer] | None:
        """Return the answers of a batch, in order, or None if it must be asked."""
        records = self._known.get(batch_key)
        if records is None or len(records) != len(kinds):
            return None
        try:
            pairs = zip(kinds, records, strict=True)
            return [answer_from_record(kind, record) for kind, record in pairs]
        except (TypeError, KeyError):
            return None

    def is_fresh(self, batch_key: str) -> bool:
        """Whether this process asked the batch: then it is no answer of an earlier evaluation."""
        return batch_key in self._fresh

    def put(self, batch_key: str, answers: Sequence[Answer]) -> None:
        """Append the answers of a batch."""
        self._fresh.add(batch_key)
        records = [answer_to_record(answer) for answer in answers]
        line = json.dumps({"batch": batch_key, "answers": records}, allow_nan=False) + "\n"
        with telling_disk_errors(self._file):
            self._append(line.encode())
        self._known[batch_key] = records

    def _append(self, line: bytes) -> None:
        """Write one line at once: evaluations that run side by side share the base's store."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a torn line of a killed run must not swallow this one
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
