"""`temper check` looks at the rows themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.tasks import LoadedTask
from evalsuite.tasks.schema import Task
from tui.check import _downloaded, check_recipe
from tui.findings import Finding
from tui.schema import compose, suite_schema
from workspace.gpus import Gpu
from workspace.recipe import load_recipe


def sources(tmp_path: Path, text: str, name: str = "rows.csv", more: str = "") -> list[Finding]:
    (tmp_path / name).write_text(text)
    recipe = tmp_path / "temper.yaml"
    recipe.write_text(f"name: x\ncurate:\n  sources: [{{path: {name}{more}}}]\n")
    found = check_recipe(load_recipe(recipe, compose()))
    return [finding for finding in found if finding.what == "source"]


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ("question,answer\na,b\n", "ok", "1 file, 0.0 MB, question_answer"),
        ("question;answer\na;b, c\n", "ok", "question_answer"),
        ("body,team\na,b\n", "fail", "1 of the first 1 rows cannot be used: rows.csv:2"),
        ("question,answer\na,b\na,b,c\n", "warn", "1 of the first 2 rows"),
    ],
)
def test_the_first_rows_are_read(tmp_path: Path, text: str, level: str, said: str) -> None:
    (finding,) = sources(tmp_path, text)
    assert finding.level == level and said in finding.found
    assert level == "ok" or "columns: {prompt: YOURS, completion: YOURS}" in finding.cure


def test_named_columns_are_minded(tmp_path: Path) -> None:
    more = ", columns: {prompt: body, completion: team}"
    assert sources(tmp_path, "body,team\na,b\n", more=more)[0].level == "ok"


def test_a_text_with_a_label_is_told_to_be_learnt_as_text(tmp_path: Path) -> None:
    text = "label,text\nham,Ok lar\nspam,Win a prize\n"
    warned, _ = sources(tmp_path, text)
    assert warned.level == "warn" and "2 of the first 2 rows are plain text" in warned.found
    assert "`columns: {prompt: text, completion: label}`" in warned.cure
    more = ", columns: {prompt: text, completion: label}"
    assert [one.level for one in sources(tmp_path, text, more=more)] == ["ok"]
    assert [one.level for one in sources(tmp_path, "text\nOk lar\n")] == ["ok"]


def test_rows_that_fit_two_formats_are_told_with_their_columns(tmp_path: Path) -> None:
    text = "instruction,output,prompt,completion\na,b,c,d\n,,c,d\n"
    first, *_ = sources(tmp_path, text)
    assert first.level == "warn"
    assert "2 of the first 2 rows, such as row 1, are read as alpaca" in first.found
    assert "by instruction, output, and fit prompt_completion too" in first.found
    more = ", columns: {prompt: prompt, completion: completion}"
    assert [one.level for one in sources(tmp_path, text, more=more)] == ["ok"]


def test_hub_datasets_are_named_and_folders_looked_at(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "train.jsonl").write_text('{"text": "a"}\n')
    recipe = tmp_path / "temper.yaml"
    recipe.write_text("name: x\ncurate:\n  sources: ['hub:a/b', saved]\n")
    found = check_recipe(load_recipe(recipe, compose()))
    said = [finding.found for finding in found if finding.what == "source"]
    assert said == ["hub:a/b, looked at by `temper curate`", "saved: a folder, text"]


def test_items_that_are_downloaded_are_named() -> None:
    mine = {"kind": "generation", "prompt": "{{ q }}", "gold": "{{ a }}", "scorer": "exact"}
    specs = [
        Task.model_validate({"name": "own", "data": "rows.jsonl", **mine}),
        Task.model_validate({"name": "hub", "data": "hf:a/b", "split": "test", **mine}),
        Task.model_validate({"name": "public", "kind": "lm_eval", "lm_eval": {"task": "x"}}),
    ]
    (found,) = _downloaded("s", [LoadedTask(spec, ()) for spec in specs])
    assert found.found.startswith("s: hub, public: read by `datasets`")
    assert not list(_downloaded("s", [LoadedTask(specs[0], ())]))


def test_every_key_of_a_suite_is_in_its_schema() -> None:
    assert {"min_items", "margin", "tasks"} <= set(suite_schema()["properties"])


@pytest.mark.parametrize(
    ("kind", "gib", "level", "said"),
    [
        ("full", 24, "fail", "full training needs about 141.3 GiB with 1 row of 2,048 tokens"),
        ("lora", 24, "ok", "lora training needs about 19.6 GiB with 2 rows"),
        ("lora", 20, "warn", "which is tight"),
    ],
)
def test_a_way_that_the_gpu_does_not_hold_is_found_before_there_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, gib: int, level: str, said: str
) -> None:
    own = Gpu(0, "GPU-1", "NVIDIA GeForce RTX 3090", gib * 2**30, gib * 2**30, 0)
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [own])
    config = {"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096}
    config |= {"intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 8}))
    recipe = tmp_path / "temper.yaml"
    recipe.write_text(
        f"name: x\nmodel: {{path: config.json}}\ntrain: {{adapter: {{kind: {kind}}}}}\n"
    )
    found = check_recipe(load_recipe(recipe, compose()))
    (finding,) = [one for one in found if one.what == "memory"]
    assert finding.level == level and said in finding.found
    assert level != "fail" or finding.cure.startswith("NVIDIA GeForce RTX 3090 does not hold full")
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [])
    found = check_recipe(load_recipe(recipe, compose()))
    assert not [one for one in found if one.what == "memory"]


def test_who_sees_answers_and_whose_code_scores_is_told_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = {
        "kind": "judge", "rubric": "kind?", "budget": {"requests": 9},
        "backend": {
            "base_url": "https://judge.example/v1", "model": "large", "api_key": "env:X_API_KEY"
        },
    }  # fmt: skip
    own = {"kind": "python", "file": "mine.py", "function": "polite", "needs_gold": False}
    tasks = [
        {
            "name": name,
            "kind": "generation",
            "data": "rows.jsonl",
            "prompt": "{{ q }}",
            "scorer": one,
        }
        for name, one in (("own", own), ("tone", judge))
    ]
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "rows.jsonl").write_text('{"id": 1, "q": "?"}\n')
    (suites / "mine.py").write_text(
        "from evalsuite.scorers import scorer\nraise SystemExit\n"
        "@scorer\ndef polite(output, item):\n    return 1\n"
    )
    document = {"schema_version": 1, "name": "mine", "purpose": "retention", "tasks": tasks}
    (suites / "mine.yaml").write_text(json.dumps(document))
    recipe = tmp_path / "temper.yaml"
    recipe.write_text("name: x\nevaluate: {suites: [mine]}\n")

    def said() -> str:
        found = check_recipe(load_recipe(recipe, compose()))
        return "\n".join(f"{one.level} {one.found}" for one in found)

    assert "fail the environment variable X_API_KEY is not set" in said()
    monkeypatch.setenv("X_API_KEY", "k")
    assert "ok mine: answers of tone are shown to large at https://judge.example/v1" in said()
    assert "ok mine: own: mine.py: polite is your own code and runs as you" in said()


def suite_findings(tmp_path: Path, suite: dict[str, object], rows: list[dict[str, object]]) -> str:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    task = {"name": "moods", "kind": "generation", "data": "rows.jsonl", "prompt": "{{ q }}"}
    task |= {"gold": "{{ a }}", "scorer": "exact", **suite.pop("task", {})}  # type: ignore[dict-item]
    document = {"schema_version": 1, "name": "mine", "purpose": "target", "tasks": [task], **suite}
    (tmp_path / "suites" / "mine.yaml").write_text(json.dumps(document))
    recipe = tmp_path / "temper.yaml"
    recipe.write_text("name: x\nmodel: {path: builtin}\nevaluate: {suites: [mine]}\n")
    found = check_recipe(load_recipe(recipe, compose()))
    return "\n".join(f"{one.level} {one.found}" for one in found)


def test_clusters_and_not_items_say_what_a_suite_can_show(tmp_path: Path) -> None:
    rows = [{"id": n, "q": f"Is it {n}?", "a": "yes", "of": f"user {n % 10}"} for n in range(150)]
    said = suite_findings(
        tmp_path, {"task": {"cluster": "of"}, "min_gain": 0.08, "min_items": 10}, rows
    )
    told = next(line for line in said.splitlines() if "shows differences" in line)
    assert told.startswith("warn mine: moods with 150 items in 10 clusters shows differences of 28")
    assert told.endswith("change sides, those of a cluster together), not the min_gain of 8")
    assert "ok mine: moods has 10 clusters: `temper eval --prompts` can choose no prompt" in said


def test_graded_scores_do_not_change_sides(tmp_path: Path) -> None:
    rows = [{"id": n, "q": f"Is it {n}?", "a": "yes"} for n in range(40)]
    said = suite_findings(
        tmp_path, {"task": {"scorer": "f1"}, "purpose": "retention", "min_items": 10}, rows
    )
    told = next(line for line in said.splitlines() if "shows differences" in line)
    assert "moods with 40 items shows" in told and "change sides" not in told
    assert "graded scores" in told and told.endswith("not the margin of 5")


def test_one_question_with_two_golds_is_told_with_both_lines(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "q": "How is it?", "a": "good"},
        {"id": "b", "q": "Who?", "a": "me"},
        {"id": "c", "q": "How is it?", "a": "bad"},
        {"id": "d", "q": "Who?", "a": "me"},
    ]
    said = suite_findings(tmp_path, {"min_items": 2}, rows)
    assert (
        "warn mine: moods: one question has 2 different golds: 'good' in a (rows.jsonl:1), "
        "'bad' in c (rows.jsonl:3)"
    ) in said
    assert (
        "warn mine: moods: 1 question is asked more than once, with one gold: "
        "b (rows.jsonl:2), d (rows.jsonl:4)"
    ) in said


def test_copies_in_one_cluster_are_in_order(tmp_path: Path) -> None:
    rows = [{"id": n, "q": "Who?", "a": "me", "of": "x"} for n in range(3)]
    said = suite_findings(tmp_path, {"task": {"cluster": "of"}, "min_items": 2}, rows)  # type: ignore[arg-type]
    assert "asked more than once" not in said


def test_items_longer_than_the_model_reads_are_named_with_their_lines(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": f"a{n}", "q": "word " * (6000 if n == 2 else 3), "a": "yes"} for n in range(7)
    ]
    said = suite_findings(tmp_path, {"min_items": 2}, rows)
    told = next(line for line in said.splitlines() if "longer than the model reads" in line)
    assert told.startswith("warn mine: moods: 1 of 7 items are longer than the model reads (")
    assert told.endswith("tokens with the answer): a2 (rows.jsonl:3)")


def test_the_way_out_of_a_suite_that_cannot_be_read_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "schema_version: 1\nname: mine\npurpose: target\n"
        'tasks: [{name: t, kind: perplexity, data: gone.jsonl, text: "{{ q }}"}]\n'
    )
    (tmp_path / "temper.yaml").write_text("name: x\nevaluate: {suites: [mine.yaml]}\n")
    found = check_recipe(load_recipe(tmp_path / "temper.yaml", compose()))
    (failed,) = [one for one in found if one.level == "fail"]
    assert "there is no such data file" in failed.found
    assert failed.cure and failed.cure not in failed.found
