"""From a recipe and its data to the plan and what the trainer reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from train.adapter_sections import LowRank
from train.data import DatasetRows, Role, read_dataset
from train.methods import METHODS, Method
from train.plan import levers, reinforcement, settings, tempering, vision
from train.plan import teacher as teachers
from train.plan.document import make_plan
from train.plan.facts import ModelFacts
from train.plan.layout import Layout, lay_out
from train.plan.ledger import TokenLedger, enforce, make_ledger
from train.plan.lengths import length_curve
from train.plan.machine import Machine, read_machine
from train.plan.needs import check_libraries
from train.plan.plan import Prepared
from train.plan.schedule import Schedule, make_schedule
from train.plan.settings import Decided
from train.plan.tokens import check_vocabulary, tokenise
from train.plan.trainable import trainable
from train.recipe import TrainSection
from train.rows import JoinedRows

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.teacher import Teacher

Progress = Callable[[str, int, int], None]


def prepare(
    section: TrainSection,
    *,
    dataset: Path,
    replay: Path | None,
    facts: ModelFacts,
    model_digest: str,
    tokenizer: ChatTokenizer,
    weights: str = "auto",
    machine: Machine | None = None,
    teacher: Teacher | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Prepared:
    """Read the data, tokenise it, account for it and decide the order of rows.

    Pure: the same files, recipe and machine give the same result; imports no torch.

    Args:
        section: of the recipe.
        dataset: to learn from.
        replay: to replay.
        facts: of the model.
        model_digest: of its files.
        tokenizer: of the model.
        weights: `model.dtype`.
        machine: where the run will be; None: this one.
        teacher: what is learnt from, for `distill`.
        progress: is told how far it is.

    Raises:
        UsageError: a library that is not installed, a tuner's option that peft does not know, or
            a lever of speed that this machine lacks.
        DataError: a dataset that cannot be learnt from.
        ModelError: a trainable token that is not one token of the tokenizer, or a token that the
            model does not know.
        LimitExceeded: more rows lost than the recipe allows.
    """
    check_libraries(section)
    vision.check_parts(section, facts)
    learning = vision.learning_facts(facts, section.vision)
    trainable(section.adapter, learning, ())  # what does not fit is told before rows are read
    question = levers.Question(section, facts, machine or read_machine(), weights)
    chosen = levers.decide(question)
    paths = [dataset] if replay is None else [dataset, replay]
    datasets = _read(section, paths, tokenizer, progress)
    tokens = _tokenise(section, facts, datasets, tokenizer, progress)
    _check_tokens(tokens.rows, facts, tokenizer, teacher)
    order = _order(section, facts, tokens, chosen)
    chosen["compile"] = levers.compile_model(question, len(order.layout.shapes))
    decided = _decide(section, facts, tokens, order)
    decided |= teachers.decided(teacher, facts, tokens.rows, str(levers.precision(question).value))
    ledger = replace(tokens.ledger, packing=order.layout.packing)
    plan = make_plan(
        section,
        facts,
        model_digest,
        tokenizer,
        datasets,
        tokens.rows,
        order.layout,
        decided,
        chosen,
    )
    plan = replace(plan, warnings=[*plan.warnings, *ledger.warnings()])
    return Prepared(plan, tokens.rows, order.schedule, ledger)


def _read(
    section: TrainSection, paths: Sequence[Path], tokenizer: ChatTokenizer, progress: Progress
) -> list[DatasetRows]:
    """Read the dataset and, where two paths are given, the rows to replay."""
    method = METHODS[section.method.kind]
    method.demand(section)
    if method.reads_images:  # others refuse them as they read
        vision.demand_images(section, paths, tokenizer)
    roles: tuple[Role, ...] = ("train", "replay")
    datasets = [
        _read_one(path, role, method, progress) for path, role in zip(paths, roles, strict=False)
    ]
    from train.proof.template import check_template  # imports this package

    if method.makes == "language" and any(one.uses_template for one in datasets):
        check_template(tokenizer)
    return datasets


def _read_one(path: Path, role: Role, method: Method, progress: Progress) -> DatasetRows:
    return read_dataset(
        path,
        role,
        accepts=method.accepts,
        method=method.name,
        reads_images=method.reads_images,
        progress=lambda done, total: progress(f"reading images of {role}", done, total),
    )


@dataclass(frozen=True)
class _Tokens:
    """What the rows came to."""

    rows: JoinedRows
    own: int
    """The dataset's; those to be replayed follow."""
    limit: Decided
    """`max_length`."""
    ledger: TokenLedger


def _tokenise(
    section: TrainSection,
    facts: ModelFacts,
    datasets: Sequence[DatasetRows],
    tokenizer: ChatTokenizer,
    progress: Progress,
) -> _Tokens:
    method = METHODS[section.method.kind]
    limit = settings.max_length(section, facts)
    row_limit = reinforcement.row_limit(section, int(limit.value))
    tokenised = [
        tokenise(
            one,
            tokenizer,
            method,
            max_length=row_limit,
            too_long=section.too_long,
            target=lambda row: method.target(row, section),
            progress=lambda done, total, role=one.role: progress(  # type: ignore[misc]
                f"tokenising {role}", done, total
            ),
        )
        for one in datasets
    ]
    reserved = int(limit.value) - row_limit
    curve = length_curve(tokenised, limit=row_limit, reserved=reserved, context=facts.context)
    ledger = replace(make_ledger(tokenised), lengths=curve)
    enforce(ledger, section.limits, max_length=row_limit)
    rows = JoinedRows([one.kept for one in tokenised])
    return _Tokens(rows, len(tokenised[0].kept), limit, ledger)


def _check_tokens(
    rows: JoinedRows, facts: ModelFacts, tokenizer: ChatTokenizer, teacher: Teacher | None
) -> None:
    """Refuse tokens that the model, or its teacher, does not know."""
    from train.proof.template import padding_token  # imports this package

    pad_id = padding_token(tokenizer)[0]
    check_vocabulary(rows, pad_id, facts.vocabulary, tokenizer)
    if teacher is not None:
        check_vocabulary(rows, pad_id, teacher.facts.vocabulary, tokenizer)


@dataclass(frozen=True)
class _Order:
    """Which rows come when, and how they lie in tensors."""

    layout: Layout
    micro_batch_size: Decided
    epochs: Decided | None
    """Passes over the dataset; None where the recipe gives steps."""

    @property
    def schedule(self) -> Schedule:
        """The one in effect."""
        return self.layout.schedule


def _order(
    section: TrainSection, facts: ModelFacts, tokens: _Tokens, chosen: dict[str, Decided]
) -> _Order:
    epochs = settings.epochs(section)
    passes = float(epochs.value) if epochs else None
    batches = reinforcement.generated_batches(section, tokens.own, passes)
    rows = tokens.rows
    schedule = make_schedule(
        train_rows=tokens.own,
        replay_rows=len(rows) - tokens.own,
        replay_share=section.tempering.replay.share if section.tempering.replay else 0.0,
        lengths=rows.padded,
        batch_size=section.batch_size,
        micro_batch_size=section.batch_size,
        steps=batches or section.steps,
        epochs=passes if not batches else None,
        seed=section.seed,
    )
    schedule = reinforcement.with_iterations(section, schedule)
    costs = reinforcement.costs(section, rows.padded)
    least = METHODS[section.method.kind].least_at_once
    micro = settings.micro_batch_size(section, facts, schedule, costs, least)
    if batches is None:  # completions of a whole batch are mixed before they are split
        schedule = replace(schedule, micro_batch_size=int(micro.value))
    capacity = int(tokens.limit.value)
    layout = lay_out(section, facts, schedule, rows, chosen, capacity=capacity)
    return _Order(layout, micro if layout.packing is None else layout.micro_batch_size, epochs)


def _decide(
    section: TrainSection, facts: ModelFacts, tokens: _Tokens, order: _Order
) -> dict[str, Decided]:
    """Return the settings in effect, but for those of a teacher."""
    method, schedule = METHODS[section.method.kind], order.schedule
    decided = {
        "learning_rate": settings.learning_rate(section, facts, method),
        "warmup_steps": settings.warmup_steps(section, schedule.steps),
        "max_length": tokens.limit,
        "micro_batch_size": order.micro_batch_size,
        "checkpoint_every": settings.checkpoint_every(section, schedule.steps),
        "threads": settings.threads(section, facts),
    }
    decided |= vision.decided(section, facts)
    decided |= reinforcement.decided(section, schedule.steps, decided["checkpoint_every"])
    decided |= tempering.decided(section, facts, tokens.rows, schedule)
    decided |= tempering.probe_every(section, schedule.steps, decided["checkpoint_every"])
    if order.epochs:
        decided["epochs"] = order.epochs
    if isinstance(section.adapter, LowRank):
        decided["lora_alpha"] = settings.lora_alpha(section.adapter)
    return decided


__all__ = ["Progress", "prepare"]
