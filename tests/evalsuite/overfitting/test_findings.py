"""What is told of rows that are recited, and that no text of theirs acts in a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.overfitting.figures import Compared
from evalsuite.overfitting.findings import TEXT_CHARACTERS, found_on_own_data, most_recited
from evalsuite.overfitting.panel import OwnData
from evalsuite.overfitting.records import Exposure
from evalsuite.overfitting.rows import SweepRow
from evalsuite.overfitting.telling import tell_own_data
from evalsuite.report import ComparisonRecord, Results
from evalsuite.report.html import render_html
from evalsuite.report.markdown import render_markdown
from evalsuite.verdict import Verdict
from tests.evalsuite.overfitting.test_figures import compared

VERDICT = Verdict("pass", 0, "Passed.")
HOSTILE = "\x1b[2J<script>alert(1)</script>[red]`|@everyone](http://x)"


def recited_data(text: str) -> OwnData:
    """Twenty fresh rows that gain 1 nat, thirty own ones that gain 30, all of one text."""
    rows = [compared("test", n, [15.0 + n / 100], [14.0]) for n in range(20)]
    own = [compared("trained", n, [10.0 + n] * 3, [0.001] * 3, [True] * 3) for n in range(30)]
    own += [compared("trained", 99, [0.5], [0.1], [True])]  # gains less than the luckiest fresh one
    texts = {one.row.key: f"{text}{n}" for n, one in enumerate(own)}
    return OwnData(compared=rows + own, texts=texts)


def test_rows_are_listed_by_what_they_gained_beyond_every_fresh_one() -> None:
    own = recited_data("secret ")
    found = most_recited(own)
    assert len(found) == 10
    assert found[0].text == "secret 29"
    assert found[0].base_bits == pytest.approx(39 * 3 / 0.6931, rel=1e-3)
    assert found[0].samples == 1
    assert "trained-99" not in {one.row_id for one in most_recited(own)}
    own.texts = dict.fromkeys(own.texts, "one text")
    assert [one.text for one in most_recited(own)] == ["one text"]
    own.texts = {key: "x" * 1000 for key in own.texts}
    assert len(most_recited(own)[0].text) == TEXT_CHARACTERS


def test_an_answer_that_a_fresh_row_has_too_is_no_text_of_its_own() -> None:
    own = recited_data("secret ")
    last = next(one for one in own.compared if one.row.row_id == "trained-29")
    label = Compared(
        SweepRow("test", "test-label", "s.jsonl", last.row.ids, last.row.learnt),
        last.base, last.base, last.base_greedy, last.base_greedy,
    )  # fmt: skip
    own.compared.append(label)
    assert next(one.row_id for one in most_recited(own)) == "trained-28"


def test_planted_strings_alone_are_listed_by_name_and_rank(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = recited_data("mixed ")
    own.exposures = [
        Exposure(canary=f"canary {HOSTILE} {n}", seen=2, references=256, rank=n, base_rank=99,
                 bits=8.0, base_bits=1.0)
        for n in (3, 1)
    ]  # fmt: skip
    record = found_on_own_data("tuned", own, VERDICT).model_copy(
        update={"words": ["memorised"], "memorised": ["planted strings"]}
    )
    results = Results(
        id="e", created="2026-01-01", models=[], suites=[], overfitting=[record],
        comparisons=[ComparisonRecord(base="base", tuned="tuned", verdict=VERDICT)],
    )  # fmt: skip
    tell_own_data(record)
    told = capsys.readouterr().out
    text, html = render_markdown(results, {}), render_html(results, {})
    for said in (told, text, html):
        assert "memorised (planted strings)" in said
        assert "1 of 256" in said or said is html
        assert "mixed 29" not in said
        assert "\x1b[2J" not in said
    assert text.index("1 of 256") < text.index("3 of 256")
    assert "<script>alert" not in html


def test_hostile_rows_act_in_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    record = found_on_own_data("tuned", recited_data(HOSTILE), VERDICT)
    assert {"over-fitted", "memorised"} <= set(record.words)
    results = Results(
        id="e", created="2026-01-01", models=[], suites=[], overfitting=[record],
        comparisons=[ComparisonRecord(base="base", tuned="tuned", verdict=VERDICT)],
    )  # fmt: skip
    assert Results.model_validate_json(results.model_dump_json()) == results
    html, text = render_html(results, {}), render_markdown(results, {})
    tell_own_data(record)
    told = capsys.readouterr().out
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html
    assert "\x1b[2J" not in html + text + told
    assert "[red]" in told  # printed, not obeyed
    assert all("alert(1)" not in line or "`" in line for line in text.splitlines())
    json.dumps(record.model_dump(mode="json"), allow_nan=False)
