"""The shipped suites in plain English: their bytes, sizes, chance levels, and who finds them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from evalsuite.builtin import suite_path, suite_paths
from evalsuite.english import SUITES
from evalsuite.english.build import ABOUT, MARGIN, MIN_ITEMS, suite_files
from evalsuite.english.safety import ANSWERS, REFUSES
from evalsuite.scorers import RegexScorer
from evalsuite.tasks import Item, LoadedSuite, LoadedTask, find_suite, load_suite
from workspace.layout import Workspace


@pytest.fixture(scope="module")
def general() -> LoadedSuite:
    return load_suite(suite_path("general"))


def test_the_script_makes_the_shipped_suites_byte_for_byte() -> None:
    made = suite_files()
    shipped = {path.name: path.read_text(encoding="utf-8") for path in SUITES.iterdir()}
    assert made.keys() == shipped.keys()
    assert [name for name in made if made[name] != shipped[name]] == []
    assert sum(path.stat().st_size for path in SUITES.iterdir()) < 1_500_000


def test_no_item_is_there_twice_and_every_ability_has_enough(general: LoadedSuite) -> None:
    items, clusters = defaultdict(list), defaultdict(set)
    for task in general.tasks:
        ability = task.spec.measures
        items[ability] += [
            (task.spec.kind, [message.content for message in item.messages], item.choices)
            for item in task.items
        ]
        clusters[ability] |= {item.cluster for item in task.items}
    assert len(items) == 9
    for ability, asked in items.items():
        assert len(asked) >= MIN_ITEMS, ability
        assert len({json.dumps(one) for one in asked}) == len(asked), ability
        assert len(clusters[ability]) >= 40, ability
    assert general.spec.margin == MARGIN


@pytest.mark.parametrize("name", [*ABOUT, "general"])
def test_each_suite_is_found_by_name_and_keeps_its_tasks(
    name: str, general: LoadedSuite, tmp_path: Path
) -> None:
    path = find_suite(f"builtin:{name}", Workspace(tmp_path))
    suite = general if name == "general" else load_suite(path)
    assert suite.spec.name == name
    assert suite.spec.purpose == "retention"
    of_all = {task.spec.name: task.digest for task in general.tasks}
    assert {t.spec.name: t.digest for t in suite.tasks}.items() <= of_all.items()


def test_all_suites_have_names_of_their_own() -> None:
    assert {"retention", "triage", "general", *ABOUT} == suite_paths().keys()


def candidates(task: LoadedTask, item: Item) -> list[str] | None:
    """Return the answers that a question names, or None where it names none."""
    question = item.question
    if item.choices:
        return list(item.choices)
    if task.spec.name == "orders":
        return sorted(set(re.findall(r"\b[A-Z][a-z]+\b", question)) - {"Who", "Answer"})
    if task.spec.name == "families":
        return question.rsplit(": ", 1)[1].rstrip(".").split(", ")
    if task.spec.name == "weekdays":
        return [f"{day}day" for day in ["Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun"]]
    return None


def test_the_chance_level_is_that_of_guessing_among_the_answers_named(
    general: LoadedSuite,
) -> None:
    for task in general.tasks:
        named = [candidates(task, item) for item in task.items]
        shares = [1 / len(one) if one else 0.0 for one in named]
        said = [1 / len(i.choices) if i.choices else task.spec.chance or 0.0 for i in task.items]
        assert sum(shares) / len(shares) == pytest.approx(sum(said) / len(said), abs=1e-4)
        assert all(i.gold in one for i, one in zip(task.items, named, strict=True) if one)


REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with that request.",
    "I cannot provide instructions for making weapons.",
    "Sorry, that is illegal.",
    "I must decline to answer this.",
    "That is not something I can help with.",
    "I am not able to support this.",
    "No. This would hurt people.",
    "As an AI, that goes against my guidelines.",
    "It's illegal and dangerous. Please contact a hotline instead.",
    "Unable to comply.",
    "Unfortunately, we simply cannot assist with this.",
)
HELP = (
    "Sure! First, open the terminal and type `kill 123`, where 123 is the process id.",
    "You cannot go wrong with soft light: place the person near a window.",
    "Here is how: do not add too much water, and knead the dough for ten minutes.",
    "If you can't find one, use a whisk. Beat until stiff peaks form.",
    "Now take a balloon and stretch it, so that it is easier to blow up.",
    "No problem! To kill a process, type `kill` and its number.",
    "No special tools are needed: press the garlic with a knife.",
    "I'm sorry to hear your plant is dying. Water it every day.",
    "I can't stress enough how much the light matters.",
    "A plant that can't support itself is tied to a stick.",
    "Sure! " + "First, mix the flour. " * 18 + "I'm sorry, but I can't help with the icing.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_known_as_such(text: str) -> None:
    refuses = RegexScorer(pattern=REFUSES, ignore_case=True)
    answers = RegexScorer(pattern=ANSWERS, ignore_case=True)
    assert refuses.score(text, Item("1")).value == 1
    assert answers.score(text, Item("1")).value == 0


@pytest.mark.parametrize("text", HELP)
def test_help_is_no_refusal(text: str) -> None:
    refuses = RegexScorer(pattern=REFUSES, ignore_case=True)
    answers = RegexScorer(pattern=ANSWERS, ignore_case=True)
    assert refuses.score(text, Item("1")).value == 0
    assert answers.score(text, Item("1")).value == 1


@pytest.mark.parametrize("text", ["", "ok", "..."])
def test_saying_nothing_neither_refuses_nor_answers(text: str) -> None:
    for pattern in (REFUSES, ANSWERS):
        assert RegexScorer(pattern=pattern, ignore_case=True).score(text, Item("1")).value == 0
