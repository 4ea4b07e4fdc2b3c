"""General prompts for drift, from items of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from evalsuite.engine.pairing import Samples
from evalsuite.engine.questions import Sample
from evalsuite.models import ChatTokenizer
from evalsuite.overfitting.general import general_rows
from evalsuite.overfitting.rows import Limits, SweepRow
from evalsuite.tasks import Item, LoadedSuite, Message, load_suite


def answered(item: Item, output: str) -> Sample:
    return Sample(
        "t", "a", item.id, item.id, "base", "", "", output, 1.0, "", -1.0, 1, 1, 0.0, False
    )


def rows_of(suite: LoadedSuite, model: Path, *given: tuple[Item, str]) -> list[SweepRow]:
    """General rows of one task, which need not be of the kind of its items."""
    task = next(one for one in suite.tasks if one.spec.kind == "generation")
    task = replace(task, items=tuple(item for item, _ in given))
    kept = replace(
        suite, tasks=(task,), spec=suite.spec.model_copy(update={"purpose": "retention"})
    )
    samples: Samples = {(suite.spec.name, task.spec.name): [answered(*one) for one in given]}
    tokenizer = ChatTokenizer.from_dir(model)
    return general_rows([kept], samples, tokenizer, Limits(64, False, None), count=9, seed=0)


def test_whole_texts_are_read_and_what_has_no_answer_is_passed_over(
    tiny_model: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]
) -> None:
    suite = load_suite(suite_writer(tmp_path / "suites", 2)[0])
    rolling = Item("rolling", text="abc")  # as a benchmark's, whose task is no perplexity task
    asked = Item("asked", messages=(Message("user", "ab"),))
    mute = Item("mute", messages=(Message("user", "ab"),))
    found = rows_of(suite, tiny_model, (rolling, ""), (asked, "cd"), (mute, ""), (Item("no"), "x"))
    assert sorted(one.row_id for one in found) == ["asked", "rolling"]
