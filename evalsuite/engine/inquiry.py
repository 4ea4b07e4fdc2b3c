"""All that is put to every model: each task's requests in their batches. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from evalsuite.canaries import Noise
from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.requests import Answer, Request
from evalsuite.engine.run import Pass, ask
from evalsuite.engine.unmeasured import Key, Unmeasured, cannot_be_asked
from evalsuite.scorers import is_opinion
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.tasks.item import named_items
from evalsuite.tasks.terms import terms_of
from workspace.errors import ModelError

OnAnswers = Callable[[str, int], None]
"""Called after each batch with the task's name and the number of answers."""


@dataclass(frozen=True)
class Inquiry:
    """One task, ready to be put to any number of models in the same batches."""

    suite: LoadedSuite
    task: LoadedTask
    asked: Pass

    @property
    def key(self) -> Key:
        """Suite and task."""
        return self.suite.spec.name, self.task.spec.name

    @property
    def ability(self) -> str:
        """What it measures."""
        return self.task.spec.measures

    def put(
        self,
        engine: Engine,
        asker: Asker,
        model: str,
        store: AnswerStore | None,
        on_answers: OnAnswers = lambda task, count: None,
    ) -> tuple[list[Sample], int]:
        """Return the scored answers of `model`, and how many came from the store.

        Raises: as `engine.run.ask`.
        """
        name = self.task.spec.name
        found = ask(engine, self.asked, store, lambda count: on_answers(name, count))
        return self.scored(asker, model, self.asked.requests, found.answers), found.reused

    def scored(
        self, asker: Asker, model: str, requests: Sequence[Request], answers: Sequence[Answer]
    ) -> list[Sample]:
        """Score answers to all items, in order."""
        spec = self.task.spec
        return [
            asker.sample(spec, item, model, request, answer)
            for item, request, answer in zip(self.task.items, requests, answers, strict=True)
        ]


def inquire(
    suites: Sequence[LoadedSuite], asker: Asker, limits: BatchLimits, *, few_shot: bool
) -> list[Inquiry]:
    """Make requests of every task of every suite, but for benchmarks, which lm_eval asks.

    Batches hold one task each, so that the same task in another evaluation finds its answers
    again. Raises as `Asker.requests`.
    """
    return [
        inquire_task(suite, task.with_few_shot() if few_shot else task, asker, limits)
        for suite in suites
        for task in suite.tasks
        if task.benchmark is None
    ]


@dataclass
class Inquiries:
    """What can be asked of a model, and what cannot."""

    asked: list[Inquiry] = field(default_factory=list)
    missing: dict[Key, Unmeasured] = field(default_factory=dict)
    """Tasks that this model cannot be asked."""
    notes: list[str] = field(default_factory=list)
    """Items that are left out, for base and tuned alike."""


def inquire_what_can_be(
    suites: Sequence[LoadedSuite], asker: Asker, limits: BatchLimits, *, few_shot: bool
) -> Inquiries:
    """Make the requests of every task that this model can be asked, but for benchmarks.

    Raises:
        ModelError: there is none.
    """
    found = Inquiries()
    first: ModelError | None = None
    for suite in suites:
        for task in suite.tasks:
            if task.benchmark is not None:
                continue  # lm_eval asks it
            try:
                _add(found, suite, task.with_few_shot() if few_shot else task, asker, limits)
            except ModelError as error:
                first = first or error
                found.missing[suite.spec.name, task.spec.name] = cannot_be_asked(error)
    if first is not None and not found.asked:
        raise first
    return found


def _add(
    found: Inquiries, suite: LoadedSuite, task: LoadedTask, asker: Asker, limits: BatchLimits
) -> None:
    """Add what can be asked of one task. Raises ModelError as `Asker`."""
    requests = [asker.request(task.spec, item) for item in task.items]
    fitting = [one for one in requests if one is not None]
    left = len(requests) - len(fitting)
    reason = f"longer than the model reads ({asker.context:,} tokens with the answer)"
    if not fitting:
        found.missing[suite.spec.name, task.spec.name] = Unmeasured(
            "incompatible", f"all {left:,} items are {reason}"
        )
        return
    if left:
        pairs = list(zip(task.items, requests, strict=True))
        items = tuple(item for item, request in pairs if request is not None)
        out = [item for item, request in pairs if request is None]
        found.notes.append(
            f"{suite.spec.name}/{task.spec.name}: {left:,} of {len(requests):,} items are "
            f"{reason}; left out for base and tuned alike: {named_items(out)}"
        )
        task = replace(task, items=items)
    found.asked.append(Inquiry(suite, task, Pass.plan(fitting, limits)))


def inquire_task(
    suite: LoadedSuite, task: LoadedTask, asker: Asker, limits: BatchLimits
) -> Inquiry:
    """Make the requests of one task."""
    return Inquiry(suite, task, Pass.plan(asker.requests(task), limits))


def repeat_in_other_batches(
    inquiries: Sequence[Inquiry],
    samples: Sequence[Sequence[Sample]],
    engine: Engine,
    asker: Asker,
    items: int,
) -> Noise:
    """Ask `items` items again, three to a batch, and compare with their samples.

    Args:
        inquiries: what was asked.
        samples: what the same engine answered, per inquiry.
        engine: the model.
        asker: its tokenizer.
        items: how many, spread evenly over all tasks.
    """
    places = [
        (number, place)
        for number, inquiry in enumerate(inquiries)
        for place in range(len(inquiry.task.items))
    ]
    count = min(items, len(places))
    chosen = [places[number * len(places) // count] for number in range(count)]
    flips, scored, largest = 0, 0, 0.0
    for number, indices in _by_inquiry(chosen):
        inquiry = inquiries[number]
        few = _only(inquiry, indices)
        again, _ = few.put(engine, asker, "", None)
        can_flip = few.task.spec.kind != "perplexity" and not is_opinion(few.task.spec.scorer)
        scored += can_flip * len(indices)
        for index, second in zip(indices, again, strict=True):
            first = samples[number][index]
            flips += can_flip and first.score != second.score
            if first.output == second.output:
                largest = max(largest, abs(first.logprob - second.logprob))
    margin = min(terms_of(one.suite.spec, one.task.spec).margin for one in inquiries)
    return Noise(len(chosen), flips, largest, scored, margin)


def _by_inquiry(places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    for number in dict.fromkeys(number for number, _ in places):
        yield number, [place for other, place in places if other == number]


def _only(inquiry: Inquiry, indices: Sequence[int]) -> Inquiry:
    items = tuple(inquiry.task.items[index] for index in indices)
    requests = [inquiry.asked.requests[index] for index in indices]
    width = 3 * max(request.rows for request in requests)
    limits = BatchLimits(tokens=2**62, rows=width)
    return replace(
        inquiry, task=replace(inquiry.task, items=items), asked=Pass.plan(requests, limits)
    )
