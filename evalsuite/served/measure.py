"""Putting every question to served models, the base first."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from evalsuite.canaries import Noise, answers_differ, not_shown
from evalsuite.engine.measured import Measured
from evalsuite.engine.pairing import notes_on
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE, Watch
from evalsuite.engine.unmeasured import Key, Unmeasured
from evalsuite.report import ModelRecord
from evalsuite.scorers import is_opinion
from evalsuite.served.asking import CannotMeasure, ServedModel
from evalsuite.served.request import ServedRequest
from evalsuite.tasks import LoadedTask
from evalsuite.tasks.terms import terms_of
from evalsuite.verdict import Canary

LOGS = ".cache/served"
"""Where logs of unfinished evaluations are, below `evals/`."""


def measure_served(request: ServedRequest, evals: Path, watch: Watch) -> Measured:
    """Answer and score everything `request` asks for.

    Args:
        request: checked.
        evals: the workspace's directory of evaluations, below which answers are kept until the
            evaluation is published.
        watch: told after every few answers; may raise to stop.

    Raises:
        UsageError: another evaluation asks one of the models.
        LimitExceeded: a budget is gone.
        WorkError: a server answers nobody.
    """
    return _Measuring(request, evals, watch).run()


class _Measuring:
    def __init__(self, request: ServedRequest, evals: Path, watch: Watch) -> None:
        self.request = request
        self.logs = evals / LOGS
        self.watch = watch
        self.out = Measured()
        few_shot = request.settings.few_shot
        self.tasks: dict[Key, LoadedTask] = {
            (suite.spec.name, task.spec.name): task.with_few_shot() if few_shot else task
            for suite in request.suites
            for task in suite.tasks
        }
        self.done = 0
        models = 1 + len(request.served.tuned)
        self.total = models * sum(len(task.items) for task in self.tasks.values())

    def run(self) -> Measured:
        served = self.request.served
        missing: Mapping[Key, Unmeasured] = {}
        spent: list[Path] = []
        for name, config in {BASE: served.base, **served.tuned}.items():
            self.watch.doing(f"asking {config.described}")
            with ExitStack() as stack:
                model = ServedModel.open(name, config, served.budget, self.logs)
                stack.callback(model.close)
                spent.append(model.log)
                self._put(model, missing)
                if name == BASE:
                    missing = self.out.missing[BASE]
                    self._noise(model)
                self._note(model)
        for name in served.tuned:
            self.out.canaries[name] = self._canaries(name)
        self.out.environment = {"device": "served", "why": "the models are behind addresses"}
        self.out.published = partial(_remove, spent)
        return self.out

    def _put(self, model: ServedModel, missing: Mapping[Key, Unmeasured]) -> None:
        found: dict[Key, list[Sample]] = {}
        gaps = self.out.missing[model.name] = dict(missing)
        for key, task in self.tasks.items():
            if key in gaps:
                continue

            def told(count: int, name: str = task.spec.name) -> None:
                self.done += count
                self.watch.answered(model.name, name, self.done, self.total)

            try:
                found[key] = model.samples(task, told)
            except CannotMeasure as failed:
                gaps[key] = failed.why
                continue
            self.out.notes += notes_on(task, model.name, found[key])
        self.out.samples[model.name] = found
        self.out.models.append(
            ModelRecord(
                name=model.name,
                role="base" if model.name == BASE else "tuned",
                path=model.config.described,
                digest="",
                dtype="as served",
                device="served",
            )
        )

    def _noise(self, model: ServedModel) -> None:
        """Ask some written items again: a server that batches or samples changes its answers."""
        written = {
            key: task
            for key, task in self.tasks.items()
            if task.spec.kind == "generation"
            and not is_opinion(task.spec.scorer)  # its scores come later, and are no numbers yet
            and key in self.out.samples[BASE]
        }
        places = [(key, place) for key, task in written.items() for place in range(len(task.items))]
        count = min(self.request.settings.noise_items, len(places))
        if not count:
            return
        chosen = [places[number * len(places) // count] for number in range(count)]
        flips = 0
        for key, task in written.items():
            some = [place for other, place in chosen if other == key]
            few = replace(task, items=tuple(task.items[place] for place in some))
            try:
                again = model.samples(few, lambda count: None, again=True) if some else []
            except CannotMeasure as failed:
                self.out.notes.append(f"the base was not asked again: {failed}")
                return
            first = self.out.samples[BASE][key]
            pairs = zip(some, again, strict=True)
            flips += sum(first[place].score != second.score for place, second in pairs)
        margin = min(
            terms_of(suite.spec, task.spec).margin
            for suite in self.request.suites
            for task in suite.tasks
            if (suite.spec.name, task.spec.name) in written
        )
        self.out.noise = Noise(count, flips, math.nan, count, margin, "asked again")
        self.out.notes += [self.out.noise.note] if self.out.noise.note else []

    def _note(self, model: ServedModel) -> None:
        if model.remembered:
            self.out.notes.append(model.remembered)
        spent = model.room.desk.purse.spent
        money = f", {spent.money:,.4g} of money" if spent.money else ""
        self.out.notes.append(
            f"items were sent to {model.config.described}: {spent.requests:,} requests, "
            f"{spent.tokens:,} tokens{money}"
        )

    def _canaries(self, name: str) -> list[Canary]:
        base, tuned = self.out.samples[BASE], self.out.samples[name]
        pairs = [
            ((one.output, one.logprob), (other.output, other.logprob))
            for key in tuned
            for one, other in zip(base[key], tuned[key], strict=True)
        ]
        return [answers_differ(pairs), not_shown()]


def _remove(logs: Sequence[Path]) -> None:
    for log in logs:
        shutil.rmtree(log, ignore_errors=True)
