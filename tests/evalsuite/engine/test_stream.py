"""One answer token by token: what evaluation writes, and text that is never half a character."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evalsuite.engine.forward import Engine
from evalsuite.engine.generate import generate
from evalsuite.engine.requests import GenerateRequest
from evalsuite.engine.stream import Sampling, TextStream, stream_tokens
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import load_model


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine(load_model(tiny_model).requires_grad_(False), 0)


def test_without_a_temperature_it_is_what_evaluation_writes(
    engine: Engine, tiny_model: Path
) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    for text in ("a", "cab 12", "the long way round"):
        prompt = tokenizer.encode_prompt([{"role": "user", "content": text}])
        for stops in ((2,), (2, 40, 77, 90)):
            known = generate(engine, [GenerateRequest(tuple(prompt), 20, stops)])[0]
            found = list(
                stream_tokens(engine, prompt, max_new_tokens=20, stop_ids=frozenset(stops))
            )
            assert tuple(found[: len(known.output)]) == known.output
            assert len(found) == len(known.output) + known.stopped


def test_draws_follow_the_seed_and_keep_to_top_p(engine: Engine) -> None:
    def drawn(**options: float) -> list[int]:
        sampling = Sampling(**options)  # type: ignore[arg-type]
        stream = stream_tokens(
            engine, [5, 6, 7], max_new_tokens=12, stop_ids=frozenset(), sampling=sampling
        )
        return list(stream)

    assert drawn(temperature=1.5, seed=1) == drawn(temperature=1.5, seed=1)
    assert drawn(temperature=1.5, seed=1) != drawn(temperature=1.5, seed=2)
    greedy = drawn(temperature=0.0)
    assert drawn(temperature=1.0, seed=3, top_p=1e-9) == greedy
    assert drawn(temperature=1.0, seed=3, top_p=0.0) == greedy
    assert drawn(temperature=1e-4, seed=4) == greedy
    assert drawn(temperature=5e-324, seed=4) == greedy


def test_pieces_of_text_add_up_to_the_whole(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    rng = random.Random(0)
    for text in (
        "naïve café 日本 🎉🎉 end",
        "".join(chr(rng.randrange(32, 3000)) for _ in range(80)),
    ):
        stream = TextStream(tokenizer)
        pieces = [stream.add(token) for token in tokenizer.encode(text)]
        assert "".join(pieces) + stream.end() == text
        assert not any("\ufffd" in piece for piece in pieces)


def test_bytes_that_are_no_character_come_at_the_end(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    ids = tokenizer.encode("a🎉")[:-1]
    stream = TextStream(tokenizer)
    assert "".join(stream.add(token) for token in ids) == "a"
    assert "a" + stream.end() == tokenizer.decode(ids)


@pytest.mark.parametrize(
    ("text", "stops", "kept", "stopped"),
    [
        ("one END two", ["END"], "one ", True),
        ("one EN two", ["END"], "one EN two", False),
        ("one EN", ["END"], "one EN", False),
        ("aab", ["ab"], "a", True),
        ("x\n\ny", ["\n\n", "y"], "x", True),
    ],
)
def test_a_stop_text_and_what_begins_one_is_never_shown(
    tiny_model: Path, text: str, stops: list[str], kept: str, stopped: bool
) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    stream = TextStream(tokenizer, stops)
    shown = ""
    for token in tokenizer.encode(text):
        shown += stream.add(token)
        if stream.stopped:
            break
    shown += stream.end()
    assert (shown, stream.stopped) == (kept, stopped)
