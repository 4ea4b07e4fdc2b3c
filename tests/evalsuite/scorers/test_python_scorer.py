"""A function of the user's own as a scorer."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from evalsuite.scorers import PythonScorer, content, demand, placed
from evalsuite.tasks import Item, load_suite
from evalsuite.tasks.item import Message
from workspace.errors import UsageError

FILE = '''\
"""My scorers."""
from dataclasses import dataclass
from pathlib import Path
from evalsuite.scorers import Score, scorer

Path(__file__).with_name("ran").touch()

@dataclass
class Rule:
    word: str

@scorer
def polite(output, item):
    print("not for the document on stdout")
    return 0.25 * output.count(Rule("please").word)

@scorer
def knows(output, item):
    return item.gold in output and "?" in item.question

@scorer
def told(output, item):
    return Score(0.5, "half \\x1b[31mof it")

@scorer
def broken(output, item):
    return 1 / len(output)

@scorer
def leaves(output, item):
    raise SystemExit(0)

@scorer
def odd(output, item):
    return {"nan": float("nan"), "none": None, "two": 2, "text": "1"}[output]

def unmarked(output, item):
    return 1
'''
ITEM = Item("row 7", (Message("user", "where?"),), gold="here")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "scorers.py").write_text(FILE)
    return tmp_path


def own(directory: Path, function: str) -> PythonScorer:
    found = placed(PythonScorer(file="scorers.py", function=function), directory)
    assert isinstance(found, PythonScorer)
    return found


def test_what_the_function_returns_is_the_score(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own(directory, "polite").score("please, please", ITEM).value == 0.5
    assert capsys.readouterr().out == ""
    assert own(directory, "knows").score("it is here", ITEM).value == 1.0
    assert own(directory, "knows").score("it is there", Item("2", gold="x")).value == 0.0
    told = own(directory, "told").score("", ITEM)
    assert (told.value, told.detail) == (0.5, "half \\x1b[31mof it")


def test_the_file_is_read_and_not_run_until_an_answer_is_scored(directory: Path) -> None:
    one = own(directory, "polite")
    assert "scorers.py: polite is your own code" in demand(one)
    assert len(content(one)) == 64
    assert not (directory / "ran").exists()
    one.score("", ITEM)
    assert (directory / "ran").exists()


@pytest.mark.parametrize(
    ("function", "output", "parts"),
    [
        ("broken", "", ["scorers.py:27", "broken", "row 7", "ZeroDivisionError"]),
        ("leaves", "", ["scorers.py:31", "leaves", "row 7", "SystemExit"]),
        ("odd", "nan", ["scorers.py:34", "odd", "row 7", "returned nan", "from 0 to 1"]),
        ("odd", "none", ["odd", "row 7", "returned None"]),
        ("odd", "two", ["odd", "row 7", "returned 2"]),
        ("odd", "text", ["odd", "row 7", "returned '1'"]),
    ],
)
def test_what_goes_wrong_names_file_function_and_item(
    directory: Path, function: str, output: str, parts: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        own(directory, function).score(output, ITEM)
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("function", "source", "part"),
    [
        ("missing", FILE, "There is: polite, knows"),
        ("unmarked", FILE, "line 37 is not marked with @scorer"),
        ("polite", "def polite(:\n", "not Python"),
        ("polite", None, "no such scorer file"),
    ],
)
def test_what_cannot_be_a_scorer_is_refused_before_it_runs(
    tmp_path: Path, function: str, source: str | None, part: str
) -> None:
    if source is not None:
        (tmp_path / "scorers.py").write_text(source)
    with pytest.raises(UsageError, match=part):
        demand(own(tmp_path, function))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "file", ["/etc/scorers.py", "../scorers.py", "a/../../b.py", "scorers.txt"]
)
def test_a_file_elsewhere_is_refused(file: str) -> None:
    with pytest.raises(ValidationError, match="suite's directory"):
        PythonScorer(file=file, function="polite")


def test_a_file_that_fails_or_changed_is_told(directory: Path) -> None:
    one = own(directory, "polite")
    demand(one)
    (directory / "scorers.py").write_text(FILE + "\n")
    with pytest.raises(UsageError, match="changed while the evaluation ran"):
        one.score("", ITEM)
    (directory / "scorers.py").write_text(f"import no_such_module_here\n{FILE}")
    with pytest.raises(UsageError, match=r"scorers\.py:1: polite, while loading.*ModuleNotFound"):
        own(directory, "polite").score("", ITEM)


SUITE = """\
schema_version: 1
name: mine
purpose: target
tasks:
  - name: polite
    kind: generation
    data: rows.jsonl
    prompt: "{{ question }}"
    gold: "{{ answer }}"
    scorer: {kind: python, file: scorers.py, function: polite}
"""


def test_the_files_digest_is_part_of_the_suites(directory: Path) -> None:
    (directory / "suite.yaml").write_text(SUITE)
    (directory / "rows.jsonl").write_text('{"id": 1, "question": "?", "answer": "a"}\n')
    before = load_suite(directory / "suite.yaml")
    (directory / "scorers.py").write_text(FILE.replace("0.25", "0.5"))
    after = load_suite(directory / "suite.yaml")
    assert before.digest != after.digest
    assert after.tasks[0].spec.scorer is not None
    assert after.tasks[0].spec.scorer.score("please", ITEM).value == 0.5
    assert before.tasks[0].items == after.tasks[0].items
