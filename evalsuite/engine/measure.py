"""Putting every question to base and tuned models. Imports torch.

The base is loaded once. Adapters are put on it and taken off again; fully tuned models follow, one
at a time, with the same batches.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from evalsuite import canaries
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import (
    Inquiry,
    inquire_task,
    inquire_what_can_be,
    repeat_in_other_batches,
)
from evalsuite.engine.limits import batch_limits
from evalsuite.engine.measured import CACHE, Measured
from evalsuite.engine.merging import check_merging
from evalsuite.engine.pairing import abilities_of
from evalsuite.engine.putting import Put, Questioner
from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.engine.run import GaveNaN
from evalsuite.engine.sides import Resident, fingerprint, free_memory, full_model
from evalsuite.engine.subjects import Subject, common_quantization, common_tokenizer
from evalsuite.engine.unmeasured import Key, Unmeasured, said
from evalsuite.models import ModelSource
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import choose_placement, choose_threads
from evalsuite.models.section import Quantization
from evalsuite.models.source import check_model_directory
from evalsuite.overfitting.panel import Panel
from evalsuite.prompting.arms import Arms
from evalsuite.prompting.findings import PromptTrial
from evalsuite.report import ModelRecord
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.tasks.wanted import said_of_examples
from evalsuite.triage.phase import Triage
from evalsuite.verdict import Canary
from workspace.errors import DiskFullError, EvaluationInvalid, ModelError, WorkError


def measure(request: EvalRequest, evals: Path, watch: Watch) -> Measured:
    """Answer and score everything `request` asks for.

    Args:
        request: checked.
        evals: the workspace's directory of evaluations, below which answers are kept.
        watch: told after each batch; may raise to stop.
    """
    return _Measuring(request, evals, watch).run()


class _Measuring:
    def __init__(self, request: EvalRequest, evals: Path, watch: Watch) -> None:
        self.request = request
        self.evals = evals
        self.watch = watch
        self.out = Measured()
        self.placement = choose_placement(request.dtype)
        self.limits = batch_limits(request.settings, self.placement.device)
        self.quantization = (
            common_quantization(request.subjects)
            if request.settings.base_weights == "as_trained"
            else None
        )
        self.out.notes += _said_of_weights(request, self.quantization)
        self.tokenizer, notes = common_tokenizer(request.subjects, request.base)
        self.out.notes += notes
        self.out.notes += [
            note for suite in request.suites for task in suite.tasks for note in task.notes
        ]
        if request.settings.few_shot:
            self.out.notes.append(said_of_examples(request.suites))
        config = check_model_directory(request.base.path)
        vocabulary = vocabulary_size(config)
        self.asker = Asker(self.tokenizer, context_length(config), vocabulary)
        pad = self.tokenizer.pad_id or 0
        # Padding is never attended to, but it is looked up: it must be a token the model knows.
        self.pad_id = pad if vocabulary is None or pad < vocabulary else 0
        self.panel = Panel(
            request.settings.overfitting, self.tokenizer, self.limits,
            self.asker.context, vocabulary, self._on_more, self.out.own_data, request.canaries,
        )  # fmt: skip
        self.inquiries: list[Inquiry] = []
        self.benchmarks = [
            (suite, task) for suite in request.suites for task in suite.tasks if task.benchmark
        ]
        self.cannot: dict[Key, Unmeasured] = {}
        self.trials: list[tuple[str, Inquiry]] = []
        self.done = self.total = self.reused = 0

    def run(self) -> Measured:
        request = self.request
        self.watch.doing("reading suites")
        self._inquire()
        self.trials = self._trials()
        self._demand_questions()
        self._count()
        self.panel.draw(dict(zip(request.model_names(), request.subjects, strict=True)))
        self.out.notes += self.panel.notes
        self.watch.doing(f"loading {request.base.name}")
        resident = self._load()
        self._settle(resident)
        fresh = self._probe(resident.engine)
        self._base(resident)
        names = dict(zip(request.subjects, request.model_names(), strict=True))
        for subject, name in names.items():
            if subject.kind == "adapter" and subject.own_base is None:
                self._adapter(resident, subject, name, fresh)
        del resident
        free_memory()
        for subject, name in names.items():
            if subject.kind == "full":
                self._full(subject, name, fresh)
            elif subject.own_base is not None:
                self._on_own_base(subject, name, fresh)
        self._triage({name: subject for subject, name in names.items()})
        self._note_counts()
        return self.out

    def _triage(self, subjects: dict[str, Subject]) -> None:
        """Ask abilities that were lost again, in other ways."""
        request = self.request
        triage = Triage(
            request.settings.triage, self._asked_of_base(), self.asker, self.limits, self.placement,
            self.pad_id, self._load, self._store_of, self._on_more, self.out.notes.append,
        )  # fmt: skip
        if subjects:
            checks = {name: self.out.checks(name) for name in subjects}
            self.out.triage = triage.run(subjects, self.out.samples, checks, BASE)

    def _asked_of_base(self) -> tuple[LoadedSuite, ...]:
        """Return the suites with the items that were asked, without abilities that lack a task.

        What one tuned model could not answer is still asked of the others.
        """
        found = self.out.samples[BASE]
        asked = {one.key: one.task for one in self.inquiries if one.key in found}
        whole = {
            (one.suite.spec.name, task.spec.name)
            for one in abilities_of(self.request.suites)
            if all((one.suite.spec.name, task.spec.name) in asked for task in one.tasks)
            for task in one.tasks
        }
        suites = (
            replace(
                suite,
                tasks=tuple(
                    asked[suite.spec.name, task.spec.name]
                    for task in suite.tasks
                    if (suite.spec.name, task.spec.name) in whole
                ),
            )
            for suite in self.request.suites
        )
        return tuple(suite for suite in suites if suite.tasks)

    def _load(self, base: ModelSource | None = None) -> Resident:
        source = base or self.request.base
        return Resident.load(source, self.placement, self.pad_id, self.quantization)

    def _store_of(self, subject: Subject | None) -> AnswerStore:
        if subject is None:
            return self._store(self.request.base.digest, "")
        if subject.kind == "adapter":
            return self._store(self._base_of(subject).digest, subject.digest)
        return self._store(subject.digest, "")

    def _base_of(self, subject: Subject) -> ModelSource:
        return subject.own_base or self.request.base

    def _inquire(self) -> None:
        request = self.request
        suites = [suite for suite in request.suites if any(not t.benchmark for t in suite.tasks)]
        if not suites or not (request.subjects or request.alone):
            return
        few_shot = request.settings.few_shot
        found = inquire_what_can_be(suites, self.asker, self.limits, few_shot=few_shot)
        self.inquiries, self.cannot = found.asked, found.missing
        self.out.notes += found.notes

    def _demand_questions(self) -> None:
        """Refuse before any weights are loaded where no item fits the model."""
        if self.inquiries or self.trials or self.benchmarks:
            return
        whys = dict.fromkeys(f"{task}: {why.reason}." for (_, task), why in self.cannot.items())
        raise ModelError(
            "there is nothing to ask this model",
            where=str(self.request.base.path),
            cause=" ".join(whys),
            cure="Name suites with shorter items, or a smaller `max_new_tokens`.",
        )

    def _note_counts(self) -> None:
        if self.reused:
            self.out.notes.append(
                f"{self.reused:,} of {self.total:,} answers were kept from an earlier evaluation "
                "of the same models, items and batches"
            )
        halvings = sum(inquiry.asked.halvings for inquiry in self.inquiries)
        halvings += sum(inquiry.asked.halvings for _, inquiry in self.trials)
        if halvings:
            self.out.notes.append(f"batches were halved {halvings} times for want of memory")

    def _trials(self) -> list[tuple[str, Inquiry]]:
        """Return the ways of asking the base on each target task."""
        if not self.request.prompts:
            return []
        self.watch.doing("putting prompts together")
        arms = Arms(self.request.prompting, self.request.suites, self.asker.fits)
        found = [
            (arm.name, inquire_task(arm.suite, arm.task, self.asker, self.limits))
            for arm in arms.all()
        ]
        self.out.notes += arms.notes
        return found

    def _count(self) -> None:
        asked = sum(len(inquiry.task.items) for inquiry in self.inquiries)
        asked += sum(len(task.items) for _, task in self.benchmarks)
        tried = sum(len(inquiry.task.items) for _, inquiry in self.trials)
        self.total = asked * (1 + len(self.request.subjects)) + tried

    def _settle(self, resident: Resident) -> None:
        """Choose threads, and note where and on what this runs."""
        import transformers

        count = sum(weight.numel() for weight in resident.model.parameters())
        why = self.placement.reason
        if self.placement.device == "cpu":
            threads, reason = choose_threads(count)
            torch.set_num_threads(threads)
            why += f"; {threads} thread{'s' if threads > 1 else ''}: {reason}"
        self.out.environment = {
            "device": self.placement.device,
            "dtype": self._dtype(),
            "why": why,
            "batches": f"at most {self.limits.tokens:,} tokens and {self.limits.rows:,} rows",
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
        }
        self._record(BASE, self.request.base.path, self.request.base.digest, None, count)

    def _base(self, resident: Resident) -> None:
        store = self._store_of(None)
        self._put(resident.engine, BASE, store)
        for name, inquiry in self.trials:
            self._try(resident.engine, name, inquiry, store)
        self._noise(resident.engine)
        self.panel.read_base(resident.engine, self.request.suites, self.out.samples[BASE])

    def _try(self, engine: Engine, name: str, inquiry: Inquiry, store: AnswerStore) -> None:
        """Ask the base a task in one other way; what fails there says nothing of the rest."""
        suite, task = inquiry.key
        try:
            samples, reused = inquiry.put(
                engine, self.asker, BASE, store, partial(self._answered, BASE)
            )
        except DiskFullError:
            raise
        except (GaveNaN, WorkError) as error:
            self.out.notes.append(f"prompt {name!r} was not tried on task {task}: {said(error)}")
            return
        self.reused += reused
        self.out.trials.append(PromptTrial(name, suite, task, tuple(samples)))

    def _noise(self, engine: Engine) -> None:
        items = self.request.settings.noise_items
        if not items or not self.inquiries:
            return
        self.watch.doing("asking the base a few items again")
        found = self.out.samples[BASE]
        again = [inquiry for inquiry in self.inquiries if inquiry.key in found]
        if not again:
            return
        samples = [found[inquiry.key] for inquiry in again]
        try:
            noise = repeat_in_other_batches(again, samples, engine, self.asker, items)
        except DiskFullError:
            raise
        except GaveNaN:
            failed = canaries.no_number("base gave NaN when it was asked again in other batches")
            self.out.canaries.setdefault(BASE, []).append(failed)
            return
        except WorkError as error:
            self.out.notes.append(f"the base was not asked again: {said(error)}")
            return
        self.out.noise = noise
        self.out.notes += [noise.note] if noise.note else []

    def _on_own_base(self, subject: Subject, name: str, fresh: torch.Tensor) -> None:
        """Measure an adapter that was trained on another model than the base."""
        self.watch.doing(f"loading what {name} was tuned from")
        resident = self._load(subject.own_base)
        self._adapter(resident, subject, name, fresh, self._probe(resident.engine))
        del resident
        free_memory()

    def _adapter(
        self,
        resident: Resident,
        subject: Subject,
        name: str,
        fresh: torch.Tensor,
        bare: torch.Tensor | None = None,
    ) -> None:
        """Measure an adapter on a resident model.

        Args:
            resident: what it was trained on.
            subject: the tuned model.
            name: its name.
            fresh: logits of the base that it is held against.
            bare: of the resident model, where that is another.
        """
        self.watch.doing(f"putting {name} on the base")
        with resident.wearing(subject) as worn:
            with worn.off():
                off = self._probe(worn.engine)
            on = self._probe(worn.engine)
            probe, dtype = partial(self._probe, worn.engine), self.placement.dtype
            self.out.canaries[name] = [
                canaries.tuned_is_active(fresh, on),
                canaries.base_is_itself(fresh if bare is None else bare, off),
                check_merging(worn, probe, on, dtype, self.quantization),
                self._as_trained(subject),
            ]
            self._record(name, subject.path, self._base_of(subject).digest, subject.digest, None)
            self._put(worn.engine, name, self._store_of(subject))
            self.panel.read_tuned(name, worn.engine)

    def _full(self, subject: Subject, name: str, fresh: torch.Tensor) -> None:
        self.watch.doing(f"loading {name}")
        with full_model(subject, self.placement, self.pad_id) as engine:
            self.out.canaries[name] = [
                canaries.tuned_is_active(fresh, self._probe(engine)),
                self._as_trained(subject),
            ]
            count = sum(weight.numel() for weight in engine.model.parameters())
            self._record(name, subject.path, subject.digest, None, count)
            self._put(engine, name, self._store_of(subject))
            self.panel.read_tuned(name, engine)

    def _put(self, engine: Engine, model: str, store: AnswerStore) -> None:
        """Ask a model all that the base has answered, and keep what came of it."""
        asking = Questioner(self.inquiries, self.asker, self._answered)
        found = asking.put(engine, model, store, self.out.missing.get(BASE, self.cannot))
        self._put_benchmarks(engine, model, found)
        self.out.samples[model], self.out.missing[model] = found.samples, found.missing
        self.out.canaries.setdefault(model, []).extend(found.canaries)
        self.out.notes += found.notes
        self.reused += found.reused

    def _put_benchmarks(self, engine: Engine, model: str, found: Put) -> None:
        """Ask a model the benchmarks; one that fails is missing, as any task, and after NaN all."""
        for suite, task in self.benchmarks:
            key = suite.spec.name, task.spec.name
            if key in found.missing:
                continue
            if found.canaries:
                found.missing[key] = Unmeasured("not_run", f"{model} gave NaN")
                continue
            try:
                found.samples[key] = self._benchmark(engine, task, model)
            except DiskFullError:
                raise
            except EvaluationInvalid as error:
                place = f" ({error.where})" if error.where else ""
                failed = canaries.no_number(f"{model} gave NaN in task {task.spec.name}{place}")
                found.canaries.append(failed)
                found.missing[key] = Unmeasured("error", failed.detail)
            except WorkError as error:
                found.missing[key] = Unmeasured("error", f"{model}: {said(error)}")

    def _benchmark(self, engine: Engine, task: LoadedTask, model: str) -> list[Sample]:
        from evalsuite.benchmarks.asking import ask_benchmark  # lm_eval: only where it is asked

        told = partial(self._answered, model, task.spec.name)
        samples = ask_benchmark(engine, task, self.asker, model, self.limits, lambda: told(0))
        told(len(samples))
        return samples

    def _answered(self, model: str, task: str, count: int) -> None:
        self.done += count
        self.watch.answered(model, task, self.done, self.total)

    def _on_more(self, model: str, what: str = "own data") -> None:
        self.watch.answered(model, what, self.done, self.total)

    def _probe(self, engine: Engine) -> torch.Tensor:
        inquiries = self.inquiries or [inquiry for _, inquiry in self.trials]
        step = max(1, sum(len(i.asked.requests) for i in inquiries) // canaries.PROBES)
        prompts = [canaries.prompt_of(r) for i in inquiries for r in i.asked.requests][::step]
        if not prompts:  # benchmarks alone
            items = [item for _, task in self.benchmarks for item in task.items]
            few = items[:: max(1, len(items) // canaries.PROBES)]
            encoded = [self.tokenizer.encode(item.question) for item in few]
            prompts = [tuple(ids[: self.asker.context]) for ids in encoded if ids]
        return canaries.probe(engine, prompts)

    def _as_trained(self, subject: Subject) -> Canary:
        return canaries.spoken_to_as_trained(subject, self.tokenizer, self._base_of(subject))

    def _store(self, model: str, adapter: str) -> AnswerStore:
        held = f"{model} in {self.quantization}" if self.quantization else model
        mark = fingerprint(held, adapter, self.tokenizer, self.placement, self.limits)
        return AnswerStore(self.evals / CACHE, mark)

    def _dtype(self) -> str:
        dtype = self.placement.dtype
        return f"{self.quantization} (other weights {dtype})" if self.quantization else dtype

    def _record(
        self, name: str, path: Path, digest: str, adapter: str | None, parameters: int | None
    ) -> None:
        self.out.models.append(
            ModelRecord(
                name=name,
                role="base" if name == BASE else "tuned",
                path=str(path),
                digest=digest,
                adapter_digest=adapter,
                tokenizer_digest=self.tokenizer.digest,
                template_digest=self.tokenizer.template_digest,
                dtype=self._dtype(),
                device=self.placement.device,
                parameters=parameters,
            )
        )


def _said_of_weights(request: EvalRequest, quantization: Quantization | None) -> list[str]:
    if quantization:
        return [
            f"base and tuned are measured on the base in 4 bits ({quantization}), as the adapter "
            "was trained; `evaluate: base_weights: full` measures both on the unquantised weights"
        ]
    trained = [subject.name for subject in request.subjects if subject.quantization]
    if trained:
        return [
            f"{', '.join(trained)} was trained on a 4-bit base and is measured on the unquantised "
            "weights, as the recipe says"
        ]
    return []
