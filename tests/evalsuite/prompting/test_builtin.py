"""Prompts tried on the built-in model: an ability that examples help, and one that they do not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.builtin.abilities import Split, ability, draw_item
from evalsuite.engine.request import EvalRequest
from evalsuite.models import ModelSection, resolve_model
from evalsuite.prompting.arms import Prompting
from evalsuite.prompting.own import read_prompts
from evalsuite.prompting.section import PromptSection
from evalsuite.recipe import EvalSection
from evalsuite.report import Results
from evalsuite.run import run_evaluation
from evalsuite.tasks import load_suite
from workspace.layout import Workspace

SUITE = """\
schema_version: 1
name: {name}
purpose: target
min_items: 100
tasks:
  - name: {name}
    kind: generation
    data: {name}.jsonl
    prompt: "{{{{ question }}}}"
    gold: "{{{{ answer }}}}"
    scorer: exact
    max_new_tokens: {longest}
"""


class Silent:
    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        pass


def bare(name: str, field: str, shape: str, items: int) -> Iterator[tuple[str, str]]:
    """Questions without a request: what is wanted stands in the examples alone."""
    rng, seen = random.Random(0), set()
    while len(seen) < items:
        drawn = ability(name).draw_from(rng, Split.RETENTION)
        question = shape.format(drawn.fields[field])
        if question not in seen:
            seen.add(question)
            yield question, drawn.answer


def tried(
    root: Path,
    name: str,
    field: str,
    shape: str,
    *,
    items: int,
    examples: int,
    user: Sequence[str] = (),
) -> Results:
    (root / f"{name}.yaml").write_text(
        SUITE.format(name=name, longest=4 if name == "sentiment" else 14)
    )
    with (root / f"{name}.jsonl").open("w") as stream:
        for number, (question, answer) in enumerate(bare(name, field, shape, items)):
            row = {"id": str(number), "question": question, "answer": answer}
            stream.write(json.dumps(row) + "\n")
    rng = random.Random(1)
    drawn = [draw_item(ability(name), rng, Split.TRAINING) for _ in range(400)]
    rows = [
        {"messages": [{"role": "user", "content": one.prompt},
                      {"role": "assistant", "content": one.answer}]}
        for one in drawn
    ]  # fmt: skip
    (root / "dataset").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "dataset" / "train.parquet")
    section = PromptSection(examples=examples, user=list(user))
    request = EvalRequest(
        name, resolve_model(ModelSection(path="builtin"), root), (),
        (load_suite(root / f"{name}.yaml"),), EvalSection(prompts=section), "float32", prompts=True,
        prompting=Prompting(section, read_prompts(section, root), root / "dataset", "rows"),
    )  # fmt: skip
    return run_evaluation(request, Workspace(root), Silent()).results


@pytest.mark.slow
def test_examples_help_where_the_request_is_missing(tmp_path: Path) -> None:
    results = tried(tmp_path, "sentiment", "sentence", "'{}'", items=240, examples=3)
    score = {one.name: one.score for one in results.prompt_baselines}
    assert score["zero-shot"] < 0.75
    assert max(score["few-shot"], score["retrieved"]) > score["zero-shot"] + 0.06
    (best,) = results.best_prompts
    assert best.name in ("few-shot", "retrieved")
    assert (best.chosen_on, best.n) == (120, 120)
    assert best.over_plain_low > 0
    assert best.prompt_tokens > 3 * best.plain_prompt_tokens
    (advice,) = results.recommendations
    assert advice.decision == "tune"  # helped, and not enough
    asked = pq.read_table(tmp_path / "evals" / results.id / "samples.parquet").to_pylist()
    shown = {
        turn
        for row in asked
        if row["model"] in ("base, few-shot", "base, retrieved")
        for turn in row["prompt"].split("\nuser: ")[:-1]
    }
    assert len(shown) > 100
    questions = [row["prompt"].strip("'") for row in asked if row["model"] == "base, zero-shot"]
    assert not [one for one in questions if any(one in turn for turn in shown)]


@pytest.mark.slow
def test_examples_that_do_not_help_are_not_the_best_prompt(tmp_path: Path) -> None:
    results = tried(tmp_path, "dates", "date", "day: {}", items=80, examples=1)
    score = {one.name: one.score for one in results.prompt_baselines}
    assert score["zero-shot"] > max(score["few-shot"], score["retrieved"]) + 0.1
    (best,) = results.best_prompts
    assert (best.name, best.over_plain) == ("zero-shot", 0.0)
    assert "without" not in results.recommendations[0].sentence


@pytest.mark.slow
def test_a_prompt_of_the_users_makes_tuning_needless(tmp_path: Path) -> None:
    (tmp_path / "asked in full.md").write_text("Sentiment: {{ question }}\n")
    results = tried(
        tmp_path, "sentiment", "sentence", "{}", items=240, examples=1, user=["asked in full.md"]
    )
    (best,) = results.best_prompts
    assert best.name == "asked in full"
    assert best.low >= 0.9
    (advice,) = results.recommendations
    assert advice.decision == "do not tune"
    assert advice.sentence.startswith("Do not tune: asked in full reaches ")
