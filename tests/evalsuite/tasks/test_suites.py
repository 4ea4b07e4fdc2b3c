"""Suites: what loads, and what each mistake is told with file, line, field and way out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.models import ModelSource
from evalsuite.prompting.examples import suite_pool
from evalsuite.recipe import EvalSection
from evalsuite.served.request import ServedRequest
from evalsuite.served.section import ServedSection
from evalsuite.tasks import LoadedSuite, find_suite, load_suite
from workspace.errors import DataError, RecipeError, TemperError, UsageError
from workspace.layout import Workspace

HEAD = "schema_version: 1\nname: s\npurpose: target\ntasks:\n"
WRITE = """\
  - name: t
    kind: generation
    data: items.jsonl
    prompt: "Q: {{ q }}"
    gold: "{{ a }}"
    scorer: exact
"""
CHOOSE = """\
  - name: t
    kind: choice
    data: items.jsonl
    prompt: "{{ q }}"
    choices: "{{ options }}"
    gold: "{{ a }}"
"""
READ = '  - {name: u, ability: t, kind: perplexity, data: items.jsonl, text: "{{ q }}"}\n'
ROW = {"id": "1", "q": "one", "a": "1"}
CHOICE_ROW = {"id": "1", "q": "one", "a": 1, "options": ["x", "y"]}


def write(directory: Path, tasks: str, rows: Sequence[Mapping[str, Any]] | str) -> Path:
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "items.jsonl").write_text(text)
    path = directory / "s.yaml"
    path.write_text(HEAD + tasks)
    return path


def load(directory: Path, tasks: str, rows: Sequence[Mapping[str, Any]] | str) -> LoadedSuite:
    return load_suite(write(directory, tasks, rows))


def test_items_are_rendered_and_keep_their_place(tmp_path: Path) -> None:
    rows = [{**ROW, "country": "PE"}, {"id": 2, "q": "two", "a": 2, "country": "PE"}]
    task = WRITE + '    system: "Be short."\n    cluster: country\n'
    (loaded,) = load(tmp_path, task, rows).tasks
    first, second = loaded.items
    assert first.chat() == [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "Q: one"}
    ]  # fmt: skip
    assert (second.id, second.gold, second.cluster) == ("2", "2", "PE")
    assert second.where.endswith("items.jsonl:2")
    assert first.question == "Q: one"


def test_gold_objects_become_json_and_gold_indices_become_choices(tmp_path: Path) -> None:
    task = WRITE.replace("exact", "{kind: json}")
    (loaded,) = load(tmp_path, task, [{**ROW, "a": {"x": [1, True]}}]).tasks
    assert loaded.items[0].gold == '{"x": [1, true]}'
    rows = [CHOICE_ROW, {**CHOICE_ROW, "id": "2", "a": "x"}]
    (chosen,) = load(tmp_path, CHOOSE, rows).tasks
    assert [(item.gold, item.gold_index) for item in chosen.items] == [("y", 1), ("x", 0)]


def test_csv_and_parquet_rows_are_items_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "items.csv").write_text('id,q,a\n1,"one, two",1\n2,"line\nbreak",2\n')
    table = pa.table({"id": ["1", "2"], "q": ["one, two", "line\nbreak"], "a": ["1", "2"]})
    pq.write_table(table, tmp_path / "items.parquet")
    digests = []
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"{suffix}.yaml"
        path.write_text(HEAD + WRITE.replace("jsonl", suffix))
        loaded = load_suite(path)
        assert [item.question for item in loaded.items] == ["Q: one, two", "Q: line\nbreak"]
        digests.append(loaded.digest)
    assert digests[0] == digests[1]


def test_rows_that_carry_messages_need_no_prompt(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"},
        {"role": "user", "content": "bye"},
    ]  # fmt: skip
    task = WRITE.replace('    prompt: "Q: {{ q }}"\n', "")
    (loaded,) = load(tmp_path, task, [{**ROW, "messages": messages}]).tasks
    assert loaded.items[0].chat() == messages


def test_row_numbers_can_be_the_ids(tmp_path: Path) -> None:
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": "2"}]
    (loaded,) = load(tmp_path, WRITE + "    id: row\n", rows).tasks
    assert [item.id for item in loaded.items] == ["1", "2"]


def test_the_digest_changes_with_every_item_and_term_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    before = load(tmp_path, WRITE, [ROW]).digest
    assert load(tmp_path, WRITE, json.dumps(ROW) + "\n\n").digest == before
    assert load(tmp_path, WRITE, [{**ROW, "a": "2"}]).digest != before
    assert load(tmp_path, WRITE.replace("exact", "normalised"), [ROW]).digest != before
    path = write(tmp_path, WRITE, [ROW])
    path.write_text(path.read_text().replace("target", "target\nmargin: 0.1"))
    assert load_suite(path).digest != before


FEW = WRITE + "    few_shot: {data: examples.jsonl, count: 2, seed: 7}\n"


def _examples(directory: Path, questions: str) -> None:
    rows = [{"id": str(n), "q": q, "a": str(n)} for n, q in enumerate(questions.split(), start=10)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / "examples.jsonl").write_text(text)


def test_examples_are_seeded_and_never_test_items(tmp_path: Path) -> None:
    _examples(tmp_path, "three ONE four five six")
    (loaded,) = load(tmp_path, FEW, [ROW]).tasks
    assert loaded.few_shot is not None
    turns = loaded.few_shot[0].chat()
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]
    assert turns[-1]["content"] == "Q: one"
    assert "Q: ONE" not in [turn["content"] for turn in turns]
    assert loaded.notes == ("t: 1 example rows passed over: they are test items",)
    assert load(tmp_path, FEW, [ROW]).tasks[0].few_shot == loaded.few_shot
    other = load(tmp_path, FEW.replace("seed: 7", "seed: 8"), [ROW]).tasks[0].few_shot
    assert other != loaded.few_shot
    assert loaded.with_few_shot().items == loaded.few_shot


def test_examples_without_an_answer_are_passed_over_and_counted(tmp_path: Path) -> None:
    """Where the scorer compares with nothing, a row may end in a question."""
    tasks = (
        "  - {name: t, kind: generation, data: items.jsonl, scorer: {kind: regex, pattern: a}}\n"
    )
    few = tasks.replace("}}", "}, few_shot: {data: examples.jsonl, count: 1}}")
    turns = [{"role": "user", "content": "two"}, {"role": "assistant", "content": "2"}]
    rows = [{"id": "x", "messages": turns[:1]}, {"id": "y", "messages": turns}]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    item = {"id": "1", "messages": [{"role": "user", "content": "one"}]}
    (loaded,) = load(tmp_path, few, [item]).tasks
    assert loaded.few_shot is not None
    assert loaded.few_shot[0].messages[1].content == "2"
    assert loaded.notes == ("t: 1 example rows passed over: they have no answer to show",)
    (short,) = load(tmp_path, few.replace("count: 1", "count: 2"), [item]).tasks
    assert "2 there, 0 of them test items, 1 without an answer" in short.notes[0]
    pool = suite_pool(loaded.spec, tmp_path)
    assert [one.turns[-1].content for one in pool.examples] == ["2"]
    assert pool.notes[0].startswith("examples: 1 of 2 from the examples of task t passed over")


def test_examples_of_programs_show_the_solution_and_not_the_tests(tmp_path: Path) -> None:
    tests, solution = ["assert f() == 1"], "def f():\n    return 1"
    golds = [json.dumps({"tests": tests}), json.dumps({"tests": tests, "solution": solution})]
    rows = [{"id": str(n), "q": f"write {n}", "a": gold} for n, gold in enumerate(golds)]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    few = FEW.replace("count: 2", "count: 1")
    few = re.sub(r"scorer: \w+", "scorer: code", few)
    (loaded,) = load(tmp_path, few, [{**ROW, "a": golds[0]}]).tasks
    assert loaded.few_shot is not None
    assert loaded.few_shot[0].messages[1].content == solution
    assert loaded.notes == ("t: 1 example rows passed over: they have no answer to show",)
    assert [one.turns[-1].content for one in suite_pool(loaded.spec, tmp_path).examples] == [
        solution
    ]


def test_too_few_examples_keep_only_what_needs_them_from_being_measured(tmp_path: Path) -> None:
    _examples(tmp_path, "one three")
    suite = load(tmp_path, FEW, [ROW])
    (task,) = suite.tasks
    assert task.few_shot is None
    assert "too few examples" in task.notes[0]
    assert "2 there, 1 of them test items" in task.notes[0]
    source = ModelSource("builtin", tmp_path, "digest")
    request = EvalRequest("x", source, (), (suite,), EvalSection(few_shot=True), prompts=True)
    with pytest.raises(DataError, match="examples are wanted"):
        request.check()
    end = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
    section = ServedSection.model_validate({"base": end, "tuned": {"mine": {**end, "model": "t"}}})
    with pytest.raises(DataError, match="examples are wanted"):
        ServedRequest("x", section, (suite,), EvalSection(few_shot=True)).check()


@pytest.mark.parametrize(
    ("tasks", "rows", "where", "said"),
    [
        (WRITE, [ROW, {**ROW, "q": "x"}], "items.jsonl:2", "'1' is given twice"),
        (WRITE, [{"q": "one", "a": "1"}], "items.jsonl:1: id", "Found nothing"),
        (WRITE, [{"id": "1", "q": "one"}], "items.jsonl:1: gold", "no field 'a'"),
        (WRITE, [{**ROW, "a": None}], "items.jsonl:1: gold", "Found nothing"),
        (WRITE, [{**ROW, "a": " "}], "items.jsonl:1: gold", "an empty gold answer"),
        (WRITE, [ROW, {"id": "2", "a": "2"}], "items.jsonl:2: prompt", "no field 'q'"),
        (WRITE, [ROW, {"id": "2", "q": None, "a": "2"}], "items.jsonl:2: prompt", "a null value"),
        (WRITE, '{"id": "1", "q": "x", "q": "y", "a": "1"}\n', "items.jsonl:1: q", "a key twice"),
        (WRITE, "", "items.jsonl", "no items"),
        (WRITE, '{"id": "1"\n', "items.jsonl:1", "not JSON"),
        (WRITE, "[1]\n", "items.jsonl:1", "not a JSON object"),
        (WRITE.replace("items", "gone"), [ROW], "gone.jsonl", "no such data file"),
        (
            WRITE.replace("{{ q }}", "{{ q }"),
            [ROW],
            "items.jsonl:1: prompt",
            "not a valid template",
        ),
        (WRITE.replace("{{ q }}", "{{ q.__class__.__mro__ }}"), [ROW], "prompt", "SecurityError"),
        (WRITE.replace("{{ q }}", "{{ q.x.y }}"), [ROW], "prompt", "UndefinedError"),
        (CHOOSE, [{**CHOICE_ROW, "options": ["x"]}], "items.jsonl:1: choices", "at least two"),
        (CHOOSE, [{**CHOICE_ROW, "options": ["x", "x"]}], "choices", "two choices alike"),
        (CHOOSE, [{**CHOICE_ROW, "options": "xy"}], "choices", "a list of answers"),
        (CHOOSE, [{**CHOICE_ROW, "a": "z"}], "items.jsonl:1: gold", "one of the choices"),
        (CHOOSE, [{**CHOICE_ROW, "a": 2}], "items.jsonl:1: gold", "an index from 0 to 1"),
        (CHOOSE, [{**CHOICE_ROW, "a": -1}], "items.jsonl:1: gold", "an index from 0 to 1"),
        (WRITE + "    cluster: country\n", [ROW], "items.jsonl:1: cluster", "`country`"),
    ],
)
def test_items_that_cannot_be_used_are_named_with_a_way_out(
    tmp_path: Path, tasks: str, rows: Any, where: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, tasks, rows)
    assert where in caught.value.where
    assert said in str(caught.value)
    assert caught.value.cure or "no items" in said or "not a JSON object" in said


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (HEAD + WRITE + "    scorr: exact\n", "s.yaml:11:", "Did you mean `scorer`?"),
        (HEAD + WRITE.replace("scorer: exact", "scorer: exakt"), "s.yaml:10:", "exakt"),
        (
            HEAD + WRITE + WRITE,
            "s.yaml:11:5: tasks.1.name: found 't'",
            "every task name once; `t` is the name of tasks.0 already",
        ),
        (
            (HEAD + WRITE).removeprefix("schema_version: 1\n"),
            "s.yaml:1:1: schema_version",
            "expected `schema_version: 1`",
        ),
        (f"margin: 5\n{HEAD}{WRITE}", "s.yaml:1:1: margin: found 5", "0.05 is 5 points"),
        ("a:\n\tb: 1\n", "found character", "YAML is not indented with tabs"),
        (HEAD + WRITE.replace('    gold: "{{ a }}"\n', ""), "s.yaml:5:", "`gold`"),
        (HEAD + WRITE + '    choices: "{{ q }}"\n', "s.yaml:5:", "no `choices`"),
        (HEAD.replace("target", "goal") + WRITE, "s.yaml:3:", "'target' or 'retention'"),
        (HEAD + WRITE + "    name: u\n", "s.yaml:11:", "this key twice"),
        (HEAD + WRITE + READ, "s.yaml:", "no perplexity beside right or wrong"),
        (HEAD, "s.yaml:4:", "tasks"),
        ("- 1\n", "s.yaml:1:", "a mapping"),
    ],
)
def test_mistakes_in_a_suite_are_told_with_line_and_hint(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_suite(path)
    assert place in str(caught.value)
    assert said in str(caught.value)


def test_suites_are_found_by_path_name_and_builtin(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    path = write(tmp_path / "suites", WRITE, [ROW])
    workspace = Workspace(tmp_path)
    assert find_suite("s", workspace) == find_suite(str(path), workspace) == path
    assert find_suite("suites/s.yaml", workspace) == path
    assert find_suite("builtin:triage", workspace).name == "triage.yaml"
    for name in ("none", "builtin:none"):
        with pytest.raises(UsageError, match=r"no suite called|no built-in suite"):
            find_suite(name, workspace)


def test_a_line_of_fifty_megabytes_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    with (tmp_path / "items.jsonl").open("wb") as stream:
        stream.write(b'{"id": "1", "q": "')
        stream.truncate(50 * 2**20)
    (tmp_path / "s.yaml").write_text(HEAD + WRITE)
    with pytest.raises(TemperError, match="too long for an item") as caught:
        load_suite(tmp_path / "s.yaml")
    assert caught.value.where.endswith("items.jsonl:1")


def test_invalid_utf8_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, WRITE, [ROW])
    with (tmp_path / "items.jsonl").open("ab") as stream:
        stream.write(b'{"id": "2", "q": "\xff", "a": "1"}\n')
    with pytest.raises(DataError, match="not JSON") as caught:
        load_suite(path)
    assert caught.value.where.endswith("items.jsonl:2")


def test_a_template_cannot_change_what_it_is_given(tmp_path: Path) -> None:
    task = WRITE.replace("{{ q }}", "{{ tags.append(1) }}")
    with pytest.raises(DataError, match="SecurityError"):
        load(tmp_path, task, [{**ROW, "tags": []}])


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"id,q,a\n1,one,1\n2,caf\xe9,2\n", 3, "0xe9"),
        (b'id,q,a\n1,"one" x,1\n', 2, "expected"),
        (b"id,q,a\n1,one,1,2\n", 2, "Found 4; the header has 3."),
        (b"id,q,a\n1,one\n", 2, "Found 2; the header has 3."),
    ],
)
def test_a_table_of_items_that_is_damaged_names_the_line(
    tmp_path: Path, data: bytes, line: int, said: str
) -> None:
    path = write(tmp_path, WRITE.replace("jsonl", "csv"), [ROW])
    (tmp_path / "items.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        load_suite(path)
    assert caught.value.where.endswith(f"items.csv:{line}")
    assert said in caught.value.cause and caught.value.cure


@pytest.mark.parametrize("text", ["", "id,q,a\n"])
def test_a_table_without_items_is_not_told_of_json_lines(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, WRITE.replace("jsonl", "csv"), [ROW])
    (tmp_path / "items.csv").write_text(text)
    with pytest.raises(DataError, match="no items") as caught:
        load_suite(path)
    assert caught.value.cure.startswith("Write a line for each item under the header")


def test_a_suite_that_is_nearly_named_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "target.yaml").write_text("x: 1")
    for wrong, right in (("targt", "target"), ("builtin:retentoin", "retention")):
        with pytest.raises(UsageError) as caught:
            find_suite(wrong, Workspace(tmp_path))
        assert f"Did you mean `{right}`?" in caught.value.cure
