"""Putting a benchmark to a loaded model through lm_eval. Imports lm_eval and torch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lm_eval
from lm_eval.models.huggingface import HFLM

from evalsuite.benchmarks.tasks import ROLLING, Benchmark, quiet
from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.forward import Engine, is_out_of_memory
from evalsuite.engine.questions import Asker, Sample, shown_prompt
from evalsuite.models import ChatTokenizer
from evalsuite.stats.choice import pick
from evalsuite.tasks import Item, LoadedTask
from workspace.errors import EvaluationInvalid, WorkError

_LOGIT_NUMBERS = {"cpu": 2**27, "cuda": 2**31}
"""Rows × tokens × vocabulary of one pass: lm_eval keeps the logits of all positions, twice."""
Beat = Callable[[], None]
"""Called before each pass through the model; may raise to stop."""


def ask_benchmark(
    engine: Engine,
    task: LoadedTask,
    asker: Asker,
    model: str,
    limits: BatchLimits,
    beat: Beat = lambda: None,
) -> list[Sample]:
    """Return one sample per item, in order, as lm_eval scores it.

    Args:
        engine: the model as it is now, adapter on or off.
        task: with its benchmark.
        asker: the tokenizer and the context.
        model: what samples call it.
        limits: of a pass.
        beat: called before each pass.

    Raises:
        WorkError: one item alone does not fit in memory, or lm_eval asked other documents.
        EvaluationInvalid: the model gave NaN.
    """
    benchmark = task.benchmark
    assert isinstance(benchmark, Benchmark)
    started = time.perf_counter()
    rows = _rows(engine, task, asker, limits)
    while True:
        try:
            found = _asked(engine, benchmark, asker, rows, beat)
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if rows == 1:
                raise WorkError(
                    "one item alone does not fit in memory",
                    where=f"lm_eval:{benchmark.section.task}",
                    cause="lm_eval computes the logits of every position.",
                    cure="Use a larger GPU, bfloat16, or fewer examples (`num_fewshot`).",
                ) from error
        rows //= 2
    seconds = (time.perf_counter() - started) / max(len(task.items), 1)
    scored = _by_document(found, benchmark)
    return [
        _Scored(task, benchmark, asker.tokenizer, model, seconds).sample(item, one)
        for item, one in zip(task.items, scored, strict=True)
    ]


def _rows(engine: Engine, task: LoadedTask, asker: Asker, limits: BatchLimits) -> int:
    """Return how many rows a pass takes: items are measured with as many examples before them."""
    shots = int(task.benchmark.task.get_config("num_fewshot") or 0) if task.benchmark else 0
    longest = max(len(asker.tokenizer.encode(i.question + i.gold)) + 32 for i in task.items)
    longest = min(longest * (1 + shots), asker.context)
    vocabulary = int(engine.model.config.get_text_config().vocab_size)
    numbers = _LOGIT_NUMBERS.get(engine.device.type, 2**27) // (longest * vocabulary)
    return max(1, min(limits.rows, limits.tokens // longest, numbers))


def _asked(
    engine: Engine, benchmark: Benchmark, asker: Asker, rows: int, beat: Beat
) -> list[Mapping[str, Any]]:
    """Return lm_eval's samples of the chosen filter."""
    task, section = benchmark.task, benchmark.section
    with quiet(), _untouched(engine.model):
        peer = HFLM(
            pretrained=engine.model,
            tokenizer=_tokenizer(asker.tokenizer),
            batch_size=rows,
            max_length=asker.context,
            softmax_dtype="float32",  # in bfloat16 choices tie
        )
        _with_beat(peer, beat)
        task.set_fewshot_seed(seed=section.seed)
        found = lm_eval.evaluate(
            lm=peer,
            task_dict={"tasks": {section.task: task}},
            samples={section.task: list(benchmark.indices)},
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=section.chat_template,
            fewshot_as_multiturn=section.chat_template,
        )
    samples = found["samples"][section.task]
    return [sample for sample in samples if sample["filter"] == benchmark.filter]


@contextmanager
def _untouched(model: Any) -> Iterator[None]:
    """Keep lm_eval from tying weights anew, and answers from being cut as the model would."""
    config = model.generation_config
    longest, model.generation_config.max_new_tokens = config.max_new_tokens, None
    model.tie_weights = lambda *args, **kwargs: None  # an adapter may have trained one of the two
    try:
        yield
    finally:
        del model.tie_weights
        config.max_new_tokens = longest


def _with_beat(peer: Any, beat: Beat) -> None:
    for name in ("_model_call", "_model_generate"):
        original = getattr(peer, name)

        def told(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            beat()
            return _original(*args, **kwargs)

        setattr(peer, name, told)


def _tokenizer(ours: ChatTokenizer) -> Any:
    """Return transformers' tokenizer with the template that everything else is asked with."""
    from transformers import AutoTokenizer

    theirs: Any = AutoTokenizer.from_pretrained(ours.path, local_files_only=True)
    if ours.template is not None:
        theirs.chat_template = ours.template.source
    return theirs


def _by_document(
    found: list[Mapping[str, Any]], benchmark: Benchmark
) -> Iterator[Mapping[str, Any]]:
    """Yield a sample per item; pairs are made by lm_eval's hash of the document and the filter."""
    by_place = {int(sample["doc_id"]): sample for sample in found}
    for index, wanted in zip(benchmark.indices, benchmark.hashes, strict=True):
        sample = by_place.get(index)
        if sample is None or sample["doc_hash"] != wanted:
            raise WorkError(
                "lm_eval asked other documents than were read",
                where=f"lm_eval:{benchmark.section.task}: document {index}",
                cure="Was the dataset changed meanwhile? Evaluate again.",
            )
        yield sample


class _Scored:
    """Makes samples of ours from lm_eval's."""

    def __init__(
        self,
        task: LoadedTask,
        benchmark: Benchmark,
        tokenizer: ChatTokenizer,
        model: str,
        seconds: float,
    ) -> None:
        self.task = task
        self.benchmark = benchmark
        self.tokenizer = tokenizer
        self.model = model
        self.seconds = seconds

    def sample(self, item: Item, found: Mapping[str, Any]) -> Sample:
        """Return the sample of one item."""
        score, output, logprob = self._scored(item, found)
        if math.isnan(score):
            raise EvaluationInvalid(
                "the model gave NaN",
                where=item.where,
                cause="lm_eval's score of this item is no number.",
                cure="Try `model.dtype: float32`; if it stays, the run itself has diverged.",
            )
        arguments = found["arguments"][0]
        context = str(arguments[0]) if len(arguments) > 1 else ""
        text = output or item.text
        return Sample(
            self.task.spec.name, self.task.spec.measures, item.id, item.cluster, self.model,
            shown_prompt(item) if item.messages else item.text, item.gold, output, score,
            "" if score else "not right", logprob, len(self.tokenizer.encode(context)),
            len(self.tokenizer.encode(text)), self.seconds, False,
        )  # fmt: skip

    def _scored(self, item: Item, found: Mapping[str, Any]) -> tuple[float, str, float]:
        """Return score, output and log-likelihood."""
        kind, value = self.benchmark.output_type, found[self.benchmark.metric]
        answers = found["filtered_resps"]
        if kind == "loglikelihood_rolling":
            assert self.benchmark.metric == ROLLING
            logprob, size = value
            return float(logprob) / size / math.log(2), "", float(logprob)
        if kind == "generate_until":
            return float(value), _text(answers[0]), math.nan
        if kind == "loglikelihood":
            logprob, is_greedy = answers[0]
            return float(value), item.gold if is_greedy else "", float(logprob)
        # Other metrics than these three are told with what is likeliest.
        logprobs = tuple(float(answer[0]) for answer in answers[: len(item.choices)])
        chosen = getattr(pick(logprobs, item.choices), self.benchmark.metric, None)
        place = chosen if isinstance(chosen, int) else pick(logprobs, item.choices).acc
        return float(value), item.choices[place], logprobs[place]


def _text(answer: Any) -> str:
    if isinstance(answer, list | tuple):
        return str(answer[0]) if answer else ""
    return str(answer)
