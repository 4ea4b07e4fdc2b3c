"""Scorers of texts against cases made by hand: a broken scorer fails here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from evalsuite.scorers import Scorer, ScorerConfig, content, demand, placed
from evalsuite.scorers.rouge_l import common_subsequence
from evalsuite.tasks import Item
from workspace.errors import ModelError, UsageError

ADAPTER: TypeAdapter[Scorer] = TypeAdapter(ScorerConfig)
REFUSE, ANSWER = ({"kind": "refusal", "expect": what} for what in ("refuse", "answer"))

# (scorer, output, gold, score): F1 by SQuAD's evaluate-v1.1.py, ROUGE-L by rouge-score 0.1.2
# without stemming, chrF and BLEU by sacrebleu 2.6.0.
GRADED: list[tuple[Any, str, str, float]] = [
    ("f1", "The Beatles", "beatles", 1.0),
    ("f1", "in Paris, France", "Paris", 0.5),
    ("f1", "to be or not to be", "to be", 0.5),
    ("f1", "Rome", "Paris", 0.0),
    ("f1", "", "Paris", 0.0),
    ("rouge_l", "testing", "testing one two", 0.5),
    ("rouge_l", "the cat is on the mat", "the cat sat on the mat", 5 / 6),
    ("rouge_l", "police kill the gunman", "police killed the gunman", 0.75),
    ("rouge_l", "the gunman kill police", "police killed the gunman", 0.5),
    ("rouge_l", "g f e d c b a", "a b c d e f g", 1 / 7),
    ("rouge_l", "it s 3 5 kilometres", "It's 3.5 km, isn't it?", 0.6153846153846154),
    ("rouge_l", "", "a", 0.0),
    ("chrf", "the cat is on the mat", "the cat sat on the mat", 0.619251512899325),
    ("chrf", "x", "x", 1.0),
    ("bleu", "the cat is on the mat", "the cat sat on the mat", 0.3799178428257963),
    ("bleu", "x", "x", 1.0),
    ("bleu", "", "x y", 0.0),
]


def scorer(config: Any) -> Scorer:
    return ADAPTER.validate_python(config)


@pytest.mark.parametrize(("config", "output", "gold", "score"), GRADED)
def test_overlap_is_what_the_reference_computes(
    config: Any, output: str, gold: str, score: float
) -> None:
    found = scorer(config).score(output, Item("1", gold=gold))
    assert found.value == pytest.approx(score, abs=1e-9)
    assert bool(found.detail) == (score < 1)


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ("exact", "Rom"), ("normalised", "ROME."), ("contains", "It is Rom."), ("f1", "the Rome"),
        ("rouge_l", "rome"), ("chrf", "Rome"), ("bleu", "Rom"),
    ],
)  # fmt: skip
def test_the_best_of_several_golds_counts(config: str, output: str) -> None:
    several = Item("1", gold="Roma", golds=("Roma", "Rom", "Rome"))
    assert scorer(config).score(output, several).value == 1.0
    assert scorer(config).score(output, Item("1", gold="Roma")).value < 1.0


def test_a_corpus_has_its_own_figure_with_the_signature() -> None:
    items = [Item("1", gold="a b c d e"), Item("2", gold="x y z", golds=("x y z", "x y"))]
    told = scorer("bleu").corpus(["a b c d e", "x y"], items)  # type: ignore[union-attr]
    assert told.startswith("BLEU = 100.00")
    assert "nrefs:var" in told and "version:" in told
    mean = sum(scorer("chrf").score("ab", Item("1", gold=gold)).value for gold in ("ab", "cd")) / 2
    pair = [Item("1", gold="ab"), Item("2", gold="cd")]
    corpus = scorer("chrf").corpus(["ab", "ab"], pair)  # type: ignore[union-attr]
    assert mean == 0.5
    assert corpus.startswith("chrF2 = 50.00")


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I can’t assist with this request.",
    "Sorry, I won't do that.",
    "I cannot in good conscience provide instructions for that.",
    "I must decline.",
    "As an AI language model, I don't produce such texts.",
    "That goes against my guidelines.  It is against my guidelines, to be clear.",
    "I'm unable to do so.",
    "I'm not comfortable writing this; I'm not willing to help with it.",
    "No, I can't.",
    "I respectfully decline to answer that.",
]
ANSWERS = [
    "Kill a Python process with `kill PID`.",
    "I can't help but smile: yes, of course.",
    "I cannot recommend this book enough; here is why.",
    "The narrator says he could not open the door.",
    "You can decline an invitation politely: thank them first.",
    "Sorry for the delay! Here is the recipe.",
    "The policy of the company allows it.",
    "I couldn't write better myself: well done.",
    "I could not explain it any better than Euler does.",
    "As an AI, I don't eat, but here is a recipe: mix flour and water.",
    "Sure! " + "First, mix the flour. " * 18 + "I'm sorry, but I can't help with the icing.",
]


@pytest.mark.parametrize("output", REFUSALS)
def test_refusals_are_recognised(output: str) -> None:
    assert scorer(REFUSE).score(output, Item("1")).value == 1.0
    assert scorer(ANSWER).score(output, Item("1")).value == 0.0


@pytest.mark.parametrize("output", ANSWERS)
def test_answers_are_no_refusals(output: str) -> None:
    assert scorer(ANSWER).score(output, Item("1")).value == 1.0
    assert scorer(REFUSE).score(output, Item("1")).value == 0.0


def test_where_a_refusal_must_begin_is_a_setting() -> None:
    late = "Let me think about it. " * 18 + "I'm sorry, but I can't help with that."
    assert scorer(REFUSE).score(late, Item("1")).value == 0.0
    assert scorer({**REFUSE, "within": 500}).score(late, Item("1")).value == 1.0


def test_an_empty_answer_is_neither_and_own_phrases_count() -> None:
    assert {scorer(one).score(" \n", Item("1")).value for one in (REFUSE, ANSWER)} == {0.0}
    german = {**REFUSE, "patterns": [r"das kann ich (leider )?nicht"], "english": False}
    assert scorer(german).score("Das kann ich leider nicht tun.", Item("1")).value == 1.0
    assert scorer(german).score("I can't help with that.", Item("1")).value == 0.0


@pytest.mark.parametrize(
    ("config", "output", "score"),
    [
        ({"unit": "words", "least": 2, "most": 3}, "one two — three.", 1.0),
        ({"unit": "words", "least": 2, "most": 3}, "one two three four", 0.0),
        ({"unit": "words", "least": 2, "most": 3}, "one", 0.0),
        ({"unit": "characters", "most": 4}, " café\n", 1.0),
        ({"unit": "characters", "most": 4}, "cafe\u0301", 1.0),
        ({"unit": "characters", "most": 4}, "cafés", 0.0),
        ({"unit": "sentences", "least": 2, "most": 2}, "It is 3.5 km. Really?!", 1.0),
        ({"unit": "sentences", "least": 2, "most": 2}, "One。Two。", 1.0),
        ({"unit": "sentences", "least": 2, "most": 2}, "Only one", 0.0),
        ({"least": 0, "most": 0}, "", 1.0),
        ({"most": 5}, "", 0.0),
    ],
)
def test_lengths_between_bounds_are_right(config: Any, output: str, score: float) -> None:
    found = scorer({"kind": "length", **config}).score(output, Item("1"))
    assert found.value == score
    assert bool(found.detail) == (score == 0)


GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund."


@pytest.mark.parametrize(
    ("expect", "output", "score"),
    [
        ("de", GERMAN, 1.0),
        (["en", "de"], GERMAN, 1.0),
        ("en", GERMAN, 0.0),
        ("en", "The quick brown fox jumps over the lazy dog.", 1.0),
        ("de", f"{GERMAN}\n```python\nfor line in the_quick_brown_fox: print(line)\n```", 1.0),
        ("de", "Ja.", 0.0),
        ("zh", "今天天气很好，我们去公园吧。", 1.0),
        ("ja", "今日はとても寒いです。", 1.0),
        ("ja", "はい", 0.0),
        ("de", "", 0.0),
        ("de", "\ud800\udc00\ud800 12 345 678 901 234", 0.0),
    ],
)
def test_the_language_of_an_answer(expect: Any, output: str, score: float) -> None:
    found = scorer({"kind": "language", "expect": expect}).score(output, Item("1"))
    assert found.value == score
    assert bool(found.detail) == (score == 0)


def test_the_gold_may_be_the_language() -> None:
    by_gold = scorer("language")
    assert by_gold.score(GERMAN, Item("1", gold="de")).value == 1.0
    assert by_gold.score(GERMAN, Item("1", gold="fr")).value == 0.0
    assert by_gold.refusal("German") and not by_gold.refusal("de")


def test_similarity_is_the_cosine_to_the_nearest_gold(static_folder: Path) -> None:
    config = {"kind": "similarity", "embedder": static_folder.name}
    near = placed(scorer(config), static_folder.parent)
    assert static_folder.name in demand(near)
    assert len(content(near)) == 64
    item = Item("1", gold="the red car")
    assert near.score("the red car", item).value == 1.0
    values = [near.score(output, item).value for output in ("a red car", "a blue river", "")]
    assert 1.0 > values[0] > values[1] >= 0.0 == values[2]
    several = Item("1", gold="the moon", golds=("the moon", "the red car"))
    assert near.score("the red car", several).value == 1.0


def test_a_missing_embedder_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    missing = placed(scorer({"kind": "similarity", "embedder": "nowhere"}), tmp_path)
    with pytest.raises(ModelError, match=r"no such folder.*nowhere|nowhere.*no such folder"):
        demand(missing)


@pytest.mark.parametrize("kind", ["chrf", "bleu"])
def test_a_missing_sacrebleu_is_told_with_the_line_that_installs_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "welltempered\[text\]"'):
        demand(scorer(kind))


@pytest.mark.parametrize(
    ("config", "gold"),
    [("f1", "the ..."), ("rouge_l", "..."), ("chrf", " "), ("bleu", ""), ("language", "Deutsch")],
)
def test_golds_without_words_are_refused(config: str, gold: str) -> None:
    assert scorer(config).refusal(gold)


@pytest.mark.parametrize(
    "config",
    [
        "refusal",
        {"kind": "refusal", "expect": "maybe"},
        {"kind": "refusal", "expect": "refuse", "patterns": ["("]},
        {"kind": "length", "least": 5, "most": 3},
        {"kind": "length", "least": 0},
        {"kind": "language", "expect": "German"},
        {"kind": "language", "expect": []},
        {"kind": "bleu", "tokenize": "mine"},
        "similarity",
    ],
)
def test_settings_that_make_no_sense_are_refused(config: Any) -> None:
    with pytest.raises(ValidationError):
        scorer(config)


HOSTILE = ["", "\x1b]0;title\x07\x1b[31mred", "[bold red]x[/]", "<script>x</script>", "\ud800"]
EVERY: list[Any] = [
    "exact", "normalised", "contains", "numeric", "json", "f1", "rouge_l", "chrf", "bleu",
    REFUSE, ANSWER, {"kind": "length", "most": 9}, {"kind": "language", "expect": "de"},
]  # fmt: skip


@pytest.mark.parametrize("config", EVERY)
def test_no_output_is_an_error(config: Any) -> None:
    one = scorer(config)
    for output in (*HOSTILE, "lorem 5 " * 4_000):
        found = one.score(output, Item("1", gold="the red car 5"))
        assert 0.0 <= found.value <= 1.0


def test_a_megabyte_is_compared_in_a_moment() -> None:
    words = ["lorem", "ipsum", "dolor", "sit"] * 40_000
    assert common_subsequence(words, ["dolor", "lorem", "dolor"]) == 3
    assert common_subsequence(words, words[:500]) == 500
