"""Base and base + LoRA asked the same task, by us and by lm_eval, with what it took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairs.tasks import Row, Shape, peer_task


@dataclass(frozen=True)
class Answered:
    """Both models' answers to one task."""

    scores: tuple[float, float]
    """The task's figure of base and tuned."""
    values: tuple[Any, ...]
    """Per model and item: log-likelihoods of the choices or of a text's token, or the answer."""


@dataclass(frozen=True)
class Took:
    """Seconds of one turn."""

    cpu: float
    wall: float


@contextmanager
def measured(into: list[Took]) -> Iterator[None]:
    """Note what the work within took: of all threads, and by the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    into.append(Took(time.process_time() - cpu, time.perf_counter() - wall))


@dataclass
class Ours:
    """The paired engine on one resident base."""

    base: Path
    adapter: Path
    batch: int
    device: str

    def __post_init__(self) -> None:
        from evalsuite.engine.sides import Resident
        from evalsuite.engine.subjects import find_subject
        from evalsuite.models.load import Placement
        from evalsuite.models.source import directory_source
        from workspace.layout import Workspace

        self.subject = find_subject(str(self.adapter), Workspace(self.base))
        placement = Placement(self.device, "float32", "equal precision on both sides")
        self.resident = Resident.load(directory_source(self.base, name="base"), placement, 0)

    @contextmanager
    def loaded(self) -> Iterator[Callable[[Path, Shape], Answered]]:
        """Put the adapter on the base; within, tasks are asked."""
        from evalsuite.models import ChatTokenizer

        tokenizer = ChatTokenizer.from_dir(self.base)
        with self.resident.wearing(self.subject) as worn:
            yield lambda suite, shape: self._ask(worn, tokenizer, suite, shape)

    def _ask(self, worn: Any, tokenizer: Any, suite: Path, shape: Shape) -> Answered:
        from dataclasses import replace

        from evalsuite.engine.batching import BatchLimits
        from evalsuite.engine.inquiry import inquire
        from evalsuite.engine.questions import Asker
        from evalsuite.engine.run import ask
        from evalsuite.tasks import load_suite

        whole = load_suite(suite)
        tasks = tuple(task for task in whole.tasks if task.spec.name == shape.name)
        asker = Asker(tokenizer, 1024)
        limits = BatchLimits(tokens=2**40, rows=self.batch)
        (inquiry,) = inquire([replace(whole, tasks=tasks)], asker, limits, few_shot=False)
        values, scores = [], []
        for off in (True, False):
            if off:
                with worn.off():
                    answers = ask(worn.engine, inquiry.asked).answers
            else:
                answers = ask(worn.engine, inquiry.asked).answers
            samples = inquiry.scored(asker, "", inquiry.asked.requests, answers)
            values.append([_value(shape, *pair) for pair in zip(answers, samples, strict=True)])
            scores.append(_figure(shape, samples, inquiry.task.items))
        return Answered((scores[0], scores[1]), tuple(values))


def _value(shape: Shape, answer: Any, sample: Any) -> Any:
    if shape.kind == "choice":
        return list(answer.logprobs)
    return sample.output.strip() if shape.kind == "generation" else [answer.logprob / answer.tokens]


def _figure(shape: Shape, samples: Sequence[Any], items: Sequence[Any]) -> float:
    if shape.kind == "perplexity":
        spent = math.fsum(sample.logprob for sample in samples)
        return -spent / sum(len(item.text.encode()) for item in items) / math.log(2)
    return math.fsum(sample.score for sample in samples) / len(samples)


@dataclass
class Theirs:
    """Two calls of `lm_eval.simple_evaluate` on one loaded model, the adapter off and on."""

    base: Path
    adapter: Path
    batch: int
    device: str

    def __post_init__(self) -> None:
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
        from transformers import AutoTokenizer

        from evalsuite.models.load import load_adapter, load_model

        bare = load_model(self.base, device=self.device).requires_grad_(False)
        # lm_eval says max_length; a max_new_tokens in the generation config would overrule it.
        bare.generation_config.max_new_tokens = None
        self.model = load_adapter(bare, self.adapter)
        self.peer = HFLM(
            pretrained=self.model, tokenizer=AutoTokenizer.from_pretrained(self.base),
            batch_size=self.batch, softmax_dtype="float32", max_length=1024,
        )  # fmt: skip
        self.manager = TaskManager(include_defaults=False)

    def ask(self, task: dict[str, Any], shape: Shape) -> Answered:
        """Ask base and tuned one task that `peer_task` made."""
        with self.model.disable_adapter():
            base = self._once(task, shape)
        tuned = self._once(task, shape)
        return Answered((base[0], tuned[0]), (base[1], tuned[1]))

    def _once(self, task: dict[str, Any], shape: Shape) -> tuple[float, list[Any]]:
        import lm_eval

        found = lm_eval.simple_evaluate(
            model=self.peer, tasks=[dict(task)], bootstrap_iters=0, log_samples=True,
            apply_chat_template=shape.kind != "perplexity", task_manager=self.manager,
        )  # fmt: skip
        results = found["results"][task["task"]]
        metric = {"choice": "acc", "generation": "exact_match", "perplexity": "bits_per_byte"}
        samples = sorted(found["samples"][task["task"]], key=lambda sample: sample["doc_id"])
        values = [self._value(shape, sample) for sample in samples]
        return float(results[f"{metric[shape.kind]},none"]), values

    def _value(self, shape: Shape, sample: dict[str, Any]) -> Any:
        responses = sample["filtered_resps"]
        if shape.kind == "choice":
            return [float(pair[0]) for pair in responses]
        if shape.kind == "generation":
            return responses[0].strip()
        first = responses[0]
        value = float(first[0] if isinstance(first, list | tuple) else first)
        # It adds up a text of 800 tokens in float32, which rounds the sum at 1e-4.
        return [value / len(self.peer.tok_encode(sample["doc"]["text"]))]


def read_rows(suite: Path, shape: Shape) -> list[Row]:
    """Return the rows of one task."""
    import json

    return [json.loads(line) for line in (suite.parent / f"{shape.name}.jsonl").open()]


def both(
    ours: Ours, theirs: Theirs, suite: Path, shapes: Sequence[Shape], repeats: int
) -> Iterator[tuple[Shape, Answered, Answered, list[Took], list[Took]]]:
    """Ask every task in turns, and yield answers and times; the first turn of each warms up."""
    with ours.loaded() as ask_ours:
        for shape in shapes:
            task = peer_task(shape, read_rows(suite, shape))
            mine, yours = ask_ours(suite, shape), theirs.ask(task, shape)
            times: tuple[list[Took], list[Took]] = ([], [])
            for _ in range(repeats):
                with measured(times[0]):
                    mine = ask_ours(suite, shape)
                with measured(times[1]):
                    yours = theirs.ask(task, shape)
            yield shape, mine, yours, *times
