import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from evalsuite.builtin import suite_path
from evalsuite.builtin.abilities import ABILITIES, Split, templates
from evalsuite.builtin.build_suites import SUITES, suite_files
from evalsuite.builtin.tickets import PRIORITIES, PRODUCTS, TEAMS


def items_of(name: str) -> list[dict[str, str]]:
    lines = (SUITES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_script_makes_the_shipped_suites_byte_for_byte() -> None:
    made = suite_files()
    shipped = {path.name: path.read_text(encoding="utf-8") for path in SUITES.iterdir()}
    assert made == shipped


@pytest.mark.parametrize("name", ["triage", "retention"])
def test_every_gated_ability_has_enough_items(name: str) -> None:
    suite = YAML(typ="safe").load(suite_path(name))
    assert suite["min_items"] >= 400
    assert suite["margin"] == 0.05
    for task in suite["tasks"]:
        items = items_of(Path(task["data"]).stem)
        assert len(items) >= suite["min_items"]
        assert len({item["id"] for item in items}) == len(items)
        question = "ticket" if name == "triage" else "prompt"
        assert len({item[question] for item in items}) == len(items)


def test_the_retention_suite_says_what_is_held_back_and_what_clusters() -> None:
    suite = YAML(typ="safe").load(suite_path("retention"))
    held_back = {task["name"] for task in suite["tasks"] if task.get("held_back")}
    clustered = {task["name"] for task in suite["tasks"] if "cluster" in task}
    assert held_back == {a.name for a in ABILITIES if a.held_back}
    assert clustered == {a.name for a in ABILITIES if not a.disjoint_operands}


def test_half_of_the_retention_wordings_use_an_unseen_frame() -> None:
    for known in ABILITIES:
        seen = {t.frame for t in templates(known, Split.TRAINING)}
        unseen = [t for t in templates(known, Split.RETENTION) if t.frame not in seen]
        assert len(unseen) > 100


def test_triage_answers_are_compact_json_with_known_labels() -> None:
    for item in items_of("triage") + items_of("triage_examples"):
        labels = json.loads(item["answer"])
        assert list(labels) == ["team", "priority", "product"]
        assert labels["team"] in TEAMS
        assert labels["priority"] in PRIORITIES
        assert labels["product"] in PRODUCTS
        assert " " not in item["answer"]


def test_few_shot_examples_are_no_suite_items() -> None:
    tickets = {item["ticket"] for item in items_of("triage")}
    assert not tickets & {item["ticket"] for item in items_of("triage_examples")}


def test_an_unknown_suite_is_named_with_those_that_exist() -> None:
    with pytest.raises(KeyError, match="reasoning, retention, safety, triage"):
        suite_path("triaje")
