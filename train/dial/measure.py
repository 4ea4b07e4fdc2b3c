"""Putting every question to every point of the dial: one model in memory. Imports torch.

The batches, the scorers and the store of answers are those of `temper eval`: base and full strength
are found again from there, and a killed dial goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from evalsuite import canaries
from evalsuite.canaries import Noise
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import Inquiry, inquire, repeat_in_other_batches
from evalsuite.engine.limits import batch_limits
from evalsuite.engine.measured import CACHE
from evalsuite.engine.pairing import Samples
from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.request import Watch
from evalsuite.engine.sides import Resident, fingerprint
from evalsuite.engine.subjects import common_quantization, common_tokenizer
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import choose_placement, choose_threads
from evalsuite.models.source import check_model_directory
from evalsuite.verdict import Canary
from train.dial.points import Point
from train.dial.request import DialRequest
from train.dial.strength import AdapterStrength, FullStrength, Strength
from workspace.files import hash_directory
from workspace.layout import Workspace

_OFF_TOLERANCE = 0.01
"""Largest change of the logits at scale 0, as a share of what full strength changes."""


@dataclass
class Measured:
    """Every answer at every point."""

    strength: Strength
    """The model, to be written out."""
    samples: dict[Point, Samples] = field(default_factory=dict)
    canaries: list[Canary] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    digests: dict[Point, str] = field(default_factory=dict)
    """SHA-256 over the files that each point is made of, beside the base's."""
    notes: list[str] = field(default_factory=list)


def measure(request: DialRequest, workspace: Workspace, watch: Watch) -> Measured:
    """Answer and score everything at every point.

    Raises:
        ModelError, DataError: something cannot be loaded or asked.
        EvaluationInvalid: the model gave NaN.
        Stopped: raised by `watch` between two batches; what was answered is kept.
    """
    return _Measuring(request, workspace, watch).run()


class _Measuring:
    def __init__(self, request: DialRequest, workspace: Workspace, watch: Watch) -> None:
        self.request = request
        self.asked = request.asked
        self.subject = request.origin.subject
        self.evals = workspace.make(workspace.evals)
        self.watch = watch
        self.placement = choose_placement(self.asked.dtype)
        self.limits = batch_limits(self.asked.settings, self.placement.device)
        held = self.asked.settings.base_weights == "as_trained"
        self.quantization = common_quantization([self.subject]) if held else None
        self.tokenizer, self.notes = common_tokenizer([self.subject], self.asked.base)
        config = check_model_directory(self.asked.base.path)
        vocabulary = vocabulary_size(config)
        self.asker = Asker(self.tokenizer, context_length(config), vocabulary)
        pad = self.tokenizer.pad_id or 0
        self.pad_id = pad if vocabulary is None or pad < vocabulary else 0
        self.inquiries: list[Inquiry] = []
        self.done = self.total = self.reused = 0

    def run(self) -> Measured:
        asked = self.asked
        self.watch.doing("reading suites")
        few_shot = asked.settings.few_shot
        self.inquiries = inquire(asked.suites, self.asker, self.limits, few_shot=few_shot)
        self.total = len(self.request.points) * sum(len(i.task.items) for i in self.inquiries)
        self.watch.doing(f"loading {asked.base.name}")
        resident = Resident.load(asked.base, self.placement, self.pad_id, self.quantization)
        environment = self._settle(resident)
        fresh = self._probe(resident.engine)
        bare = self._put(resident.engine, Point(0.0), asked.base.digest, "")
        noise = self._noise(resident.engine, bare)
        out = Measured(self._strength(resident), {Point(0.0): bare}, environment=environment)
        out.digests[Point(0.0)] = asked.base.digest
        self._points(out)
        out.canaries = [*self._canaries(out, fresh), *([noise.canary] if noise else [])]
        out.notes = [*self.request.origin.notes, *self.notes]
        out.notes += [noise.note] if noise and noise.note else []
        if self.reused:
            out.notes.append(f"{self.reused:,} of {self.total:,} answers were kept from before")
        return out

    def _points(self, out: Measured) -> None:
        """Answer at every point but the base, one training state after the other."""
        digests = {0: self.subject.digest}
        for point in self.request.points:
            if point.scale == 0.0:
                continue
            path = self.request.origin.weights(point.step)
            if point.step not in digests:
                digests[point.step] = hash_directory(path, ignore=_NOT_WEIGHTS)
            self.watch.doing(f"setting the dial to {point.name}")
            out.strength.wear(path)
            out.strength.set(point.scale)
            digest = digests[point.step]
            engine = Engine(out.strength.model, self.pad_id)
            out.samples[point] = self._put(engine, point, *self._identity(digest, point.scale))
            out.digests[point] = digest

    def _identity(self, digest: str, scale: float) -> tuple[str, str]:
        """Return what answers are stored under: model and adapter, as `temper eval` has them."""
        base = self.asked.base.digest
        at = "" if scale == 1.0 else f" at scale {scale!r}"
        if self.subject.kind == "adapter":
            return base, f"{digest}{at}"
        return (f"{digest}{at} from {base}" if at else digest), ""

    def _strength(self, resident: Resident) -> Strength:
        self.watch.doing(f"putting {self.subject.name} on the base")
        if self.subject.kind == "adapter":
            return AdapterStrength(resident.model, self.subject.path, self.request.origin.tuner)
        base = self.asked.base.path
        return FullStrength(resident.model, base, self.subject.path, self.placement)

    def _settle(self, resident: Resident) -> dict[str, str]:
        """Choose threads; return where and on what this runs."""
        import transformers

        if self.placement.device == "cpu":
            weights = sum(weight.numel() for weight in resident.model.parameters())
            torch.set_num_threads(choose_threads(weights)[0])
        dtype = self.placement.dtype
        return {
            "device": self.placement.device,
            "dtype": f"{self.quantization} (other weights {dtype})" if self.quantization else dtype,
            "why": self.placement.reason,
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
        }

    def _noise(self, engine: Engine, bare: Samples) -> Noise | None:
        items = self.asked.settings.noise_items
        if not items:
            return None
        self.watch.doing("asking the base a few items again")
        samples = [bare[_key(inquiry)] for inquiry in self.inquiries]
        return repeat_in_other_batches(self.inquiries, samples, engine, self.asker, items)

    def _canaries(self, out: Measured, fresh: torch.Tensor) -> list[Canary]:
        engine = Engine(out.strength.model, self.pad_id)
        out.strength.wear(self.subject.path)
        out.strength.set(1.0)
        tuned = self._probe(engine)
        out.strength.set(0.0)
        off = self._probe(engine)
        return [
            canaries.tuned_is_active(fresh, tuned),
            scale_0_is_the_base(fresh, tuned, off),
            canaries.spoken_to_as_trained(self.subject, self.tokenizer, self.asked.base),
        ]

    def _probe(self, engine: Engine) -> torch.Tensor:
        step = max(1, sum(len(i.asked.requests) for i in self.inquiries) // canaries.PROBES)
        requests = [request for i in self.inquiries for request in i.asked.requests][::step]
        return canaries.probe(engine, [canaries.prompt_of(request) for request in requests])

    def _put(self, engine: Engine, point: Point, model: str, adapter: str) -> Samples:
        held = f"{model} in {self.quantization}" if self.quantization else model
        mark = fingerprint(held, adapter, self.tokenizer, self.placement, self.limits)
        store = AnswerStore(self.evals / CACHE, mark)
        found: dict[tuple[str, str], list[Sample]] = {}
        for inquiry in self.inquiries:
            told = self._told(point)
            samples, reused = inquiry.put(engine, self.asker, point.name, store, told)
            found[_key(inquiry)] = samples
            self.reused += reused
        return found

    def _told(self, point: Point) -> Callable[[str, int], None]:
        def told(task: str, count: int) -> None:
            self.done += count
            self.watch.answered(point.name, task, self.done, self.total)

        return told


_NOT_WEIGHTS = frozenset(
    {"README.md", "manifest.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"}
)


def scale_0_is_the_base(fresh: torch.Tensor, tuned: torch.Tensor, off: torch.Tensor) -> Canary:
    """Pass if the model at scale 0 is the base, up to rounding.

    Args:
        fresh: logits of the base as it was loaded.
        tuned: at scale 1.
        off: at scale 0.
    """
    name = "scale 0 is the base"
    rest, whole = float((fresh - off).abs().max()), float((fresh - tuned).abs().max())
    detail = f"logits differ by up to {rest:.3g} at scale 0 and {whole:.3g} at scale 1"
    return Canary(name, "fail" if rest > _OFF_TOLERANCE * whole else "pass", detail)


def _key(inquiry: Inquiry) -> tuple[str, str]:
    return inquiry.suite.spec.name, inquiry.task.spec.name
