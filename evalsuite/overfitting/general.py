"""General prompts for drift: items that are to be kept, with what the base itself answers.

What the base writes needs no label, and its likelihood under the tuned model falls before a score
does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from evalsuite.engine.pairing import Samples
from evalsuite.engine.questions import Sample
from evalsuite.models import ChatTokenizer
from evalsuite.overfitting.rows import Limits, SweepRow, sweep_row
from evalsuite.tasks import Item, LoadedSuite, LoadedTask
from workspace.errors import ModelError


def general_rows(
    suites: Sequence[LoadedSuite],
    base: Samples,
    tokenizer: ChatTokenizer,
    limits: Limits,
    *,
    count: int,
    seed: int,
) -> list[SweepRow]:
    """Return at most `count` items of retention suites with the base's answers, as rows.

    Args:
        suites: all that were put; targets are passed over.
        base: what the base answered; items without an answer, or whose messages the template
            refuses, are passed over.
        tokenizer: of both models.
        limits: rows that are longer than the models read are passed over.
        count: over all tasks.
        seed: which items.
    """
    asked = [
        (task, item, sample)
        for suite in suites
        if suite.spec.purpose == "retention"
        for task in suite.tasks
        for item, sample in _answered(task, base.get((suite.spec.name, task.spec.name), ()))
    ]
    asked.sort(key=lambda one: _order(seed, one[0].spec.name, one[1].id))
    rows = (_row(*one, tokenizer, limits) for one in asked[:count])
    return [row for row in rows if row is not None]


def _answered(task: LoadedTask, samples: Sequence[Sample]) -> list[tuple[Item, Sample]]:
    """Return the items that have an answer with it: some may be longer than the model reads."""
    items = {item.id: item for item in task.items}
    return [(items[sample.item_id], sample) for sample in samples]


def _row(
    task: LoadedTask, item: Item, sample: Sample, tokenizer: ChatTokenizer, limits: Limits
) -> SweepRow | None:
    # By what the item holds and not by the kind of its task: benchmarks have whole texts too.
    if item.text:
        start = tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id
        prompt, answer = [] if start is None else [start], tokenizer.encode(item.text)
    elif item.messages and sample.output:
        try:
            text = tokenizer.render(item.chat(), add_generation_prompt=True).text
        except ModelError:  # benchmarks are asked without the template, which may refuse them
            return None
        prompt, answer = tokenizer.encode(text), tokenizer.encode(sample.output)
        if not sample.cut and tokenizer.eos_ids:
            answer = [*answer, min(tokenizer.eos_ids)]
    else:
        return None
    mask = [False] * len(prompt) + [True] * len(answer)
    return sweep_row("general", item.id, task.spec.name, [*prompt, *answer], mask, limits)


def _order(seed: int, task: str, item: str) -> bytes:
    return hashlib.sha256(f"{seed}/{task}/{item}".encode()).digest()
