"""Lines decoded together come out as lines decoded one by one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from curate.formats import lines
from curate.formats.batches import line_batches
from curate.formats.lines import _row, read_lines
from curate.formats.raw import LONGEST_ROW_BYTES
from curate.reasons import Reason

LINES = (
    b'{"a":"1"}',
    b'{"a" : "1"}',
    b'{"a":"x}',
    b'{"}',
    b'{"a":"1"},{"a":"2"}',
    b'{"a":"1","a":"2"}',
    b'{"a" : "1","a":"2"}',
    b'{"a"  :"1"}',
    b'{"a":[{"b":1}',
    b'{"c":2}]}',
    b'{"a":"\\":"}',
    b'{"a\\\\":"z"}',
    b'{"a":":)"}',
    b'{"x":"1"}],[{"x":"2"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\xff"}',
    b'\xef\xbb\xbf{"a":"1"}',
    b"[1",
    b"2]",
    b"{}",
    b"",
    b" \r",
)


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=12))
def test_lines_together_are_what_they_are_one_by_one(some: list[bytes]) -> None:
    def seen(rows: Iterator[object]) -> list[str]:
        return [repr(row) for row in rows]

    texts = [text.strip() for text in some]
    texts[0] = texts[0].removeprefix(b"\xef\xbb\xbf")
    alone = (_row(number, text) for number, text in enumerate(texts, 1) if text)
    assert seen(read_lines(io.BytesIO(b"\n".join(some)))) == seen(alone)


def test_a_key_given_twice_is_found_among_lines_whose_colons_make_up_for_it() -> None:
    data = b'{"a":"1","b":"2"}\n{"a"\t:"1","b":"2"}\n{"a":"1","a":"1","b":"2"}\n'
    rows = list(read_lines(io.BytesIO(data)))
    assert [row.misfit.reason if row.misfit else None for row in rows] == [
        None,
        None,
        Reason.DUPLICATE_KEY,
    ]


def test_a_line_too_long_is_set_aside_wherever_blocks_end() -> None:
    long = b'{"a":"%b"}' % (b"x" * LONGEST_ROW_BYTES)
    good = b'{"a":"1"}'
    for data in (long, long + b"\n", b"\n".join([good, long, good]), b"\n".join([long] * 2)):
        rows = list(read_lines(io.BytesIO(data)))
        assert [row.place for row in rows] == list(range(1, len(rows) + 1))
        for row, line in zip(rows, data.split(b"\n"), strict=False):
            assert (row.misfit is not None) == (line == long)
            assert len(row.raw) <= lines._SHOWN


def test_keys_that_a_table_would_name_anew_are_read_line_by_line() -> None:
    keys = ("instruction", "output", "", "column_2", "input", "input\0")
    for some in (keys[:3], keys[:4], (*keys[:2], *keys[4:])):
        line = json.dumps({key: f"text of {key!r}" for key in some})
        (batch,) = line_batches(io.BytesIO("\n".join([line] * 100).encode()))
        assert batch.columns() is None
        assert [row.value for row in batch.rows] == [json.loads(line)] * 100
