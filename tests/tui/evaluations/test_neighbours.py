"""What a command gave of nearest rows, also where it gave something else."""

import json

import pytest

from tui import glyphs
from tui.evaluations.neighbours import as_paragraphs
from tui.temper import Outcome


def told(code=0, output="", said=""):
    shown = as_paragraphs(Outcome(("neighbours",), code, output, said), glyphs.UNICODE)
    return "\n".join(f"{one.mark} {one.text}".strip() for one in shown)


def test_rows_are_shown_with_their_likeness():
    rows = [{"id": "0123456789ab", "similarity": 0.314, "text": "a\nb"}]
    text = told(output=json.dumps({"rows": rows, "note": "20 rows were looked at"}))
    assert "· 0.31 01234567 a b" in text and "20 rows were looked at" in text
    assert "No training row" in told(output='{"rows": []}')


def test_an_error_keeps_its_first_line_and_the_way_out():
    text = told(code=2, said="✗ there is no run called 'x'\n  at   /runs\n  do   train one\n")
    assert text.splitlines()[0] == "✗ there is no run called 'x'"
    assert "do   train one" in text


@pytest.mark.parametrize("output", ["", "[]", "{}", '{"rows": [7]}', '{"rows": null}'])
def test_anything_else_is_said(output):
    assert "something else than rows" in told(output=output)
