"""The same model asked the same tasks, by us and by lm_eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agreement.tasks import PEER_TASKS

WINDOW = 32
"""Longest input for texts, in tokens, so that rolling windows are needed."""


def ask_ours(model_dir: Path, suite_path: Path, model: Any) -> dict[str, tuple[Any, ...]]:
    """Return task → (items, answers, samples)."""
    from evalsuite.engine.batching import BatchLimits
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.inquiry import inquire
    from evalsuite.engine.questions import Asker
    from evalsuite.engine.requests import TextRequest
    from evalsuite.engine.run import Pass, ask
    from evalsuite.models import ChatTokenizer
    from evalsuite.tasks import load_suite

    asker = Asker(ChatTokenizer.from_dir(model_dir), 1024)
    limits = BatchLimits(tokens=8192, rows=64)
    found: dict[str, tuple[Any, ...]] = {}
    for inquiry in inquire([load_suite(suite_path)], asker, limits, few_shot=False):
        requests = [
            replace(request, window=WINDOW) if isinstance(request, TextRequest) else request
            for request in inquiry.asked.requests
        ]
        answers = ask(Engine(model, 0), Pass.plan(requests, limits)).answers
        samples = inquiry.scored(asker, "ours", requests, answers)
        found[inquiry.task.spec.name] = (inquiry.task.items, answers, samples)
    return found


def newline_scored_too(model_dir: Path, items: Sequence[Any], model: Any) -> list[list[float]]:
    """Score the choices as lm_eval splits them: the prompt's last white space before each."""
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.loglikelihood import score_choices
    from evalsuite.engine.requests import ChoiceRequest
    from evalsuite.models import ChatTokenizer

    tokenizer = ChatTokenizer.from_dir(model_dir)
    requests = []
    for item in items:
        text = tokenizer.render(item.chat(), add_generation_prompt=True).text
        kept = tokenizer.encode(text.rstrip())
        whole = [tokenizer.encode(text + choice)[len(kept) :] for choice in item.choices]
        requests.append(ChoiceRequest(tuple(kept), tuple(map(tuple, whole))))
    return [list(answer.logprobs) for answer in score_choices(Engine(model, 0), requests)]


def ask_theirs(model_dir: Path, data: Path, model: Any) -> dict[str, tuple[Any, ...]]:
    """Return task → (lm_eval's figures, its samples in the order of the items)."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    results: dict[str, tuple[Any, ...]] = {}
    for name, task in PEER_TASKS.items():
        config = {
            "task": f"agreement_{name}",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data / f"{name}.jsonl")}},
            "test_split": "test",
            **task,
        }
        peer = HFLM(
            pretrained=model, tokenizer=tokenizer, batch_size=16, softmax_dtype="float32",
            max_length=WINDOW if name == "read" else 1024,
        )  # fmt: skip
        found = lm_eval.simple_evaluate(
            model=peer, tasks=[config], bootstrap_iters=0, log_samples=True,
            apply_chat_template=name != "read",
            task_manager=TaskManager(include_defaults=False),
        )  # fmt: skip
        samples = sorted(found["samples"][config["task"]], key=lambda sample: sample["doc_id"])
        results[name] = (found["results"][config["task"]], samples)
    return results
