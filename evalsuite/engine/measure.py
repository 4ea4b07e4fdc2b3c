"""Putting every question to base and tuned models. Imports torch.

The base is loaded once. Adapters are put on it and taken off again; fully tuned models follow, one
at a time, with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from evalsuite import canaries
from evalsuite.canaries import Noise
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import Inquiry, inquire, inquire_task, repeat_in_other_batches
from evalsuite.engine.limits import batch_limits
from evalsuite.engine.pairing import Samples, notes_on
from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.engine.sides import Resident, fingerprint, free_memory, full_model
from evalsuite.engine.subjects import Subject, common_quantization, common_tokenizer
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import choose_placement, choose_threads
from evalsuite.models.section import Quantization
from evalsuite.models.source import check_model_directory
from evalsuite.prompting.arms import Arms
from evalsuite.prompting.findings import PromptTrial
from evalsuite.report import ModelRecord
from evalsuite.verdict import Canary

CACHE = ".cache"
"""Where answers are kept below `evals/`, by the models that gave them."""


@dataclass
class Measured:
    """Everything that was answered."""

    models: list[ModelRecord] = field(default_factory=list)
    samples: dict[str, Samples] = field(default_factory=dict)
    """By model name."""
    canaries: dict[str, list[Canary]] = field(default_factory=dict)
    """By tuned model."""
    noise: Noise | None = None
    trials: list[PromptTrial] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
            self.out.notes.append(_said_of_examples(request))
        config = check_model_directory(request.base.path)
        vocabulary = vocabulary_size(config)
        self.asker = Asker(self.tokenizer, context_length(config), vocabulary)
        pad = self.tokenizer.pad_id or 0
        # Padding is never attended to, but it is looked up: it must be a token the model knows.
        self.pad_id = pad if vocabulary is None or pad < vocabulary else 0
        self.inquiries: list[Inquiry] = []
        self.trials: list[tuple[str, Inquiry]] = []
        self.done = self.total = self.reused = 0

    def run(self) -> Measured:
        request = self.request
        self.watch.doing("reading suites")
        self.inquiries = (
            inquire(request.suites, self.asker, self.limits, few_shot=request.settings.few_shot)
            if request.subjects
            else []
        )
        self.trials = self._trials()
        self._count()
        self.watch.doing(f"loading {request.base.name}")
        resident = Resident.load(request.base, self.placement, self.pad_id, self.quantization)
        self._settle(resident)
        fresh = self._probe(resident.engine)
        self._base(resident)
        names = dict(zip(request.subjects, request.model_names(), strict=True))
        for subject, name in names.items():
            if subject.kind == "adapter":
                self._adapter(resident, subject, name, fresh)
        del resident
        free_memory()
        for subject, name in names.items():
            if subject.kind == "full":
                self._full(subject, name, fresh)
        self._note_counts()
        return self.out

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
        store = self._store(self.request.base.digest, "")
        self.out.samples[BASE] = self._put(resident.engine, BASE, store)
        for name, inquiry in self.trials:
            samples, reused = inquiry.put(
                resident.engine, self.asker, BASE, store, self._on_answers(BASE)
            )
            self.reused += reused
            suite, task = _key(inquiry)
            self.out.trials.append(PromptTrial(name, suite, task, tuple(samples)))
        self._noise(resident.engine)

    def _noise(self, engine: Engine) -> None:
        items = self.request.settings.noise_items
        if not items or not self.inquiries:
            return
        self.watch.doing("asking the base a few items again")
        samples = [self.out.samples[BASE][_key(inquiry)] for inquiry in self.inquiries]
        noise = repeat_in_other_batches(self.inquiries, samples, engine, self.asker, items)
        self.out.noise = noise
        self.out.notes += [noise.note] if noise.note else []

    def _adapter(
        self, resident: Resident, subject: Subject, name: str, fresh: torch.Tensor
    ) -> None:
        self.watch.doing(f"putting {name} on the base")
        with resident.wearing(subject) as worn:
            with worn.off():
                off = self._probe(worn.engine)
            self.out.canaries[name] = [
                canaries.tuned_is_active(fresh, self._probe(worn.engine)),
                canaries.base_is_itself(fresh, off),
                self._as_trained(subject),
            ]
            self._record(name, subject.path, self.request.base.digest, subject.digest, None)
            store = self._store(self.request.base.digest, subject.digest)
            self.out.samples[name] = self._put(worn.engine, name, store)

    def _full(self, subject: Subject, name: str, fresh: torch.Tensor) -> None:
        self.watch.doing(f"loading {name}")
        with full_model(subject, self.placement, self.pad_id) as engine:
            self.out.canaries[name] = [
                canaries.tuned_is_active(fresh, self._probe(engine)),
                self._as_trained(subject),
            ]
            count = sum(weight.numel() for weight in engine.model.parameters())
            self._record(name, subject.path, subject.digest, None, count)
            self.out.samples[name] = self._put(engine, name, self._store(subject.digest, ""))

    def _put(self, engine: Engine, model: str, store: AnswerStore) -> Samples:
        found: dict[tuple[str, str], list[Sample]] = {}
        for inquiry in self.inquiries:
            samples, reused = inquiry.put(engine, self.asker, model, store, self._on_answers(model))
            found[_key(inquiry)] = samples
            self.reused += reused
            self.out.notes += notes_on(inquiry.task, model, samples)
        return found

    def _on_answers(self, model: str) -> Callable[[str, int], None]:
        def told(task: str, count: int) -> None:
            self.done += count
            self.watch.answered(model, task, self.done, self.total)

        return told

    def _probe(self, engine: Engine) -> torch.Tensor:
        inquiries = self.inquiries or [inquiry for _, inquiry in self.trials]
        step = max(1, sum(len(i.asked.requests) for i in inquiries) // canaries.PROBES)
        prompts = [canaries.prompt_of(r) for i in inquiries for r in i.asked.requests][::step]
        return canaries.probe(engine, prompts)

    def _as_trained(self, subject: Subject) -> Canary:
        return canaries.spoken_to_as_trained(subject, self.tokenizer, self.request.base)

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


def _key(inquiry: Inquiry) -> tuple[str, str]:
    return inquiry.suite.spec.name, inquiry.task.spec.name


def _said_of_examples(request: EvalRequest) -> str:
    tasks = [task.spec.name for suite in request.suites for task in suite.tasks if task.few_shot]
    return f"examples before every item of: {', '.join(tasks) or 'no task, none gives any'}"


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
