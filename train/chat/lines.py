"""`temper chat --json`: two models behind pipes, a JSON object a line, for programs.

A request on standard input names the turns of each model:

    {"id": 1, "sides": [[{"role": "user", "content": "Hi"}], [...]], "temperature": 0,
     "seed": 1, "max_tokens": 512}
    {"stop": 1}

On standard output come `ready` once, then for each request `text` (pieces, four times a second at
most, with the side they belong to), `end` for each side and `done`; or `error`, after which the
next request may come. The process ends when standard input does, or when nobody has asked for
the given time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from evalsuite.engine.stream import Sampling
from train.chat.requests import Requests
from train.chat.session import Answer
from workspace.errors import DataError, TemperError
from workspace.secrets import redact

if TYPE_CHECKING:
    from train.chat.speakers import Speaker

FLUSH_SECONDS = 0.25
"""How often text is sent: as often as a screen can show it without flicker."""


def serve_lines(
    speakers: Sequence[Speaker], requests: Requests, out: TextIO, *, idle_seconds: float | None
) -> None:
    """Answer requests until their end."""
    requests.loading = False
    notes = dict.fromkeys(note for speaker in speakers for note in speaker.voices.notes)
    _tell(out, kind="ready", models=[one.name for one in speakers], notes=[*notes])
    while (request := requests.next(idle_seconds)) is not None:
        identifier = request.get("id")
        try:
            for event in _answered(speakers, request, requests):
                _tell(out, id=identifier, **event)
        except TemperError as error:
            _tell(
                out, kind="error", id=identifier, title=error.title,
                cause=error.cause, cure=error.cure,
            )  # fmt: skip
        except BrokenPipeError:
            return
        except Exception as error:  # one request must not end the others
            told = redact(f"{type(error).__name__}: {error}")
            _tell(
                out, kind="error", id=identifier, title="the model failed on this request",
                cause=told, cure="",
            )  # fmt: skip


def _tell(out: TextIO, **event: Any) -> None:
    out.write(json.dumps(event, ensure_ascii=True) + "\n")
    out.flush()


def _answered(
    speakers: Sequence[Speaker], request: dict[str, Any], requests: Requests
) -> Iterator[dict[str, Any]]:
    answers = _answers(speakers, request)
    started = time.monotonic()
    writers = {side: answer.pieces() for side, answer in enumerate(answers)}
    held = [""] * len(answers)
    sent = started
    while writers and not requests.is_stopped(request.get("id")):
        for side, pieces in list(writers.items()):
            piece = next(pieces, None)
            if piece is not None:
                held[side] += piece
                continue
            del writers[side]
            yield from _texts(held)
            yield _end(side, answers[side], started, stopped=False)
        if time.monotonic() - sent >= FLUSH_SECONDS:
            sent = time.monotonic()
            yield from _texts(held)
    yield from _texts(held)
    for side in writers:
        yield _end(side, answers[side], started, stopped=True)
    yield {"kind": "done"}


def _texts(held: list[str]) -> Iterator[dict[str, Any]]:
    for side, text in enumerate(held):
        if text:
            held[side] = ""
            yield {"kind": "text", "side": side, "text": text}


def _end(side: int, answer: Answer, started: float, *, stopped: bool) -> dict[str, Any]:
    finish = "stopped" if stopped else "stop" if answer.ended else "length"
    return {
        "kind": "end", "side": side, "finish": finish, "tokens": answer.tokens,
        "seconds": round(time.monotonic() - started, 3),
    }  # fmt: skip


def _answers(speakers: Sequence[Speaker], request: dict[str, Any]) -> list[Answer]:
    sides = request.get("sides")
    if not isinstance(sides, list) or len(sides) != len(speakers):
        raise _unreadable(f"`sides` must be a list of {len(speakers)} conversations")
    temperature = _number(request, "temperature", 0.0, 0.0, 2.0)
    seed = request.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise _unreadable("`seed` must be a whole number")
    most = int(_number(request, "max_tokens", 512, 1, 2**31))
    sampling = Sampling(temperature, 1.0, seed)
    return [
        Answer(speaker, _turns(turns), most, sampling)
        for speaker, turns in zip(speakers, sides, strict=True)
    ]


def _turns(turns: Any) -> list[dict[str, str]]:
    is_list = isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns)
    if not is_list or not turns:
        raise _unreadable("each of `sides` must be a list of turns")
    for turn in turns:
        if turn.get("role") not in ("system", "user", "assistant") or not isinstance(
            turn.get("content"), str
        ):
            raise _unreadable("a turn has a role (system, user, assistant) and content")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _number(request: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _unreadable(f"`{name}` must be a number from {low:g} to {high:g}")
    return value


def _unreadable(why: str) -> DataError:
    return DataError("this request cannot be read", cause=f"{why}.")
