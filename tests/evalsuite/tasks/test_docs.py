"""What docs/suites.md shows is so: its items are in the suites, its examples load."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from evalsuite.builtin import suite_path
from evalsuite.english.build import ABOUT
from evalsuite.tasks import Item, load_suite

TEXT = (Path(__file__).parents[3] / "docs" / "suites.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^`builtin:(\w+)`: ([^\n]*)\.\n\n```text\n(.*?)\n```", TEXT, re.M | re.S)


def example(name: str) -> str:
    (found,) = re.findall(rf"^```yaml\n(# suites/{name}\.yaml\n.*?)^```", TEXT, re.M | re.S)
    return str(found)


def as_shown(item: Item) -> str:
    turns = "\n".join(f"{message.role}: {message.content}" for message in item.messages)
    asked = turns if len(item.messages) > 1 else item.question
    choices = f"\n   of: {' | '.join(item.choices)}" if item.choices else ""
    return f"{asked}{choices}\n→ {item.gold or '(an answer, not a refusal)'}"


def test_one_item_of_each_built_in_suite_is_shown_as_it_is() -> None:
    assert {name: about for name, about, _ in SHOWN} == ABOUT
    for name, _, shown in SHOWN:
        tasks = load_suite(suite_path(name)).tasks
        assert shown in {as_shown(item) for task in tasks for item in task.items}, name


def test_the_suite_of_your_own_loads_and_scores(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(example("mine"))
    row = {"id": "1", "country": "Chile", "options": ["Lima", "Santiago"], "capital": "Santiago"}
    (tmp_path / "capitals.jsonl").write_text(json.dumps({**row, "continent": "America"}))
    letters = Dataset.from_list([{"letter": "When do you open?"}])
    DatasetDict({"test": letters}).save_to_disk(tmp_path / "letters")
    choice, written = load_suite(tmp_path / "mine.yaml").tasks
    assert (choice.items[0].gold_index, choice.items[0].cluster) == (1, "America")
    scorer, item = written.spec.scorer, written.items[0]
    assert scorer is not None
    assert scorer.score("We open at nine! Thank you.", item).value == 0
    assert scorer.score("Thank you. We open at nine.", item).value == 1


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs the extra `bench`")
@pytest.mark.filterwarnings("ignore")
def test_the_suite_of_a_benchmark_loads(tmp_path: Path) -> None:
    (tmp_path / "public.yaml").write_text(example("public"))
    (tmp_path / "peer").mkdir()
    data = json.dumps({"data_files": {"test": str(tmp_path / "rows.jsonl")}})
    (tmp_path / "peer" / "larger.yaml").write_text(
        f"task: larger\ndataset_path: json\ndataset_kwargs: {data}\ntest_split: test\n"
        'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: "{{options}}"\n'
        'doc_to_target: "{{gold}}"\nfewshot_split: test\n'
        "metric_list: [{metric: acc}, {metric: acc_norm}]\n"
    )
    rows = [{"q": f"{n}?", "options": ["a", "b"], "gold": n % 2} for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task,) = load_suite(tmp_path / "public.yaml").tasks
    assert len(task.items) == 20
    assert task.benchmark is not None
    assert task.benchmark.metric == "acc_norm"
