"""`requests.jsonl`: every request that was sent and every answer that came, before it is used.

Append-only, one JSON object a line, flushed to the device before the answer goes on: what was paid
for is never asked again, however the job ends. A torn last line means "not yet".

    {"kind": "sent", "key", "attempt", "worst"}          about to be sent, and what it may cost
    {"kind": "failed", "key", "attempt", "error", "usage"}   no answer; usage null: not known
    {"kind": "done", "key", "model", "request", "text", "finish", "usage", "reported"}
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalsuite.asking.requests import Reply, Usage
from workspace.errors import DataError, UsageError
from workspace.files import telling_disk_errors

SCHEMA_VERSION = 1
NAME = "requests.jsonl"


@contextmanager
def open_log(
    directory: Path,
    *,
    what: str = "augmentation",
    cure: str = "See `temper jobs`; give this one another `augment.name`.",
) -> Iterator[RequestLog]:
    """Hold the log of one augmentation; another process that asks for it is refused.

    Args:
        directory: of the log.
        what: work it belongs to, for the error.
        cure: what to do where another process holds it.

    Raises:
        UsageError: it is held already.
        DataError: it was written by another version.
    """
    with telling_disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (directory / "lock").open("a+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"this {what} is already running",
                    where=str(directory),
                    cause="Another process writes its request log.",
                    cure=cure,
                ) from None
            log = RequestLog(directory / NAME)
            try:
                yield log
            finally:
                log.close()


class RequestLog:
    """The log, open for writing; answers are found by key and read from disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = 0
        """Lines that a killed process left unfinished."""
        self.spent = Usage()
        """What servers said was used."""
        self.unsure = Usage()
        """What requests of unknown outcome may have used at most."""
        self._places: dict[str, tuple[int, int]] = {}
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._size = self._read()
            if self._size == 0:
                self._write(self._line({"kind": "log", "schema_version": SCHEMA_VERSION}))
        except BaseException:
            os.close(self._file)
            raise

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def find(self, key: str) -> Reply | None:
        """Return the answer to a request that was completed before, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        record = json.loads(os.pread(self._file, place[1], place[0]))
        return Reply(
            text=str(record["text"]),
            finish=str(record["finish"]),
            usage=Usage.from_record(record["usage"]),
            reported=bool(record.get("reported", True)),
        )

    async def sent(self, key: str, attempt: int, worst: Usage) -> None:
        """Note that a request is about to be sent, with the most that it may use."""
        await self._append({"kind": "sent", "key": key, "attempt": attempt, "worst": asdict(worst)})

    async def failed(self, key: str, attempt: int, error: str, usage: Usage | None) -> None:
        """Note that no answer came; `usage` None: the server may or may not have worked."""
        plain = None if usage is None else asdict(usage)
        await self._append(
            {"kind": "failed", "key": key, "attempt": attempt, "error": error, "usage": plain}
        )

    async def done(
        self, key: str, attempt: int, model: str, request: Mapping[str, Any], reply: Reply
    ) -> None:
        """Keep an answer; when this returns it is on the device."""
        record = {"kind": "done", "key": key, "attempt": attempt, "model": model}
        await self._append({**record, "request": request, **asdict(reply)})

    @property
    def flusher(self) -> asyncio.Task[None] | None:
        """The task that writes, if one was ever needed."""
        return self._flusher

    async def flushed(self) -> None:
        """Wait until all that was appended is on the device."""
        if self._flusher is not None:
            await asyncio.wait({self._flusher})

    def close(self) -> None:
        """Close the file; waits for nothing, so call it after the last append returned."""
        with suppress(OSError):
            os.close(self._file)

    async def _append(self, record: dict[str, Any]) -> None:
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((self._line(record), written))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        # A cancelled waiter must not take the line of an answer that was paid for with it.
        await asyncio.shield(written)

    async def _flush(self) -> None:
        """Write all that waits with one flush: requests that end together share its cost."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            except BaseException as error:
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
                        written.exception()  # a waiter that was cancelled will not ask for it
                if not isinstance(error, Exception):
                    raise
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)

    @staticmethod
    def _line(record: Mapping[str, Any]) -> bytes:
        return (
            json.dumps(record, ensure_ascii=False, allow_nan=False).encode(
                "utf-8", "backslashreplace"
            )
            + b"\n"
        )

    def _write(self, data: bytes) -> None:
        with telling_disk_errors(self.path):
            end = os.fstat(self._file).st_size
            if end and os.pread(self._file, 1, end - 1) != b"\n":
                data = b"\n" + data  # a torn line must not swallow this one
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        self._enter(data, end)

    def _enter(self, data: bytes, begin: int) -> None:
        """Remember where answers are."""
        for line in data.splitlines(keepends=True):
            if line.startswith(b'{"kind": "done"'):
                self._places[json.loads(line)["key"]] = (begin, len(line))
            begin += len(line)

    def _read(self) -> int:
        open_attempts: dict[tuple[str, int], Usage] = {}
        begin = 0
        with self.path.open("rb") as stream:
            for line in stream:
                record = _decoded(line)
                if record is None:
                    self.torn += bool(line.strip())
                else:
                    self._account(record, begin, len(line), open_attempts)
                begin += len(line)
        for worst in open_attempts.values():
            self.unsure += worst
        return begin

    def _account(
        self,
        record: dict[str, Any],
        begin: int,
        length: int,
        open_attempts: dict[tuple[str, int], Usage],
    ) -> None:
        kind = record.get("kind")
        if kind == "log" and record.get("schema_version") != SCHEMA_VERSION:
            raise DataError(
                "this request log was written by another version",
                where=str(self.path),
                cause=f"schema_version is {record.get('schema_version')!r}, not {SCHEMA_VERSION}.",
                cure="Use the version that wrote it, or give another `augment.name`.",
            )
        attempt = (str(record.get("key")), int(record.get("attempt") or 0))
        if kind == "sent":
            # The same attempt number of an earlier process stays open: it may have been paid.
            self.unsure += open_attempts.pop(attempt, Usage())
            open_attempts[attempt] = Usage.from_record(record["worst"])
        elif kind == "failed":
            worst = open_attempts.pop(attempt, Usage())
            if record["usage"] is None:
                self.unsure += worst
            else:
                self.spent += Usage.from_record(record["usage"])
        elif kind == "done":
            open_attempts.pop(attempt, None)
            self.spent += Usage.from_record(record["usage"])
            self._places[attempt[0]] = (begin, length)


def _decoded(line: bytes) -> dict[str, Any] | None:
    """Return a line's record; half an object is no JSON, so what can be read is whole."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
