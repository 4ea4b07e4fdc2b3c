"""A model's room closes in order, whatever was under way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from evalsuite.asking.backends.configs import AnyBackend
from evalsuite.asking.budget import Budget
from evalsuite.asking.log import RequestLog
from evalsuite.asking.requests import ChatRequest, Turn
from evalsuite.asking.room import Room
from tests.curate.synth.conftest import Served


def test_what_is_under_way_when_a_room_closes_is_answered_and_kept(
    tmp_path: Path, served: Served
) -> None:
    served.script.seconds = 0.3
    config: AnyBackend = TypeAdapter(AnyBackend).validate_python(served.backend())
    room = Room(
        config, Budget(requests=10), base_dir=tmp_path, log=tmp_path / "log", what="a test", cure=""
    )
    request = ChatRequest((Turn("user", "still asked"),), 0.0, 1.0, 8, 0)
    later = ChatRequest((Turn("user", "too late"),), 0.0, 1.0, 8, 0)

    async def fails() -> None:
        while not served.script.requests:
            await asyncio.sleep(0.01)
        raise RuntimeError("another one failed")

    async def waits() -> None:
        await asyncio.sleep(0.1)
        await room.desk.ask(later)

    async def work() -> None:
        await asyncio.gather(room.desk.ask(request), waits(), fails())

    with pytest.raises(RuntimeError):
        room.run(work())
    room.close()

    assert sum(served.script.paid.values()) == 1  # nothing more was sent
    kept = RequestLog(tmp_path / "log" / "requests.jsonl")
    reply = kept.find(request.key(config.model))
    kept.close()
    assert reply is not None
    assert reply.text == "an answer"
