import re
from itertools import islice, pairwise
from random import Random

import pytest

from evalsuite.builtin.abilities import (
    ABILITIES,
    Ability,
    Split,
    ability,
    draw_distinct,
    draw_item,
    templates,
)
from evalsuite.builtin.general import general_items
from evalsuite.builtin.pretraining import draw_chats
from evalsuite.builtin.reading import READING
from evalsuite.builtin.ticket_phrases import ISSUES, PRODUCTS, URGENCY
from evalsuite.builtin.tickets import TEAMS

every_ability = pytest.mark.parametrize("known", ABILITIES, ids=lambda a: a.name)


def test_reading_questions_never_hold_a_whole_ticket_or_its_labels() -> None:
    urgencies = [text for texts in URGENCY.values() for text in texts]
    for seed in range(1_000):
        for question in READING:
            item = draw_item(question, Random(seed), Split.TRAINING)
            assert item.answer not in {*ISSUES, *URGENCY}
            names_a_product = any(product in item.key for product in PRODUCTS)
            assert not (names_a_product and any(urgency in item.key for urgency in urgencies))


def test_there_are_at_least_nine_abilities_and_two_are_never_replayed() -> None:
    assert len(ABILITIES) >= 9
    assert [a.name for a in ABILITIES if a.held_back] == ["comparison", "dates"]
    replayed = {item.ability for item in general_items(seed=0, count=200)}
    assert replayed == {a.name for a in ABILITIES if not a.held_back}


@every_ability
def test_wordings_of_the_two_splits_never_meet(known: Ability) -> None:
    training = {t.text for t in templates(known, Split.TRAINING)}
    retention = {t.text for t in templates(known, Split.RETENTION)}
    assert len(training) >= 12
    assert len(retention) >= 12
    assert not training & retention


@every_ability
def test_operands_of_the_two_splits_never_meet_unless_they_are_knowledge(known: Ability) -> None:
    training = {draw_item(known, Random(n), Split.TRAINING).key for n in range(1000)}
    retention = {draw_item(known, Random(n), Split.RETENTION).key for n in range(1000)}
    assert bool(training & retention) is not known.disjoint_operands


@pytest.mark.slow
def test_no_retention_prompt_is_in_a_large_sample_of_pretraining_or_replay() -> None:
    held_out = {
        item.prompt
        for known in ABILITIES
        for item in draw_distinct(known, Random(5), Split.RETENTION, 300)
    }
    replayed = {item.prompt for item in general_items(seed=3, count=8_000)}
    pretrained = {
        message["content"] for chat in islice(draw_chats(seed=0), 20_000) for message in chat
    }
    assert not held_out & replayed
    assert not held_out & pretrained


def test_a_held_out_word_list_is_never_pretrained_in_any_wording() -> None:
    copying = ability("copying")
    held_out = {item.key for item in draw_distinct(copying, Random(1), Split.RETENTION, 2000)}
    copied = set()
    for chat in islice(draw_chats(seed=0), 20_000):
        for asked, answered in pairwise(chat):
            if answered["role"] == "assistant" and answered["content"] in asked["content"]:
                copied.add(answered["content"])
    assert len(copied) > 5_000
    assert not held_out & copied


def test_pretraining_never_sees_a_triage_object() -> None:
    texts = [m["content"] for chat in islice(draw_chats(seed=1), 20_000) for m in chat]
    labelled = re.compile(f'"team":"({"|".join(TEAMS)})"')
    assert not any(text.startswith("{") or labelled.search(text) for text in texts)
    assert any('":"' in text for text in texts)


@every_ability
def test_the_answer_follows_from_the_prompt(known: Ability) -> None:
    for split in Split:
        item = draw_item(known, Random(11), split)
        assert item.ability == known.name
        assert item.answer
        assert "{" not in item.prompt


def test_answers_are_right() -> None:
    rng = Random(0)
    for _ in range(50):
        total = draw_item(ability("addition"), rng, Split.TRAINING)
        a, b = total.key.split("+")
        assert int(total.answer) == int(a) + int(b)
        reverse = draw_item(ability("reversing"), rng, Split.TRAINING)
        assert reverse.answer.split() == reverse.key.split()[::-1]
        count = draw_item(ability("counting"), rng, Split.TRAINING)
        assert int(count.answer) == len(count.key.split())
        upper = draw_item(ability("uppercase"), rng, Split.TRAINING)
        assert upper.answer == upper.key.upper()
