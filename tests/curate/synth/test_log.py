"""The request log: append-only, whole after any death."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evalsuite.asking.log import NAME, open_log
from evalsuite.asking.requests import ChatRequest, Reply, Turn, Usage
from workspace.errors import DataError, UsageError

REQUEST = ChatRequest((Turn("user", "Warum – why?"),), 0.5, 1.0, 20, 1)
REPLY = Reply("Because\n☂", "stop", Usage(3, 2, 0.5, 1))
WORST = Usage(30, 20, 5.0, 1)


def write(directory: Path, *keys: str) -> None:
    async def run() -> None:
        with open_log(directory) as log:
            for key in keys:
                await log.sent(key, 1, WORST)
                await log.done(key, 1, "m", REQUEST.record(), REPLY)

    asyncio.run(run())


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    with open_log(tmp_path) as log:
        assert log.find("a") == log.find("b") == REPLY
        assert log.find("c") is None
        assert log.spent == REPLY.usage + REPLY.usage
        assert log.unsure == Usage()


@pytest.mark.parametrize("lost", [2, 20, 150])
def test_a_torn_last_line_means_not_yet(tmp_path: Path, lost: int) -> None:
    write(tmp_path, "a", "b")
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-lost])
    write(tmp_path, "c")
    with open_log(tmp_path) as log:
        assert log.find("a") == log.find("c") == REPLY
        assert log.find("b") is None
        assert log.torn == 1
        assert log.unsure == WORST  # b was sent, and may have been paid


def test_wherever_a_file_is_cut_its_log_opens(tmp_path: Path) -> None:
    write(tmp_path, "a")
    path = tmp_path / NAME
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):  # each is flushed to the device
        path.write_bytes(whole[:cut])
        write(tmp_path, "z")
        with open_log(tmp_path) as log:
            assert log.find("z") == REPLY


def test_requests_of_unknown_outcome_count_at_their_worst(tmp_path: Path) -> None:
    async def run() -> None:
        with open_log(tmp_path) as log:
            await log.sent("killed", 1, WORST)
            await log.sent("refused", 1, WORST)
            await log.failed("refused", 1, "429", Usage(requests=1))
            await log.sent("stalled", 1, WORST)
            await log.failed("stalled", 1, "no byte", None)

    asyncio.run(run())
    with open_log(tmp_path) as log:
        assert log.unsure == WORST + WORST
        assert log.spent == Usage(requests=1)


def test_a_line_is_written_though_its_waiter_is_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        with open_log(tmp_path) as log:
            task = asyncio.create_task(log.done("a", 1, "m", REQUEST.record(), REPLY))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await log.sent("b", 1, WORST)

    asyncio.run(run())
    with open_log(tmp_path) as log:
        assert log.find("a") == REPLY


def test_two_processes_do_not_share_a_log(tmp_path: Path) -> None:
    with open_log(tmp_path), pytest.raises(UsageError, match="already running"), open_log(tmp_path):
        pass


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"kind": "log", "schema_version": 9}\n', encoding="utf-8")
    with pytest.raises(DataError, match="another version"), open_log(tmp_path):
        pass
