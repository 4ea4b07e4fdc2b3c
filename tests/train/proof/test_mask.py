"""The mask proof: templates and rows that must pass, and ones that must not."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evalsuite.models import ChatTokenizer
from train.proof import prove
from train.proof.examples import segments
from train.proof.template import check_template, padding_token
from train.rows import TokenRow
from workspace.errors import LimitExceeded, ModelError

START = "{% for message in messages %}<|im_start|>{{ message.role }}\n"


def assistant(body: str) -> str:
    """A template whose assistant turns are `body`."""
    return (
        START + "{% if message.role == 'assistant' %}" + body + "{% else %}"
        "{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}"
    )


MARKED = "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}"


def test_the_proof_passes_on_real_rows_and_shows_them(bench: Any) -> None:
    prepared = bench.prepare({"tempering": {"replay": {"dataset": "general"}}})
    tokenizer = ChatTokenizer.from_dir(bench.model)
    proof = prove(prepared.rows, tokenizer)
    proof.enforce()
    assert proof.passed and proof.rows == proof.turns == proof.turns_ending == 57
    assert proof.end_token == "<|im_end|>" and proof.stop_tokens == ["<|im_end|>"]
    assert proof.pad_token == "<pad>" and proof.pad_reason == "the tokenizer's own"
    assert {example["role"] for example in proof.examples} == {"train", "replay"}
    pieces = proof.examples[0]["segments"]
    assert [piece["trained"] for piece in pieces] == [False, True, False]
    assert pieces[1]["text"].endswith("<|im_end|>")


def test_several_turns_are_each_proved(bench: Any) -> None:
    words = ["card", "late", "login", "plan", "order", "help"]
    turns = [
        {"role": "assistant" if number % 2 else "user", "content": word}
        for number, word in enumerate(words)
    ]
    bench.dataset("toy", [{"id": "1", "messages": turns}])
    proof = prove(bench.prepare().rows, ChatTokenizer.from_dir(bench.model))
    assert proof.passed and proof.turns == 3


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (START + "{{ message.content }}<|im_end|>\n{% endfor %}", "does not show"),
        (
            assistant("{% generation %}{{ message.content }}{% endgeneration %}<|im_end|>"),
            "trains no end token",
        ),
        (
            START + "{% generation %}{{ message.content }}{% endgeneration %}\n{% endfor %}",
            "trains no end token",
        ),
    ],
    ids=["no marks", "end token outside the marks", "no end token"],
)
def test_a_template_that_cannot_be_proved_is_refused_before_any_row(
    model_with: Callable[[str], Path], bench: Any, template: str, message: str
) -> None:
    tokenizer = ChatTokenizer.from_dir(model_with(template))
    with pytest.raises(ModelError, match=message) as caught:
        check_template(tokenizer)
    assert "generation" in caught.value.cure
    with pytest.raises(ModelError, match=message):
        replace(bench, model=tokenizer.path).prepare()


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            START + "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}\n"
            "{% endfor %}",
            "2 trained stretches for 1 assistant turns",
        ),
        (
            assistant(
                "{% if not loop.last %}" + MARKED + "{% else %}x{% generation %}<|im_end|>"
                "{% endgeneration %}{% endif %}"
            ),
            "other text",
        ),
        (assistant(MARKED.replace("{{ m", "Sure! {{ m")), "more than the assistant wrote"),
        (assistant(MARKED.replace("content }}", "content[1:] }}")), "other text"),
    ],
    ids=["users too", "empty answer", "more", "less"],
)
def test_a_mask_that_trains_the_wrong_text_is_disproved(
    model_with: Callable[[str], Path], bench: Any, template: str, problem: str
) -> None:
    other = replace(bench, model=model_with(template))
    rows = other.prepare().rows
    proof = prove(rows, ChatTokenizer.from_dir(other.model))
    assert not proof.passed and proof.faults[0].problem == problem
    with pytest.raises(LimitExceeded, match="the mask proof failed") as caught:
        proof.enforce()
    assert caught.value.exit_code == 6
    assert "train-0" in caught.value.cause


def masked(row: TokenRow, mask: NDArray[np.bool_]) -> TokenRow:
    """Return the row with another mask."""
    return replace(row, sequences=(replace(row.sequences[0], loss_mask=mask),))


def test_a_turn_whose_end_is_not_trained_is_disproved(bench: Any) -> None:
    rows = bench.prepare().rows
    last = rows[0].loss_mask.nonzero()[0][-1]
    mask = rows[0].loss_mask.copy()
    mask[last] = False
    proof = prove([masked(rows[0], mask), *rows[1:]], ChatTokenizer.from_dir(bench.model))
    with pytest.raises(LimitExceeded, match="1 of 37 assistant turns do not train an end token"):
        proof.enforce()


def test_a_row_without_trainable_tokens_is_disproved(bench: Any) -> None:
    rows = bench.prepare().rows
    empty = masked(rows[0], np.zeros_like(rows[0].loss_mask))
    proof = prove([empty], ChatTokenizer.from_dir(bench.model))
    assert proof.rows == 0 and proof.faults[0].problem == "no trainable token"


def test_an_answer_that_was_cut_on_request_passes_and_is_counted(bench: Any) -> None:
    rows = bench.chats(40)
    rows[0]["messages"][1]["content"] = "card " * 200
    bench.dataset("toy", rows)
    proof = prove(bench.prepare({"too_long": "cut"}).rows, ChatTokenizer.from_dir(bench.model))
    assert proof.passed and proof.turns_cut == 1 and proof.turns_ending == 39


def test_a_row_that_writes_the_end_token_as_text_is_found(bench: Any) -> None:
    rows = bench.chats(5)
    rows[1]["messages"][1]["content"] = "card<|im_end|>\n<|im_start|>user\nlate"
    bench.dataset("toy", rows)
    proof = prove(bench.prepare().rows, ChatTokenizer.from_dir(bench.model))
    assert [fault.row_id for fault in proof.faults] == ["train-1"]


@pytest.fixture
def composing(bench: Any, tmp_path: Path) -> Any:
    """A bench whose tokenizer composes letters and their accents (NFC), as Qwen's does."""
    path = shutil.copytree(bench.model, tmp_path / "nfc")
    document = json.loads((path / "tokenizer.json").read_text())
    document["normalizer"] = {"type": "NFC"}
    (path / "tokenizer.json").write_text(json.dumps(document))
    return replace(bench, model=path)


def test_an_answer_that_the_tokenizer_normalises_is_proved(composing: Any) -> None:
    rows = composing.chats(5)
    rows[1]["messages"][1]["content"] = unicodedata.normalize("NFD", "café réservé")
    composing.dataset("toy", rows)
    proof = prove(composing.prepare().rows, ChatTokenizer.from_dir(composing.model))
    proof.enforce()
    assert proof.turns == proof.turns_ending == 5


def test_a_normaliser_does_not_let_other_text_pass(composing: Any) -> None:
    row = composing.prepare().rows[0]
    chat = {"messages": [{"role": "assistant", "content": "cafe\u0301"}]}
    others = replace(row.dataset, rows=[replace(row.row, record=chat)])
    other = replace(row, dataset=others, position=0)
    proof = prove([other], ChatTokenizer.from_dir(composing.model))
    assert [fault.problem for fault in proof.faults] == ["other text"]


def test_padding_is_never_a_stop_token(tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    assert padding_token(tokenizer) == (0, "the tokenizer's own")
    same = replace(tokenizer, special_tokens={"pad_token": "<|im_end|>"})
    token, reason = padding_token(same)
    assert token not in tokenizer.eos_ids and "stop token" in reason
    none = replace(tokenizer, special_tokens={})
    assert "names none" in padding_token(none)[1]


def test_segments_are_the_row(bench: Any) -> None:
    tokenizer = ChatTokenizer.from_dir(bench.model)
    for row in bench.prepare().rows:
        text = "".join(piece for piece, _ in segments(row.sequences[0], tokenizer))
        assert text == tokenizer.decode(row.input_ids.tolist(), special=True)
