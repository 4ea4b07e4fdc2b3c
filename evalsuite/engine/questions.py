"""Items to requests, and answers to scored samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.engine.requests import (
    Answer,
    ChoiceAnswer,
    ChoiceRequest,
    GenerateRequest,
    Generation,
    Request,
    TextAnswer,
    TextRequest,
)
from evalsuite.models import ChatTokenizer, unknown_token
from evalsuite.scorers import Opinion, Score, TaskScorer
from evalsuite.stats.choice import pick
from evalsuite.tasks import Item, LoadedTask, Task
from workspace.errors import DataError, ModelError


class ItemTooLong(DataError):
    """An item with its answer is longer than the model reads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One model's answer to one item, scored: a row of `samples.parquet`."""

    task: str
    ability: str
    item_id: str
    cluster: str
    model: str
    prompt: str
    gold: str
    output: str
    score: float
    """0 to 1; for perplexity minus the bits per byte, so that higher is better; a reward model's
    has no bounds. NaN: none, since another model that scores it did not."""
    detail: str
    """Why the score is what it is; empty when right."""
    logprob: float
    """Natural-log likelihood of the output, or of the text."""
    prompt_tokens: int
    output_tokens: int
    latency_seconds: float
    cut: bool
    """The answer ran into `max_new_tokens`."""


@dataclass(frozen=True)
class Asker:
    """Makes requests for one tokenizer and one length of context."""

    tokenizer: ChatTokenizer
    context: int
    """Most tokens that the model reads."""
    vocabulary: int | None = None
    """How many token ids the model knows; None if it does not say."""

    def requests(self, task: LoadedTask) -> list[Request]:
        """Return one request per item, in order.

        Raises:
            ItemTooLong: an item is longer than the model reads.
            ModelError: no chat template, no end token, a template that refuses the messages, or a
            token that the model does not know.
        """
        return [self._request(task.spec, item) for item in task.items]

    def fits(self, task: Task, item: Item) -> bool:
        """Whether the model reads the item with its answer. Raises ModelError as `requests`."""
        return self.request(task, item) is not None

    def request(self, task: Task, item: Item) -> Request | None:
        """Return the request of one item; None if the model does not read so much.

        Raises: ModelError as `requests`.
        """
        try:
            return self._request(task, item)
        except ItemTooLong:
            return None

    def _request(self, task: Task, item: Item) -> Request:
        if task.kind == "perplexity":
            return self._text(item)
        text = self.tokenizer.render(item.chat(), add_generation_prompt=True).text
        prompt = self.tokenizer.encode(text)
        longest = task.max_new_tokens
        self._check_known(prompt, item)
        request: Request
        if task.kind == "choice":
            choices = tuple(self._continuation(text, prompt, choice) for choice in item.choices)
            longest = max(map(len, choices))
            for choice in choices:
                self._check_known(choice, item)
            request = ChoiceRequest(tuple(prompt), choices)
        else:
            request = GenerateRequest(tuple(prompt), task.max_new_tokens, self._stop_ids())
        if len(prompt) + longest > self.context:
            raise ItemTooLong(
                f"task {task.name}: this item is longer than the model reads",
                where=item.where,
                cause=f"Its prompt has {len(prompt)} tokens and its answer may have {longest}; "
                f"the model reads {self.context}.",
                cure="Shorten the item or `max_new_tokens`.",
            )
        return request

    def _stop_ids(self) -> tuple[int, ...]:
        if not self.tokenizer.eos_ids:
            raise ModelError(
                "this model names no end token",
                where=str(self.tokenizer.path),
                cause="Neither generation_config.json, config.json nor the tokenizer has one.",
                cure="Without one every answer runs to `max_new_tokens`: set `eos_token_id`.",
            )
        return tuple(sorted(self.tokenizer.eos_ids))

    def _continuation(self, text: str, prompt: Sequence[int], choice: str) -> tuple[int, ...]:
        """Return the tokens of `choice` after the prompt, as one text where that keeps the prompt.

        Unlike lm_eval, white space at the end of the prompt stays there: moving it into the
        choice would score the template's last newline with every answer.
        """
        whole = self.tokenizer.encode(text + choice)
        if whole[: len(prompt)] == list(prompt) and len(whole) > len(prompt):
            return tuple(whole[len(prompt) :])
        return tuple(self.tokenizer.encode(choice))

    def _text(self, item: Item) -> TextRequest:
        prefix = self.tokenizer.bos_id if self.tokenizer.bos_id is not None else None
        prefix = self.tokenizer.eos_id if prefix is None else prefix
        if prefix is None:
            raise ModelError(
                "perplexity needs a token before the first",
                where=str(self.tokenizer.path),
                cause="The tokenizer has neither a begin nor an end token.",
            )
        ids = self.tokenizer.encode(item.text)
        if not ids:  # nothing to predict would look like perfect prediction
            raise DataError(
                "this text has no tokens",
                where=item.where,
                cause=f"The tokenizer leaves nothing of its {len(item.text)} characters.",
                cure="Take the item out.",
            )
        self._check_known(ids, item)
        return TextRequest(tuple(ids), prefix, self.context)

    def _check_known(self, ids: Sequence[int], item: Item) -> None:
        if self.vocabulary is not None and max(ids, default=0) >= self.vocabulary:
            raise unknown_token(self.tokenizer, max(ids), self.vocabulary, item.where)

    def sample(
        self, task: Task, item: Item, model: str, request: Request, answer: Answer
    ) -> Sample:
        """Score `answer` and return it as a row."""
        common = (task.name, task.measures, item.id, item.cluster, model)
        if isinstance(answer, Generation) and isinstance(request, GenerateRequest):
            output = self.tokenizer.decode(answer.output)
            score = score_of(task.scorer, output, item)
            return Sample(
                *common, shown_prompt(item), item.shown_gold, output,
                score.value if score else math.nan, score.detail if score else "",
                answer.logprob, len(request.prompt), len(answer.output), answer.seconds,
                not answer.stopped,
            )  # fmt: skip
        if isinstance(answer, ChoiceAnswer) and isinstance(request, ChoiceRequest):
            chosen = getattr(pick(answer.logprobs, item.choices), task.metric)
            right = item.choices[chosen] == item.gold
            return Sample(
                *common, shown_prompt(item), item.gold, item.choices[chosen], float(right),
                "" if right else "another choice", answer.logprobs[chosen], len(request.prompt),
                len(request.choices[chosen]), answer.seconds, False,
            )  # fmt: skip
        assert isinstance(answer, TextAnswer)
        bits = -answer.logprob / math.log(2) / len(item.text.encode())
        return Sample(
            *common, item.text, "", "", -bits, "", answer.logprob, answer.tokens, 0,
            answer.seconds, False,
        )  # fmt: skip


def score_of(scorer: TaskScorer | None, output: str, item: Item) -> Score | None:
    """Return the score, or None where it waits until another model is asked for it."""
    if scorer is None or isinstance(scorer, Opinion):
        return None
    return scorer.score(output, item)


def shown_prompt(item: Item) -> str:
    """Return an item's chat for a person: the question alone, or every turn with its role."""
    if len(item.messages) == 1:
        return item.messages[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in item.messages)
