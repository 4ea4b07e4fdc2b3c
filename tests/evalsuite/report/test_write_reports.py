"""Three reports from two files: complete, self-contained and inert."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from evalsuite.report import read_results, write_reports
from workspace.errors import DataError
from workspace.files import read_json, write_json

Make = Callable[..., Path]
HOSTILE = (
    "<script>document.title='owned'</script><img src=http://evil.test/x onerror=alert(1)>",
    "]]> </pre> \x1b[31mred\x1b]0;title\x07 [bold]markup[/bold] \u202egnp.exe \x00",
    "{{ 7*7 }} ``` | @someone #1 ![x](http://evil.test/p.png) <!-- -->",
)


class Tags(HTMLParser):
    """Collects what a browser would fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "data", "poster", "srcset"}:
                self.fetched.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def test_the_page_asks_the_network_for_nothing_and_runs_one_script(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    page = (directory / "report.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert all(link.startswith("#") for link in tags.fetched)
    assert tags.tags.count("script") == 1
    assert not tags.handlers
    assert not {"link", "iframe", "object", "embed", "img", "base"} & set(tags.tags)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_the_policy_names_the_hash_of_the_script_it_holds(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    page = (directory / "report.html").read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", page, re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.replace("&#39;", "'").replace("&#43;", "+")
    assert "default-src 'none'" in page


def test_verdict_comes_first_and_both_models_are_shown(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    page = (directory / "report.html").read_text(encoding="utf-8")
    places = [page.index(text) for text in ("Support tickets", "Failed: ", "Side by side")]
    assert places == sorted(places)
    for text in ("naive", "tempered", "never replayed", "would see", "3 examples", "base against"):
        assert text in page
    assert page.count('<article class="verdict') == 2


def test_the_gain_over_the_best_prompt_stands_in_page_and_comment(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    page = (directory / "report.html").read_text(encoding="utf-8")
    section = page[page.index("Is tuning needed?") : page.index('id="c1"')]
    assert "Tune: tempered adds" in section and "best, 11.2" in section
    assert "Over the best prompt" in section and "+86.8" in section and "earlier-eval" in section
    notes = (directory / "report.md").read_text(encoding="utf-8")
    assert (
        "| `triage` | `3 examples` | 250 | 11.2" in notes and "**+86.8** | +82.0 … +90.4 |" in notes
    )
    assert notes.index("**+86.8**") > notes.index("· `tempered`")
    assert "`3 examples` (best) | `base`" in notes and "| 212,000 |" in notes
    assert "- `Tune: tempered adds" in notes


def test_hostile_text_stays_text_in_all_three_reports(evaluation: Make) -> None:
    write_reports(directory := evaluation(texts={"*": HOSTILE}))
    page = (directory / "report.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert tags.tags.count("script") == 1
    assert "img" not in tags.tags
    assert not tags.handlers
    assert "&lt;script&gt;document.title=&#39;owned&#39;" in page
    assert "{{ 7*7 }}" in page
    notes = (directory / "report.md").read_text(encoding="utf-8")
    for text in (page, notes, (directory / "junit.xml").read_text(encoding="utf-8")):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", notes)
    assert "evil.test" not in outside_code and "@someone" not in outside_code
    assert "`" not in outside_code


def test_a_cell_of_the_comment_never_ends_its_row(evaluation: Make) -> None:
    write_reports(directory := evaluation(texts={"*": HOSTILE}))
    rows = (directory / "report.md").read_text(encoding="utf-8").splitlines()
    table = [row for row in rows if row.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table}
    assert widths == {10, 8, 6}


def test_hostile_names_stay_text_too(evaluation: Make) -> None:
    directory = evaluation()
    document = read_json(directory / "results.json", kind="result")
    nasty = "<b>x</b>]]>`|\x1b[2J\ud800"
    text = nasty.encode("utf-8", "replace").decode()
    document["title"] = text
    document["comparisons"][0]["verdict"]["abilities"][1]["name"] = text
    document["comparisons"][0]["verdict"]["canaries"][0]["detail"] = text
    document["notes"], document["commands"] = [text], [text]
    write_json(directory / "results.json", document)
    write_reports(directory)
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert "<b>x</b>" not in page and "&lt;b&gt;x&lt;/b&gt;" in page
    suites = ElementTree.parse(directory / "junit.xml").getroot()
    assert suites.get("name", "").startswith("<b>x</b>]]>")


def test_the_comment_says_where_the_rest_of_the_lost_items_is(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    text = (directory / "report.md").read_text(encoding="utf-8")
    assert "More are in report.html, all answers in samples.parquet." in text


def test_every_report_says_which_base(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    told = "builtin (sha256 0c1185a5c5e9)"
    for name in ("report.html", "report.md", "junit.xml"):
        text = (directory / name).read_text(encoding="utf-8")
        assert told in text[: text.rindex("naive")]


def test_junit_names_are_unique_where_checks_hold_for_all_comparisons(evaluation: Make) -> None:
    directory = evaluation()
    document = read_json(directory / "results.json", kind="evaluation result")
    shared = document["comparisons"][0]["verdict"]["canaries"][1]
    document["canaries"] = [shared, {**shared, "detail": "sha256 of another"}]
    write_json(directory / "results.json", document)
    write_reports(directory)
    root = ElementTree.parse(directory / "junit.xml").getroot()
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(cases) == len(set(cases)) == 2 * 10 + 2 * 4
    assert ("naive.checks", "template equals training's (2)") in cases


def test_junit_has_one_case_per_ability_and_check(evaluation: Make) -> None:
    write_reports(directory := evaluation())
    root = ElementTree.parse(directory / "junit.xml").getroot()
    naive, tempered = root.findall("testsuite")
    assert naive.get("name") == "base against naive"
    assert (naive.get("tests"), naive.get("failures"), naive.get("skipped")) == ("13", "9", "1")
    assert (tempered.get("failures"), tempered.get("errors")) == ("0", "0")
    case = naive.find("testcase[@name='capitals']")
    assert case is not None and case.get("classname") == "naive.retention"
    failure = case.find("failure")
    assert failure is not None and "Lost" in (failure.text or "")


def test_an_invalid_comparison_shows_the_reason_and_no_number(evaluation: Make) -> None:
    write_reports(directory := evaluation(broken=True))
    page = (directory / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="c1"') : page.index('id="c2"')]
    assert "adapter is active: largest logit difference 0.0" in section
    assert "points" not in section and "flip" not in section
    notes = (directory / "report.md").read_text(encoding="utf-8")
    assert "⛔ invalid · `naive`" in notes
    naive = ElementTree.parse(directory / "junit.xml").getroot().findall("testsuite")[0]
    assert naive.get("errors") == "11"
    assert naive.get("failures") == "0"
    assert read_results(directory).exit_code == 5


@pytest.mark.slow
def test_ten_thousand_long_samples_stay_below_three_megabytes(evaluation: Make) -> None:
    long = ("<&> " * 2_000, "gold " * 500, "wrong " * 2_000)
    directory = evaluation(items=340, texts={"*": long})
    assert pq.read_metadata(directory / "samples.parquet").num_rows > 10_000
    page, notes, _ = write_reports(directory)
    assert page.stat().st_size < 3_000_000
    assert len(notes.read_text(encoding="utf-8")) < 65_536
    text = page.read_text(encoding="utf-8")
    shown, hidden = re.findall(r"([\d,]+) are shown, ([\d,]+) are not", text)[0]
    total = read_results(directory).comparisons[0].verdict.abilities
    flips = sum(ability.negative_flips + ability.positive_flips for ability in total)
    assert int(shown.replace(",", "")) + int(hidden.replace(",", "")) == flips
    assert "more characters)" in text


def test_results_survive_writing_and_reading(evaluation: Make) -> None:
    directory = evaluation()
    results = read_results(directory)
    assert results.comparisons[1].verdict.status == "pass"
    assert results.comparisons[1].verdict.abilities[0].name == "triage"
    assert results.exit_code == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 9}, "schema_version is 9, not 1"),
        ({"comparisons": None}, "comparisons"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_document_of_another_shape_names_the_field(
    evaluation: Make, change: dict[str, Any], message: str
) -> None:
    directory = evaluation()
    path = directory / "results.json"
    write_json(path, {**read_json(path, kind="result"), **change})
    with pytest.raises(DataError, match=message):
        write_reports(directory)
    assert not (directory / "report.html").exists()


def test_missing_or_damaged_answers_are_told(evaluation: Make) -> None:
    directory = evaluation()
    samples = directory / "samples.parquet"
    samples.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read"):
        write_reports(directory)
    samples.unlink()
    with pytest.raises(DataError, match="missing"):
        write_reports(directory)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_chromium_shows_it_and_runs_only_our_script(evaluation: Make) -> None:
    write_reports(directory := evaluation(texts={"*": HOSTILE}))
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *("--proxy-server=127.0.0.1:9", "--virtual-time-budget=2000", "--dump-dom"),
            f"file://{directory / 'report.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "<title>Support tickets to triage · welltempered</title>" in done.stdout
    assert "200 of 200" in done.stdout  # our script has counted the answers
    assert "Content Security Policy" not in done.stderr
