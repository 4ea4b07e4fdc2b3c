"""Checks that the measuring itself works. One that fails voids every number.

What they are for happened to others: an adapter that was loaded and not active (lm_eval issue
2432), a base that was not the base, a template that decided the score (lm_eval issue 1841).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.engine.requests import ChoiceRequest, GenerateRequest, Request, TextRequest
from evalsuite.engine.subjects import Subject
from evalsuite.models import ChatTokenizer, ModelSource
from evalsuite.tasks import Item
from evalsuite.verdict import Canary

if TYPE_CHECKING:
    from torch import Tensor

    from evalsuite.engine.forward import Engine

PROBES = 8
"""Prompts whose next-token logits are compared."""
BATCHED = "batched otherwise"
"""What changes between two answers of a model on this machine."""
CONFIDENCE = 0.95
"""Of the one-sided bound on the share of items that change when nothing but the batches did."""


MERGED = "merged equals unmerged"
"""Name of the check."""
_MERGED_TOLERANCE = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}
"""Largest difference of a logit, as a share of the largest logit: merging rounds once more."""


_AS_TRAINED = "base, template and end token as at training"


def prompt_of(request: Request) -> tuple[int, ...]:
    """Return what a model reads before it answers `request`."""
    if isinstance(request, GenerateRequest | ChoiceRequest):
        return request.prompt
    assert isinstance(request, TextRequest)
    return (request.prefix, *request.tokens[: request.window - 1])


def probe(engine: Engine, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Return next-token logits, [prompts, vocabulary], for the first few prompts."""
    import torch

    from evalsuite.engine.forward import pad_left, positions_of

    ids, mask = pad_left(prompts[:PROBES], engine.pad_id, engine.device)
    with torch.inference_mode():
        return engine.logits(ids, mask, positions_of(mask), None, keep=1)[:, -1].cpu()


def gave_nan(model: str, task: str, item: Item) -> Canary:
    """Return the failed check of a model that gave NaN instead of a probability."""
    place = f" ({item.where})" if item.where else ""
    return no_number(f"{model} gave NaN at item {item.id} of task {task}{place}")


def no_number(what: str) -> Canary:
    """Return the failed check of NaN, where it is known `what` gave it."""
    detail = f"{what}; its weights are damaged or overflow in this precision"
    return Canary("every probability is a number", "fail", detail)


def tuned_is_active(base: Tensor, tuned: Tensor) -> Canary:
    """Pass if the tuned model answers otherwise than the base at all."""
    name = "tuned model is active"
    if base.shape != tuned.shape:
        detail = f"the vocabularies differ: {base.shape[-1]} and {tuned.shape[-1]}"
        return Canary(name, "fail", detail)
    for whose, logits in (("the base", base), ("the tuned model", tuned)):
        if not logits.isfinite().all():
            prompt = 1 + int((~logits.isfinite()).any(dim=1).nonzero()[0])
            return Canary(name, "fail", f"logits of {whose} are no numbers at probe {prompt}")
    largest = float((base - tuned).abs().max())
    detail = f"largest logit difference from the base on {len(base)} prompts: {largest:.3g}"
    if largest > 0:
        return Canary(name, "pass", detail)
    return Canary(name, "fail", f"{detail}; the adapter or the weights have no effect")


def answers_differ(pairs: Sequence[tuple[tuple[str, float], tuple[str, float]]]) -> Canary:
    """Pass if a served tuned model answers otherwise than the base at all.

    Args:
        pairs: answer and log-likelihood (NaN: not told) of base and tuned, item by item.
    """
    name = "tuned model is active"
    if not pairs:
        return Canary(name, "not_run", "no task was answered by both")
    other = sum(
        one[0] != two[0] or (one[1] != two[1] and one[1] == one[1] and two[1] == two[1])
        for one, two in pairs
    )
    detail = f"{other:,} of {len(pairs):,} answers differ from the base's"
    if other:
        return Canary(name, "pass", detail)
    return Canary(name, "fail", f"{detail}; the server may answer with the base under both names")


def not_shown() -> Canary:
    """Return the check that a served model does not allow."""
    return Canary(_AS_TRAINED, "not_run", "a served model does not show its files")


def base_is_itself(fresh: Tensor, off: Tensor) -> Canary:
    """Pass if the base with the adapter off equals the base as it was loaded, bit for bit."""
    name = "base with the adapter off is the base"
    largest = float((fresh - off).abs().max())
    if largest == 0:
        return Canary(name, "pass", f"equal logits on {len(fresh)} prompts")
    return Canary(name, "fail", f"logits differ by up to {largest:.3g}")


def merged_is_unmerged(unmerged: Tensor, merged: Tensor, undone: Tensor, dtype: str) -> Canary:
    """Pass if merging the adapter changes logits by rounding only, and was undone bit for bit.

    Args:
        unmerged: logits with the adapter on its base, [prompts, vocabulary].
        merged: with the adapter merged into the base's weights.
        undone: after that was undone.
        dtype: of the weights.
    """
    largest = float((merged - unmerged).abs().max() / unmerged.abs().max().clamp(min=1e-12))
    allowed = _MERGED_TOLERANCE[dtype]
    detail = (
        f"logits differ by at most {largest:.2g} of the largest on {len(unmerged)} prompts "
        f"(allowed in {dtype}: {allowed:g})"
    )
    if not undone.equal(unmerged):
        return Canary(MERGED, "fail", "merging could not be undone; the base is no longer itself")
    return Canary(MERGED, "pass" if largest <= allowed else "fail", detail)


def spoken_to_as_trained(subject: Subject, tokenizer: ChatTokenizer, base: ModelSource) -> Canary:
    """Pass if base, tokenizer, template and end token are those of the training run."""
    name = _AS_TRAINED
    trained = subject.trained
    if trained is None:
        return Canary(name, "not_run", "not a training run: it recorded none of them")
    differing = [
        what
        for what, recorded, found in (
            ("base model", trained.base_digest, base.digest),
            ("chat template", trained.template_digest, tokenizer.template_digest),
            ("tokenizer", trained.tokenizer_digest, tokenizer.digest),
        )
        if recorded != found
    ]
    if trained.eos_ids != tokenizer.eos_ids:
        differing.append(
            f"end token ({sorted(trained.eos_ids)} then, {sorted(tokenizer.eos_ids)} now)"
        )
    if differing:
        return Canary(name, "fail", f"changed since training: {', '.join(differing)}")
    return Canary(name, "pass", "digests and end tokens are equal")


@dataclass(frozen=True)
class Noise:
    """The base against itself in other batches."""

    items: int
    """Items asked again."""
    flips: int
    """Items whose score changed."""
    largest_logprob_difference: float
    """NaN where the model does not tell likelihoods."""
    scored: int
    """Of `items`, those whose score can flip: all but perplexity and other models' opinions."""
    margin: float
    """Smallest margin of the suites."""
    how: str = BATCHED
    """What was another the second time."""

    @property
    def canary(self) -> Canary:
        """Pass unless certainly more changed than the smallest margin."""
        name = "base agrees with itself"
        detail = (
            f"{self.flips} of {self.scored} items changed their score when {self.how} "
            f"(certainly more than {self.lowest_rate:.1%} would; smallest margin {self.margin:g})"
            f"{self._largest}"
        )
        return Canary(name, "fail" if self.is_too_loud else "pass", detail)

    @property
    def _largest(self) -> str:
        largest = self.largest_logprob_difference
        told = largest == largest
        return f"; largest log-probability difference {largest:.2g}" if told else ""

    @property
    def is_too_loud(self) -> bool:
        """Whether it certainly exceeds the differences that are to be judged."""
        return self.lowest_rate > self.margin

    @property
    def lowest_rate(self) -> float:
        """One-sided lower bound (Clopper and Pearson) of the share of items that change."""
        if not self.flips:
            return 0.0
        from evalsuite.stats.proportions import clopper_pearson_interval

        # Each end of a two-sided interval is a one-sided bound at half its error.
        return clopper_pearson_interval(self.flips, self.scored, 2 * CONFIDENCE - 1).low

    @property
    def note(self) -> str:
        """What a reader should know of flips that void nothing; empty without any."""
        if not self.flips or self.is_too_loud:
            return ""
        return (
            f"{self.flips} of {self.scored} items changed their score on the base alone when "
            f"{self.how}: differences of that size may be near ties"
        )
