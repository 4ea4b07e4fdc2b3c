"""Which items are asked again, and against what their flips are held."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import inquire, repeat_in_other_batches
from evalsuite.engine.questions import Asker, Sample
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import load_model
from evalsuite.tasks import load_suite
from workspace.errors import ModelError


class Watched(list[Sample]):
    """Samples that note which of them are looked at."""

    def __init__(self, samples: list[Sample], seen: list[int]) -> None:
        super().__init__(samples)
        self.seen = seen

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        self.seen.append(index)
        return super().__getitem__(index)


@pytest.mark.parametrize(("count", "items"), [(8, 16), (24, 16), (24, 64)])
def test_items_asked_again_are_spread_over_every_task(
    tiny_model: Path,
    tmp_path: Path,
    suite_writer: Callable[..., list[Path]],
    count: int,
    items: int,
) -> None:
    suites = [load_suite(path) for path in suite_writer(tmp_path, count=count)[:1]]
    engine = Engine(load_model(tiny_model), 0)
    asker = Asker(ChatTokenizer.from_dir(tiny_model), 512)
    inquiries = inquire(suites, asker, BatchLimits(4096, 64), few_shot=False)
    seen: list[list[int]] = [[] for _ in inquiries]
    samples = [
        Watched(inquiry.put(engine, asker, "base", None)[0], places)
        for inquiry, places in zip(inquiries, seen, strict=True)
    ]
    noise = repeat_in_other_batches(inquiries, samples, engine, asker, items)
    total = 3 * count
    assert noise.items == min(items, total) == len({(i, p) for i, s in enumerate(seen) for p in s})
    assert noise.margin == 0.5
    places = sorted(number * count + place for number, one in enumerate(seen) for place in one)
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert max(gaps) - min(gaps) <= 1 and total - places[-1] <= max(gaps)
    assert noise.scored == len(seen[0]) + len(seen[1])  # the third task is perplexity


def test_a_token_that_the_model_does_not_know_is_refused_before_it_is_asked(
    tiny_model: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]
) -> None:
    suite = load_suite(suite_writer(tmp_path)[0])
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    for task in suite.tasks:
        with pytest.raises(ModelError, match="does not know") as caught:
            Asker(tokenizer, 512, 5).requests(task)
        assert "the model knows 5 tokens" in caught.value.cause
        assert ":" in caught.value.where
