"""Rows as JSON Lines: all at once or one by one, the same bytes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.json_lines import _without_nulls, write_lines

SCHEMA: dict[str, Any] = {
    "messages": pl.List(pl.Struct({"role": pl.String, "name": pl.String})),
    "id": pl.String,
    "label": pl.Boolean,
    "meta": pl.Struct({"row": pl.Int64, "user": pl.String, "parents": pl.List(pl.String)}),
}
WORD = st.text(max_size=12)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_rows_written_at_once_are_the_rows_written_one_by_one(data: st.DataObject) -> None:
    optional = data.draw(st.sampled_from([WORD, st.none(), st.none() | WORD]))
    turn = st.fixed_dictionaries({"role": WORD, "name": optional})
    meta = st.fixed_dictionaries(
        {"row": st.integers(0, 2**62), "user": optional, "parents": st.lists(WORD, max_size=2)}
    )
    row = st.fixed_dictionaries(
        {
            "messages": st.lists(turn, max_size=3),
            "id": WORD,
            "label": st.none() | st.booleans(),
            "meta": meta,
        }
    )
    rows: list[dict[str, Any]] = data.draw(st.lists(row, max_size=5))
    stream = BytesIO()
    table = pl.DataFrame(rows, schema=SCHEMA)
    write_lines(table, stream)
    lines = [
        orjson.dumps(_without_nulls(one), option=orjson.OPT_APPEND_NEWLINE)
        for one in table.iter_rows(named=True)
    ]
    assert stream.getvalue() == b"".join(lines)
