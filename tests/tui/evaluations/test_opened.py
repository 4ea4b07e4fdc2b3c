"""An evaluation read whole, also where it is damaged."""

import json

from evalsuite.report import read_results
from tui import glyphs
from tui.evaluations.opened import open_evaluation


def text_of(page):
    return "\n".join(f"{one.mark} {one.text}" for one in page)


def test_everything_the_reports_say_is_on_some_page(evaluation):
    opened = open_evaluation(evaluation, glyphs.UNICODE)
    naive, tempered = opened.compared
    assert (naive.status, naive.base, naive.tuned) == ("fail", "base", "naive")
    assert naive.forests[0].title == "To be gained"
    detail = text_of(naive.details["capitals"])
    for expected in ("p Holm", "would see", "loss: format", "Replay some rows", "peru, capital"):
        assert expected in detail
    assert "temper dial" in text_of(naive.pages["verdict"])
    assert "3 examples" in text_of(naive.pages["prompts"])
    assert "Tune: tempered adds" in text_of(tempered.pages["prompts"])
    assert "adapter is active" in text_of(naive.pages["checks"])
    assert "not asked for" in text_of(naive.pages["own data"])
    assert len(naive.groups["capitals"][0][1]) == 5


def test_words_are_ascii_where_that_is_wanted(evaluation):
    opened = open_evaluation(evaluation, glyphs.ASCII)
    compared = opened.compared[0]
    own = [compared.headline, text_of(compared.details["addition"])]
    assert all(text.isascii() for text in own)
    assert "->" in own[1]


def test_an_invalid_verdict_withdraws_its_numbers(evaluation):
    path = evaluation / "results.json"
    record = json.loads(path.read_text())
    record["comparisons"][0]["verdict"]["status"] = "invalid"
    path.write_text(json.dumps(record))
    compared = open_evaluation(evaluation, glyphs.UNICODE).compared[0]
    assert compared.forests == ()
    assert "Mend what the failed check names" in text_of(compared.pages["verdict"])


def test_numbers_that_are_none_become_gaps(evaluation):
    path = evaluation / "results.json"
    record = json.loads(path.read_text())
    for ability in record["comparisons"][0]["verdict"]["abilities"][:2]:
        ability |= {"difference": "nan", "low": "-inf", "high": "inf", "margin": "nan"}
    path.write_text(json.dumps(record))
    assert read_results(evaluation)
    compared = open_evaluation(evaluation, glyphs.UNICODE).compared[0]
    assert compared.forests[0].rows[0].centre is None


def test_what_cannot_be_read_is_told_with_the_way_out(evaluation):
    path = evaluation / "results.json"
    whole = path.read_text()
    for text, told in (
        (whole.replace('"schema_version": 1', '"schema_version": 99', 1), "another version"),
        (whole[: len(whole) // 2], "cannot be read"),
        ("[]", "not a JSON object"),
        (whole.replace('"verdict"', '"verdct"'), "not complete"),
        ('{"schema_version": 1}', "not complete"),
    ):
        path.write_text(text)
        trouble = text_of(open_evaluation(evaluation, glyphs.UNICODE).trouble)
        assert told in trouble, trouble
    path.unlink()
    assert open_evaluation(evaluation, glyphs.UNICODE).trouble


def test_prompts_alone_have_pages_too(evaluation):
    path = evaluation / "results.json"
    record = json.loads(path.read_text()) | {"comparisons": [], "failures": [], "triage": []}
    path.write_text(json.dumps(record))
    opened = open_evaluation(evaluation, glyphs.UNICODE)
    assert opened.compared == ()
    assert opened.pages is not None and "3 examples" in text_of(opened.pages["prompts"])
