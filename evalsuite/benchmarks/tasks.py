"""A task of lm_eval as items of ours. Imports lm_eval, and no model."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from lm_eval import utils as lm_utils
from lm_eval.api.registry import metric_registry
from lm_eval.tasks import TaskManager

from evalsuite.benchmarks.files import refuse_code
from evalsuite.benchmarks.section import BenchmarkSection
from evalsuite.tasks.item import Item, Message, content_digest
from evalsuite.tasks.templates import as_text
from workspace.errors import DataError, TemperError, UsageError
from workspace.problems import did_you_mean
from workspace.text import plain

_UNPAIRED = ("f1", "mcc", "brier_score", "bleu", "chrf", "ter", "perplexity", "likelihood")
"""Figures of lm_eval that are made of all items at once, or are better when lower."""
ROLLING = "bits_per_byte"
"""The one figure of whole texts that is paired; its score is minus it."""


@dataclass(frozen=True)
class Benchmark:
    """A task of lm_eval, ready to be asked."""

    task: Any
    """`lm_eval.api.task.Task`."""
    section: BenchmarkSection
    metric: str
    filter: str
    indices: tuple[int, ...]
    """Which of the task's documents are asked, ascending."""
    hashes: tuple[str, ...]
    """lm_eval's hash of each."""
    cluster: str | None = None

    @property
    def output_type(self) -> str:
        """loglikelihood, loglikelihood_rolling, multiple_choice or generate_until."""
        return str(self.task.OUTPUT_TYPE)

    @property
    def digest(self) -> str:
        """SHA-256 of how the task asks and scores."""
        told = json.dumps(self.task.dump_config(), default=str, sort_keys=True)
        return content_digest([told, self.metric, self.filter])

    def items(self) -> tuple[Item, ...]:
        """Return the documents as items: what is asked, the answers, the right one."""
        docs = self.task.eval_docs
        places = zip(self.indices, self.hashes, strict=True)
        return tuple(self._item(docs[index], index, found) for index, found in places)

    def _item(self, doc: Mapping[str, Any], index: int, found: str) -> Item:
        item_id = f"{index}-{found[:8]}"
        where = f"lm_eval:{self.section.task}: document {index}"
        cluster = as_text(doc.get(self.cluster)) if self.cluster else None
        bare = Item(item_id, cluster=cluster or item_id, where=where)
        target = self.task.doc_to_target(doc)
        if self.output_type == "loglikelihood_rolling":
            if not _shown(target).strip():
                raise DataError(
                    "this text is empty",
                    where=where,
                    cause="It has no bytes to predict, so that bits per byte are not defined.",
                    cure="Take the document out of the data.",
                )
            return replace(bare, text=_shown(target))
        choices = self._choices(doc)
        gold = choices[target] if choices and isinstance(target, int) else _shown(target)
        asked = self.task.doc_to_text(doc)
        # Where the choices are contexts (winogrande), the question is they.
        question = asked if isinstance(asked, str) else " / ".join(choices)
        return replace(bare, messages=(Message("user", question),), gold=gold, choices=choices)

    def _choices(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        if self.output_type != "multiple_choice":
            return ()
        return tuple(str(choice) for choice in self.task.doc_to_choice(doc))


def open_benchmark(
    section: BenchmarkSection, directory: Path, cluster: str | None = None
) -> Benchmark:
    """Find a task of lm_eval and read its documents, which may be downloaded for it.

    Args:
        section: which.
        directory: the suite's, for `include_path`.
        cluster: field of a document whose equal values make items dependent.

    Raises:
        UsageError: there is no such task, metric or filter, it is a group, or it runs programs.
        DataError: its documents cannot be read, or its files name Python code.
    """
    where = f"lm_eval:{section.task}"
    with quiet(), _told(where):
        _make_templates_safe()
        task = _found(section, directory, where)
        if getattr(task, "UNSAFE_CODE", False) or getattr(task, "MULTIMODAL", False):
            raise UsageError(
                "this benchmark runs programs or shows images",
                where=where,
                cause="Neither is asked through lm_eval here.",
                cure="Programs are scored by a task of your own with scorer code.",
            )
        _set_examples(task, section, where)
        metric, chosen = _metric(task, section, where), _filter(task, section, where)
        docs = task.eval_docs
        indices = _drawn(len(docs), section)
        hashes = tuple(doc_hash(docs[index]) for index in indices)
    return Benchmark(task, section, metric, chosen, indices, hashes, cluster)


def doc_hash(doc: Mapping[str, Any]) -> str:
    """Return the hash by which lm_eval's samples name a document."""
    told = json.dumps(doc, indent=2, default=lm_utils.handle_non_serializable, ensure_ascii=False)
    return str(lm_utils.hash_string(told))


@contextmanager
def quiet() -> Iterator[None]:
    """Without lm_eval's log and progress bars."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logger.setLevel(before)


def _make_templates_safe() -> None:
    """Let lm_eval render templates in a sandbox: its own environment runs what files say."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if isinstance(lm_utils.env, ImmutableSandboxedEnvironment):
        return
    safe = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    safe.filters.update(lm_utils.env.filters)
    lm_utils.env = safe


def _found(section: BenchmarkSection, directory: Path, where: str) -> Any:
    include = directory / section.include_path if section.include_path else None
    if include is not None:
        refuse_code(include, metric_registry)
    manager = TaskManager(include_path=include, include_defaults=include is None)
    names = manager.all_subtasks
    if section.task in names:
        return manager.load([section.task])["tasks"][section.task]
    if section.task in manager.all_tasks:
        inside = sorted(manager.load([section.task])["tasks"])
        raise UsageError(
            "this is a group of benchmarks",
            where=where,
            cause=f"It holds {len(inside)}: {', '.join(inside[:8])}{' …' * (len(inside) > 8)}.",
            cure="Name them one by one.",
        )
    raise UsageError(
        "lm_eval has no such task",
        where=where,
        cause=f"{len(names):,} are known{f' in {include}' if include else ''}.",
        cure=f"{did_you_mean(section.task, names)} `lm_eval ls tasks` lists its own.".strip(),
    )


def _set_examples(task: Any, section: BenchmarkSection, where: str) -> None:
    """Set the number of examples as lm_eval's command does."""
    own = task.get_config("num_fewshot")
    wanted = section.num_fewshot
    if own == 0 and wanted:
        raise UsageError(
            "this benchmark takes no examples",
            where=f"{where}: num_fewshot",
            cause=f"Found {wanted}; the task itself says 0, which lm_eval never overrules.",
            cure="Leave `num_fewshot` out.",
        )
    if own is None or wanted is not None:
        task.set_config(key="num_fewshot", value=wanted or 0)


def _metric(task: Any, section: BenchmarkSection, where: str) -> str:
    better = task.higher_is_better()
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        known = [name for name in better if name == ROLLING]
    else:
        known = [name for name in better if better[name] and name not in _UNPAIRED]
    if section.metric is None and known:
        return str(known[0])
    if section.metric in known:
        return str(section.metric)
    raise UsageError(
        "this benchmark has no such figure of each item",
        where=f"{where}: metric",
        cause=f"Found {section.metric!r}; expected one of {', '.join(known) or 'none there is'} "
        f"(the task has {', '.join(better)}; what is made of all items at once cannot be paired).",
        cure=did_you_mean(section.metric or "", known) or "Name another, or leave `metric` out.",
    )


def _filter(task: Any, section: BenchmarkSection, where: str) -> str:
    known = [str(one.name) for one in task._filters]
    if section.filter is None:
        return known[0]
    if section.filter in known:
        return section.filter
    raise UsageError(
        "this benchmark has no such filter",
        where=f"{where}: filter",
        cause=f"Found {section.filter!r}; expected one of {', '.join(known)}.",
        cure=did_you_mean(section.filter, known) or "Leave `filter` out for the first.",
    )


def _drawn(count: int, section: BenchmarkSection) -> tuple[int, ...]:
    if section.items is None or section.items >= count:
        return tuple(range(count))
    return tuple(sorted(random.Random(section.seed).sample(range(count), section.items)))


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say what lm_eval raises in our words."""
    try:
        yield
    except TemperError:
        raise
    except Exception as error:  # datasets, templates, YAML: it raises nearly everything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            "this benchmark cannot be read",
            where=where,
            cause=f"{type(error).__name__}: {plain(lines[0], 300).rstrip('.')}.",
            cure="Its documents may need the network once (they are then in the cache of "
            "`datasets`); a task of your own needs its paths right.",
        ) from error


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return str(value[0]) if len(value) == 1 else json.dumps(list(value), default=str)
    return str(value)
