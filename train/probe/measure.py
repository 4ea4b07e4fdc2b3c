"""Asking a model in training, and leaving no trace in it. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import inquire
from evalsuite.engine.limits import batch_limits
from evalsuite.engine.questions import Sample
from evalsuite.engine.sides import fingerprint
from evalsuite.models.load import Placement
from evalsuite.recipe import EvalSection
from train.probe.suites import ProbeSuites, ability_name
from train.randomness import Randomness

if TYPE_CHECKING:
    from train.environment import Device


_ANSWERS = 2
"""Answers of each task that events tell, to be read beside the base's."""
_LONGEST_TEXT = 300
"""Characters of each of their texts; of a prompt the last ones."""


class Prober:
    """Puts the probe's items to a model, in the batches and with the scorers of `temper eval`."""

    def __init__(self, probe: ProbeSuites, device: Device) -> None:
        """Make the requests.

        Args:
            probe: what is asked.
            device: where the model is trained, and in which precision.
        """
        self.answers: list[dict[str, Any]] = []
        """The first answers of each ability, of the model that was asked last."""
        self._asker, tokenizer = probe.asker, probe.asker.tokenizer
        self._mixed = device.precision == "bfloat16" and device.weights == "float32"
        dtype = "float32, products in bfloat16" if self._mixed else device.weights
        self._placement = Placement(device.device, dtype, device.reason)
        self._limits = batch_limits(EvalSection(), device.device)
        self._inquiries = inquire(probe.suites, self._asker, self._limits, few_shot=False)
        vocabulary, pad = self._asker.vocabulary, tokenizer.pad_id or 0
        # Padding is never attended to, but it is looked up: it must be a token the model knows.
        self._pad_id = pad if vocabulary is None or pad < vocabulary else 0

    def base(self, model: Any, digest: str, held: str | None, answers: Path) -> dict[str, float]:
        """Return the scores of the base; its answers are kept, and found again from there.

        Args:
            model: nothing is put on it yet.
            digest: of its files.
            held: how it is quantised, if it is.
            answers: directory of stores of answers.
        """
        named = f"{digest} in {held}" if held else digest
        tokenizer = self._asker.tokenizer
        mark = fingerprint(named, "", tokenizer, self._placement, self._limits)
        return self._scores(model, AnswerStore(answers, mark), lambda: None)

    def tuned(self, model: Any, alive: Callable[[], None]) -> dict[str, float]:
        """Return the scores of a model as it is now.

        Args:
            model: with its adapter, if it has one.
            alive: called after each batch.
        """
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        return self._scores(inner, None, alive)

    def _scores(
        self, model: Any, store: AnswerStore | None, alive: Callable[[], None]
    ) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        self.answers = []
        with untouched(model), self._precision():
            engine = Engine(model, self._pad_id)
            for one in self._inquiries:
                samples, _ = one.put(engine, self._asker, "", store, lambda task, count: alive())
                scores = [sample.score for sample in samples]
                ability = ability_name(one.suite, one.task)
                found.setdefault(ability, []).extend(scores)
                self.answers += [_answer(ability, sample) for sample in samples[:_ANSWERS]]
        return {name: sum(scores) / len(scores) for name, scores in found.items()}

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Compute as training does."""
        with ExitStack() as stack:
            if self._mixed:
                stack.enter_context(torch.autocast(self._placement.device, torch.bfloat16))
            yield


def _answer(ability: str, sample: Sample) -> dict[str, Any]:
    """Return an answer as an event tells it, long texts cut."""
    return {
        "ability": ability,
        "item": sample.item_id,
        "prompt": sample.prompt[-_LONGEST_TEXT:],
        "gold": sample.gold[:_LONGEST_TEXT],
        "output": sample.output[:_LONGEST_TEXT],
        "score": sample.score,
    }


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Evaluate a model in training; give modes, gradients' flags and random states back.

    Gradients are off by the weights themselves: torch's matmul folds its batch differently where
    a weight requires one, and answers would differ in their last digits from an evaluation's.
    """
    randomness = Randomness()
    modes = [(module, module.training) for module in model.modules()]
    trained = [one for one in model.parameters() if one.requires_grad]
    try:
        model.eval()
        for one in trained:
            one.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for one in trained:
            one.requires_grad_(True)
        randomness.put_back()
