"""Base and tuned model, ready to be talked to, on one copy of the weights where possible.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedModel

from evalsuite.engine.forward import Engine
from evalsuite.engine.request import BASE
from evalsuite.engine.sides import Resident, full_model
from evalsuite.engine.stream import GREEDY, Sampling, stream_tokens
from evalsuite.engine.subjects import Subject, common_quantization, common_tokenizer
from evalsuite.models import ChatTokenizer, ModelSource
from evalsuite.models.chat import Message
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import Placement, load_adapter
from evalsuite.models.same_weights import over_same_weights
from evalsuite.models.source import check_model_directory
from workspace.errors import DataError, ModelError

Within = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Voices:
    """Models by name, asked with one tokenizer."""

    tokenizer: ChatTokenizer
    context: int
    """Most tokens that they read."""
    engines: Mapping[str, tuple[Engine, Within]]
    """`base` and the run's name; what is entered around each pass."""
    notes: Sequence[str]
    """What a person should know."""

    @property
    def names(self) -> list[str]:
        """The base's first."""
        return list(self.engines)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return a conversation's token ids up to where the assistant begins.

        Raises:
            ModelError: the template refuses it.
        """
        return self.tokenizer.encode_prompt(messages)

    def room(self, prompt: Sequence[int]) -> int:
        """Return how many tokens an answer may have.

        Raises:
            DataError: the prompt fills what the models read, or is empty.
        """
        if not prompt:
            raise DataError("the prompt is empty")
        left = self.context - len(prompt)
        if left < 1:
            raise DataError(
                "the prompt is longer than the model reads",
                cause=f"It has {len(prompt):,} tokens; the model reads {self.context:,}.",
                cure="Shorten it, or begin a new conversation.",
            )
        return left

    def say(
        self,
        name: str,
        prompt: Sequence[int],
        *,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
    ) -> Iterator[int]:
        """Yield the tokens of an answer; the stop token, if one was met, last."""
        engine, within = self.engines[name]
        return stream_tokens(
            engine,
            prompt,
            max_new_tokens=max_new_tokens,
            stop_ids=self.tokenizer.eos_ids,
            sampling=sampling,
            within=within,
        )


@contextmanager
def open_voices(
    subject: Subject,
    name: str,
    base: ModelSource,
    placement: Placement,
    *,
    others: Sequence[tuple[str, Subject]] = (),
) -> Iterator[Voices]:
    """Load a base and what was tuned from it.

    An adapter is put on the one loaded base, held as it was trained on; a model whose weights were
    all trained is loaded beside its base.

    Args:
        subject: the tuned model.
        name: what it is called, not `base`.
        base: what it was tuned from.
        placement: device and precision.
        others: further adapters of the same base, with their names.

    Raises:
        UsageError: the others are not held as the first, or not asked with the same tokenizer.
        ModelError: one of them cannot be loaded, or names no end token.
    """
    subjects = (subject, *(one for _, one in others))
    tokenizer, notes = common_tokenizer(subjects, base)
    if not tokenizer.eos_ids:
        raise ModelError(
            "this model names no end token",
            where=str(tokenizer.path),
            cure="Set eos_token_id in its generation_config.json: answers would never end.",
        )
    config = check_model_directory(base.path)
    known = vocabulary_size(config)
    pad = tokenizer.pad_id or 0
    pad_id = pad if known is None or pad < known else 0
    held = common_quantization(subjects)
    if held:
        notes = [*notes, f"the base is held in 4 bits ({held}), as the adapter was trained"]
    with ExitStack() as stack:
        resident = Resident.load(base, placement, pad_id, held)
        engines: dict[str, tuple[Engine, Within]]
        if others:
            engines = {BASE: (resident.engine, nullcontext)}
            for called, one in ((name, subject), *others):
                engines[called] = (_beside(resident, one), nullcontext)
            notes = [*notes, f"{len(subjects)} adapters on one base"]
        elif subject.kind == "adapter":
            worn = stack.enter_context(resident.wearing(subject))
            engines = {BASE: (worn.engine, worn.off), name: (worn.engine, nullcontext)}
        else:
            tuned = stack.enter_context(full_model(subject, placement, pad_id))
            engines = {BASE: (resident.engine, nullcontext), name: (tuned, nullcontext)}
            notes = [*notes, "all weights were trained: base and tuned are two models in memory"]
        yield Voices(tokenizer, context_length(config), engines, notes)


def _beside(resident: Resident, subject: Subject) -> Engine:
    """Put an adapter on modules of its own over the resident base's weights."""
    if subject.kind != "adapter":
        raise ModelError(
            "only adapters share a base",
            where=str(subject.path),
            cause="All weights of this model were trained.",
        )
    tuned = load_adapter(over_same_weights(resident.model), subject.path)
    return Engine(cast(PreTrainedModel, tuned.get_base_model()), resident.pad_id)
