"""Encoding damage is undone, and nothing that is ASCII is another afterwards."""

from __future__ import annotations

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.steps.quality.mending import Mended, mend


def mended(text: str) -> str:
    return mend(text, Mended())


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("sheâ€™s here", "she’s here"),
        ("â€œhi thereâ€ she said, â€œbye.â€\n", "“hi there” she said, “bye.”\n"),
        ("cafÃ© â€“ 3 â‚¬", "café – 3 €"),
        ("it\x92s", "it’s"),
        ("\ufeffa\u200bb\u2060c\x00d", "abcd"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("e\u0301", "é"),
        ("one\u2028two", "one\ntwo"),
        ("safe\u202eevil", "safeevil"),
    ],
)
def test_damage_is_undone(text: str, whole: str) -> None:
    assert mended(text) == whole


@pytest.mark.parametrize(
    "text",
    [
        "plain\ttext\r\n",
        "`donâ€™t` and\n```python\nx = 'Ã©\u200b'\n```\n",
        "x ＋ １２ = ½ ﬁ &lt;b&gt; “quoted” ‘so’",
        "👩‍👩‍👧 می‌خواهم 🏴\U000e0067\U000e0062\U000e007f",
        "ភាសា\u200bខ្មែរ",
        "=\u0338 is not equal",
        "mañana, naïve, Straße, Ærø, 中文",
    ],
)
def test_what_is_whole_or_code_stays(text: str) -> None:
    assert mended(text) == text


ODD = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("â€™œ\x9dÃ©\u200b\x1b[0m`~\n=\u0338+-*/<>12 \u0301"),
    ),
    max_size=60,
)


@given(ODD)
@settings(max_examples=300, deadline=None)
def test_digits_operators_and_punctuation_never_change(text: str) -> None:
    def symbols(of: str) -> str:
        plain = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", of)
        return re.sub(r"[^!-@\[-`{-~]+", "", plain)

    assert symbols(mended(text)) == symbols(text)


@given(ODD.filter(lambda text: "`" not in text and "~" not in text))
@settings(max_examples=200, deadline=None)
def test_invisible_characters_are_gone(text: str) -> None:
    left = {unicodedata.category(c) for c in mended(text) if c not in "\t\n\r\x0c\x85"}
    assert "Cc" not in left


def test_rows_keep_their_place_and_changed_ones_are_accounted_for() -> None:
    frame = pl.DataFrame({"text": ["good", "donâ€™t â€“ do", "a\u200bb", "e\u0301"]})
    outcome = curate.repair(frame)
    kept = outcome.kept.collect()
    assert kept["text"].to_list() == ["good", "don’t – do", "ab", "é"]
    assert kept["_row"].to_list() == [0, 1, 2, 3]
    assert outcome.changed.select("_row", "reason", "detail").rows() == [
        (1, "mojibake", "2 sequences of mojibake repaired"),
        (2, "control_characters", "1 control or invisible character taken out"),
        (3, "unicode_form", "1 passage brought to NFC"),
    ]
    assert outcome.notes == (
        "2 sequences of mojibake repaired; 1 control or invisible character taken out; "
        "1 passage brought to NFC.",
    )
    again = curate.repair(outcome.kept)
    assert again.changed.is_empty()


def test_every_turn_is_repaired_and_the_hash_is_new() -> None:
    turns = [{"role": "user", "content": "donâ€™t"}, {"role": "assistant", "content": "cafÃ©"}]
    frame = pl.DataFrame({"messages": [turns]})
    before = curate.repair(frame, encoding=False).kept.collect()
    after = curate.repair(frame).kept.collect()
    assert [turn["content"] for turn in after["messages"][0]] == ["don’t", "café"]
    assert after["content_hash"][0] != before["content_hash"][0]
